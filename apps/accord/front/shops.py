"""Flow shops (pfsp) and job shops (jssp) from a text."""

import re

from apps.accord.front.blocks import Blocks
from apps.accord.front.capacity import announced, no_count
from apps.accord.front.draft import Draft, scaled
from apps.accord.front.matrices import labelled_rows, matrices, named_rows
from apps.accord.front.numbers import NUMBER, Number
from apps.accord.front.operations import JOB, Operation, operations
from apps.accord.front.records import json_value
from datamodules.accord.instances import FlowShop, JobShop

__all__ = ["flow_shop", "job_shop"]

MACHINES = r"machines?|stations?|workstations?|stages?"
_NUMBERED = re.compile(r"\d+")


def job_shop(draft: Draft, blocks: Blocks) -> JobShop | None:
    jobs = operations(draft, blocks)
    if not jobs:
        draft.lack("the machines and times of each job, in order")
        return None
    index, notes = _machines(jobs)
    _shape(draft, len(jobs), None)
    announced(draft, JOB, len(jobs), "jobs")
    count = max(index.values()) + 1
    count = _announced_machines(draft, count)
    _take(draft, jobs)
    if draft.missing:
        return None
    flat, scale = scaled([step.time for job in jobs.values() for step in job])
    times = iter(flat)
    rows = tuple(tuple((index[step.machine], next(times)) for step in job) for job in jobs.values())
    return JobShop(rows, count, scale=scale, notes=notes)


def flow_shop(draft: Draft, blocks: Blocks) -> FlowShop | None:
    rows = _rows(draft, blocks)
    if not rows:
        draft.lack("the time of each job on each machine")
        return None
    if len({len(row) for row in rows}) > 1:
        draft.lack("a time for each job on each machine: the rows are of unequal length")
        return None
    _shape(draft, len(rows), len(rows[0]))
    announced(draft, JOB, len(rows), "jobs")
    announced(draft, MACHINES, len(rows[0]), "machines")
    for j, row in enumerate(rows):
        for k, number in enumerate(row):
            draft.take(number, f"time of job {j + 1} on machine {k + 1}")
    if draft.missing:
        return None
    flat, scale = scaled([number for row in rows for number in row])
    width = len(rows[0])
    return FlowShop([flat[k : k + width] for k in range(0, len(flat), width)], scale=scale)  # type: ignore[arg-type]


def _machines(jobs: dict[str, list[Operation]]) -> tuple[dict[str, int], tuple[str, ...]]:
    """Machines as 0, 1, ...: numbers from 0 or from 1 as the text counts them, names in the order of the text."""
    names = list(dict.fromkeys(step.machine for job in jobs.values() for step in job))
    if all(_NUMBERED.fullmatch(name) for name in names):
        first = 0 if "0" in names else 1
        return {name: int(name) - first for name in names}, ("machines are counted from 0; the text counts them from 1",) if first else ()
    return {name: k for k, name in enumerate(names)}, (f"machines in order: {', '.join(names)}",)


def _announced_machines(draft: Draft, count: int) -> int:
    """A text may announce machines that no job needs; fewer than are used is a contradiction."""
    for match in re.finditer(rf"{NUMBER}[ \t]+(?:\w+[ \t])?(?:{MACHINES})\b(?!\s*(?:\d|#|[A-Z]\b))", draft.marked, re.I):
        number = draft.numbers[int(match[1])]
        if not draft.free_of([match[1]]) or number.unit or no_count(draft.marked, match):
            continue
        draft.take(number, "number of machines")
        if number.value < count:
            draft.lack(f"machines: {number.value:f} are announced, {count} are used")
        count = max(count, min(int(number.value), 10_000))
    return count


def _shape(draft: Draft, jobs: int, machines: int | None) -> None:
    """A 6 by 5 job shop: six jobs, five machines."""
    for match in re.finditer(
        rf"{NUMBER}\s*(?:by|x|×)\s*{NUMBER}\s+(?:\w+\s)?(?:job|flow|permutation|shop|instance|problem)", draft.marked, re.I
    ):
        said = [draft.take(match[1], "number of jobs").value, draft.take(match[2], "number of machines").value]
        if said[0] != jobs or (machines is not None and said[1] != machines):
            draft.lack(f"jobs and machines: {said[0]:f} by {said[1]:f} are announced, {jobs} jobs are given")


def _take(draft: Draft, jobs: dict[str, list[Operation]]) -> None:
    for name, job in jobs.items():
        for k, step in enumerate(job):
            draft.take(step.time, f"time of operation {k + 1} of job {name}, machine {step.machine}")


def _rows(draft: Draft, blocks: Blocks) -> list[list[Number]]:
    """Times, job by job."""
    listed = json_value(blocks, "time") or json_value(blocks, "job")
    if isinstance(listed, list) and listed and all(isinstance(row, list) and all(isinstance(one, Number) for one in row) for row in listed):
        return listed
    for table in blocks.tables:
        if rows := _of_table(table.header, table.rows):
            return rows
    told = operations(draft, blocks, nested=False) if re.search(r"\bM_?\d|machine|station|\bon the\b|J\d+:", draft.marked, re.I) else {}
    if told and all(len(job) > 1 for job in told.values()):
        return _one_order(draft, told)
    jobs = labelled_rows(draft, rf"{JOB}|J_?(?=\d)", "job")
    if any(len(row) > 1 for _, row in jobs):
        return [row for _, row in jobs]
    machines = labelled_rows(draft, rf"{MACHINES}|M_?(?=\d)", "machine")
    if len(machines) > 0 and len({len(row) for _, row in machines}) == 1 and len(machines[0][1]) > 1:
        return [list(column) for column in zip(*(row for _, row in machines), strict=True)]
    return named_rows(draft) or _turned(draft)


def _of_table(header: list[str], rows: list[list[Number | str]]) -> list[list[Number]]:
    """job, M1, M2, ...: a row a job; machine, J1, J2, ...: a row a machine."""
    first = header[0].strip().lower()
    columns = list(header[1:])
    cells = [[cell for cell in row[1:] if isinstance(cell, Number)] for row in rows]
    if len(columns) < 1 or any(len(row) != len(columns) for row in cells):
        return []
    if all(re.match(r"(?:m|machine|station|stage|time on)", name, re.I) for name in columns) or re.match(rf"{JOB}\b", first):
        return cells if len({name.lower() for name in columns} & {"machine", "time", "duration"}) == 0 else []
    if all(re.match(r"(?:j|job|order|part)", name, re.I) for name in columns) or re.match(r"machines?\b", first):
        return [list(column) for column in zip(*cells, strict=True)]
    return []


def _one_order(draft: Draft, jobs: dict[str, list[Operation]]) -> list[list[Number]]:
    order = [step.machine for step in next(iter(jobs.values()))]
    if len(set(order)) < len(order):
        draft.lack("one visit of each machine by each job: a job comes to a machine twice, which is a job shop (--kind jssp)")
        return []
    for name, job in jobs.items():
        if [step.machine for step in job] != order:
            same = sorted(step.machine for step in job) == sorted(order)
            draft.lack(
                f"one order of machines for all jobs: job {name} has another, which is a job shop (--kind jssp)"
                if same
                else f"the time of job {name} on each machine"
            )
            return []
    return [[step.time for step in job] for job in jobs.values()]


def _turned(draft: Draft) -> list[list[Number]]:
    """A block of numbers without labels: the text must say what its rows are, or announce counts that leave one reading."""
    for rows in matrices(draft):
        turned = [list(column) for column in zip(*rows, strict=True)]
        text = draft.marked
        if re.search(
            rf"rows?\s+(?:is|are|=|for|per|holds?|gives?|stands? for|represents?|contains?|lists?"
            rf"|:)*\s*(?:a|one|each|the|all)?\s*(?:times? of (?:a|one|each)?\s*)?{JOB}|(?:one"
            rf"|a|each|per)\s+{JOB}\s+(?:per|a|each|in each)\s+(?:row|line)|(?:per|for each"
            rf"|of each|each|every) {JOB}\b[^.\n#]*:?\s*[\[(\n]|columns?\s+(?:is|are|=|for|per)*\s*(?:a"
            rf"|one|each|the)?\s*(?:{MACHINES})|(?:jobs?|parts?) (?:x|by|times|×) (?:{MACHINES})"
            rf"|times\[job\]\[machine\]",
            text,
            re.I,
        ):
            return rows
        if re.search(
            rf"rows?\s+(?:is|are|=|for|per|holds?|gives?|stands? for|represents?|:)*\s*(?:a"
            rf"|one|each|the)?\s*(?:{MACHINES})|columns?\s+(?:is|are|=|for|per)*\s*(?:a|one"
            rf"|each|the)?\s*{JOB}|(?:{MACHINES}) (?:x|by|×) jobs?",
            text,
            re.I,
        ):
            return turned
        count = _count(draft, JOB), _count(draft, MACHINES)
        shape = len(rows), len(rows[0])
        fits = [m for m, s in ((rows, shape), (turned, shape[::-1])) if all(c is None or c == n for c, n in zip(count, s, strict=True))]
        if count != (None, None) and len(fits) == 1:
            return fits[0]
        draft.lack("whether a row of times is a job or a machine: write `each row is a job`")
        return []
    return []


def _count(draft: Draft, things: str) -> int | None:
    match = re.search(rf"{NUMBER}[ \t]+(?:\w+[ \t])?(?:{things})\b", draft.marked, re.I)
    return int(draft.numbers[int(match[1])].value) if match else None
