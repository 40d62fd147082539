"""The exported model of bags with times: how high the risk is, and where there are bins of time, the chance to live through each.

Shapes: T instances of all bags, S bags, B bins of time.
"""

from collections.abc import Sequence
from typing import Any, Dict  # noqa: UP035 - TorchScript reads typing's Dict

from torch import Tensor, nn

from apps.mil.hosts import BagOutput
from apps.mil.mhim import Mhim
from apps.mil.program import BagProgram, segments
from apps.mil.survival import survival_of

__all__ = ["Risks", "hazards_of", "risk_of"]


def hazards_of(output: BagOutput) -> Tensor:
    """(S,B); of two opinions the mean."""
    hazards_SB = output.logits.sigmoid()
    return hazards_SB if output.extra is None else (hazards_SB + output.extra.sigmoid()) / 2


def risk_of(output: BagOutput, hazards_SB: Tensor | None = None) -> Tensor:
    """(S,): of hazards minus the number of bins that are expected to be lived through, else Cox's log risk."""
    if hazards_SB is not None:
        return -survival_of(hazards_SB).sum(1)
    return output.logits[:, 0] if output.extra is None else (output.logits[:, 0] + output.extra[:, 0]) / 2


class AnsweringRisk(nn.Module):
    """The model with its outputs in a dict. What an instance says is the risk of a bag of nothing else, before any attention."""

    def __init__(self, model: Mhim, binned: bool) -> None:
        super().__init__()
        self.model, self.binned = model, binned

    def forward(self, flat: Tensor, offsets: Tensor) -> Dict[str, Tensor]:  # noqa: UP006
        answered = self.model.answer(flat, segments(offsets), detail=True)
        assert answered.attention is not None
        assert answered.instance is not None
        rest = {"attention": answered.attention.mean(1), "features": answered.bag.flatten(1)}
        alone = BagOutput(answered.instance, answered.bag)
        if not self.binned:
            return {"risk": risk_of(answered), "instance": risk_of(alone), **rest}
        hazards_SB = hazards_of(answered)
        return {
            "risk": risk_of(answered, hazards_SB),
            "hazards": hazards_SB,
            "survival": survival_of(hazards_SB),
            "instance": risk_of(alone, hazards_of(alone)),
            **rest,
        }


class Risks(BagProgram):
    """How soon does it happen to this bag, and which of its instances say so?"""

    def __init__(self, model: Mhim, facts: dict[str, Any], examples: Sequence[Tensor]) -> None:
        super().__init__(AnsweringRisk(model, facts["edges"] is not None), facts, examples)

    def forward(self, flat: Tensor, offsets: Tensor) -> Dict[str, Tensor]:  # noqa: UP006
        return self.answering(flat, offsets)

    def metadata(self) -> dict[str, Any]:
        edges = self._facts["edges"]
        binned = [{"output": "survival", "as": "vector"}, {"output": "hazards", "as": "vector", "full": True}] if edges is not None else []
        return self.about("risks", [{"output": "risk", "as": "value"}, *binned]) | {"labels": [], "edges": edges}
