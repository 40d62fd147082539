"""The exported embedder: from a picture to a vector of length 1, whose cosine says how alike two pictures are."""

from typing import Any, Dict  # noqa: UP035 - TorchScript reads typing's Dict

from torch import Tensor

from apps.dcal.answering import join
from apps.dcal.picture_program import PictureProgram

__all__ = ["Embed"]


class Embed(PictureProgram):
    """Who or what is alike?"""

    def forward(self, x: Tensor) -> Dict[str, Tensor]:  # noqa: UP006
        outputs = self.branches(x)
        answer = {"features": join([outputs[name + "_token"] for name in self.answering])}
        if self.looks:
            answer["rollout"] = outputs["rollout"]
            answer["selected"] = outputs["selected"]
        return answer

    def about(self) -> dict[str, Any]:
        looks = [{"output": "rollout", "as": "map", "full": True}, {"output": "selected", "as": "vector", "full": True}]
        return {
            "program": "embed",
            "labels": [],
            "answer": [{"output": "features", "as": "vector"}, *(looks if self.looks else [])],
            "acceptance": self._facts.get("calibration", []),
        }
