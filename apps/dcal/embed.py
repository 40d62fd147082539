"""The exported embedder: from a picture to a vector of length 1, whose cosine says how alike two pictures are."""

from collections.abc import Sequence
from typing import Any, Dict  # noqa: UP035 - TorchScript reads typing's Dict

import torch
from torch import Tensor, nn

from apps.base.program import Program
from apps.dcal.fingerprint import fingerprint
from apps.dcal.model import Dcal
from apps.dcal.program import Branches, selection_margin
from datamodules.preprocess import Preprocess

__all__ = ["Embed", "join"]


def join(sa_BD: Tensor, glca_BD: Tensor) -> Tensor:
    """Both tokens at length 1, side by side, at length 1 again: the cosine is the mean of the branches' cosines."""
    return torch.cat([nn.functional.normalize(sa_BD, dim=-1), nn.functional.normalize(glca_BD, dim=-1)], -1) / 2**0.5


class Embed(Program):
    """Who or what is alike? branches: "both", "glca", or "sa", which costs exactly the plain trunk."""

    def __init__(self, model: Dcal, facts: dict[str, Any], examples: Sequence[Tensor], branches: str = "both") -> None:
        super().__init__()
        if model.glca is None and branches != "sa":
            raise ValueError(f"branches={branches}: this model has no global-local branch; export branches=sa")
        self.preprocess = Preprocess(**facts["preprocess"])
        self.branches = Branches(model.plain() if branches == "sa" else model)
        self.use_sa, self.use_glca = branches != "glca", branches != "sa"
        self._model = fingerprint(self.branches.model, facts["preprocess"], branches)
        self._facts = facts
        self._examples = list(examples)

    @torch.jit.export
    def prepare(self, item: Tensor) -> Tensor:
        return self.preprocess(item)

    def forward(self, x: Tensor) -> Dict[str, Tensor]:  # noqa: UP006
        outputs = self.branches(x)
        if not self.use_glca:
            return {"features": nn.functional.normalize(outputs["sa_token"], dim=-1)}
        if self.use_sa:
            features = join(outputs["sa_token"], outputs["glca_token"])
        else:
            features = nn.functional.normalize(outputs["glca_token"], dim=-1)
        return {"features": features, "rollout": outputs["rollout"], "selected": outputs["selected"]}

    def weights(self) -> nn.Module:
        return self.branches.model

    def examples(self) -> list[Tensor]:
        return self._examples

    def margins(self, outputs: dict[str, Tensor]) -> dict[str, Tensor]:
        return {"selected": selection_margin(outputs)} if "selected" in outputs else {}

    def traced(self) -> dict[str, tuple[Any, Sequence[Any]]]:
        height, width = self.preprocess.height, self.preprocess.width
        sizes = [torch.rand(batch, 3, height, width) for batch in (2, 1, 5)]
        return {"branches": (sizes[0], sizes[1:])}

    def metadata(self) -> dict[str, Any]:
        looks = [{"output": "rollout", "as": "map", "full": True}, {"output": "selected", "as": "vector", "full": True}]
        return {
            "app": "dcal",
            "program": "embed",
            "labels": [],
            "answer": [{"output": "features", "as": "vector"}, *(looks if self.use_glca else [])],
            "batching": "stack",
            "input": "image",
            "preprocessing": self._facts["preprocess"],
            "model": self._model,  # a gallery belongs to it
            "acceptance": self._facts.get("calibration", []),
            "licence": self._facts["licence"],  # of the pictures: the weights carry their terms
        }
