"""best_known.csv beside a folder's files: what is known of each instance, for benchmarks and gaps."""

import csv
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from datamodules.accord.errors import ParseError
from datamodules.accord.formats.numbers import Number, number, scaled
from datamodules.accord.formats.source import open_source
from datamodules.accord.instances import BinPacking, Instance, Knapsack

__all__ = ["NAME", "Known", "best_known", "with_best"]

NAME = "best_known.csv"
Known = dict[tuple[str, str], tuple[Number, bool]]  # (file, member) -> (best in the file's own unit, it is the optimum)


def best_known(folder: str | Path) -> Known:
    """By the file's path inside the folder, and the member: a name in an archive, a position from 1, or nothing.

    >>> best_known("problems")["cvrp/A-n32-k5.vrp", ""]
    (784, True)
    """
    source = open_source(Path(folder) / NAME)
    rows = csv.DictReader(source.text.splitlines())
    if rows.fieldnames is None or not {"file", "member", "best", "proven"} <= set(rows.fieldnames):
        raise ParseError(f"{source.where}, line 1: columns file, member, best and proven are needed")
    known: Known = {}
    for row in rows:
        place = f"{source.where}, line {rows.line_num}"
        key = (row["file"] or "", row["member"] or "")
        if key in known:
            raise ParseError(f"{place}: {' '.join(key)} is there twice")
        known[key] = number(row["best"] or "nothing", place, "best"), row["proven"] == "1"
    return known


def with_best(instance: Instance, best: Number, proven: bool) -> Instance:
    """The instance with that value, in its own integers."""
    if isinstance(instance, BinPacking):
        scale = 1  # bins are counted
    else:
        scale = instance.value_scale if isinstance(instance, Knapsack) else instance.scale
    if isinstance(best, Decimal) and -int(best.as_tuple().exponent) < len(str(scale)) - 1:
        proven = False  # it is rounded
    (value,), _ = scaled([best], instance.name or instance.kind, "best value", scale)
    return replace(instance, best=value, proven=proven)
