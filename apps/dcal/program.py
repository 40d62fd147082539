"""The exported classifier: from a picture to probabilities, with resizing, normalisation and class names inside."""

from collections.abc import Sequence
from typing import Any, Dict  # noqa: UP035 - TorchScript reads typing's Dict

from torch import Tensor

from apps.dcal.answering import Answer, join, mean, probabilities
from apps.dcal.model import Dcal
from apps.dcal.picture_program import PictureProgram

__all__ = ["Classify"]


class Classify(PictureProgram):
    """Which of the classes is it, or none of them?"""

    def __init__(self, model: Dcal, facts: dict[str, Any], examples: Sequence[Tensor], branches: Answer = "auto") -> None:
        super().__init__(model, facts, examples, branches)
        calibration = facts.get("calibration", {"temperature": {}, "threshold": 0.0})
        self.t_sa = float(calibration["temperature"].get("sa", 1.0))
        self.t_glca = float(calibration["temperature"].get("glca", 1.0))
        self.threshold = float(calibration["threshold"])

    def forward(self, x: Tensor) -> Dict[str, Tensor]:  # noqa: UP006
        outputs = self.branches(x)
        probs = {"sa": probabilities(outputs["sa_logits"].unsqueeze(0), self.t_sa)}
        answer = {"probs_sa": probs["sa"]}
        if self.looks:
            probs["glca"] = probabilities(outputs["glca_logits"], self.t_glca)
            answer["probs_glca"] = probs["glca"]
            # total variation: how far the branches are apart
            answer["disagreement"] = (probs["sa"] - probs["glca"]).abs().sum(-1) / 2
            answer["rollout"] = outputs["rollout"]
            answer["selected"] = outputs["selected"]
        answer["probs"] = mean([probs[name] for name in self.answering])
        answer["sure"] = answer["probs"].amax(-1)
        answer["known"] = (answer["sure"] >= self.threshold).long()
        tokens = [outputs[name + "_token"] for name in self.answering]
        answer["features"] = join(tokens) if len(tokens) > 1 else tokens[0]
        return answer

    def margins(self, outputs: dict[str, Tensor]) -> dict[str, Tensor]:
        return {"known": (outputs["sure"] - self.threshold).abs(), **super().margins(outputs)}

    def about(self) -> dict[str, Any]:
        boxes = {"box_crop": "the model was trained on boxes; give cut-out pictures"} if self._facts["box_crop"] else {}
        answers = [{"output": "probs", "as": "top", "k": 5}, {"output": "known", "as": "value"}]
        if self.looks:
            answers += [
                {"output": "disagreement", "as": "value"},
                {"output": "rollout", "as": "map", "full": True},
                {"output": "selected", "as": "vector", "full": True},
                {"output": "probs_sa", "as": "top", "k": 5, "full": True},
                {"output": "probs_glca", "as": "top", "k": 5, "full": True},
            ]
        return {
            "program": "classify",
            "labels": self._facts["classes"],
            "answer": [*answers, {"output": "features", "as": "vector", "full": True}],
            "threshold": self.threshold,
            **boxes,
        }
