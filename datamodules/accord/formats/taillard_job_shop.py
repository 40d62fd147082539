"""Taillard's own job shops: a heading, then the rows below `Times` and those below `Machines`, machines counted from 1."""

import re
from collections.abc import Sequence

from datamodules.accord.errors import InvalidInstanceError, ParseError
from datamodules.accord.formats.format import Format, Options
from datamodules.accord.formats.numbers import Numbers, number, plain, scaled, whole
from datamodules.accord.formats.source import Source
from datamodules.accord.instances import Instance, JobShop

__all__ = ["TAILLARD_JOB_SHOP"]

_TIMES = re.compile(r"^[ \t]*times[ \t]*:?[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_MACHINES = re.compile(r"^[ \t]*machines[ \t]*:?[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_HEADING = re.compile(r"nb of jobs", re.IGNORECASE)
HEAD = "Nb of jobs, Nb of Machines, Time seed, Machine seed, Upper bound, Lower bound"

Lines = list[tuple[int, str]]


def _matches(source: Source) -> bool:
    return _TIMES.search(source.head) is not None and _MACHINES.search(source.text) is not None


def _read(source: Source, options: Options) -> list[Instance]:
    blocks: list[tuple[Lines, Lines, Lines]] = []
    head: Lines = []
    part: Lines = head
    for line, text in source.filled:
        if _HEADING.search(text):
            part = head = []
        elif _TIMES.match(text):
            blocks.append((head, [], []))
            part, head = blocks[-1][1], []
        elif _MACHINES.match(text):
            if not blocks:
                raise ParseError(f"{source.where}, line {line}: `Machines` before `Times`")
            part = blocks[-1][2]
        else:
            part.append((line, text))
    many = len(blocks) > 1
    return [_block(source, *block, f"{source.stem}_{index:02d}" if many else source.stem) for index, block in enumerate(blocks, 1)]


def _block(source: Source, head: Lines, time_rows: Lines, machine_rows: Lines, name: str) -> Instance:
    if not time_rows:
        raise ParseError(f"{source.where}: no rows below `Times`")
    place = f"{source.where}, line {(head or time_rows)[0][0]}"
    words = head[-1][1].split() if head else [str(len(time_rows)), str(len(time_rows[0][1].split()))]
    if len(words) not in (2, 6):
        raise ParseError(f"{place}: {len(words)} numbers; {HEAD} are needed")
    jobs, machines = whole(words[0], place, "number of jobs", 1), whole(words[1], place, "number of machines", 1)
    tables = []
    for what, rows in (("times", time_rows), ("machines", machine_rows)):
        numbers = Numbers(source.where, rows)
        tables.append(numbers.take(jobs * machines, f"{what} ({jobs} jobs x {machines})"))
        numbers.nothing_left(f"{jobs} jobs x {machines} {what} are")
    (times, _), (order, lines) = tables
    for machine, line in zip(order, lines, strict=True):
        if machine != int(machine) or not 1 <= machine <= machines:
            raise InvalidInstanceError(f"{source.where}, line {line}: machine {machine}; there are 1 to {machines}")
    integers, scale = scaled(times, place, "times")
    bounds = [number(word, place, "bound") for word in words[4:]] or [0, 0]
    (upper, lower), _ = scaled(bounds, place, "bounds", scale)
    pairs = [(int(machine) - 1, time) for machine, time in zip(order, integers, strict=True)]
    shop = tuple(tuple(pairs[job * machines : (job + 1) * machines]) for job in range(jobs))
    return JobShop(shop, machines, name, upper or None, bool(upper) and upper == lower, scale)


def _write(instances: Sequence[Instance]) -> str:
    lines = []
    for one in instances:
        assert isinstance(one, JobShop)
        if any(len(job) != one.machines for job in one.jobs):
            raise InvalidInstanceError(f"{one.name or 'jssp'}: jobs of unequal length; this format has none: use fjsplib, ours or csv")
        bounds = [plain(one.best or 0, one.scale), plain((one.best or 0) if one.proven else 0, one.scale)]
        lines += [HEAD, " ".join(map(str, [len(one.jobs), one.machines, 0, 0, *bounds])), "Times"]
        lines += [" ".join(plain(time, one.scale) for _, time in job) for job in one.jobs]
        lines += ["Machines", *(" ".join(str(machine + 1) for machine, _ in job) for job in one.jobs)]
    return "\n".join([*lines, ""])


TAILLARD_JOB_SHOP = Format(
    "taillard-job-shop",
    "Taillard's job shops (rows below `Times`, then below `Machines`)",
    ("jssp",),
    (".txt",),
    _matches,
    _read,
    _write,
    many=True,
)
