"""How fast words are drawn, by profile and difficulty, on one core.

    OMP_NUM_THREADS=1 python -m benchmarks.otsnet.generator [--pictures 2000] [--rounds 5] [--smoke] [--out FILE]

Seconds are of the process, not of the wall. Interleaved rounds after a first one that warms the letters' store up; the median of the
rounds, and the slowest and fastest. Start: from nothing to the first picture, which is the search for fonts and the drawing of sheets.
"""

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

import cv2

from benchmarks.record import write
from datamodules.otsnet.generator import Generator

ARMS: dict[str, dict[str, Any]] = {
    "real": {},
    "real, difficulty 0.3": {"difficulty": 0.3},
    "real, built-in faces": {"fonts": ()},
    "easy": {"profile": "easy"},
    "embedded": {"profile": "embedded"},
}


def rates(pictures: int, rounds: int) -> list[dict[str, Any]]:
    starts: dict[str, float] = {}
    generators: dict[str, Generator] = {}
    for name, options in ARMS.items():
        begin = time.process_time()
        generators[name] = Generator(seed=1, **options)
        generators[name].draw(0)
        starts[name] = time.process_time() - begin
    found: dict[str, list[float]] = {name: [] for name in ARMS}
    for turn in range(rounds + 1):
        for name, generator in generators.items():
            begin = time.process_time()
            for i in range(turn * pictures, (turn + 1) * pictures):
                generator.draw(i)
            if turn:  # the first round warms up
                found[name].append(pictures / (time.process_time() - begin))
    return [
        {
            "profile": name,
            "pictures_a_second": round(statistics.median(rate)),
            "slowest": round(min(rate)),
            "fastest": round(max(rate)),
            "pictures": pictures,
            "rounds": rounds,
            "faces": len(generators[name].faces),
            "start_seconds": round(starts[name], 3),
        }
        for name, rate in found.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--smoke", action="store_true", help="few pictures, nothing is written")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/otsnet_generator.json"))
    given = parser.parse_args()
    cv2.setNumThreads(1)
    rows = rates(20, 1) if given.smoke else rates(given.pictures, given.rounds)
    for row in rows:
        print(row)
    if not given.smoke:
        write(given.out, "otsnet_generator", rows)


if __name__ == "__main__":
    main()
