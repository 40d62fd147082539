"""ACCORD's two texts of solutions, its text of instances, and its records of both, as formats."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace

from datamodules.accord.errors import InvalidInstanceError, ParseError
from datamodules.accord.formats import accord_text, list_text
from datamodules.accord.formats.accord_record import read_records, write_record
from datamodules.accord.formats.format import Format, Options
from datamodules.accord.formats.input_text import read_instance, write_instance
from datamodules.accord.formats.source import Source
from datamodules.accord.instances import KINDS, Instance
from datamodules.accord.solution import Plan

__all__ = ["ACCORD", "LISTS", "RECORDS"]

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


def _write_accord(instance: Instance, plan: Plan) -> str:
    return accord_text.write_solution(instance, plan)


def _write_lists(instance: Instance, plan: Plan) -> str:
    return list_text.write_solution(instance, plan)


def _are_records(source: Source) -> bool:
    return source.head.lstrip().startswith(("{", "[")) and '"instruction"' in source.head and '"input"' in source.text


def _read_records(source: Source, options: Options) -> list[Instance]:
    """Their names are the paths that the records hold."""
    if re.search(r"[\[,:]\s*-?(NaN|Infinity)\b", source.text):
        raise InvalidInstanceError(f"{source.where}: NaN or Infinity; give finite numbers")
    records = list(enumerate(read_records(source.text), 1))
    many = len(records) > 1
    return [replace(one.instance, name=one.path or (f"{source.stem}_{at:02d}" if many else source.stem)) for at, one in records]


def _write_records(instances: Sequence[Instance]) -> str:
    return "".join(f"{json.dumps(write_record(one))}\n" for one in instances)


RECORDS = Format(
    "accord-records",
    "ACCORD-90k's JSON (instruction, input, output_accord, output_list_of_lists)",
    tuple(KINDS),
    (".json",),
    _are_records,
    _read_records,
    _write_records,
    many=True,
    names=True,
)
ACCORD = Format(
    "accord",
    "ACCORD's text (of an instance: an instruction and its input; of a solution: every decision with the state after it)",
    tuple(KINDS),
    (".accord",),
    lambda source: _kind(source) is not None,
    _read,
    _write,
    is_solution=accord_text.is_text,
    read_stated=accord_text.read_solution,
    write_solution=_write_accord,
)
LISTS = Format(
    "lists",
    "ACCORD's lists of lists ([[0, 2], [1, 3]] and the total below it)",
    tuple(KINDS),
    (".lists",),
    is_solution=list_text.is_text,
    read_stated=list_text.read_solution,
    write_solution=_write_lists,
)
