"""The standard text of a job shop: # comments, `n m`, and a line of pairs `machine time` for each job.

Vallada, Ruiz and Framinan write flow shops so, too; nothing in the text tells which is meant, so that a flow shop has to be asked for by kind.
"""

import re
from collections.abc import Sequence

from datamodules.accord.errors import ParseError
from datamodules.accord.formats.fjsplib import is_fjsplib
from datamodules.accord.formats.format import Format, Options
from datamodules.accord.formats.job_lines import best_words, in_order, job_text, read_jobs, shop_of
from datamodules.accord.formats.plans import one_line
from datamodules.accord.formats.shape import first_widths
from datamodules.accord.formats.source import Source
from datamodules.accord.instances import Instance

__all__ = ["JOB_SHOP"]

_NAME = re.compile(r"#\s*instance\s+(\S.*?)\s*$", re.IGNORECASE)


def _matches(source: Source) -> bool:
    widths = first_widths(source, 2)
    if widths is None or len(widths) < 2 or widths[0] != 2:
        return False
    return (widths[1] > 2 or _one_machine(source)) and not is_fjsplib(source)


def _one_machine(source: Source) -> bool:
    """`n 1` and rows `0 time`: otherwise pairs are a knapsack's."""
    head, *rows = (line.split() for _, line in source.filled if not line.lstrip().startswith("#"))
    return head[1] == "1" and all(row[0] == "0" for row in rows)


def _read(source: Source, options: Options) -> list[Instance]:
    comments = [line for _, line in source.filled if line.lstrip().startswith("#")]
    lines = [(number, line) for number, line in source.filled if not line.lstrip().startswith("#")]
    if not lines:
        raise ParseError(f"{source.where}: nothing but comments; `jobs machines` and a line for each job are needed")
    jobs, machines, scale, used = read_jobs(source.where, lines)
    names = [found[1] for line in comments if (found := _NAME.search(line))]
    notes = [f"{len(lines) - used} lines after the last job were left out"] if len(lines) > used else []
    kind = options.kind or "jssp"
    if kind == "jssp" and in_order(jobs) and machines > 1:
        notes.append("all jobs pass the machines in the same order: as a permutation flow shop it is read with kind pfsp")
    return [shop_of(source.where, kind, jobs, machines, scale, names[0] if names else source.stem, " ".join(comments), tuple(notes))]


def _write(instances: Sequence[Instance]) -> str:
    (one,) = instances
    comments = [f"# instance {one_line(one.name)}"] if one.name else []
    if said := best_words(one):
        comments.append(f"# {said}")
    return "\n".join([*comments, *job_text(one), ""])


JOB_SHOP = Format(
    "job-shop",
    "the standard text of a job shop (`jobs machines`, then a line of `machine time` pairs for each job)",
    ("jssp", "pfsp"),
    (".txt", ".jsp", ".jssp"),
    _matches,
    _read,
    _write,
    names=True,
)
