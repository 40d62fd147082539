"""OR-Library's jobshop1.txt and flowshop1.txt: many shops between lines `instance NAME` and rows of +."""

import re
from collections.abc import Sequence

from datamodules.accord.errors import ParseError
from datamodules.accord.formats.format import Format, Options
from datamodules.accord.formats.job_lines import Row, best_words, in_order, job_text, read_jobs, shop_of
from datamodules.accord.formats.plans import one_line
from datamodules.accord.formats.shape import is_numeric
from datamodules.accord.formats.source import Source
from datamodules.accord.instances import Instance

__all__ = ["FLOW_SHOPS", "JOB_SHOPS"]

_NAME = re.compile(r"^\s*instance\s+(\S.*?)\s*$", re.IGNORECASE)
_RULES = re.compile(r"^\s*\++\s*$", re.MULTILINE)
_RULE = " " + "+" * 29

Block = tuple[str, str, list[Row], int, int]  # name, what is said about it, jobs, machines, scale


def _blocks(source: Source) -> list[Block]:
    found: list[tuple[str, list[tuple[int, str]]]] = []
    for line, text in source.filled:
        if name := _NAME.match(text):
            found.append((name[1], []))
        elif found and set(text.strip()) != {"+"}:
            found[-1][1].append((line, text))
    blocks = []
    for name, rows in found:
        first = next((index for index, (_, text) in enumerate(rows) if is_numeric(text)), None)
        if first is None:
            raise ParseError(f"{source.where}: instance {name} has no line `jobs machines`")
        jobs, machines, scale, _ = read_jobs(source.where, rows[first:])
        blocks.append((name, " ".join(text for _, text in rows[:first]), jobs, machines, scale))
    return blocks


def _are_blocks(source: Source) -> bool:
    return _RULES.search(source.text) is not None and any(_NAME.match(line) for _, line in source.filled)


def _flows(source: Source) -> bool:
    """All rows of the first shop begin with machine 0, then 1: the others are looked at when they are read."""
    numeric = [line.split() for _, line in source.filled if is_numeric(line) and len(line.split()) > 2]
    return all(row[::2] == [str(machine) for machine in range(len(row[::2]))] for row in numeric)


def _read_as(source: Source, kind: str) -> list[Instance]:
    return [shop_of(source.where, kind, jobs, machines, scale, name, said) for name, said, jobs, machines, scale in _blocks(source)]


def _read_flows(source: Source, options: Options) -> list[Instance]:
    blocks = _blocks(source)
    if options.kind is None and not all(in_order(block[2]) for block in blocks):
        return _read_as(source, "jssp")
    return _read_as(source, "pfsp")


def _write(instances: Sequence[Instance]) -> str:
    lines = []
    for one in instances:
        said = best_words(one)
        lines += [_RULE, f" instance {one_line(one.name)}", _RULE, *([f" {said}"] if said else []), *(f" {row}" for row in job_text(one))]
    return "\n".join([*lines, _RULE, ""])


FLOW_SHOPS = Format(
    "or-library-flow-shop",
    "OR-Library's flowshop1.txt (`instance NAME` between rows of +, machines 0, 1, 2, ... in every row)",
    ("pfsp",),
    (".txt",),
    lambda source: _are_blocks(source) and _flows(source),
    _read_flows,
    _write,
    many=True,
    names=True,
)
JOB_SHOPS = Format(
    "or-library-job-shop",
    "OR-Library's jobshop1.txt (`instance NAME` between rows of +)",
    ("jssp",),
    (".txt",),
    _are_blocks,
    lambda source, options: _read_as(source, "jssp"),
    _write,
    many=True,
    names=True,
)
