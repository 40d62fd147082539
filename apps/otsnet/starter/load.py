"""The starter's file: weights in half precision, and in its header how the reader is made; its card lies beside it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError, safe_open
from torch import Tensor

from apps.base.errors import UserError
from apps.otsnet.options import Ctc, Decoder, Locate, Observe, Quantize, Verify, Weights
from apps.otsnet.readers import Reader, build_reader

__all__ = ["CARD", "FILE", "LARGEST", "Starter", "load_starter", "make_reader", "packed"]

FILE, CARD = Path(__file__).with_name("starter.safetensors"), Path(__file__).with_name("card.json")
LARGEST = 1 << 20  # bytes of the file
HEADER = "starter"
PARTS = {
    "observe": Observe, "locate": Locate, "quantize": Quantize, "verify": Verify, "weights": Weights, "ctc": Ctc, "decoder": Decoder,
}  # fmt: skip


class Starter(NamedTuple):
    model: Reader  # in evaluation mode
    facts: dict[str, Any]  # charset, slots, preprocess, licence: what a program of it is made with
    card: dict[str, Any]


def load_starter(file: Path = FILE) -> Starter:
    """
    >>> starter = load_starter()
    >>> starter.model.read(torch.zeros(1, 3, 32, 128)).tokens.shape
    torch.Size([1, 26])
    """
    if not file.is_file():
        raise UserError(f"{file}: there is no starter model; train it: python -m apps.otsnet.starter.train")
    try:
        with safe_open(file, framework="pt") as opened:
            header = json.loads((opened.metadata() or {}).get(HEADER, "null"))
            weights = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 - it is no dict
    except SafetensorError as error:
        raise UserError(f"{file}: not a readable safetensors file ({error}); train it anew") from error
    if header is None:
        raise UserError(f"{file}: weights, but no starter: its header says nothing of how it is made; train it anew")
    model = make_reader(header["model"], header["facts"])
    model.load_state_dict({name: value.to(own.dtype) for (name, own), value in _paired(model, weights)})
    card = file.with_name(CARD.name)
    return Starter(model.eval(), header["facts"], json.loads(card.read_text("utf-8")) if card.is_file() else {})


def make_reader(init: Mapping[str, Any], facts: Mapping[str, Any]) -> Reader:
    """Of the options of a task, as a recipe writes them."""
    parts = {name: kind(**init[name]) for name, kind in PARTS.items() if init.get(name) is not None}
    return build_reader(init["reader"], facts["charset"], facts["slots"], **parts)


def packed(model: Reader) -> dict[str, Tensor]:
    """What is learned by gradient in half precision, running statistics as they are."""
    learned = {name for name, _ in model.named_parameters()}
    state = {name: value for name, value in model.state_dict().items() if not name.endswith(UNREAD)}
    return {name: (value.half() if name in learned else value).contiguous().clone() for name, value in state.items()}


# What only training reads.
UNREAD = ("book.weight_GM", "book.sum_GME", "book.idle_GM", "book.first_KGE", "book.filled", "book.updates")


def _paired(model: Reader, weights: Mapping[str, Tensor]) -> list[tuple[tuple[str, Tensor], Tensor]]:
    """Of each weight: its name, the model's own, the file's; the model's where only training reads it."""
    own = model.state_dict()
    return [((name, value), weights.get(name, value) if name.endswith(UNREAD) else weights[name]) for name, value in own.items()]
