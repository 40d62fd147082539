"""What the verbs are given: files of any format, folders, archives, standard input, as instances; what is broken is kept beside them."""

import sys
from argparse import ArgumentTypeError, Namespace
from argparse import _ActionsContainer as Parser
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apps.accord.solver.fleet import with_fleet
from apps.base.errors import UserError
from datamodules.accord.errors import InfeasibleError, UnsupportedError
from datamodules.accord.formats import read
from datamodules.accord.instances import KINDS, Instance
from datamodules.errors import DataError

__all__ = ["Given", "add_fleet", "add_reading", "one_instance", "problems", "read_options", "seconds"]


@dataclass(frozen=True)
class Given:
    """One instance, or why there is none."""

    where: str
    instance: Instance | None
    status: str = ""  # invalid, infeasible, refused: of what could not be read
    reason: str = ""

    @property
    def name(self) -> str:
        return (self.instance.name if self.instance is not None else "") or self.where


def add_reading(parser: Parser) -> None:
    """How inputs are read; solve, check, repair, convert and compare ask alike."""
    parser.add_argument("--kind", choices=tuple(KINDS), help="what the inputs are, where the format does not say")
    parser.add_argument(
        "--rounding", choices=("nint", "none", "trunc1"), help="of distances, where the file does not say; default: as its format does"
    )
    parser.add_argument("--capacity", metavar="C", help="of a vehicle, bin or knapsack, where the file has none (CSV)")


def add_fleet(parser: Parser) -> None:
    parser.add_argument(
        "--fleet", metavar="free|name|K", help="most vehicles: any, those of the name (-kK), or K; default: what the file says, else any"
    )


def read_options(args: Namespace) -> dict[str, Any]:
    """What `read` takes of them."""
    return {"kind": args.kind, "rounding": args.rounding, "capacity": _number(args.capacity)}


def problems(words: Sequence[str], args, fleet: str | None = None) -> list[Given]:
    """Every instance of every input, in order. One broken input does not take the others with it."""
    given: list[Given] = []
    for word in words:
        where = "standard input" if word == "-" else word
        try:
            source = sys.stdin.read() + "\n" if word == "-" else word
            found = read(source, **read_options(args))
            given += [Given(where, with_fleet(instance, fleet)) for instance in found]
        except InfeasibleError as error:
            given.append(Given(where, None, "infeasible", str(error)))
        except UnsupportedError as error:
            given.append(Given(where, None, "refused", str(error)))
        except DataError as error:
            given.append(Given(where, None, "invalid", str(error)))
    return given


def one_instance(word: str, args, fleet: str | None = None) -> Instance:
    """The one instance of a file; its error, where it has one."""
    found = read(sys.stdin.read() + "\n" if word == "-" else word, **read_options(args))
    if len(found) != 1:
        raise UserError(f"{word} holds {len(found)} instances; name one of them: {word}#1 or {word}#NAME")
    return with_fleet(found[0], fleet)


def seconds(text: str) -> float:
    """The type of a time limit."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < 1e9:
        raise ArgumentTypeError(f"{text!r} is no number of seconds above 0")
    return value


def plan_file(word: str) -> Path:
    path = Path(word)
    if not path.is_file():
        raise UserError(f"{word}: no such file")
    return path


def _number(text: str | None) -> float | int | None:
    if text is None:
        return None
    try:
        return int(text) if text.lstrip("-").isdecimal() else float(text)
    except ValueError:
        raise UserError(f"--capacity {text}: no number") from None
