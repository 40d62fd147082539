"""How many words of made pages the built-in detector finds, by kind of page, and how many of its boxes are words.

    OMP_NUM_THREADS=1 python -m benchmarks.otsnet.detector [--pages 30] [--smoke] [--out FILE]

A box is of a word if they share half of what they cover together, each word of one box at most. The pages are of another seed than those
that the detector was tuned on.
"""

import argparse
from pathlib import Path
from typing import Any

import cv2

from apps.otsnet.photos import find
from apps.otsnet.photos.quality import quality
from benchmarks.record import write
from datamodules.otsnet.generator.pages import KINDS, PageMaker

SEED = 100


def found_on(kind: str, pages: int) -> dict[str, Any]:
    maker = PageMaker(kind, seed=SEED)
    told = quality(find, ((page.image, page.quads) for page in map(maker.draw, range(pages))))
    return {
        "kind": kind,
        "pages": pages,
        "words": told.words,
        "boxes": told.boxes,
        "recall": round(told.recall, 3),
        "precision": round(told.precision, 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=30, help="of each kind")
    parser.add_argument("--smoke", action="store_true", help="a page of each kind, nothing is written")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/otsnet_detector.json"))
    given = parser.parse_args()
    cv2.setNumThreads(1)
    rows = []
    for kind in KINDS:
        rows.append(found_on(kind, 1 if given.smoke else given.pages))
        print(rows[-1])
    if not given.smoke:
        write(given.out, "otsnet_detector", rows)


if __name__ == "__main__":
    main()
