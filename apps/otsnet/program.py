"""The exported reader: from a picture of a word to its characters, how sure each is, and where it stands. Refinement is of fixed length.

Shapes: B batch, C H W picture, L slots, S slots or columns, K classes.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Dict, List  # noqa: UP035 - TorchScript reads typing's

import torch
from torch import Tensor, nn

from apps.base.program import BATCHES, Program
from apps.otsnet import places
from apps.otsnet.answer import word_confidence
from apps.otsnet.calibration import PLAIN, Temperatures, sharpen
from apps.otsnet.ctc import CtcReader
from apps.otsnet.readers import Reader, judges, options_of, read_words, reader_of
from datamodules.preprocess import Preprocess

__all__ = ["ReadWords"]


class _Open(nn.Module):
    """The reader with a dict for an answer: a NamedTuple cannot be saved. What it does not have is absent."""

    def __init__(self, reader: Reader, temperatures: Temperatures, refine: bool) -> None:
        super().__init__()
        self.reader, self.temperatures, self.refine = reader, temperatures, refine

    def forward(self, x_BCHW: Tensor) -> Dict[str, Tensor]:  # noqa: UP006
        answer = read_words(self.reader, x_BCHW, self.refine)
        table_BSK = sharpen(answer.table, self.temperatures.words)
        wide_B = self.reader.observer.shown(x_BCHW)
        found = {
            "characters": answer.tokens,
            "confidences": self.reader.confidences(sharpen(answer.table, self.temperatures.characters), answer.tokens),
            "confidence": word_confidence(self.reader.confidences(table_BSK, answer.tokens)),
            "table": table_BSK,
            "boxes": places.boxes(answer.attention, answer.tokens, self.reader.observer.cells, wide_B),
            "attention": answer.attention,
            "first": answer.first,
            "changed": (answer.tokens != answer.first).any(1).to(torch.int64),
            "margin": answer.margin,
        }
        if wide_B is not None:
            found["wide"] = wide_B
        if answer.verify.shape[1]:
            found["verified"] = answer.verify
        if answer.codes.shape[2]:
            found["codes"] = answer.codes
        return found


class ReadWords(Program):
    """characters are tokens: 0 is the end, 1..n the charset's, n + 2 nothing; `decode` makes words of them.

    confidences of characters and end, and confidence of the word, each at its own temperature; table (B,S,K): probability of every class
    in every slot (or column, as the metadata says), at the word's. boxes in 0..1 of the picture, verified: probability that the
    character is right, codes, attention, first: the word before refinement, changed, margin; of readers whose pictures keep their shape
    also wide: the share of the attention's width, and of the columns, that is the picture.
    """

    def __init__(self, reader: Reader, facts: dict[str, Any], examples: Sequence[Tensor]) -> None:
        super().__init__()
        self.preprocess = Preprocess(**facts["preprocess"])
        temperatures = Temperatures(**facts["calibration"]) if "calibration" in facts else PLAIN
        self.words = _Open(reader, temperatures, facts.get("refine", True))
        self.letters: List[str] = list(facts["charset"])  # noqa: UP006
        self.slots = int(reader.slots)
        if len(self.letters) != reader.characters:
            raise ValueError(f"the charset has {len(self.letters)} characters, the reader {reader.characters}")
        self._facts = facts
        self._examples = list(examples)

    @classmethod
    def of_file(cls, weights: Mapping[str, Tensor], about: dict[str, Any]) -> "ReadWords":
        """Of a file of weights and its metadata, which runs no code."""
        reader = reader_of(about["model"], about["charset"], about["slots"])
        reader.load_state_dict(weights)
        return cls(reader, {**about, "preprocess": about["preprocessing"]}, [])

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

    def reader(self) -> Reader:
        """A method, because TorchScript compiles properties."""
        reader = self.words.get_submodule("reader")
        assert isinstance(reader, Reader)
        return reader

    def weights(self) -> nn.Module:
        return self.reader()

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
        optional = [{"output": "verified", "as": "vector"}] if judges(self.reader()) else []
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
            "charset": self._facts["charset"],
            "slots": self.slots,
            "cells": list(self.reader().observer.cells),  # rows and columns that the attention is of
            "model": options_of(self.reader()),
            "table": "columns" if isinstance(self.reader(), CtcReader) else "slots",
            "calibration": self.words.temperatures._asdict(),  # pyright: ignore[reportAttributeAccessIssue, reportCallIssue]
            "refine": self.words.refine,
            **({"claims": self._facts["claims"]} if "claims" in self._facts else {}),
            "licence": self._facts["licence"],
        }
