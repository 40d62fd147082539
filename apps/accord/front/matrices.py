"""Rows of numbers in a text: [[5, 3], [4, 6]], or lines with as many numbers each."""

import re

from apps.accord.front.blocks import role
from apps.accord.front.draft import Draft
from apps.accord.front.numbers import Number
from apps.accord.front.tuples import Group, groups

__all__ = ["beside_names", "labelled_rows", "matrices", "named_rows"]

LINE = re.compile(r"[ \t]*\[?[ \t]*(#\d+#(?:[ \t]*[,;|]?[ \t]*#\d+#)+)[ \t]*\]?[,;]?[ \t]*")


def matrices(draft: Draft) -> list[list[list[Number]]]:
    """Every block of two or more equal rows, brackets first."""
    found = []
    todo = groups(draft.marked)
    while todo:
        group = todo.pop(0)
        rows = [inner.marks for inner in group.inner if inner.marks and not inner.inner]
        if len(rows) > 1 and len(rows) == len(group.inner) and len({len(row) for row in rows}) == 1:
            found.append([[draft.numbers[k] for k in row] for row in rows])
        todo += group.inner
    found += _sequences(draft)
    block: list[list[int]] = []
    for line in [*draft.marked.split("\n"), ""]:
        match = LINE.match(line)  # behind the last row the text may go on, in words
        if match and match.end() < len(line) and not (block and line[match.end()].isalpha()):
            match = None
        row = [int(k) for k in re.findall(r"#(\d+)#", match[1])] if match else []
        if row and (not block or len(row) == len(block[0])):
            block.append(row)
            continue
        if len(block) > 1:
            found.append([[draft.numbers[k] for k in one] for one in block])
        block = [row] if row else []
    return found


def _sequences(draft: Draft) -> list[list[list[Number]]]:
    """(5, 3), (4, 6): brackets beside one another without one around them, and [5, 3] [4, 6]."""
    runs: list[list[Group]] = []
    for group in groups(draft.marked):
        if not group.marks or group.inner or group.words:
            continue
        gap = draft.marked[runs[-1][-1].end : group.start] if runs else "far"
        if runs and re.fullmatch(r"\s*(?:,|;|and)*\s*", gap) and len(group.marks) == len(runs[-1][-1].marks):
            runs[-1].append(group)
        else:
            runs.append([group])
    return [[[draft.numbers[k] for k in group.marks] for group in run] for run in runs if len(run) > 1]


def beside_names(draft: Draft) -> list[tuple[str, list[Number]]]:
    """Lines of a name and as many numbers as there are such lines: a matrix with names, under whatever header."""
    rows: list[tuple[str, list[Number]]] = []
    for line in [*draft.marked.split("\n"), ""]:
        match = re.fullmatch(r"[ \t]*([A-Za-z][\w'-]*)[ \t]*:?[ \t]+(#\d+#(?:[ \t,;]+#\d+#)+)[ \t]*", line)
        if match:
            rows.append((match[1], [draft.numbers[int(k)] for k in re.findall(r"#(\d+)#", match[2])]))
        elif len(rows) > 2 and all(len(row) == len(rows) for _, row in rows) and len({name for name, _ in rows}) == len(rows):
            return rows
        else:
            rows = []
    return []


def labelled_rows(draft: Draft, label: str, label_of: str) -> list[tuple[str, list[Number]]]:
    """Job 1: 5, 3, 4 and so on: what follows each label, if it is numbers alone."""
    pattern = (
        rf"\b(?i:{label})\s*(#\d+#|\d+|[A-Z]\w*)\s*(?:\([^)]*\))?\s*(?i:[:=\-–—]|has|takes"
        rf"|needs|requires|with|is|times|processing|durations?|the|of|are)*\s*[\[(]?\s*(#\d+#(?:\s*(?:,\s*and"
        rf"|,|;|and|/|\s|->|→|then)\s*#\d+#)*)\s*[\])]?"
    )
    rows = []
    for match in re.finditer(pattern, draft.marked):
        numbers = [draft.numbers[int(k)] for k in re.findall(r"#(\d+)#", match[2])]
        mark = re.fullmatch(r"#(\d+)#", match[1])
        name = f"{draft.take(mark[1], label_of).value:f}" if mark else match[1]
        rows.append((name, numbers))
    return rows


def named_rows(draft: Draft) -> list[list[Number]]:
    """Bread: 10, 25, 5. Rolls: 8, 15, 6. Rows of equal length under whatever names, but not under those of values, weights, demands, ..."""
    pattern = (
        r"(?:^|(?<=[.;:,!?\n])|(?<=\band))\s*([A-Za-z][\w'-]*(?:[ ](?:#\d+#|[A-Z]\b))?)\s*(?::|=|takes?|needs?|has)?\s*"
        r"(#\d+#(?:\s*(?:,\s*and|,|and|\s)\s*#\d+#)+)(?!\s*[\])])"
    )
    rows: dict[str, list[Number]] = {}
    ids: list[str] = []
    for match in re.finditer(pattern, draft.marked, re.M):
        marks = re.findall(r"#(\d+)#", match[2])
        if match[1] in rows or role(match[1]) not in ("", "job", "name") or not draft.free_of(marks):
            return []
        rows[match[1]] = [draft.numbers[int(k)] for k in marks]
        ids += re.findall(r"#(\d+)#", match[1])
    if len(rows) < 2 or len({len(row) for row in rows.values()}) > 1:
        return []
    for k in ids:
        draft.take(k, "job")
    return list(rows.values())
