"""Taillard's flow shops: blocks of a heading, `jobs machines seed ub lb`, and the times with a row for each *machine*."""

import re
from collections.abc import Sequence

import numpy as np

from datamodules.accord.errors import ParseError
from datamodules.accord.formats.format import Format, Options
from datamodules.accord.formats.numbers import Numbers, number, plain, scaled, whole
from datamodules.accord.formats.source import Source
from datamodules.accord.instances import FlowShop, Instance

__all__ = ["TAILLARD_FLOW_SHOP"]

_HEADING = re.compile(r"number of jobs", re.IGNORECASE)
_TIMES = re.compile(r"processing times", re.IGNORECASE)
HEAD = "number of jobs, number of machines, initial seed, upper bound and lower bound :"


def _matches(source: Source) -> bool:
    return bool(source.filled) and _HEADING.search(source.filled[0][1]) is not None and _TIMES.search(source.text) is not None


def _read(source: Source, options: Options) -> list[Instance]:
    blocks: list[list[tuple[int, str]]] = []
    for line, text in source.filled:
        if _HEADING.search(text):
            blocks.append([])
        elif not blocks:
            raise ParseError(f"{source.where}, line {line}: {text.strip()[:30]!r} before the first heading ({HEAD})")
        else:
            blocks[-1].append((line, text))
    many = len(blocks) > 1
    return [_block(source, rows, f"{source.stem}_{index:02d}" if many else source.stem) for index, rows in enumerate(blocks, 1)]


def _block(source: Source, rows: list[tuple[int, str]], name: str) -> Instance:
    if len(rows) < 3 or not _TIMES.search(rows[1][1]):
        line = rows[0][0] if rows else source.lines[-1][0]
        raise ParseError(
            f"{source.where}, line {line}: after the heading come `jobs machines seed ub lb`, `processing times :` and the times"
        )
    (line, head), place = rows[0], f"{source.where}, line {rows[0][0]}"
    words = head.split()
    if len(words) not in (2, 3, 5):
        raise ParseError(f"{place}: {len(words)} numbers; `jobs machines seed ub lb` are needed")
    jobs, machines = (whole(word, place, what, 1) for word, what in zip(words, ("number of jobs", "number of machines"), strict=False))
    numbers = Numbers(source.where, rows[2:])
    values, _ = numbers.take(machines * jobs, f"times ({machines} machines x {jobs} jobs)")
    numbers.nothing_left(f"{machines} machines x {jobs} jobs have")
    times, scale = scaled(values, place, "times")
    upper, lower = (number(word, place, "bound") for word in words[3:]) if len(words) == 5 else (0, 0)
    (upper, lower), _ = scaled([upper, lower], place, "bounds", scale)
    matrix = np.array(times, np.int64).reshape(machines, jobs).T  # a row a machine; ours has a row a job
    return FlowShop(matrix, name, upper or None, bool(upper) and upper == lower, scale)


def _write(instances: Sequence[Instance]) -> str:
    lines = []
    for one in instances:
        assert isinstance(one, FlowShop)
        bounds = [plain(one.best or 0, one.scale), plain((one.best or 0) if one.proven else 0, one.scale)]
        lines += [HEAD, " ".join(map(str, [*one.times.shape, 0, *bounds])), "processing times :"]
        lines += [" ".join(plain(time, one.scale) for time in row) for row in one.times.T.tolist()]
    return "\n".join([*lines, ""])


TAILLARD_FLOW_SHOP = Format(
    "taillard-flow-shop",
    "Taillard's flow shops (number of jobs, ...; processing times :)",
    ("pfsp",),
    (".txt",),
    _matches,
    _read,
    _write,
    many=True,
)
