"""The rows of the budget's table: every reader under one recipe and on the same data, and what is left without each part."""

from pathlib import Path
from typing import Any

from apps.otsnet.options import Observe, Quantize, Verify, Weights
from benchmarks.otsnet.fitting import BATCH, Arm
from datamodules.otsnet.datamodule import Words

__all__ = ["ARMS", "GENERATED", "SETS", "steps_file", "words"]

SETS = ("iiit5k", "svt")
GENERATED = 0.7  # share of the training pictures

COLUMNS = Observe(grid="4x32")
ARMS = {
    "otsnet": Arm("OTSNet"),
    "ctc": Arm("CTC", "ctc", {"observe": COLUMNS}),
    "parseq": Arm("PARSeq-like", "parseq"),
    "softmax": Arm("OTSNet, softmax instead of differential", parts={"observe": Observe(attention="softmax")}),
    "ctc-softmax": Arm("CTC, softmax instead of differential", "ctc", {"observe": Observe(grid="4x32", attention="softmax")}),
    "no-sq": Arm("OTSNet without SQ", parts={"quantize": Quantize(assign="none")}),
    "no-verifier": Arm("OTSNet without MMCV", parts={"verify": Verify(head="none")}),
    "no-align": Arm("OTSNet without align", parts={"weights": Weights(align=0.0)}),
    "stages": Arm("OTSNet in stages", parts={"quantize": Quantize(begin=0.2), "verify": Verify(begin=0.4)}),
    "keep-ratio": Arm("OTSNet, pictures not stretched", data={"keep_ratio": True}),
}


def steps_file(workers: int) -> Path:
    """What benchmarks.otsnet.steps writes and benchmarks.otsnet.budget reads."""
    return Path(f"benchmarks/results/otsnet_steps{f'_{workers}_workers' if workers else ''}.json")


def words(folder: Path, seed: int, steps: int, batch: int = BATCH, **options: Any) -> Words:
    """The real training words and fresh made ones, as many as so many steps take."""
    data = Words([str(folder / name) for name in SETS], batch, seed=seed, generated_share=GENERATED, samples=steps * batch, **options)
    data.say = lambda words: None
    return data
