"""Options that verbs of several applications have: each is spelled and explained here alone. `parser` may be a group of one."""

from argparse import ArgumentTypeError
from argparse import _ActionsContainer as Parser

from apps.base.shell import positive

__all__ = ["add_batch", "add_device", "add_run", "add_trust", "seed"]


def seed(text: str) -> int:
    """The type of an option that random numbers follow from: what every generator of ours takes."""
    if not (text.isascii() and text.isdecimal()) or len(text) > 19 or int(text) >= 1 << 63:
        raise ArgumentTypeError(f"{text[:30]!r} is no seed: a whole number from 0 to 2**63 - 1")
    return int(text)


def add_trust(parser: Parser) -> None:
    parser.add_argument("--trust", action="store_true", help="run a file from elsewhere; it is a program, and can do what you can")


def add_device(parser: Parser) -> None:
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="default: cpu")


def add_batch(parser: Parser) -> None:
    parser.add_argument("--batch", type=positive, default=8, metavar="N", help="how many of one shape go through together; default: 8")


def add_run(parser: Parser) -> None:
    """Beside a --ckpt, or a word that may be a checkpoint."""
    parser.add_argument("--run", metavar="ID|NAME", help="the run that best, last and the recipe come from (default: the newest)")
