"""Weights of another charset, word length or picture size: heads and characters by name, slots by place, the rest as it is (section 4).

Shapes: L slots, N tokens, D width.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from apps.otsnet import vocabulary
from apps.otsnet.readers import Reader
from core_attention.trunks.load import LoadReport, resize_positions
from datamodules.otsnet.charset import Charset

__all__ = ["adapt"]

HEADS = ("position_head", "semantic_head", "column_head", "verifier.head", "head")
EMBEDDINGS = ("verifier.embed.weight", "embed.weight")
SLOTS = ("locator.slots", "queries")
PLACES = ("observer.place", "observer.key_place")


def adapt(model: Reader, state: Mapping[str, Tensor], old: str, new: str, old_cells: tuple[int, int] | None = None) -> LoadReport:
    """Copy weights of a reader with the charset `old` into one with `new`, and say what became of each.

    A character that both know keeps its rows, a new one begins as it was made, the end and the marks always come along. Where `new` has
    letters of one case, to which labels are folded, a letter begins as both of its cases. More slots than before: the first come along.
    old_cells: rows and columns of tokens of the file's pictures, where they are others.
    """
    report, own = LoadReport(), model.state_dict()
    fitting: dict[str, Tensor] = {}
    for name, value in state.items():
        if name not in own:
            report.unexpected.append(name)
            continue
        made = _fitted(model, name, value, own[name], old, new, old_cells)
        if made.shape != own[name].shape:
            report.mismatched[name] = f"{tuple(value.shape)} in the file, {tuple(own[name].shape)} in the model"
            continue
        fitting[name] = made
        report.loaded.append(name)
        if made is not value:
            report.resized[name] = f"{value.shape[1 if name in SLOTS + PLACES else 0]} to {made.shape[1 if name in SLOTS + PLACES else 0]}"
    report.missing = [name for name in own if name not in state]
    model.load_state_dict(fitting, strict=False)
    return report


def _fitted(
    model: nn.Module, name: str, value: Tensor, own: Tensor, old: str, new: str, old_cells: tuple[int, int] | None
) -> Tensor:  # fmt: skip
    """The value in the model's shape where there is a rule for it, else the value itself."""
    head = name.removesuffix(".weight").removesuffix(".bias") in HEADS
    if old != new and head and len(value) == vocabulary.classes(len(old)):
        return _by_character(value, own, old, new, marks=False)
    if old != new and name in EMBEDDINGS and len(value) == vocabulary.size(len(old)):
        return _by_character(value, own, old, new, marks=True)
    if name in SLOTS and value.shape[1] != own.shape[1] and value.shape[2] == own.shape[2]:
        both = min(value.shape[1], own.shape[1])
        return torch.cat([value[:, :both].to(own), own[:, both:]], 1)
    cells = getattr(getattr(model, "observer", None), "cells", None)
    if name in PLACES and old_cells is not None and cells is not None and old_cells != cells and value.shape[2] == own.shape[2]:
        return resize_positions(value, old_cells, cells, 0)
    return value


def _by_character(value: Tensor, own: Tensor, old: str, new: str, marks: bool) -> Tensor:
    """Rows of end, characters and, in an embedding, the marks behind them."""
    made, before = own.clone(), {character: i for i, character in enumerate(old, start=1)}
    made[vocabulary.END] = value[vocabulary.END]
    folds = Charset(new).one_case is not None
    for i, character in enumerate(new, start=1):
        cases = dict.fromkeys((character, character.swapcase())) if folds else (character,)
        if known := [before[one] for one in cases if one in before]:
            # ours: a letter is embedded as the mean of its cases; in a head it is their sum, for half of each would lose to digits
            made[i] = value[known].mean(0) if marks else value[known].sum(0)
    if marks:
        made[len(new) + 1 :] = value[len(old) + 1 :]
    return made
