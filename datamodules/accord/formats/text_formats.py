"""ACCORD's two texts of solutions, and its text of instances, as formats."""

import re
from collections.abc import Sequence
from dataclasses import replace

from datamodules.accord.errors import ParseError
from datamodules.accord.formats import accord_text, list_text
from datamodules.accord.formats.format import Declared, Format, Options
from datamodules.accord.formats.input_text import read_instance, write_instance
from datamodules.accord.formats.source import Source
from datamodules.accord.instances import KINDS, Instance
from datamodules.accord.solution import Plan

__all__ = ["ACCORD", "LISTS"]

_PROSE = re.compile(r"\s*[A-Za-z]{3,}\s+\S+\s+\S")


def _kind(source: Source) -> str | None:
    """By the first line of the input, which stands below a line of instruction."""
    if not source.filled or not _PROSE.match(source.filled[0][1]) or accord_text.is_text(source.head):
        return None
    lines = [line.strip() for _, line in source.filled]
    for line in lines[1:]:
        if re.match(r"J\d+\s*:\s*$", line):
            return "jssp" if any(re.match(r"J0\s*:", other) for other in lines) else "pfsp"
        if re.match(r"(coordinates|distances)\s*:", line, re.IGNORECASE):
            return "cvrp" if any(re.match(r"demands\s*:", other, re.IGNORECASE) for other in lines) else "tsp"
        if line.startswith(("[[", "[(")):
            return "knapsack" if line.startswith("[[") else "binpack"
    return None


def _read(source: Source, options: Options) -> list[Instance]:
    kind = options.kind or _kind(source)
    if kind is None:
        raise ParseError(f"{source.where}: an instruction and the input below it are needed")
    capacity = None if options.capacity is None else float(options.capacity)
    return [replace(read_instance(source.text, kind, capacity), name=source.stem)]


def _write(instances: Sequence[Instance]) -> str:
    return write_instance(instances[0])


def _read_accord(text: str, instance: Instance) -> Declared:
    read = accord_text.read_solution(text, instance)
    return read.plan, read.declared


def _read_lists(text: str, instance: Instance) -> Declared:
    read = list_text.read_solution(text, instance)
    return read.plan, read.declared


def _write_accord(instance: Instance, plan: Plan) -> str:
    return accord_text.write_solution(instance, plan)


def _write_lists(instance: Instance, plan: Plan) -> str:
    return list_text.write_solution(instance, plan)


ACCORD = Format(
    "accord",
    "ACCORD's text (of an instance: an instruction and its input; of a solution: every decision with the state after it)",
    tuple(KINDS),
    (".accord",),
    lambda source: _kind(source) is not None,
    _read,
    _write,
    is_solution=accord_text.is_text,
    read_solution=_read_accord,
    write_solution=_write_accord,
)
LISTS = Format(
    "lists",
    "ACCORD's lists of lists ([[0, 2], [1, 3]] and the total below it)",
    tuple(KINDS),
    (".lists",),
    is_solution=list_text.is_text,
    read_solution=_read_lists,
    write_solution=_write_lists,
)
