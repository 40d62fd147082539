"""Draws docs/beetles.png: embedded test pictures with what an exported file answers for them.

discern dcal fit && discern dcal export -o beetles.ts && python -m docs.draw_beetles beetles.ts
"""

import sys
from pathlib import Path

import discern
from apps.base.draw import sheet
from datamodules.dcal.synth import CLASSES, beetles

COUNT = 12


def main(file: str) -> None:
    made = beetles(COUNT, seed=2)
    answers = discern.load(file)(list(made.images))
    captions = []
    for answer, label in zip(answers, made.labels, strict=True):
        best = answer["probs"][0]
        truth = "" if best["label"] == CLASSES[label] else f" (is {CLASSES[label]})"
        captions.append(f"{best['label']} {best['probability']:.0%}{truth}")
    Path(__file__).with_name("beetles.png").write_bytes(sheet(list(made.images), captions))


if __name__ == "__main__":
    main(sys.argv[1])
