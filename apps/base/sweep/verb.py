"""`discern APP sweep`: every combination of some values of the recipe, side by side, chosen on validation."""

import json
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from apps.base.beginning import Beginning
from apps.base.card import Card
from apps.base.columns import columns
from apps.base.compose import Words
from apps.base.errors import UserError
from apps.base.family.best import drop, offer, score_of
from apps.base.family.child import PARAMETERS, SECONDS, children_of
from apps.base.family.parent import family_engine, family_parser, parent_run, resumable, train_children
from apps.base.interval import interval, mean_and_interval
from apps.base.recipe import Recipe
from apps.base.report import write_report
from apps.base.shell import Shell, flags_of
from apps.base.sweep.draw import sweep_figure
from apps.base.sweep.grid import Point, points, read_axis
from apps.base.tracking.names import new_name
from apps.base.tracking.run import Run
from apps.base.tracking.tracked import tracked
from datamodules.whole import write_whole

__all__ = ["Row", "sweep"]

GRID = "sweep.json"  # the labels of its points, in the parent's folder

DOC = """Train the recipe with every combination of the values of some keys, and say which is best in validation.

  --over model.optim.lr=1e-3,3e-4 --over data.batch_size=16,32        four trainings, times --seeds

Each training is a child run that logs metrics and config. The score of a combination is the mean over its seeds of what ranks
checkpoints (checkpoints.monitor); nothing is tested. The parent keeps the best checkpoint of the best combination, for test and export:
a score that was the best of many is optimistic until it is tested. Other options are keys of the recipe, as for fit. With --name of an
earlier call what is finished stays, and what was broken off goes on.
"""


@dataclass(frozen=True)
class Row:
    """One combination."""

    where: str
    scores: tuple[float, ...]  # a seed each
    seconds: float  # of a training
    parameters: float

    @property
    def mean(self) -> float:
        return statistics.fmean(self.scores)


def sweep(shell: Shell, argv: list[str], card: Card) -> int:
    parser = family_parser(shell, f"{card.name} sweep", DOC)
    parser.add_argument("--over", action="append", default=[], metavar="KEY=A,B,...", help="a key of the recipe and its values")
    args, rest = parser.parse_known_args(argv)
    if not args.over:
        raise UserError("sweep needs what to sweep over, as --over model.optim.lr=1e-3,3e-4")
    engine = family_engine(args, card)
    words = Words(args.recipes, rest=rest, allow=args.allow, no_diff=args.no_diff, flags=flags_of(parser))
    axes = [read_axis(text) for text in args.over]
    recipe = _checked(shell, card, words, axes)
    family = points(axes, int(recipe.config["seed_everything"]), args.seeds)
    monitor, mode = (str(recipe.config["checkpoints"][key]) for key in ("monitor", "mode"))
    name = args.name or new_name(shell.home)
    labels = [point.label for point in family]
    same = partial(_same_grid, labels=labels)
    parent, new = parent_run(shell, card, recipe.text, name, "fit", recipe.datamodule, args.no_diff, same=same)
    if new:
        with write_whole(parent.folder / GRID, "w") as file:
            json.dump(labels, file)
    with resumable(shell, card, "sweep", argv, name), tracked(shell, parent):
        shell.say(f"{card.name}: sweep {name} ({parent.id}), {len(family)} trainings")
        train_children(shell, card, words, parent, family, "point", engine, False, lambda child: None)
        rows = _rows(parent, family, mode)
        _keep(parent, family, rows, monitor)
        parent.status("finished")
        write_report(parent)
    print(json.dumps(_plain(parent, rows, monitor, mode)) if args.json else _table(parent, rows, monitor, mode))
    return 0


def _checked(shell: Shell, card: Card, words: Words, axes: Sequence[tuple[str, tuple[str, ...]]]) -> Recipe:
    """The recipe at the first of all values, with its data. Every value is read once, so that a wrong one is said before training."""
    beginning, first = Beginning(card, "fit", words, shell.say), tuple(f"--{key}={values[0]}" for key, values in axes)
    for i, (key, values) in enumerate(axes):
        for value in values[1:]:
            beginning.recipe(None, [], (*first[:i], f"--{key}={value}", *first[i + 1 :]))
    recipe = beginning.recipe(None, [], first)
    if recipe.trainer.world_size > 1:
        raise UserError("sweep trains each child on one device; leave out trainer.devices")
    recipe.set_up("fit")
    return recipe


def _same_grid(parent: Run, labels: list[str]) -> None:
    """A best among some is no best among others: a sweep that goes on has the same points."""
    path = parent.folder / GRID
    if not path.exists() or json.loads(path.read_text()) != labels:
        raise UserError(f"--name {parent.name}: that sweep has other points; take another name, or give the same --over and --seeds")


def _rows(parent: Run, family: Sequence[Point], mode: str) -> list[Row]:
    """The best first; of equals the earlier point."""
    runs = children_of(parent)
    by_place: dict[str, list[Run]] = {}
    for point in family:
        by_place.setdefault(point.where, []).append(runs[f"{parent.name}-{point.label}"])
    rows = [
        Row(
            where,
            tuple(score_of(child) for child in children),
            statistics.fmean(child.history()[SECONDS][-1][1] for child in children),
            children[0].history()[PARAMETERS][-1][1],
        )
        for where, children in by_place.items()
    ]
    return sorted(rows, key=lambda row: row.mean, reverse=mode == "max")


def _keep(parent: Run, family: Sequence[Point], rows: Sequence[Row], monitor: str) -> None:
    runs = children_of(parent)
    for point in family:
        child = runs[f"{parent.name}-{point.label}"]
        if point.where == rows[0].where:
            offer(parent, child)
        else:
            drop(child)
    parent.metric({f"sweep/{monitor}": rows[0].mean}, step=0)
    parent.tag("best_point", rows[0].where)
    parent.figure("sweep", sweep_figure([(row.where, row.scores) for row in rows], monitor))


def _table(parent: Run, rows: Sequence[Row], monitor: str, mode: str) -> str:
    head = ("combination", monitor, "seeds", "seconds", "parameters")
    lines = [
        (row.where, mean_and_interval(row.mean, interval(row.scores)), str(len(row.scores)), f"{row.seconds:.1f}", f"{row.parameters:.0f}")
        for row in rows
    ]
    return "\n".join(
        [
            f"{parent.name}: {'highest' if mode == 'max' else 'lowest'} {monitor} of {len(rows)} combinations is of {rows[0].where}",
            "chosen on validation: the best of many is optimistic until it is tested",
            "",
            columns([head, *lines]),
        ]
    )


def _plain(parent: Run, rows: Sequence[Row], monitor: str, mode: str) -> dict[str, Any]:
    def number(value: float) -> float | None:
        return None if math.isnan(value) else round(value, 6)

    return {
        "run": parent.id,
        "name": parent.name,
        "metric": monitor,
        "mode": mode,
        "best": rows[0].where,
        "rows": [
            {
                "where": row.where,
                "mean": number(row.mean),
                "half_interval": number(interval(row.scores)),
                "scores": list(row.scores),
                "seconds": round(row.seconds, 3),
                "parameters": int(row.parameters),
            }
            for row in rows
        ],
    }
