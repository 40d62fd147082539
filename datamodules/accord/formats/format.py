"""What a format is: how it is recognised, what it holds, how it is read and written."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from datamodules.accord.formats.numbers import Number
from datamodules.accord.formats.source import Source
from datamodules.accord.formats.text_lines import Read
from datamodules.accord.instances import Instance
from datamodules.accord.solution import Plan

__all__ = ["Declared", "Format", "Options", "Written"]

Declared = tuple[Plan, int | None]  # a plan, and the objective that its file claims
Written = str | dict[str, str]  # a text, or the texts of several files by the ends of their names


@dataclass(frozen=True)
class Options:
    """What a person says beside the file."""

    kind: str | None = None
    rounding: str | None = None
    capacity: Number | None = None
    fleet: int | str | None = None


@dataclass(frozen=True)
class Format:
    name: str
    looks_for: str
    kinds: tuple[str, ...]
    suffixes: tuple[str, ...]  # the first is that of new files
    matches: Callable[[Source], bool] | None = None  # None: it holds no instances
    read: Callable[[Source, Options], list[Instance]] | None = None
    write: Callable[[Sequence[Instance]], Written] | None = None
    many: bool = False  # holds more than one instance
    names: bool = False  # holds their names; other formats leave them to the name of the file
    is_solution: Callable[[str], bool] | None = None
    read_solution: Callable[[str, Instance], Declared] | None = None
    read_stated: Callable[[str, Instance, bool], Read] | None = None  # in its place, of texts that state more than the plan; lenient or not
    write_solution: Callable[[Instance, Plan], str] | None = None
