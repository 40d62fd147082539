"""The exported reader: from a picture of a word to its characters, how sure each is, and where it stands. Refinement is of fixed length.

Shapes: B batch, C H W picture, L slots.
"""

from collections.abc import Sequence
from typing import Any, Dict, List  # noqa: UP035 - TorchScript reads typing's

import torch
from torch import Tensor, nn

from apps.base.program import BATCHES, Program
from apps.otsnet import places
from apps.otsnet.answer import word_confidence
from apps.otsnet.readers import Reader
from datamodules.preprocess import Preprocess

__all__ = ["ReadWords"]


class _Open(nn.Module):
    """The reader with a dict for an answer: a NamedTuple cannot be saved. What it does not have is absent."""

    def __init__(self, reader: Reader) -> None:
        super().__init__()
        self.reader = reader

    def forward(self, x_BCHW: Tensor) -> Dict[str, Tensor]:  # noqa: UP006
        answer = self.reader.read(x_BCHW)
        found = {
            "characters": answer.tokens,
            "confidences": answer.probs,
            "confidence": word_confidence(answer.probs),
            "boxes": places.boxes(answer.attention, answer.tokens, self.reader.observer.cells),
            "attention": answer.attention,
            "first": answer.first,
            "changed": (answer.tokens != answer.first).any(1).to(torch.int64),
            "margin": answer.margin,
        }
        if answer.verify.shape[1]:
            found["verified"] = answer.verify
        if answer.codes.shape[2]:
            found["codes"] = answer.codes
        return found


class ReadWords(Program):
    """characters are tokens: 0 is the end, 1..n the charset's, n + 2 nothing; `decode` makes words of them.

    confidences of characters and end (their product: confidence), boxes in 0..1 of the picture, verified: probability that the
    character is right, codes, attention, first: the word before refinement, changed, margin.
    """

    def __init__(self, reader: Reader, facts: dict[str, Any], examples: Sequence[Tensor]) -> None:
        super().__init__()
        self.preprocess = Preprocess(**facts["preprocess"])
        self.words = _Open(reader)
        self.letters: List[str] = list(facts["charset"])  # noqa: UP006
        self.slots = int(reader.slots)
        if len(self.letters) != reader.characters:
            raise ValueError(f"the charset has {len(self.letters)} characters, the reader {reader.characters}")
        self._facts = facts
        self._examples = list(examples)

    @torch.jit.export
    def prepare(self, item: Tensor) -> Tensor:
        return self.preprocess(item)

    def forward(self, x: Tensor) -> Dict[str, Tensor]:  # noqa: UP006
        return self.words(x)

    @torch.jit.export
    def decode(self, characters: Tensor) -> List[str]:  # noqa: UP006
        """Words of tokens (B,L), each up to its end. In TorchScript alone: other formats have no strings."""
        words: List[str] = []  # noqa: UP006
        for row in range(characters.shape[0]):
            word = ""
            ended = False
            for slot in range(characters.shape[1]):
                token = int(characters[row, slot])
                ended = ended or token < 1 or token > len(self.letters)
                if not ended:
                    word += self.letters[token - 1]
            words.append(word)
        return words

    @torch.jit.export
    def charset(self) -> str:
        return "".join(self.letters)

    @torch.jit.export
    def max_length(self) -> int:
        return self.slots - 1

    def weights(self) -> nn.Module:
        return self.words.get_submodule("reader")

    def examples(self) -> list[Tensor]:
        return self._examples

    def margins(self, outputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """A narrow decision anywhere in a word may turn all that follows from it."""
        narrow_B = outputs["margin"]
        return {name: narrow_B.reshape(-1, *[1] * (outputs[name].dim() - 1)) for name in ("characters", "first", "changed")}

    def traced(self) -> dict[str, tuple[Any, Sequence[Any]]]:
        first, *others = (torch.rand(batch, 3, self.preprocess.height, self.preprocess.width) for batch in BATCHES)
        return {"words": (first, others)}

    def metadata(self) -> dict[str, Any]:
        optional = [{"output": "verified", "as": "vector"}] if self._judges() else []
        return {
            "app": "otsnet",
            "program": "read",
            "labels": self.letters,
            "answer": [
                {"output": "characters", "as": "text"},
                {"output": "confidence", "as": "value"},
                {"output": "changed", "as": "value", "full": True},
                {"output": "confidences", "as": "vector", "full": True},
                {"output": "boxes", "as": "map", "full": True},
                *({**row, "full": True} for row in optional),
            ],
            "batching": "stack",
            "input": "image",
            "preprocessing": self._facts["preprocess"],
            "max_length": self.slots - 1,
            "cells": list(self.words.get_submodule("reader").observer.cells),  # pyright: ignore[reportAttributeAccessIssue, reportArgumentType]
            "licence": self._facts["licence"],
        }

    def _judges(self) -> bool:
        verifier = getattr(self.weights(), "verifier", None)
        return verifier is not None and verifier.judges
