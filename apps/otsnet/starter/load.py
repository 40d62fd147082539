"""The starter's file: an exported reader's weights, in half precision; its card lies beside it."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError
from torch import Tensor

from apps.base.errors import UserError
from apps.base.export.weights import read
from apps.otsnet.options import Ctc, Decoder, Locate, Observe, Quantize, Verify, Weights
from apps.otsnet.readers import Reader, build_reader

__all__ = ["CARD", "FILE", "LARGEST", "Starter", "load_starter", "make_reader", "options_of", "packed"]

FILE, CARD = Path(__file__).with_name("starter.safetensors"), Path(__file__).with_name("card.json")
LARGEST = 1 << 20  # bytes of the file
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
        weights, about = read(str(file))
    except SafetensorError as error:
        raise UserError(f"{file}: not a readable safetensors file ({error}); train it anew") from error
    if "model" not in about:
        raise UserError(f"{file}: weights, but no starter: its header says nothing of how it is made; train it anew")
    facts = {name: about[name] for name in ("charset", "slots", "licence")} | {"preprocess": about["preprocessing"]}
    model = make_reader(about["model"], facts)
    model.load_state_dict(weights)
    card = file.with_name(CARD.name)
    return Starter(model.eval(), facts, json.loads(card.read_text("utf-8")) if card.is_file() else {})


def make_reader(options: Mapping[str, Any], facts: Mapping[str, Any]) -> Reader:
    """Of the options of a task, as a recipe writes them, or of `options_of`."""
    parts = {name: kind(**options[name]) for name, kind in PARTS.items() if options.get(name) is not None}
    return build_reader(options["reader"], facts["charset"], facts["slots"], **parts)


def options_of(model: Reader, name: str) -> dict[str, Any]:
    """Plain values of which `make_reader` makes the same reader, without its weights."""
    found: dict[str, Any] = {part: getattr(model, part, None) for part in PARTS}
    return {"reader": name, **{part: asdict(value) for part, value in found.items() if isinstance(value, PARTS[part])}}


def packed(model: Reader) -> dict[str, Tensor]:
    """What is learned by gradient in half precision, running statistics and codes as they are."""
    learned = {name for name, _ in model.named_parameters()}
    return {name: (value.half() if name in learned else value).contiguous().clone() for name, value in model.state_dict().items()}
