"""The exported classifier: from a picture to probabilities, with resizing, normalisation and class names inside."""

from collections.abc import Sequence
from typing import Any, Dict  # noqa: UP035 - TorchScript reads typing's Dict

import torch
from torch import Tensor, nn

from apps.base.program import Program
from apps.dcal.fingerprint import fingerprint
from apps.dcal.model import Dcal
from datamodules.preprocess import Preprocess

__all__ = ["Branches", "Classify", "selection_margin"]


class Branches(nn.Module):
    """The model with its outputs in a dict: a NamedTuple cannot be saved. Without a global-local branch its part of the dict is absent."""

    def __init__(self, model: Dcal) -> None:
        super().__init__()
        self.model = model

    def forward(self, x_BCHW: Tensor) -> Dict[str, Tensor]:  # noqa: UP006
        outputs = self.model(x_BCHW)
        answer = {"sa_logits": outputs.sa_logits, "sa_token": outputs.sa_token}
        if outputs.glca_logits is not None:
            answer |= {
                "glca_logits": outputs.glca_logits,
                "glca_token": outputs.glca_token,
                "rollout": outputs.rollout.unflatten(1, self.model.trunk.grid),
                "selected": outputs.selected,
            }
        return answer


def selection_margin(outputs: dict[str, Tensor]) -> Tensor:
    """How clear the choice of patches was. They are chosen by rank: two that are equally attended may change places."""
    ranked = outputs["rollout"].flatten(1).sort(dim=1, descending=True).values
    gaps = (ranked[:, :-1] - ranked[:, 1:])[:, : outputs["selected"].shape[1]]
    return gaps.amin(1, keepdim=True).expand(outputs["selected"].shape) / ranked[:, :1]


class Classify(Program):
    """Which of the classes is it, or none of them?

    branches: "both", "glca", or "sa", which costs exactly the plain trunk.
    """

    def __init__(self, model: Dcal, facts: dict[str, Any], examples: Sequence[Tensor], branches: str = "both") -> None:
        super().__init__()
        self.preprocess = Preprocess(**facts["preprocess"])
        if model.glca is None and branches != "sa":
            raise ValueError(f"branches={branches}: this model has no global-local branch; export branches=sa")
        self.branches = Branches(model.plain() if branches == "sa" else model)
        self.use_sa, self.use_glca = branches != "glca", branches != "sa"
        calibration = facts.get("calibration", {"temperature": {}, "threshold": 0.0})
        self.t_sa = float(calibration["temperature"].get("sa", 1.0))
        self.t_glca = float(calibration["temperature"].get("glca", 1.0))
        self.threshold = float(calibration["threshold"])
        self._model = fingerprint(self.branches.model, facts["preprocess"], branches)
        self._facts = facts
        self._examples = list(examples)

    @torch.jit.export
    def prepare(self, item: Tensor) -> Tensor:
        return self.preprocess(item)

    def forward(self, x: Tensor) -> Dict[str, Tensor]:  # noqa: UP006
        outputs = self.branches(x)
        probs_sa = (outputs["sa_logits"] / self.t_sa).softmax(-1)
        answer = {"probs_sa": probs_sa}
        probs = probs_sa
        features = outputs["sa_token"]
        if self.use_glca:
            probs_glca = (outputs["glca_logits"] / self.t_glca).softmax(-1).mean(0)
            answer["probs_glca"] = probs_glca
            probs = (probs_sa + probs_glca) / 2 if self.use_sa else probs_glca
            # total variation: how far the branches are apart
            answer["disagreement"] = (probs_sa - probs_glca).abs().sum(-1) / 2
            answer["rollout"] = outputs["rollout"]
            answer["selected"] = outputs["selected"]
            local = outputs["glca_token"]
            if self.use_sa:
                both = [nn.functional.normalize(features, dim=-1), nn.functional.normalize(local, dim=-1)]
                features = torch.cat(both, -1) / 2**0.5
            else:
                features = local
        sure = probs.amax(-1)
        answer["probs"] = probs
        answer["sure"] = sure
        answer["known"] = (sure >= self.threshold).long()
        answer["features"] = features
        return answer

    def weights(self) -> nn.Module:
        return self.branches.model

    def examples(self) -> list[Tensor]:
        return self._examples

    def margins(self, outputs: dict[str, Tensor]) -> dict[str, Tensor]:
        margins = {"known": (outputs["sure"] - self.threshold).abs()}
        if "selected" in outputs:
            margins["selected"] = selection_margin(outputs)
        return margins

    def traced(self) -> dict[str, tuple[Any, Sequence[Any]]]:
        height, width = self.preprocess.height, self.preprocess.width
        sizes = [torch.rand(batch, 3, height, width) for batch in (2, 1, 5)]
        return {"branches": (sizes[0], sizes[1:])}

    def metadata(self) -> dict[str, Any]:
        boxes = {"box_crop": "the model was trained on boxes; give cut-out pictures"} if self._facts["box_crop"] else {}
        answers = [{"output": "probs", "as": "top", "k": 5}, {"output": "known", "as": "value"}]
        if self.use_glca:
            answers += [
                {"output": "disagreement", "as": "value"},
                {"output": "rollout", "as": "map", "full": True},
                {"output": "selected", "as": "vector", "full": True},
                {"output": "probs_sa", "as": "top", "k": 5, "full": True},
                {"output": "probs_glca", "as": "top", "k": 5, "full": True},
            ]
        return {
            "app": "dcal",
            "program": "classify",
            "labels": self._facts["classes"],
            "answer": [*answers, {"output": "features", "as": "vector", "full": True}],
            "batching": "stack",
            "input": "image",
            "preprocessing": self._facts["preprocess"],
            "model": self._model,  # a gallery of its features belongs to it
            "threshold": self.threshold,
            "licence": self._facts["licence"],  # of the pictures: the weights carry their terms
            **boxes,
        }
