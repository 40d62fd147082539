"""The exported bag model: features of any number of bags to probabilities, and what each instance got and says.

Row i of what is given for instances belongs to row i of the features: coordinates stay with whoever has them.
"""

from collections.abc import Sequence
from typing import Any, Dict  # noqa: UP035 - TorchScript reads typing's Dict

import torch
from torch import Tensor, nn

from apps.base.program import Call, Program
from apps.mil.mhim import Mhim
from apps.mil.scores import decide, margin, threshold_of
from core_attention.segments import Segments
from datamodules.mil.scaling import normal_scores

__all__ = ["Answering", "BagProgram", "Bags", "segments"]

SIZES = (3, 2, 1, 7, 255, 256, 257, 5000)


class Answering(nn.Module):
    """The model with its outputs in a dict: a NamedTuple cannot be saved."""

    def __init__(self, model: Mhim) -> None:
        super().__init__()
        self.model = model

    def forward(self, flat: Tensor, offsets: Tensor) -> Dict[str, Tensor]:  # noqa: UP006
        answered = self.model.answer(flat, segments(offsets), detail=True)
        assert answered.attention is not None
        assert answered.instance is not None
        return {
            "probs": answered.probs(),
            "attention": answered.attention.mean(1),
            "instance": answered.instance.softmax(-1),
            "features": answered.bag.flatten(1),
        }


def segments(offsets: Tensor) -> Segments:
    if torch.compiler.is_compiling():  # to look at the numbers would keep them
        return Segments(offsets, offsets.diff().max(), offsets.shape[0] - 1)  # type: ignore[arg-type]
    return Segments.from_offsets(offsets)


class BagProgram(Program):
    """What programs of bags share: how features are prepared, and at which sizes they are tried."""

    mean: Tensor
    std: Tensor
    knots: Tensor
    scores: Tensor

    def __init__(self, answering: nn.Module, facts: dict[str, Any], examples: Sequence[Tensor]) -> None:
        super().__init__()
        width = int(facts["features"])
        self.width = width
        self.answering: Any = answering
        self.register_buffer("mean", torch.tensor(facts["mean"] or [0.0] * width))
        self.register_buffer("std", torch.tensor(facts["std"] or [1.0] * width))
        self.clip = float(facts.get("clip") or torch.inf)
        knots = facts.get("knots")
        self.ranked = knots is not None
        self.register_buffer("knots", torch.tensor(knots or []))  # (F,K)
        self.register_buffer("scores", torch.from_numpy(normal_scores()))
        self._facts = facts
        self._examples = list(examples)

    @torch.jit.export
    def prepare(self, item: Tensor) -> Tensor:
        if torch.jit.is_scripting():  # pyright: ignore[reportPrivateImportUsage]
            if item.dim() != 2 or item.shape[1] != self.width:
                raise ValueError("FeatureMismatch: this model takes (instances, " + str(self.width) + ") features; encode as for training")
            if item.shape[0] == 0:
                raise ValueError("EmptyBag: the bag has no instances; leave it out")
            if not bool(torch.isfinite(item).all()):
                raise ValueError("the features are not finite; encode the bag again")
        if self.ranked:
            value_FN = item.float().t().clone(memory_format=torch.contiguous_format)  # contiguous() would be tied to more than one instance
            place_FN = torch.searchsorted(self.knots, value_FN) + torch.searchsorted(self.knots, value_FN, right=True)
            return self.scores[place_FN].t()
        return ((item.float() - self.mean) / self.std).clamp(-self.clip, self.clip)

    def weights(self) -> nn.Module:
        return nn.ModuleDict({"student": self.answering.model.student})

    def examples(self) -> list[Tensor]:
        return self._examples

    def noise(self, generator: torch.Generator) -> list[Tensor]:
        if self.ranked:
            low, high = self.knots.amin(1), self.knots.amax(1)
            return [low + (high - low) * torch.rand(n, self.width, generator=generator) for n in SIZES]
        return [self.mean + self.std * torch.randn(n, self.width, generator=generator) for n in SIZES]

    def calls(self, generator: torch.Generator) -> list[Call]:
        """Each bag by itself, and all but the largest together."""
        noise = self.noise(generator)
        items = [*noise, *self.examples()]
        ready = [self.prepare(item) for item in items]
        together = [x for x in ready if len(x) < max(SIZES)]
        return [*(Call("prepare", (item,)) for item in items), ragged(ready[:3]), *(ragged([x]) for x in ready), ragged(together)]

    def traced(self) -> dict[str, tuple[Any, Sequence[Any]]]:
        bags = [torch.randn(n, self.width, generator=torch.Generator().manual_seed(n)) for n in (3, 4, 1, 20, 300)]
        cases = [ragged(bags[:2]).args, ragged(bags[2:3]).args, ragged(bags[1:4]).args, ragged(bags).args]
        return {"answering": (cases[0], cases[1:])}

    def dynamic(self, method: str, args: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple({0: torch.export.Dim.DYNAMIC} for _ in args)

    def about(self, program: str, answer: list[dict[str, Any]]) -> dict[str, Any]:
        """The metadata that all of them have; `answer` comes before what is told of instances."""
        return {
            "app": "mil",
            "program": program,
            "answer": [
                *answer,
                {"output": "attention", "as": "vector", "full": True},
                {"output": "instance", "as": "vector", "full": True},
                {"output": "features", "as": "vector", "full": True},
            ],
            "batching": "ragged",
            "along": ["attention", "instance"],
            "input": "features",
            "preprocessing": {
                "features": self.width,
                "standardised": self._facts["mean"] is not None,
                "clip": self._facts.get("clip"),
                "ranks": self.ranked,
            },
            "encoder": self._facts.get("encoder", {}),
            "protocol": self._facts["protocol"],
            "licence": self._facts["licence"],
        }


class Bags(BagProgram):
    """Which class is the bag, and which of its instances say so?"""

    def __init__(self, model: Mhim, facts: dict[str, Any], examples: Sequence[Tensor]) -> None:
        super().__init__(Answering(model), facts, examples)
        self.threshold = threshold_of(facts)

    def forward(self, flat: Tensor, offsets: Tensor) -> Dict[str, Tensor]:  # noqa: UP006
        answer = self.answering(flat, offsets)
        answer["decision"] = decide(answer["probs"], self.threshold)
        return answer

    def margins(self, outputs: dict[str, Tensor]) -> dict[str, Tensor]:
        return {"decision": margin(outputs["probs"], self.threshold)}

    def metadata(self) -> dict[str, Any]:
        answer = [{"output": "probs", "as": "top", "k": 5}, {"output": "decision", "as": "value"}]
        return self.about("bags", answer) | {"labels": self._facts["classes"], "threshold": self.threshold}


def ragged(bags: Sequence[Tensor]) -> Call:
    return Call("forward", (torch.cat(list(bags)), torch.tensor([0, *(len(bag) for bag in bags)]).cumsum(0)))
