"""What the shops' texts share: `n m`, then a line for each job of pairs `machine time`, machines counted from 0."""

import re
from collections.abc import Sequence

import numpy as np

from datamodules.accord.errors import InvalidInstanceError, ParseError
from datamodules.accord.formats.numbers import Number, number, plain, scaled, whole
from datamodules.accord.instances import FlowShop, Instance, JobShop

__all__ = ["best_said", "best_words", "in_order", "job_text", "read_jobs", "shop_of"]

Row = list[tuple[int, int]]
_BEST = re.compile(r"\b(optimal|best) value\s*:\s*([0-9]+(?:\.[0-9]+)?)", re.IGNORECASE)


def read_jobs(where: str, lines: Sequence[tuple[int, str]]) -> tuple[list[Row], int, int, int]:
    """(jobs of (machine, time), machines, scale, lines used). The first line is `n m`; each of the n next ones holds a job."""
    line, head = lines[0]
    words = head.split()
    if len(words) != 2:
        raise ParseError(f"{where}, line {line}: {len(words)} words; `jobs machines` are two numbers")
    count, machines = whole(words[0], f"{where}, line {line}", "number of jobs", 1), whole(words[1], f"{where}, line {line}", "machines", 1)
    rows, times = [], []
    for index in range(count):
        if index + 1 >= len(lines):
            raise ParseError(f"{where}, line {lines[-1][0]}: expected {count} jobs, found {index}; the text is cut short")
        line, text = lines[index + 1]
        machine_row, time_row = _row(f"{where}, line {line}", text.split(), machines)
        rows.append(machine_row)
        times += time_row
    integers, scale = scaled(times, where, "times")
    flat = iter(integers)
    return [[(machine, next(flat)) for machine in row] for row in rows], machines, scale, count + 1


def _row(place: str, words: list[str], machines: int) -> tuple[list[int], list[Number]]:
    if len(words) != 2 * machines:
        raise ParseError(
            f"{place}: expected {machines} pairs of machine and time, found {len(words) / 2:g}; "
            "jobs of unequal length are written as FJSPLIB has them (.fjs)"
        )
    order = [whole(word, place, "machine") for word in words[::2]]
    if max(order) >= machines:
        raise InvalidInstanceError(f"{place}: machine {max(order)} of {machines}; they are counted from 0")
    return order, [number(word, place, "time") for word in words[1::2]]


def in_order(jobs: Sequence[Row]) -> bool:
    """Every job passes the machines 0, 1, 2, ...: a flow shop."""
    return all([machine for machine, _ in job] == list(range(len(jobs[0]))) for job in jobs)


def shop_of(
    where: str, kind: str, jobs: list[Row], machines: int, scale: int, name: str, said: str, notes: tuple[str, ...] = ()
) -> Instance:
    """said: the comments, which may tell the best value"""
    best, proven = best_said(said, where, scale)
    if kind == "jssp":
        return JobShop(tuple(map(tuple, jobs)), machines, name, best, proven, scale, notes)
    if not in_order(jobs):
        raise InvalidInstanceError(f"{where}: jobs pass the machines in different orders; that is a job shop: kind jssp")
    return FlowShop(np.array([[time for _, time in job] for job in jobs], np.int64), name, best, proven, scale, notes)


def best_said(said: str, where: str, scale: int) -> tuple[int | None, bool]:
    found = _BEST.search(said)
    if found is None:
        return None, False
    (best,), _ = scaled([number(found[2], where, "best value")], where, "best value", scale)
    return best, found[1].lower() == "optimal"


def best_words(one: Instance) -> str:
    """What `best_said` reads; nothing where none is known."""
    return "" if one.best is None else f"{'Optimal' if one.proven else 'Best'} value: {plain(one.best, one.scale)}"


def job_text(one: Instance) -> list[str]:
    """The lines that `read_jobs` reads."""
    if isinstance(one, FlowShop):
        jobs: Sequence[Sequence[tuple[int, int]]] = [list(enumerate(row)) for row in one.times.tolist()]
        machines = one.times.shape[1]
    else:
        assert isinstance(one, JobShop)
        jobs, machines = one.jobs, one.machines
        if uneven := [job for job, row in enumerate(jobs) if len(row) != machines]:
            raise InvalidInstanceError(
                f"{one.name or 'jssp'}: job {uneven[0]} has {len(jobs[uneven[0]])} operations on {machines} machines; "
                "this format has as many as machines: use fjsplib, ours or csv"
            )
    return [f"{len(jobs)} {machines}", *(" ".join(f"{machine} {plain(time, one.scale)}" for machine, time in job) for job in jobs)]
