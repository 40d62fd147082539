"""The reader by columns: the same eyes, then each column of the picture says its character or nothing (2.7).

Shapes: B batch, C H W picture, L slots, N tokens, R S rows and columns of tokens, D width, K classes, J = K - 1 characters.
"""

from collections.abc import Iterable, Sequence
from operator import eq
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from apps.otsnet import losses, vocabulary
from apps.otsnet.answer import Answer, two_best
from apps.otsnet.beginning import begin
from apps.otsnet.observe import Observer, column_mean
from apps.otsnet.options import BY_COLUMNS, Ctc, Observe

__all__ = ["CtcOutput", "CtcReader", "greedy", "unwritable"]

SURE = 1e4  # a difference of logits after which nothing is left, in half precision, too


class CtcOutput(NamedTuple):
    columns: Tensor  # (B,S,K); class 0 is the blank
    seen: Tensor | None = None  # (B,S): columns that are of the picture; None: all


class CtcReader(nn.Module):
    """
    >>> CtcReader("0123456789", observe=Observe(grid="4x32"))(torch.randn(2, 3, 32, 128)).columns.shape
    torch.Size([2, 32, 11])
    """

    def __init__(self, charset: str, slots: int = 26, observe: Observe | None = None, ctc: Ctc | None = None) -> None:
        super().__init__()
        self.observe, self.ctc = observe or Observe(grid="4x32"), ctc or Ctc()
        self.characters, self.slots = len(charset), slots
        if self.observe.grid not in BY_COLUMNS:
            raise ValueError(
                f"reader=ctc needs observe.grid=4x32 or 1x32: a column says one character at most, and {self.observe.grid} has too few"
            )
        columns = self.observe.cells[1]
        if slots - 1 > columns:
            raise ValueError(
                f"reader=ctc says one character a column: words of {slots - 1} need as many, and pictures {self.observe.width} wide "
                f"have {columns}; lower data.max_length, or widen data.image_size"
            )
        recurrent = self.ctc.encoder == "lstm"
        if recurrent and (self.observe.attention is not None or self.observe.macaron is not None or self.observe.depth is not None):
            raise ValueError("ctc.encoder=lstm has no blocks: leave out observe.attention, observe.macaron and observe.depth")
        dim = self.observe.d
        self.observer = Observer(self.observe, blocks=not recurrent, keys=False)
        self.lstm = nn.LSTM(dim, self.ctc.hidden, 2, batch_first=True, bidirectional=True) if recurrent else None
        self.column_head = nn.Linear(2 * self.ctc.hidden if recurrent else dim, vocabulary.classes(self.characters))
        begin(self)

    def forward(self, images_BCHW: Tensor, teaching: None = None) -> CtcOutput:
        x_BSD = column_mean(self.observer(images_BCHW), self.observer.cells_of(images_BCHW))
        seen_BS = self.observer.seen_columns(images_BCHW)
        if self.lstm is not None:
            x_BSD = self.lstm(x_BSD if seen_BS is None else x_BSD * seen_BS.unsqueeze(2))[0]
        logits_BSK = self.column_head(x_BSD)
        if seen_BS is not None:  # where there is no picture nothing is said
            blank_BS1, others_BSJ = logits_BSK[..., :1], logits_BSK[..., 1:]
            beside_BS1 = ~seen_BS.unsqueeze(2)
            logits_BSK = torch.cat([blank_BS1.masked_fill(beside_BS1, 0.0), others_BSJ.masked_fill(beside_BS1, -SURE)], 2)
        return CtcOutput(logits_BSK, seen_BS)

    def read(self, images_BCHW: Tensor) -> Answer:
        p_BSK = self(images_BCHW).columns.float().softmax(-1)
        tokens_BL, probs_BL, seen_BLS = greedy(p_BSK, self.slots, self.characters)
        rows = self.observer.cells_of(images_BCHW)[0]
        # a character was seen in all rows of its columns alike; a slot without one everywhere
        seen_BLS = (seen_BLS | ~seen_BLS.any(-1, keepdim=True)).to(p_BSK.dtype)
        seen_BLS = seen_BLS / seen_BLS.sum(-1, keepdim=True) / rows
        attention_BLN = seen_BLS.unsqueeze(2).expand(-1, -1, rows, -1).flatten(2)
        top_BS, second_BS = two_best(p_BSK)
        none = probs_BL[:, :0]
        codes_BL0 = tokens_BL.unsqueeze(2)[..., :0]
        margin_B = (top_BS - second_BS).amin(1)
        return Answer(tokens_BL, probs_BL, none, attention_BLN, codes_BL0, tokens_BL, margin_B, p_BSK)

    def confidences(self, table_BSK: Tensor, tokens_BL: Tensor) -> Tensor:
        """Of the characters and the end by a table like the answer's, (B,L): that of the best path, so that the tokens say nothing more."""
        return greedy(table_BSK, self.slots, self.characters)[1]

    def teach(self, tokens_BL: Tensor, step: int, progress: float) -> None:
        """Nothing: columns are trained on the words alone."""

    def losses(self, output: CtcOutput, tokens_BL: Tensor, boxes_BT4: Tensor | None = None) -> dict[str, Tensor]:
        found = {"ctc": losses.columns(output.columns, tokens_BL, self.characters, output.seen)}
        if boxes_BT4 is not None and self.observe.boxes:  # a mean of columns says what the head says of their mean
            boxed = losses.boxed(output.columns, nn.Identity(), boxes_BT4, tokens_BL, (1, output.columns.shape[1]))
            found["boxes"] = self.observe.boxes * boxed
        return found

    def follow(self, taught: Sequence[tuple[CtcOutput, Tensor]], step: int, progress: float) -> dict[str, Tensor]:
        """How many words had too few columns, and so no say in this step."""
        unheard = []
        for output, tokens_BL in taught:
            columns = output.columns.shape[1] if output.seen is None else output.seen.sum(1)
            unheard.append((losses.needed_columns(tokens_BL) > columns).sum())
        return {"infeasible": torch.stack(unheard).sum()}


def unwritable(texts: Iterable[str], columns: int) -> list[str]:
    """Those that need more columns than there are: one a character, and a blank between equal neighbours.

    >>> unwritable(["book", "bok"], columns=4)
    ['book']
    """
    return [text for text in texts if len(text) + sum(map(eq, text, text[1:])) > columns]


def greedy(p_BSK: Tensor, slots: int, characters: int) -> tuple[Tensor, Tensor, Tensor]:
    """(tokens (B,L), probabilities (B,L), which columns each slot was read in (B,L,S)) of the best class of each column.

    A character's probability is that of its columns together, the end's that of all blanks: their product is the path's.
    """
    top_BS, best_BS = p_BSK.max(-1)
    before_BS = torch.cat([torch.zeros_like(best_BS[:, :1]), best_BS[:, :-1]], 1)
    starts_BS = (best_BS != vocabulary.END) & (best_BS != before_BS)
    place_BS = (starts_BS.to(torch.int64).cumsum(1) - 1).clamp(min=0)  # which character of the word a column belongs to
    # blanks, and what there is no slot for, go to an extra slot
    place_BS = place_BS.masked_fill((best_BS == vocabulary.END) | (place_BS >= slots - 1), slots)
    seen_BLS = one_hot(place_BS, slots + 1).transpose(1, 2)[:, :slots] > 0
    count_B1 = seen_BLS.any(-1).sum(1, keepdim=True)
    slot_L = torch.ones_like(seen_BLS[0, :, 0]).to(torch.int64).cumsum(0) - 1
    word_BL = (seen_BLS * best_BS.unsqueeze(1)).amax(-1)
    tokens_BL = vocabulary.close(word_BL.masked_fill(slot_L >= count_B1, vocabulary.END), characters, last=True)
    log_BS = top_BS.clamp(min=1e-30).log()
    own_BL = log_BS.unsqueeze(1).masked_fill(~seen_BLS, 0.0).sum(-1)
    rest_B1 = log_BS.masked_fill(place_BS != slots, 0.0).sum(1, keepdim=True)
    return tokens_BL, torch.where(slot_L == count_B1, rest_B1, own_BL).exp(), seen_BLS
