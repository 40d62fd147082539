"""The three readers under one recipe: the same stem, width, data and questions asked of them."""

from dataclasses import asdict
from typing import Any, Literal

from torch import Tensor

from apps.otsnet.answer import Answer
from apps.otsnet.ctc import CtcReader
from apps.otsnet.model import Otsnet
from apps.otsnet.options import Ctc, Decoder, Locate, Observe, Quantize, Verify, Weights, chosen
from apps.otsnet.parseq import ParseqReader

__all__ = ["Name", "Reader", "build_reader", "judges", "options_of", "read_words", "reader_of", "refines"]

Name = Literal["otsnet", "ctc", "parseq"]
Reader = Otsnet | CtcReader | ParseqReader
PARTS = {
    "observe": Observe, "locate": Locate, "quantize": Quantize, "verify": Verify, "weights": Weights, "ctc": Ctc, "decoder": Decoder,
}  # fmt: skip
BELONGS = {"locate": "otsnet", "quantize": "otsnet", "verify": "otsnet", "weights": "otsnet", "ctc": "ctc", "decoder": "parseq"}


def build_reader(
    name: Name,
    charset: str,
    slots: int = 26,
    observe: Observe | None = None,
    locate: Locate | None = None,
    quantize: Quantize | None = None,
    verify: Verify | None = None,
    weights: Weights | None = None,
    ctc: Ctc | None = None,
    decoder: Decoder | None = None,
) -> Reader:
    """Every reader has forward(images, teaching), teach, losses, follow and read; options of another reader are refused.

    charset: the characters in the order of their tokens. slots: most characters of a word, and the end.
    """
    given = {"locate": locate, "quantize": quantize, "verify": verify, "weights": weights, "ctc": ctc, "decoder": decoder}
    for part, options in given.items():
        if options is not None and BELONGS[part] != name and chosen(options):
            raise ValueError(f"{part} belongs to reader={BELONGS[part]}, not to {name}; leave it out")
    if not charset or len(set(charset)) < len(charset):
        raise ValueError(f"a charset is of one or more characters, each once, not {charset!r}")
    if slots < 2:
        raise ValueError(f"slots are at least 2, a character and the end, not {slots}")
    if name == "ctc":
        return CtcReader(charset, slots, observe, ctc)
    if name == "parseq":
        return ParseqReader(charset, slots, observe, decoder)
    return Otsnet(charset, slots, observe, locate, quantize, verify, weights)


def options_of(reader: Reader) -> dict[str, Any]:
    """Plain values of which `reader_of` makes the same reader, without its weights."""
    name, parts = {
        Otsnet: ("otsnet", ("observe", "locate", "quantize", "verify", "weights")),
        CtcReader: ("ctc", ("observe", "ctc")),
        ParseqReader: ("parseq", ("observe", "decoder")),
    }[type(reader)]
    return {"reader": name, **{part: asdict(getattr(reader, part)) for part in parts}}


def reader_of(options: dict[str, Any], charset: str, slots: int) -> Reader:
    """The reader that `options_of` described, or that the arguments of a task do, with new weights."""
    parts = {part: kind(**options[part]) for part, kind in PARTS.items() if options.get(part) is not None}
    return build_reader(options["reader"], charset, slots, **parts)


def refines(reader: Reader) -> bool:
    """Whether the reader goes over its words again, and could leave it."""
    return isinstance(reader, Otsnet) and reader.verify.rounds > 0


def judges(reader: Reader) -> bool:
    """Whether a verifier can be asked about a claim."""
    return isinstance(reader, Otsnet) and reader.verifier is not None and reader.verifier.judges


def read_words(reader: Reader, images_BCHW: Tensor, refine: bool = True) -> Answer:
    """refine: False leaves it at the first reading."""
    return reader.read(images_BCHW, 0) if isinstance(reader, Otsnet) and not refine else reader.read(images_BCHW)
