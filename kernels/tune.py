"""Choose the tiles of this device by time, and write them into kernels/<operation>/tiles.json. Needs a CUDA device.

    python -m kernels.tune [OPERATION ...] [--dry]

Each row of the table in effect here (the nearest older architecture's, where this one has none of its own yet) is tried beside itself
with one of its numbers halved or doubled. A candidate has to compile within what this device has, without spills, and to be right in all
cases; then all are timed in turn, forward and backward, round after round. Of those within 2 % of the fastest the smallest is taken. Rows
are by architecture, dtype and width of a head, never by a length. What has been chosen is written row by row: broken off, it is not lost.
"""

import argparse
import json
import statistics
from collections.abc import Callable, Sequence
from typing import Any

import torch

from kernels import use_backend
from kernels.cases import CASES, Case
from kernels.compile_check import SHARED, STACK, compiled, launches_of
from kernels.errors import judged, under
from kernels.launch import FOLDER, KEYS, Launch, capability, tiles, trying
from kernels.timing import rounds

__all__ = ["chosen", "in_effect", "neighbours", "rewritten", "tuned"]

Row = dict[str, Any]

MARK = 1000  # stages, of a tile that is looked for
NOISE = 0.02  # ours: what is closer is no difference
WIDEST = 256  # of the row that has no width: heads have no more
TIMES_RIGHT, TIMES_TIMED = 3, 64  # times the sizes of kernels/cases.py: for right or wrong, and for time


def neighbours(tile: Row) -> list[Row]:
    """The tile itself first, then with one of its numbers halved or doubled; stages go one by one."""
    found = [dict(tile)]
    for key, value in tile.items():
        steps = (value - 1, value + 1) if key == "num_stages" else (value // 2, value * 2)
        most = {"num_stages": 4, "num_warps": 16}.get(key, 4096)
        found += [{**tile, key: step} for step in steps if 1 <= step <= most]
    return found


def size(tile: Row) -> tuple[int, ...]:
    """Smaller first: numbers of a tile, then warps, then stages."""
    numbers = 1
    for key, value in tile.items():
        numbers *= value if key.isupper() else 1
    return numbers, tile["num_warps"], tile["num_stages"]


def chosen(candidates: Sequence[Row], milliseconds: Sequence[Sequence[float]]) -> Row:
    """By the median; of those that are as fast as the fastest but for noise the smallest."""
    medians = [statistics.median(times) for times in milliseconds]
    limit = (1 + NOISE) * min(medians)
    return min((tile for tile, median in zip(candidates, medians, strict=True) if median <= limit), key=size)


def tuned(
    tile: Row, fits: Callable[[Row], bool], right: Callable[[Row], bool], timed: Callable[[Sequence[Row]], Sequence[Sequence[float]]]
) -> Row:
    """The best of the neighbours that fit and are right; the tile as it is where none is."""
    candidates = [each for each in neighbours(tile) if fits(each) and right(each)]
    return chosen(candidates, timed(candidates)) if candidates else tile


def in_effect(table: Sequence[Row], kernel: str, architecture: int) -> list[Row]:
    """The rows that a device of this architecture takes for the kernel, as rows of its own."""
    rows = [row for row in table if row["kernel"] == kernel and 0 < row["architecture"] <= architecture]
    newest = max(row["architecture"] for row in rows)
    return [{**row, "architecture": architecture} for row in rows if row["architecture"] == newest]


def rewritten(table: Sequence[Row], kernel: str, architecture: int, rows: Sequence[Row]) -> list[Row]:
    """The table with these rows for the kernel on this architecture, and no others for it."""
    others = [row for row in table if (row["kernel"], row["architecture"]) != (kernel, architecture)]
    return sorted(
        [*others, *rows], key=lambda row: (row["architecture"] > 0, list(dict.fromkeys(r["kernel"] for r in table)).index(row["kernel"]))
    )


def text(table: Sequence[Row]) -> str:
    return "[\n" + ",\n".join(f" {json.dumps(row)}" for row in table) + "\n]\n"


class Bench:
    """What the device says of one row's candidates."""

    def __init__(self, folder: str, row: Row, architecture: int) -> None:
        self.folder, self.kernel, self.architecture = folder, row["kernel"], architecture
        self.dtype = torch.bfloat16 if row.get("bits") == 16 else torch.float32
        self.width = row.get("width", WIDEST)
        self.row = {key: value for key, value in row.items() if key not in KEYS}
        self.operation = self.first_that_launches()

    def cases(self, operation: str, times: int) -> list[Case]:
        torch.manual_seed(0)  # pyright: ignore[reportUnknownMemberType]
        with torch.device("cuda"):
            return CASES[operation](self.dtype, self.width, times)

    def first_that_launches(self) -> str:
        """The operation of that name, or another one that borrows the kernel."""
        for operation in sorted(CASES, key=lambda name: name != self.folder):
            for case in CASES[operation](self.dtype, self.width):
                if self.launched(case):
                    return operation
        raise LookupError(f"no case of kernels/cases.py launches {self.folder}'s {self.kernel}")

    def launched(self, case: Case, tile: Row | None = None) -> list[Launch]:
        """The launches that take this tile. A row of the table may be of several kernels and bear the name of none: they are known by a
        number that no table has."""
        taken = tile or self.row
        with trying(self.folder, self.kernel, {**taken, "num_stages": MARK}):
            found = [one for one in launches_of(case, self.architecture) if one.options["num_stages"] == MARK]
        return [one._replace(options={**one.options, "num_stages": taken["num_stages"]}) for one in found]

    def fits(self, tile: Row) -> bool:
        limit = next(SHARED[known] for known in sorted(SHARED, reverse=True) if known <= self.architecture)
        try:
            for case in CASES[self.operation](self.dtype, self.width):
                for one in self.launched(case, tile):
                    used = compiled(one, self.architecture)
                    if used["shared"] > limit or used["stack"] > STACK or used["registers"] > 255:
                        return False
        except Exception:  # Triton has no one error for a tile that cannot be
            return False
        return True

    def right(self, tile: Row) -> bool:
        with trying(self.folder, self.kernel, tile):
            for case in self.cases(self.operation, TIMES_RIGHT):
                inputs = [x.detach().requires_grad_(x.is_floating_point()) for x in case.tensors]
                verdicts = judged(under("triton", case.call), under("reference", case.call), inputs, self.dtype)
                if any(each.error > each.limit for each in verdicts):
                    return False
        return True

    def timed(self, candidates: Sequence[Row]) -> list[list[float]]:
        """Of the first case that launches the kernel."""
        small = CASES[self.operation](self.dtype, self.width)
        which = next(i for i, case in enumerate(small) if self.launched(case))
        case = self.cases(self.operation, TIMES_TIMED)[which]
        leaves = [x.detach().requires_grad_(x.is_floating_point()) for x in case.tensors]

        def call(tile: Row) -> Callable[[], Any]:
            def run() -> Any:
                with trying(self.folder, self.kernel, tile), use_backend("triton"):
                    answer = case.call(*leaves)
                    answers = [part for part in ([answer] if isinstance(answer, torch.Tensor) else answer) if part is not None]
                    flowing = [part for part in answers if part.requires_grad]
                    wanted = [x for x in leaves if x.requires_grad]
                    return torch.autograd.grad(flowing, wanted, [torch.ones_like(part) for part in flowing])

            return run

        found = rounds({str(i): call(tile) for i, tile in enumerate(candidates)}, "cuda", 10, 50, 1.0)
        return [found[str(i)] for i in range(len(candidates))]


def main() -> None:
    folders = sorted(path.parent.name for path in FOLDER.glob("*/tiles.json"))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("operations", nargs="*", choices=[*folders, []], metavar="OPERATION", help=f"of {', '.join(folders)}")
    parser.add_argument("--dry", action="store_true", help="say what would be chosen, write nothing")
    options = parser.parse_args()
    if not torch.cuda.is_available():
        parser.exit(
            2, "kernels.tune: there is no CUDA device here, and tiles are chosen by time on one; the shipped tables stay as they are\n"
        )
    architecture = capability(torch.device("cuda", torch.cuda.current_device()))
    for folder in options.operations or folders:
        path = FOLDER / folder / "tiles.json"
        for kernel in dict.fromkeys(row["kernel"] for row in tiles(folder)):
            rows = in_effect(json.loads(path.read_text()), kernel, architecture)
            for i, row in enumerate(rows):
                bench = Bench(folder, row, architecture)
                keys, tile = {key: row[key] for key in KEYS if key in row}, {key: value for key, value in row.items() if key not in KEYS}
                rows[i] = {**keys, **tuned(tile, bench.fits, bench.right, bench.timed)}
                print(folder, json.dumps(row), "stays" if rows[i] == row else f"becomes {json.dumps(rows[i])}", flush=True)
                if not options.dry:
                    path.write_text(text(rewritten(json.loads(path.read_text()), kernel, architecture, rows)))
    print("next: python -m kernels.compile_check, python -m docs.draw_kernels")


if __name__ == "__main__":
    main()
