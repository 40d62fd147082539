"""What DCAL's exported programs share: a picture is made ready, passes both branches, and what was looked at is told."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Dict  # noqa: UP035 - TorchScript reads typing's Dict

import torch
from torch import Tensor, nn

from apps.base.fingerprint import fingerprint
from apps.base.program import BATCHES, Program
from apps.dcal.answering import Answer, answering, resolve
from apps.dcal.model import Dcal
from datamodules.preprocess import Preprocess

__all__ = ["Branches", "PictureProgram"]


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


class PictureProgram(Program):
    """branches: whose answer counts; sa costs exactly the plain trunk. A subclass writes `forward` and `about`."""

    def __init__(self, model: Dcal, facts: dict[str, Any], examples: Sequence[Tensor], branches: Answer = "auto") -> None:
        super().__init__()
        resolved = resolve(branches, model.glca is not None)
        self.preprocess = Preprocess(**facts["preprocess"])
        self.answering = answering(resolved)
        self.looks = resolved != "sa"
        self.branches = Branches(model if self.looks else model.plain())
        self._model = fingerprint(self.branches.model, [facts["preprocess"], resolved])
        self._facts = facts
        self._examples = list(examples)

    @abstractmethod
    def about(self) -> dict[str, Any]:
        """program, labels and answer of the metadata, and what else a reader of this program's file needs to know."""

    @torch.jit.export
    def prepare(self, item: Tensor) -> Tensor:
        return self.preprocess(item)

    def weights(self) -> nn.Module:
        return self.branches.model

    def examples(self) -> list[Tensor]:
        return self._examples

    def margins(self, outputs: dict[str, Tensor]) -> dict[str, Tensor]:
        return {"selected": _selection_margin(outputs)} if "selected" in outputs else {}

    def traced(self) -> dict[str, tuple[Any, Sequence[Any]]]:
        first, *others = (torch.rand(batch, 3, self.preprocess.height, self.preprocess.width) for batch in BATCHES)
        return {"branches": (first, others)}

    def metadata(self) -> dict[str, Any]:
        return {
            "app": "dcal",
            **self.about(),
            "batching": "stack",
            "input": "image",
            "preprocessing": self._facts["preprocess"],
            "model": self._model,  # a gallery of its features belongs to it
            "licence": self._facts["licence"],  # of the pictures: the weights carry their terms
        }


def _selection_margin(outputs: dict[str, Tensor]) -> Tensor:
    """How clear the choice of patches was. They are chosen by rank: two that are equally attended may change places."""
    ranked = outputs["rollout"].flatten(1).sort(dim=1, descending=True).values
    gaps = (ranked[:, :-1] - ranked[:, 1:])[:, : outputs["selected"].shape[1]]
    return gaps.amin(1, keepdim=True).expand(outputs["selected"].shape) / ranked[:, :1]
