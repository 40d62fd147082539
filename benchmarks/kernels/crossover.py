"""From which size on ours is taken by itself: kernels/crossover.json, from a record of benchmarks/kernels/run.py. Needs no device.

    python -m benchmarks.kernels.crossover FILE

An operation that was not measured at all of its lengths, in each dtype that was begun, keeps what the table says of it.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from benchmarks.kernels.shapes import SUBJECTS
from kernels.launch import FOLDER

__all__ = ["PASSES", "crossovers"]

Row = dict[str, Any]
Table = dict[str, dict[str, dict[str, int]]]

PASSES = ("forward", "forward and backward")


def whole(own: list[Row], lengths: tuple[int, ...]) -> bool:
    return all({row["length"] for row in own if row["dtype"] == dtype} >= set(lengths) for dtype in {row["dtype"] for row in own})


def crossovers(rows: list[Row], architecture: int, before: Table) -> Table:
    """From which size ours is faster than the best of the others, forward alone as well as with backward, in every dtype, there and at all
    that is longer. Where tokens meet tokens, from which length, too: a great batch of short rows has the size of a few long ones."""
    found = {name: dict(entry) for name, entry in before.items()}
    for name in sorted({row["operation"] for row in rows}):
        subject, own = SUBJECTS[name], [row for row in rows if row["operation"] == name]
        if not whole(own, subject.lengths):
            continue
        lost = {row["length"] for row in own if row["form"] == "ours" and "skipped" in row}
        beside = [row for row in own if row["form"] != "ours" and "skipped" not in row]
        lost |= {row["length"] for row in beside if row["times_ours"] is None or row["times_ours"] <= 1}
        faster = [length for length in {row["length"] for row in beside} if length > max(lost, default=0)]
        entry = found.setdefault(name, {})
        entry.pop(str(architecture), None)
        if faster:
            least = min(faster)
            entry[str(architecture)] = {"size": subject.size(least), **({"length": least} if subject.square else {})}
    return {name: entry for name, entry in sorted(found.items()) if entry}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("record", type=Path, metavar="FILE")
    options = parser.parse_args()
    try:
        record = json.loads(options.record.read_text())
        rows, architecture = record["rows"], record["architecture"]
    except (OSError, ValueError, KeyError, TypeError):
        parser.error(f"{options.record} is no record of kernels; benchmarks/kernels/run.py writes one on a machine with a CUDA device")
    if architecture == 0:
        parser.error(f"{options.record} was measured in the interpreter, which says nothing about speed; measure on a CUDA device")
    table = FOLDER / "crossover.json"
    table.write_text(json.dumps(crossovers(rows, architecture, json.loads(table.read_text())), indent=1) + "\n")
    for name, subject in SUBJECTS.items():
        own = [row for row in rows if row["operation"] == name]
        if not own or not whole(own, subject.lengths):
            print(f"{name}: not measured at all of its lengths, left as it is")


if __name__ == "__main__":
    main()
