"""The rows of the budget's table: every reader under one recipe and on the same data, and what is left without each part."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from apps.otsnet.options import Observe, Quantize, Verify, Weights
from benchmarks.otsnet.fitting import BATCH, Arm
from datamodules.otsnet.datamodule import Words

__all__ = ["ARMS", "GENERATED", "RISE", "SETS", "steps_file", "words"]

SETS = ("iiit5k", "svt")
GENERATED = 0.7  # share of the training pictures

# What few minutes teach, of every reader: whole columns as tokens, letters named in their boxes, and made words that become harder.
EYES = Observe(grid="1x32", boxes=1.0)
PLAIN = replace(EYES, attention="softmax")
ALIGN = Weights(align=1.0)
RISE = 0.6  # share of the training over which the difficulty of made words rises


def otsnet(title: str, data: dict[str, Any] | None = None, **parts: Any) -> Arm:
    return Arm(title, "otsnet", {"observe": EYES, "weights": ALIGN, **parts}, data or {})


ARMS = {
    "otsnet": otsnet("OTSNet"),
    "ctc": Arm("CTC", "ctc", {"observe": EYES}),
    "parseq": Arm("PARSeq-like", "parseq", {"observe": EYES}),
    "softmax": otsnet("OTSNet, softmax instead of differential", observe=PLAIN),
    "ctc-softmax": Arm("CTC, softmax instead of differential", "ctc", {"observe": PLAIN}),
    "no-sq": otsnet("OTSNet without SQ", quantize=Quantize(assign="none")),
    "no-verifier": otsnet("OTSNet without MMCV", verify=Verify(head="none")),
    "no-align": otsnet("OTSNet without align", weights=Weights(align=0.0)),
    "no-boxes": otsnet("OTSNet, letters not named in their boxes", observe=replace(EYES, boxes=0.0)),
    "grid": otsnet("OTSNet, tokens of strokes (8x16)", observe=replace(EYES, grid="8x16")),
    "stages": otsnet("OTSNet in stages", quantize=Quantize(begin=0.2), verify=Verify(begin=0.4)),
    "keep-ratio": otsnet("OTSNet, pictures not stretched", {"keep_ratio": True}),
}


def steps_file(workers: int) -> Path:
    """What benchmarks.otsnet.steps writes and benchmarks.otsnet.budget reads."""
    return Path(f"benchmarks/results/otsnet_steps{f'_{workers}_workers' if workers else ''}.json")


def words(folder: Path, seed: int, steps: int, batch: int = BATCH, **options: Any) -> Words:
    """The real training words and fresh made ones, as many as so many steps take."""
    sets = [str(folder / name) for name in SETS]
    data = Words(sets, batch, seed=seed, generated_share=GENERATED, samples=steps * batch, curriculum=RISE, **options)
    data.say = lambda words: None
    return data
