"""Cross-validations side by side: differences of trainings on the same fold with the same seed."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from apps.base.card import Card
from apps.base.columns import columns
from apps.base.crossval.plan import Cut
from apps.base.crossval.result import RESULT, cut_of
from apps.base.crossval.summary import Score, paired, score
from apps.base.crossval.table import flag
from apps.base.errors import UserError
from apps.base.family.child import DONE, PARAMETERS, SECONDS, children_of
from apps.base.interval import mean_and_interval
from apps.base.shell import Shell
from apps.base.tracking.finding import find
from apps.base.tracking.run import Run

__all__ = ["compare"]

DOC = """Compare cross-validations with the first one, fold by fold and seed by seed.

A difference is taken only between trainings of the same fold (and repeat) with the same seed; its interval is over the folds. Runs of
other data, or selected in another way, are refused: such figures do not belong into one table.
"""

Title = Callable[[dict[str, Any]], str]  # of a run's config: what a person wants to see of it
Notes = Callable[[Run, str, float], list[str]]  # (run, metric, mean): lines that must stand beside the figure


@dataclass(frozen=True)
class Row:
    run: Run
    title: str
    values: dict[Cut, float]
    seconds: float  # of a training
    parameters: float
    selected_on: str
    metric: str


def compare(shell: Shell, argv: list[str], card: Card, title: Title, notes: Notes) -> int:
    parser = shell.parser(f"{card.name} compare", DOC)
    parser.add_argument("runs", nargs="+", metavar="RUN", help="id or name of a cross-validation; two or more")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    args = parser.parse_args(argv)
    runs = [find(shell.home, word) for word in args.runs]
    if len({run.id for run in runs}) < max(2, len(runs)):
        raise UserError(f"{card.name} compare needs two or more different runs")
    rows = [_row(run, card, title) for run in runs]
    _one_table(rows)
    said = [line for row in rows for line in notes(row.run, row.metric, score(row.values).mean)]
    for line in said:
        shell.complain(line)
    first = rows[0]
    gaps = [paired(row.values, first.values) for row in rows[1:]]
    for row, (_, pairs) in zip(rows[1:], gaps, strict=True):
        if not pairs:
            raise UserError(f"runs {first.run.name} and {row.run.name} share no fold and seed; train one of them on the other's")
    print(_json(rows, gaps, said) if args.json else _table(rows, gaps))
    return 0


def _row(run: Run, card: Card, title: Title) -> Row:
    if run.app != card.name:
        raise UserError(f"run {run.name} belongs to {run.app}, not to {card.name}")
    path = run.folder / RESULT
    if not path.exists():
        raise UserError(f"run {run.name} is no finished cross-validation; `discern {card.name} crossval` makes one")
    about = json.loads(path.read_text("utf-8"))
    metric, epoch = about["metric"], about.get("epoch")
    values, seconds, parameters = {}, [], []
    for child in children_of(run).values():
        history = child.history()
        if DONE not in history:
            continue
        points = history[metric if epoch is None else metric.replace("test/", "val/")]
        values[cut_of(child.config())] = points[-1 if epoch is None else min(epoch, len(points) - 1)][1]
        seconds.append(history[SECONDS][-1][1])
        parameters.append(history[PARAMETERS][-1][1])
    return Row(run, title(run.config()), values, sum(seconds) / len(seconds), max(parameters), about["selected_on"], metric)


def _one_table(rows: list[Row]) -> None:
    first = rows[0]
    for row in rows[1:]:
        if row.metric != first.metric:
            raise UserError(f"run {row.run.name} is measured by {row.metric}, {first.run.name} by {first.metric}; compare like with like")
        if row.selected_on.partition(":")[0] != first.selected_on.partition(":")[0]:
            raise UserError(
                f"run {row.run.name} is selected on {row.selected_on.partition(':')[0]}, {first.run.name} on "
                f"{first.selected_on.partition(':')[0]}; such figures are never put into one table"
            )
        if _data(row.run) != _data(first.run):
            raise UserError(
                f"runs {row.run.name} and {first.run.name} are of other data, or of the same in another order; their folds differ"
            )


def _data(run: Run) -> str | None:
    """What tells the data and its order; the fold's own counts are left out."""
    card = json.loads((run.folder / "data.json").read_text("utf-8"))
    return card.get("order") or card.get("fingerprint")


def _json(rows: list[Row], gaps: list[tuple[Score, int]], notes: list[str]) -> str:
    plain = []
    for row, gap in zip(rows, [None, *gaps], strict=True):
        own = score(row.values)
        plain.append(
            {
                "run": row.run.id,
                "name": row.run.name,
                "what": row.title,
                "mean": round(own.mean, 6),
                "half_interval": round(own.half_interval, 6),
                "std_folds": round(own.std_folds, 6),
                "difference": None if gap is None else round(gap[0].mean, 6),
                "difference_half_interval": None if gap is None else round(gap[0].half_interval, 6),
                "pairs": None if gap is None else gap[1],
                "seconds": round(row.seconds, 2),
                "parameters": int(row.parameters),
            }
        )
    return json.dumps({"metric": rows[0].metric, "selected_on": rows[0].selected_on, "rows": plain, "notes": notes})


def _table(rows: list[Row], gaps: list[tuple[Score, int]]) -> str:
    first = rows[0].run.name
    lines: list[tuple[str, ...]] = [("run", "what", rows[0].metric, f"less {first}", "pairs", "seconds a training", "parameters")]
    for row, gap in zip(rows, [None, *gaps], strict=True):
        own = score(row.values)
        cells: tuple[str, ...] = ("", "") if gap is None else (f"{gap[0].mean:+.4f} ± {gap[0].half_interval:.4f}", str(gap[1]))
        mean = mean_and_interval(own.mean, own.half_interval)
        lines.append((row.run.name, row.title, mean, *cells, f"{row.seconds:.1f}", f"{row.parameters:,.0f}"))
    return "\n".join(
        [
            columns(lines),
            "",
            f"selected on {rows[0].selected_on}{flag(rows[0].selected_on)}",
            "mean ± half its 95 % interval over the folds; a difference whose interval holds 0 is not established",
        ]
    )
