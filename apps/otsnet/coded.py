"""A reader that also tells how near each slot came to the code that it chose (2.4).

Shapes: B batch, C H W picture, L slots, G groups, M codes a group, E width of a code.
"""

from typing import Any

import torch
from torch import Tensor, nn

from apps.base.errors import UserError
from apps.otsnet.codebook import Codebook
from apps.otsnet.model import Otsnet
from apps.otsnet.quantize import Quantized, rows_of
from apps.otsnet.source import Source

__all__ = ["Coded", "nearness"]


class Coded:
    """Under the handles of a program, of a source with a model in it; one without codes is refused."""

    def __init__(self, source: Source) -> None:
        reader = source.reader
        if not isinstance(reader, Otsnet):
            raise UserError(f"a reader of the kind {source.about['model']['reader']} has no codes; take one of reader=otsnet")
        if reader.quantizer.book is None:
            raise UserError("this reader has no codes: it was trained with quantize.assign=none; take one with ema, nearest or gumbel")
        self.program, self.metadata, self.device = source.program, source.about, source.program.device
        self.quantizer, self.book = reader.quantizer, reader.quantizer.book

    @property
    def size(self) -> tuple[int, int]:
        """Groups, and codes of a group."""
        return self.book.rows.shape[0], self.book.rows.shape[1]

    @property
    def measure(self) -> str:
        return "score" if self.quantizer.assign == "gumbel" else "cosine"

    def prepare(self, item: Any) -> Tensor:
        return self.program.prepare(item)

    def forward(self, x_BCHW: Tensor) -> dict[str, Tensor]:
        """The program's answer, and near: (B,L,G)."""
        caught: list[Quantized] = []

        def catch(module: nn.Module, given: Any, said: Any) -> None:
            caught.append(said)

        hook = self.quantizer.register_forward_hook(catch)
        try:
            answer = self.program.forward(x_BCHW)
        finally:
            hook.remove()
        (said,) = caught  # one look at each picture, whatever refinement does
        with torch.inference_mode():
            return {**answer, "near": nearness(said, self.book)}


def nearness(said: Quantized, book: Codebook) -> Tensor:
    """Of each slot to its code, (B,L,G): the cosine; of gumbel, which has no vector that looks for the nearest one, the score."""
    if said.scores_BLGM.shape[-1]:
        return said.scores_BLGM.gather(-1, said.codes_BLG.unsqueeze(-1)).squeeze(-1)
    return (said.z_BLGE * rows_of(book.codes(), said.codes_BLG)).sum(-1)
