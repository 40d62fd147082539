"""The smallest program with everything in it: a resize, a convolution, a decision."""

import functools
import tempfile
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from apps.base.export import export_program
from apps.base.program import Program
from apps.base.shell import Shell

LABELS = ["wren", "robin", "tit", "crow"]


class Tiny(Program):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 6, 5, stride=3)
        self.head = nn.Linear(6, len(LABELS))
        nn.init.normal_(self.head.weight, std=4.0)

    @torch.jit.export
    def prepare(self, item: Tensor) -> Tensor:
        x = item.permute(2, 0, 1).unsqueeze(0).float() / 255
        return functional.interpolate(x, size=[32, 32], mode="bilinear", antialias=True, align_corners=False)[0] - 0.5

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        cells = functional.relu(self.conv(x))
        probs = self.head(cells.mean((2, 3))).softmax(-1)
        return {"probs": probs, "features": cells.mean((2, 3)), "heat": cells.mean(1), "best": probs.argmax(-1), "sure": probs.amax(-1)}

    def examples(self) -> list[Tensor]:
        ramp = torch.arange(40 * 56 * 3).reshape(40, 56, 3) % 256
        return [ramp.to(torch.uint8), ramp.flip(0).transpose(0, 1).contiguous().to(torch.uint8)]

    def margins(self, outputs: dict[str, Tensor]) -> dict[str, Tensor]:
        top = outputs["probs"].topk(2).values
        return {"best": top[:, 0] - top[:, 1]}

    def metadata(self) -> dict:
        return {
            "app": "dcal",
            "program": "classify",
            "labels": LABELS,
            "answer": [
                {"output": "probs", "as": "top", "k": 3},
                {"output": "sure", "as": "value"},
                {"output": "best", "as": "value"},
                {"output": "features", "as": "vector", "full": True},
                {"output": "heat", "as": "map", "full": True},
            ],
            "batching": "stack",
            "input": "image",
            "licence": "made from a seed; no data",
            "preprocessing": {"size": 32},
        }


_KEPT = tempfile.TemporaryDirectory()


@functools.cache
def tiny_file(suffix: str) -> Path:
    """The tiny program as a checked file, made once a test process. It is on no list of the test that asks."""
    path = Path(_KEPT.name) / f"tiny{suffix}"
    export_program(Tiny(), path, None, Shell(quiet=True))
    return path
