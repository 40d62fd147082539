"""The exported classifier: from a picture to probabilities, with resizing, normalisation and class names inside."""

from collections.abc import Sequence
from typing import Any, Dict  # noqa: UP035 - TorchScript reads typing's Dict

import torch
from torch import Tensor, nn

from apps.base.program import Program
from apps.dcal.model import Dcal
from datamodules.preprocess import Preprocess

__all__ = ["Classify"]


class Branches(nn.Module):
    """The model with its outputs in a dict: a NamedTuple cannot be saved."""

    def __init__(self, model: Dcal) -> None:
        super().__init__()
        self.model = model

    def forward(self, x_BCHW: Tensor) -> Dict[str, Tensor]:  # noqa: UP006
        outputs = self.model(x_BCHW)
        return {"sa_logits": outputs.sa_logits, "sa_token": outputs.sa_token}


class Classify(Program):
    """Which of the classes is it?"""

    def __init__(self, model: Dcal, facts: dict[str, Any], examples: Sequence[Tensor]) -> None:
        super().__init__()
        self.preprocess = Preprocess(**facts["preprocess"])
        self.branches = Branches(model)
        self._facts = facts
        self._examples = list(examples)

    @torch.jit.export
    def prepare(self, item: Tensor) -> Tensor:
        return self.preprocess(item)

    def forward(self, x: Tensor) -> Dict[str, Tensor]:  # noqa: UP006
        outputs = self.branches(x)
        probs = outputs["sa_logits"].softmax(-1)
        return {"probs": probs, "probs_sa": probs, "features": outputs["sa_token"]}

    def weights(self) -> nn.Module:
        return self.branches.model

    def examples(self) -> list[Tensor]:
        return self._examples

    def traced(self) -> dict[str, tuple[Any, Sequence[Any]]]:
        height, width = self.preprocess.height, self.preprocess.width
        sizes = [torch.rand(batch, 3, height, width) for batch in (2, 1, 5)]
        return {"branches": (sizes[0], sizes[1:])}

    def metadata(self) -> dict[str, Any]:
        boxes = {"box_crop": "the model was trained on boxes; give cut-out pictures"} if self._facts["box_crop"] else {}
        return {
            "app": "dcal",
            "program": "classify",
            "labels": self._facts["classes"],
            "answer": [
                {"output": "probs", "as": "top", "k": 5},
                {"output": "features", "as": "vector", "full": True},
            ],
            "batching": "stack",
            "input": "image",
            "preprocessing": self._facts["preprocess"],
            "licence": self._facts["licence"],  # of the pictures: the weights carry their terms
            **boxes,
        }
