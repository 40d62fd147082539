"""FJSPLIB's dialect: `n m`, then for each job its count of operations and of each `1 machine time`, machines from 1.

The 1 is the count of machines that an operation may choose from; more than one is a flexible job shop, which is not modelled.
"""

import re
from collections.abc import Sequence
from itertools import islice

from datamodules.accord.errors import InvalidInstanceError, ParseError, UnsupportedError
from datamodules.accord.formats.format import Format, Options
from datamodules.accord.formats.job_lines import best_said, best_words
from datamodules.accord.formats.numbers import Numbers, plain, scaled, whole
from datamodules.accord.formats.plans import one_line
from datamodules.accord.formats.shape import first_widths
from datamodules.accord.formats.source import Source
from datamodules.accord.instances import Instance, JobShop

__all__ = ["FJSPLIB", "is_fjsplib"]

_COUNT = re.compile(r"[0-9]{1,7}")


def is_fjsplib(source: Source) -> bool:
    if first_widths(source, 2) is None:
        return False
    rows = (line.split() for _, line in source.filled if not line.lstrip().startswith("#"))
    head = next(rows, [])
    if len(head) not in (2, 3) or not (_COUNT.fullmatch(head[0]) and _COUNT.fullmatch(head[1])):
        return False
    jobs, machines = list(islice(rows, int(head[0]))), int(head[1])
    if not jobs:
        return False
    if len(head) == 2 and all(len(row) == 2 * machines for row in jobs) and all(len({*row[::2]}) == machines for row in jobs):
        return False  # the standard text, every job once on every machine
    return all(_is_job(row) for row in jobs)


def _is_job(row: list[str]) -> bool:
    at = 1
    for _ in range(int(row[0]) if _COUNT.fullmatch(row[0]) else len(row)):
        if at >= len(row) or not _COUNT.fullmatch(row[at]) or int(row[at]) == 0:
            return False
        at += 1 + 2 * int(row[at])
    return at == len(row)


def _read(source: Source, options: Options) -> list[Instance]:
    comments = " ".join(line for _, line in source.filled if line.lstrip().startswith("#"))
    lines = [(number, line) for number, line in source.filled if not line.lstrip().startswith("#")]
    if not lines:
        raise ParseError(f"{source.where}: no numbers; `jobs machines` and a line for each job are needed")
    place, head = f"{source.where}, line {lines[0][0]}", lines[0][1].split()
    if len(head) not in (2, 3):
        raise ParseError(f"{place}: {len(head)} words; `jobs machines` are needed, and perhaps the mean count of machines to choose from")
    count, machines = whole(head[0], place, "number of jobs", 1), whole(head[1], place, "machines", 1)
    if len(lines) < count + 1:
        raise ParseError(f"{source.where}, line {lines[-1][0]}: expected {count} jobs, found {len(lines) - 1}; the text is cut short")
    jobs, times = [], []
    for line in lines[1 : count + 1]:
        numbers = Numbers(source.where, [line])
        row = []
        for _ in range(numbers.whole("count of operations")):
            at = numbers.place
            if (choices := numbers.whole("count of machines")) != 1:
                raise UnsupportedError(
                    f"{at}: an operation with {choices} machines to choose from; that is a flexible job shop: use CP-SAT"
                )
            at = numbers.place
            machine = numbers.whole("machine")
            if not 1 <= machine <= machines:
                raise InvalidInstanceError(f"{at}: machine {machine}; there are 1 to {machines}")
            row.append(machine - 1)
            times.append(numbers.number("time"))
        numbers.nothing_left(f"the {len(row)} operations of the job need")
        jobs.append(row)
    integers, scale = scaled(times, source.where, "times")
    flat = iter(integers)
    best, proven = best_said(comments, source.where, scale)
    names = [line.split("instance", 1)[1].strip() for _, line in source.filled if line.lstrip().startswith("# instance ")]
    notes = (f"{len(lines) - count - 1} lines after the last job were left out",) if len(lines) > count + 1 else ()
    shop = tuple(tuple((machine, next(flat)) for machine in row) for row in jobs)
    return [JobShop(shop, machines, names[0] if names else source.stem, best, proven, scale, notes)]


def _write(instances: Sequence[Instance]) -> str:
    (one,) = instances
    assert isinstance(one, JobShop)
    comments = [f"# instance {one_line(one.name)}"] if one.name else []
    if said := best_words(one):
        comments.append(f"# {said}")
    rows = [" ".join([str(len(job)), *(f"1 {machine + 1} {plain(time, one.scale)}" for machine, time in job)]) for job in one.jobs]
    return "\n".join([*comments, f"{len(one.jobs)} {one.machines}", *rows, ""])


def _matches(source: Source) -> bool:
    return source.suffix == ".fjs" or is_fjsplib(source)


FJSPLIB = Format(
    "fjsplib",
    "FJSPLIB (`jobs machines`, then `operations, 1 machine time, ...` for each job)",
    ("jssp",),
    (".fjs",),
    _matches,
    _read,
    _write,
    names=True,
)
