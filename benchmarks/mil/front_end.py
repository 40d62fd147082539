"""From a slide to features, on a made slide of 20,000 x 20,000 pixels, against a plain OpenSlide loop in the same run.

    python -m benchmarks.mil.front_end [--side 20000] [--tiles 1500] [--encoded 192] [--rounds 3] [--work FOLDER] [--smoke]

Tissue and coordinates: open, thumbnail, tissue, grid. Reading: tiles of 256 px by the reader's two threads and by one loop of
`read_region(...).convert("RGB")`. Encoding: ResNet-18 as a TorchScript file, weights drawn (speed does not depend on them), by the
encoder alone on tiles in memory, by reader and encoder together, by the plain loop (one tile after the other is read, then a batch of 32
goes through the TorchScript file as it is), by that loop as far as it can be tuned by hand (batches of 8, channels last), and in
bfloat16. Seconds are of the wall, for threads are the point: two free cores, torch on one of them, and nothing else
on the machine, or the ratios mean little. Medians of interleaved rounds. Memory and the time to the first tile: processes of their own.
--work keeps the slide (some 100 MiB).
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from apps.mil.slides.encoders import Encoder, Transform, build_encoder
from benchmarks.memory import apart, high_water_kib
from benchmarks.record import write
from core_attention.trunks import build_trunk
from datamodules.mil.slides.mpp import find_mpp
from datamodules.mil.slides.slide import open_slide
from datamodules.mil.slides.thumbnails import thumbnail
from datamodules.mil.slides.tiles import TileReader
from datamodules.mil.slides.tiling import MASK_MPP, TileGrid, TileRule, plan_tiles
from datamodules.mil.slides.tissue import segment
from datamodules.mil.synth_slides import MadeSlide, make_slide, write_slide

PX, BATCH, READERS = 256, 32, 2


def slide_file(folder: Path, side: int) -> Path:
    """The made slide of half the side, four times."""
    path = folder / f"made-{side}.svs"
    if not path.exists():
        part = make_slide(side // 2, side // 2, seed=1)
        empty = np.zeros((0, 0), bool)
        write_slide(path, MadeSlide(np.tile(part.picture, (2, 2, 1)), empty, empty, empty, empty, part.mpp), bigtiff=True)
    return path


def grid_of(path: Path, workers: int = READERS) -> TileGrid:
    """Open, look for tissue, lay the grid."""
    with open_slide(path) as slide:
        mpp = find_mpp(slide)
        rgb = thumbnail(slide, max(1.0, MASK_MPP / mpp.mean), workers)
        return plan_tiles(slide, mpp, segment(rgb, slide.size).regions, TileRule(PX))


def cut(grid: TileGrid, count: int) -> TileGrid:
    """So many tiles in a row from the middle of the grid: neighbours share decoded blocks, as in a whole slide."""
    first = max(0, (len(grid) - count) // 2)
    own = slice(first, first + count)
    return TileGrid(**{**vars(grid), "coords": grid.coords[own], "tissue": grid.tissue[own], "pen": grid.pen[own]})


def read(path: Path, grid: TileGrid) -> int:
    with TileReader(path, grid, BATCH, READERS) as tiles:
        return sum(len(batch) for batch in tiles)


def plain_read(
    path: Path, grid: TileGrid, encode: Callable[[np.ndarray], np.ndarray] | None = None, at_once: int = BATCH
) -> list[np.ndarray]:
    import openslide

    slide, batch, found = openslide.OpenSlide(str(path)), [], []
    for i, (x, y) in enumerate(grid.coords.tolist(), start=1):
        batch.append(np.asarray(slide.read_region((x, y), grid.level, grid.side).convert("RGB")))
        if len(batch) == at_once or i == len(grid):
            if encode is not None:
                found.append(encode(np.stack(batch)))
            batch = []
    slide.close()
    return found


def program_file(folder: Path) -> Path:
    program, trunk = folder / "resnet18.ts", build_trunk("resnet18", seed=0).eval()
    torch.jit.trace(trunk, torch.zeros(1, 3, PX, PX)).save(program)  # type: ignore[no-untyped-call]
    return program


def encoders(program: Path) -> dict[str, Encoder]:
    return {name: build_encoder(str(program), PX, None, Transform(), trusted=True, bf16=name == "bf16") for name in ("fp32", "bf16")}


def plain_encoder(program: Path, layout: torch.memory_format) -> Callable[[np.ndarray], np.ndarray]:
    module = torch.jit.load(program)  # type: ignore[no-untyped-call]
    mean_C11, std_C11 = (torch.tensor(numbers)[:, None, None] for numbers in (Transform().mean, Transform().std))

    @torch.inference_mode()
    def encode(batch: np.ndarray) -> np.ndarray:
        x_BCHW = (torch.from_numpy(batch).permute(0, 3, 1, 2) / 255 - mean_C11) / std_C11
        return np.asarray(module(x_BCHW.contiguous(memory_format=layout)))

    return encode


def read_and_encode(path: Path, grid: TileGrid, encoder: Encoder) -> np.ndarray:
    with TileReader(path, grid, BATCH, READERS) as tiles:
        return np.concatenate([encoder.encode(batch) for batch in tiles])


def interleaved(arms: dict[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {name: [] for name in arms}
    for turn in range(rounds + 1):
        for name, work in arms.items():
            start = time.perf_counter()
            work()
            if turn:  # the first round warms up
                times[name].append(time.perf_counter() - start)
    return times


def rate(count: int, times: list[float]) -> float:
    return round(count / statistics.median(times), 1)


def ratio(slow: list[float], fast: list[float]) -> float:
    return round(statistics.median(a / b for a, b in zip(slow, fast, strict=True)), 2)


def first_tile_seconds(path: Path) -> float:
    """In a process of its own, once everything is imported: opening, tissue, grid, first batch."""
    start = time.perf_counter()
    with TileReader(path, grid_of(path), BATCH, READERS) as tiles:
        next(iter(tiles))
    return time.perf_counter() - start


def peak_mib(path: Path, count: int) -> float:
    """In a process of its own: what tissue, grid and reading so many tiles add at most."""
    before = high_water_kib()
    read(path, cut(grid_of(path), count))
    return (high_water_kib() - before) / 1024


def rows(path: Path, options: argparse.Namespace) -> list[dict[str, Any]]:
    grid = grid_of(path)
    times = interleaved({"ours": lambda: grid_of(path)}, max(3, options.rounds))["ours"]
    found: list[dict[str, Any]] = [
        {"what": f"tissue and coordinates of {len(grid)} tiles", "seconds": round(statistics.median(times), 3), "aim": "0.2"},
        {"what": "from the file to the first batch", "seconds": round(apart(first_tile_seconds, path), 3), "aim": "-"},
    ]
    own = cut(grid, options.tiles)
    times = interleaved({"plain": lambda: plain_read(path, own), "ours": lambda: read(path, own)}, options.rounds)
    found.append(
        {"what": f"reading {len(own)} tiles", "tiles_per_second": rate(len(own), times["ours"]), "against": "plain loop",
         "its_tiles_per_second": rate(len(own), times["plain"]), "times_faster": ratio(times["plain"], times["ours"]), "aim": "1.8"}
    )  # fmt: skip
    found.append({"what": "what that holds at most, over what is imported", "mib": round(apart(peak_mib, path, options.tiles))})
    with tempfile.TemporaryDirectory() as folder:
        program = program_file(Path(folder))
        made = encoders(program)
        plain, tuned = (plain_encoder(program, layout) for layout in (torch.contiguous_format, torch.channels_last))
    few = cut(grid, options.encoded)
    with TileReader(path, few, len(few), READERS) as reader:
        memory = next(iter(reader))
    batches = [memory[i : i + BATCH] for i in range(0, len(memory), BATCH)]
    fp32, bf16 = made["fp32"], made["bf16"]
    arms: dict[str, Callable[[], Any]] = {
        "plain": lambda: plain_read(path, few, plain),
        "tuned": lambda: plain_read(path, few, tuned, at_once=8),
        "alone": lambda: [fp32.encode(batch) for batch in batches],
        "fp32": lambda: read_and_encode(path, few, fp32),
        "bf16": lambda: read_and_encode(path, few, bf16),
    }
    times = interleaved(arms, options.rounds)
    for arm, against, words, aim in (
        ("fp32", "alone", "the encoder alone", "0.9"),
        ("fp32", "plain", "plain loop, fp32", "-"),
        ("fp32", "tuned", "tuned loop, fp32", "-"),
        ("bf16", "plain", "plain loop, fp32", "2.5"),
        ("bf16", "tuned", "tuned loop, fp32", "-"),
    ):
        found.append(
            {"what": f"reading and encoding {len(few)} tiles, {arm}", "tiles_per_second": rate(len(few), times[arm]), "against": words,
             "its_tiles_per_second": rate(len(few), times[against]), "times_faster": ratio(times[against], times[arm]), "aim": aim}
        )  # fmt: skip
    a, b = fp32.encode(batches[0]), bf16.encode(batches[0])
    cosine = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    found.append({"what": "cosine of bf16 and fp32 features, the least", "cosine": round(float(cosine.min()), 5), "aim": "0.999"})
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=20_000)
    parser.add_argument("--tiles", type=int, default=1500)
    parser.add_argument("--encoded", type=int, default=192)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--work", type=Path, help="where the slide is kept; by default it is made and thrown away")
    parser.add_argument("--smoke", action="store_true", help="a small slide, two tiles encoded; writes nothing")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/mil_front_end.json"))
    options = parser.parse_args()
    if options.smoke:
        options.side, options.tiles, options.encoded, options.rounds = 2048, 8, 2, 1
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        work = options.work or Path(folder)
        work.mkdir(parents=True, exist_ok=True)
        found = rows(slide_file(work, options.side), options)
    for row in found:
        print(row, flush=True)
    if not options.smoke:
        write(options.out, "mil_front_end", found)


if __name__ == "__main__":
    main()
