"""The operations of jobs as a text tells them: J0: M0:3 M1:2; job A takes 3 min on machine 1, then lathe 5."""

import re
from copy import deepcopy
from dataclasses import dataclass

from apps.accord.front.blocks import Blocks, role
from apps.accord.front.draft import Draft
from apps.accord.front.numbers import NUMBER, Number
from apps.accord.front.records import json_value
from apps.accord.front.tuples import groups, headers, leaves

__all__ = ["JOB", "Operation", "operations"]

JOB = r"(?:jobs?|orders?|parts?|products?|tasks?|batch(?:es)?|workpieces?)"
_LABEL = re.compile(
    rf"\b[Jj]_?(\d+)\b|\b(?i:{JOB})\s*(#\d+#|[A-Z]\d*\b|\d+|[A-Z]\w*\b|[a-z]\b(?=\s*(?:[:(]|takes|needs|goes|has|requires|visits|must)))(?!\s*(?i:machines|stations|stages))"
)
_FREE = re.compile(
    r"(?:^|(?<=[.;:!?\n]))\s*(?:[A-Z][a-z]+\s+(#\d+#|[A-Z]\b)|([A-Z][a-z]+))\s*(?::|(?:goes|takes|needs|wants|visits)\b)", re.M
)  # Gear 1: ...; Chair goes ...: jobs by whatever name
_MACHINE = r"(?i:machines?|mach\.?|stations?|workstations?|m_?|resource)\s?_?"
_ON = re.compile(
    rf"\b{_MACHINE}(#\d+#|\d+|[A-Z]\b|[a-z]\b)\s*(?:[:=(,\-–→]|->|(?i:for|takes|in|needs|requires|of|is|with|duration|time))*\s*{NUMBER}"
)
_THEN = re.compile(rf"{NUMBER}\s*(?i:(?:on|at|in|with|using|by)\s+(?:the\s+)?)(?:{_MACHINE}(#\d+#|\d+|[A-Z]\b|[a-z]\b)|([A-Za-z]\w+))")
_NAMED = re.compile(
    rf"\b((?!(?i:machines?|stations?|workstations?|for|then|and|takes|time|needs|requires|first|next|at|on|the|of|is|in"
    rf"|to|finally|lasts|by|from|after|until|than|or|over|before|between|within|least|most|exactly|must|may|only|not|jobs?|orders?)\b)[A-Za-z][A-Za-z]+)\s*(?:[:=(]|(?i:for|takes|in|needs|lasts))*\s*{NUMBER}"
)
_PAIR = re.compile(rf"[(\[]\s*{NUMBER}\s*,\s*{NUMBER}\s*[)\]]")
_ENDS = re.compile(
    r"\n\s*\n|(?i:[.!?\n]\s*\b(?=(?:minimi|find|what|which|schedule|please|give|how|the goal"
    r"|our goal|goal|we want|i want|compute|determine|all machines|no machine|each machine"
    r"|every|in which|keep|get)))"
)
_SENTENCE = re.compile(r"[.!?](?=\s)|\n")


@dataclass(frozen=True)
class Operation:
    machine: str  # as the text names it
    time: Number


def operations(draft: Draft, blocks: Blocks, nested: bool = True) -> dict[str, list[Operation]]:
    """By job, in the text's order; what a job's sentence says beyond its operations is missing, not guessed."""
    return _of_table(blocks) or _of_json(draft, blocks) or _of_prose(draft, _LABEL) or (_of_nested(draft) if nested else {}) or _free(draft)


def _of_table(blocks: Blocks) -> dict[str, list[Operation]]:
    for table in blocks.tables:
        job, machine, time = (table.column(name) for name in ("job", "machine", "time"))
        if job is None or machine is None or time is None or not all(isinstance(one, Number) for one in time):
            continue
        step = table.column("step")
        order = range(len(time))
        if step is not None and all(isinstance(one, Number) for one in step):
            order = sorted(order, key=lambda k: step[k].value)  # type: ignore[union-attr]
        jobs: dict[str, list[Operation]] = {_name(one): [] for one in job}
        for k in order:
            jobs[_name(job[k])].append(Operation(_name(machine[k]), time[k]))  # type: ignore[arg-type]
        return jobs
    return {}


def _name(cell: Number | str) -> str:
    return f"{cell.value:f}" if isinstance(cell, Number) else re.sub(r"^(?:machine|job|m|j)[\s_]*(?=\w+$)", "", cell, flags=re.I)


def _of_json(draft: Draft, blocks: Blocks) -> dict[str, list[Operation]]:
    """{"jobs": [[{"machine": 0, "time": 3}, ...], ...]}, or pairs where the text or the kind key says what they are."""
    jobs = json_value(blocks, "job")
    if not isinstance(jobs, list):
        return {}
    found: dict[str, list[Operation]] = {}
    order = _order(draft) or ((0, 1) if json_value(blocks, "kind") == "jssp" else None)
    for k, job in enumerate(jobs):
        steps = job.get("operations", job.get("tasks")) if isinstance(job, dict) else job
        made = []
        for step in steps if isinstance(steps, list) else []:
            if isinstance(step, dict):
                machine, time = (
                    step.get("machine"),
                    next((step[key] for key in ("time", "duration", "processing_time", "p") if key in step), None),
                )
            elif isinstance(step, list) and len(step) == 2:
                if order is None:
                    draft.lack("which number of a pair is the machine: write (machine, time)")
                    return {}
                machine, time = step[order[0]], step[order[1]]
            else:
                return {}
            if not isinstance(time, Number) or not isinstance(machine, Number | str):
                return {}
            if isinstance(machine, Number):
                draft.take(machine, "machine")
            made.append(Operation(_name(machine), time))
        found[str(k)] = made
    return found


def _order(draft: Draft) -> tuple[int, int] | None:
    for names in headers(draft.marked):
        if names[:2] == ["machine", "time"]:
            return 0, 1
        if names[:2] == ["time", "machine"]:
            return 1, 0
    return None


def _free(draft: Draft) -> dict[str, list[Operation]]:
    """Jobs without a word for them: there are several, they share machines, and what they name is no value, weight, demand, ..."""
    if len(_FREE.findall(draft.marked)) < 2:
        return {}
    trial = deepcopy(draft)
    jobs = _of_prose(trial, _FREE)
    machines = [machine for job in jobs.values() for machine in {step.machine for step in job}]
    if (
        len(jobs) < 2
        or len(set(machines)) < 2
        or len(set(machines)) == len(machines)
        or any(role(name) not in ("", "machine") for name in machines)
    ):
        return {}
    return _of_prose(draft, _FREE)


def _of_prose(draft: Draft, pattern: re.Pattern[str]) -> dict[str, list[Operation]]:
    labels = list(pattern.finditer(draft.marked))
    jobs: dict[str, list[Operation]] = {}
    bare: list[str] = []
    order = _order(draft)
    last, ended = "", False
    for k, label in enumerate(labels):
        stop = labels[k + 1].start() if k + 1 < len(labels) else len(draft.marked)
        text = draft.marked[label.end() : stop]
        end = (_SENTENCE if pattern is _FREE else _ENDS).search(text)
        text, cut = text[: end.start()] if end else text, end is not None
        name = label[1] or label[2]
        mark = re.fullmatch(r"#(\d+)#", name)
        made, used = _steps(draft, text, order)
        if not made:
            if len(re.findall(r"#\d+#", text)) > 1:
                bare.append(re.sub(r"#(\d+)#", lambda m: f"{draft.numbers[int(m[1])].value:f}", name))
            continue
        if mark:
            name = f"{draft.take(mark[1], 'job').value:f}"
        left = [draft.numbers[int(one)] for one in re.findall(r"#(\d+)#", text) if one not in used and not _counts(draft, text, one)]
        if left:
            draft.lack(f"what {draft.text[left[0].start : left[0].end]} is in job {name}")
        if name in jobs and (name != last or ended):  # what is said of a job once more may be a rule
            draft.lack(f"what is meant by {_quoted(draft, label, text)!r}, told apart from the operations of job {name}")
        last, ended = name, cut
        jobs.setdefault(name, []).extend(made)
    unnamed = [name for name in bare if name not in jobs]
    if jobs and unnamed:  # some jobs name their machines, others give numbers alone
        draft.lack(f"the machines of job {unnamed[0]}")
    return jobs


def _quoted(draft: Draft, label: re.Match[str], text: str) -> str:
    """The beginning of what is said of a job, in the words of the text."""
    said = re.sub(r"#(\d+)#", lambda m: draft.text[draft.numbers[int(m[1])].start : draft.numbers[int(m[1])].end], label[0] + text)
    return " ".join(said.split())[:60]


def _counts(draft: Draft, text: str, mark: str) -> bool:
    """Three machines, 5 jobs, two at once: no time of an operation."""
    return draft.in_words(mark) or bool(re.search(rf"#{mark}#\s+(?:\w+\s)?(?:{JOB}|machines?|stations?|stages?)\b", text, re.I))


def _steps(draft: Draft, text: str, order: tuple[int, int] | None) -> tuple[list[Operation], set[str]]:
    """The operations of one job by the pattern that reads most of its numbers."""
    best: tuple[list[Operation], set[str]] = ([], set())
    machines: list[str] = []
    for pattern in (_ON, _THEN, _NAMED, _PAIR):
        if pattern is _PAIR and order is None:
            continue
        made, used, ids = [], set(), []
        for match in pattern.finditer(text):
            if pattern is _NAMED and draft.in_words(match[2]):
                continue  # a room sees one patient
            first, second = (match[1], match[2]) if pattern is not _THEN else (match[2] or match[3], match[1])
            if pattern is _PAIR and order is not None:
                first, second = f"#{match[1 + order[0]]}#", match[1 + order[1]]
            mark = re.fullmatch(r"#(\d+)#", first)
            made.append(Operation(f"{draft.numbers[int(mark[1])].value:f}" if mark else first, draft.numbers[int(second)]))
            ids += [mark[1]] if mark else []
            used |= {second} | ({mark[1]} if mark else set())
        if len(used) > len(best[1]):
            best, machines = (made, used), ids
    for k in machines:
        draft.take(k, "machine")
    return best


def _of_nested(draft: Draft) -> dict[str, list[Operation]]:
    """[[(0, 3), (1, 2)], [(1, 2), (0, 4)]], where the text names the places of a pair."""
    found: dict[str, list[Operation]] = {}
    for outer in groups(draft.marked):
        rows = outer.inner if all(inner.inner for inner in outer.inner) and outer.inner else [outer] if outer.inner else []
        for row in rows:
            pairs = [group.marks for group in leaves([row])]
            if any(len(pair) != 2 for pair in pairs):
                return {}
            order = _order(draft)
            if order is None:
                draft.lack("which number of a pair is the machine: write (machine, time) before them")
                return {}
            steps = []
            for pair in pairs:
                machine = draft.numbers[pair[order[0]]]
                steps.append(Operation(f"{machine.value:f}", draft.numbers[pair[order[1]]]))
                draft.take(machine, "machine")
            found[str(len(found))] = steps
    return found
