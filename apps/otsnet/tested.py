"""What a test has seen, drawn: where characters were read, which codes stand for them, which are mistaken, what refinement did.

Shapes: B batch, L slots, G groups, M codes, K classes, V slots that count.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from apps.otsnet.draw_codes import codes_figure
from apps.otsnet.draw_ledger import ledger_figure
from apps.otsnet.draw_letters import letters_figure, pairs_figure
from apps.otsnet.draw_slots import Look, words_figure
from apps.otsnet.draw_worst import worst_figure, worst_rows
from apps.otsnet.health import Health, health, joint_counts
from apps.otsnet.looks import look_of
from apps.otsnet.metrics.aligned import letter_pairs
from apps.otsnet.model import Otsnet
from apps.otsnet.program import ReadWords
from apps.otsnet.readers import Reader, refines
from apps.otsnet.vocabulary import classes, up_to_end

__all__ = ["CodeCounts", "figures_of_test"]

Row = dict[str, Any]  # of a word: number, truth, read, first, confidence
SHOWN = 3  # words right and words wrong whose slots are drawn


class CodeCounts(nn.Module):
    """How often each code stood for each character of the truth; summed over processes when it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self._joint_GMK: Tensor | None = None

    def reset(self) -> None:
        self._joint_GMK = None

    def add(self, reader: Reader, codes_BLG: Tensor, tokens_BL: Tensor) -> None:
        if not isinstance(reader, Otsnet) or reader.quantizer.book is None:
            return
        codes, kinds = reader.quantizer.book.rows.shape[1], classes(reader.characters)
        valid_BL = up_to_end(tokens_BL)
        tokens_V, codes_VG = tokens_BL[valid_BL], codes_BLG[valid_BL]
        joint_GMK = torch.stack([joint_counts(codes_V, tokens_V, codes, kinds) for codes_V in codes_VG.unbind(1)])
        self._joint_GMK = joint_GMK if self._joint_GMK is None else self._joint_GMK + joint_GMK

    def compute(self) -> np.ndarray:
        """(G,M,K), of no groups where nothing was counted."""
        if self._joint_GMK is None:
            return np.zeros((0, 0, 0), np.int64)
        joint_GMK = self._joint_GMK.clone()
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.all_reduce(joint_GMK)
        return joint_GMK.cpu().numpy()

    def health(self) -> dict[str, float]:
        """Of all that was counted, as a mean over the groups; nothing where there are no codes."""
        each_G = [health(torch.from_numpy(joint_MK)) for joint_MK in self.compute()]
        return {name: sum(float(getattr(one, name)) for one in each_G) / len(each_G) for name in Health._fields} if each_G else {}


def figures_of_test(rows: Sequence[Row], joint_GMK: np.ndarray, program: ReadWords, data: Any) -> dict[str, bytes]:
    """PNG by name. program: what answered; data: its `picture(number)` gives a word's picture."""
    if not rows:
        return {}
    characters = program.metadata()["labels"]
    pairs = letter_pairs((row["read"], row["truth"]) for row in rows)
    drawn = {
        "slots": words_figure(_looks(rows, program, data)),
        "codes": codes_figure(joint_GMK, characters),
        "letters": letters_figure(pairs),
        "letter_pairs": pairs_figure(pairs),
        "worst": worst_figure(rows, data.picture),
        "ledger": ledger_figure(rows) if refines(program.reader()) else None,
    }
    return {name: png for name, png in drawn.items() if png is not None}


def _looks(rows: Sequence[Row], program: ReadWords, data: Any) -> list[Look]:
    """Right words of different lengths, and the surest mistakes."""
    right = {len(row["truth"]): row for row in sorted(rows, key=lambda row: row["confidence"]) if row["read"] == row["truth"]}
    lengths = sorted(right)
    chosen = [right[lengths[place]] for place in np.linspace(0, len(lengths) - 1, min(SHOWN, len(lengths))).round().astype(int)]
    about, looks = program.metadata(), []
    device = next(program.weights().parameters()).device
    for row in [*chosen, *worst_rows(rows, SHOWN)]:
        picture = data.picture(row["number"])
        with torch.no_grad():
            outputs = program.forward(program.prepare(torch.from_numpy(np.ascontiguousarray(picture)).to(device))[None])
        answer = {name: value[0].cpu().numpy() for name, value in outputs.items()}
        looks.append(look_of(picture, answer, about["labels"], tuple(about["cells"]), truth=row["truth"]))
    return looks
