"""The exported file on a CPU: milliseconds from an aligned face to its embedding, and pairs a second, faces decoded.

    python -m benchmarks.ahan.speed [--sizes tiny small] [--threads 1 2] [--rounds 9] [--smoke]

Weights are new: what they are changes no time. The TorchScript file is loaded as any program would, in this process, and asked in
inference mode. `embed`: a batch of faces of 0..1; `pair`: from two faces of bytes to their cosine, prepare and compare included. Medians
of rounds. Detection and alignment are measured apart (ahan_detection), search in a gallery, too (ahan_search).
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, get_args

import torch

from apps.ahan.presets import PRESETS, Size, build
from apps.ahan.program import EmbedRegions
from apps.base.export import torchscript
from apps.base.program import quiet_jit
from benchmarks.record import write
from kernels.dispatch import use_backend

SIZES: tuple[Size, ...] = ("tiny", "small")
BATCHES = (1, 32)
LEAST = 0.2  # seconds of a round


def exported(size: Size, folder: Path) -> Any:
    path = folder / f"{size}.ts"
    with use_backend("reference"), quiet_jit(), torch.no_grad():
        torchscript.write(EmbedRegions(build(size).eval(), "made from a seed", []).eval(), str(path), "{}")
    return torch.jit.load(str(path))


def median_ms(work: Callable[[], Any], rounds: int, least: float) -> float:
    """Of one call; a round lasts long enough to be measured."""
    for _ in range(3):  # a scripted program optimises itself in its first calls
        work()
    start = time.perf_counter()
    work()
    calls = max(1, round(least / max(time.perf_counter() - start, 1e-6)))
    found = []
    for _ in range(rounds):
        start = time.perf_counter()
        for _ in range(calls):
            work()
        found.append((time.perf_counter() - start) / calls)
    return 1000 * statistics.median(found)


@torch.inference_mode()
def rows_of(size: Size, program: Any, threads: int, rounds: int, least: float) -> list[dict[str, Any]]:
    torch.set_num_threads(threads)
    side = PRESETS[size].image
    found = []
    for batch in BATCHES:
        x = torch.rand(batch, 3, side, side)
        ms = median_ms(lambda x=x: program(x), rounds, least)
        found.append({"what": "embed", "size": size, "batch": batch, "threads": threads, "ms": round(ms, 2), "pairs_per_s": "-"})
    faces = torch.randint(0, 256, (2 * max(BATCHES), side, side, 3), dtype=torch.uint8)

    def pairs() -> Any:
        vectors = program(torch.stack([program.prepare(face) for face in faces]))["embedding"]
        return program.compare(vectors[::2], vectors[1::2])

    ms = median_ms(pairs, rounds, least) / max(BATCHES)
    pair = {"what": "pair", "size": size, "batch": max(BATCHES), "threads": threads, "ms": round(ms, 2), "pairs_per_s": round(1000 / ms, 1)}
    return [*found, pair]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", choices=get_args(Size), default=list(SIZES))
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--smoke", action="store_true", help="the smallest, once; nothing is written")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/ahan_speed.json"))
    options = parser.parse_args()
    sizes: Sequence[Size] = ("tiny",) if options.smoke else options.sizes
    rounds, least = (1, 0.0) if options.smoke else (options.rounds, LEAST)
    before, rows = torch.get_num_threads(), []
    with tempfile.TemporaryDirectory() as folder:
        for size in sizes:
            program = exported(size, Path(folder))
            for threads in options.threads[:1] if options.smoke else options.threads:
                rows += rows_of(size, program, threads, rounds, least)
    torch.set_num_threads(before)
    for row in rows:
        print(row)
    if not options.smoke:
        write(options.out, "ahan_speed", rows)


if __name__ == "__main__":
    main()
