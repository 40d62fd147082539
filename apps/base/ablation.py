"""What each part of a method brings on one's own data: a training a row, the same seeds for all, as a table."""

import json
import math
import re
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
import yaml

from apps.base.beginning import Beginning
from apps.base.card import Card
from apps.base.checkpoint import locate
from apps.base.columns import columns
from apps.base.compose import Words
from apps.base.errors import UserError
from apps.base.family.child import SECONDS as CHILD_SECONDS
from apps.base.family.child import children_of
from apps.base.family.parent import resumable
from apps.base.family.seeds import train_seeds
from apps.base.interval import interval
from apps.base.quiet import run_trainer
from apps.base.shell import Parser, Shell, named, nearest, positive
from apps.base.tracking.finding import find, find_runs
from apps.base.tracking.names import new_name
from apps.base.tracking.run import Run
from datamodules.whole import write_whole

__all__ = ["Ablation", "Paired", "ablation", "plans", "with_own"]

SECONDS = "ablate/seconds"  # of one training, logged to the row's run
JUDGED = "judged.npz"  # in the folder of a training: what its best checkpoint answered in validation

Answers = Mapping[str, np.ndarray]


class Paired(NamedTuple):
    """judged: of a task that has validated, arrays by name; interval: of the gap between the trainings of two rows, seed by seed, with the
    same questions drawn for both; None where they were not asked the same.
    """

    judged: Callable[[Any], Answers]
    interval: Callable[[Sequence[Answers], Sequence[Answers]], tuple[float, float] | None]


class Ablation(NamedTuple):
    """titles: of the rows, by name; options: (row, the recipe's `model`) to the options that make it that row, or a UserError;
    rows: those trained unless others are named."""

    card: Card
    titles: Mapping[str, str]
    options: Callable[[str, dict[str, Any]], list[str]]
    rows: Sequence[str]
    paired: Paired | None = None


@dataclass
class Row:
    row: str
    title: str
    run: str
    mean: float
    half_interval: float  # of the mean, 95 %
    difference: float | None  # to the first row, seed by seed
    difference_half_interval: float | None
    seconds: float  # of a training
    difference_paired: tuple[float, float] | None = None  # the interval of the same difference, with the questions drawn and not the seeds


def ablation(shell: Shell, argv: list[str], doc: str | None, table: Ablation) -> int:
    """The verb of an application; doc: its help."""
    parser = _parser(shell, doc, table)
    args, rest = parser.parse_known_args(argv)
    table = with_own(args.row, table)
    rows = _rows(args.rows, args.row, table)
    if args.seeds < 2:
        raise UserError(f"--seeds {args.seeds}: an interval needs 2 or more")
    name = args.name or new_name(shell.home)
    words = Words(args.recipes, rest=rest, allow=args.allow, seeds=args.seeds, no_diff=args.no_diff)
    planned = plans(shell, table, words, rows, name)
    shell.say(f"{name}: {len(rows)} rows of {args.seeds} trainings")
    found: list[Row] = []
    first: list[float] = []
    asked: list[Answers] | None = None
    for row in rows:
        beginning, text, monitor, mode = planned[row]
        with resumable(shell, table.card, "ablate", argv, name):
            run = _finished(shell, table.card, f"{name}-{row}", text, args.seeds) or _train(shell, table, beginning, table.titles[row])
        scores = _scores(run, monitor, mode)
        first = first or scores
        found.append(_row(row, table.titles[row], run, scores, first if row != rows[0] else None))
        if table.paired is not None:
            answers = _answers(run)
            if row != rows[0] and asked and answers:
                found[-1].difference_paired = table.paired.interval(answers, asked)
            asked = answers if row == rows[0] else asked
    print(json.dumps({"score": monitor, "seeds": args.seeds, "rows": [asdict(r) for r in found]}) if args.json else _table(found, monitor))
    return 0


def _parser(shell: Shell, doc: str | None, table: Ablation) -> Parser:
    parser = shell.parser(f"{table.card.name} ablate", doc)
    parser.add_argument("-c", "--config", dest="recipes", action="append", default=[], metavar="NAME|FILE", help="a recipe, as for fit")
    usual = "all" if list(table.rows) == list(table.titles) else ",".join(table.rows)
    parser.add_argument("--rows", default=",".join(table.rows), metavar="A,B,...", help=f"of {', '.join(table.titles)}; default: {usual}")
    own = "a row of your own: the recipe with these keys; may be given several times"
    parser.add_argument("--row", action="append", default=[], metavar="NAME=--KEY=VALUE[,--KEY=VALUE]", help=own)
    parser.add_argument("--seeds", type=positive, default=3, metavar="N", help="trainings a row; default: 3")
    parser.add_argument("--name", type=named, help="the runs are called NAME-row")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    parser.add_argument("--allow", action="append", default=[], metavar="PACKAGE", help="let configs name classes of this package")
    parser.add_argument("--no-diff", action="store_true", help="do not keep the uncommitted changes of the source with the runs")
    return parser


def with_own(given: Sequence[str], table: Ablation) -> Ablation:
    """The table with the rows that were made up on the command line."""
    own: dict[str, list[str]] = {}
    for word in given:
        name, _, text = word.partition("=")
        options = re.split(r",(?=--)", text)  # a value may hold commas: [1,2]
        if not re.fullmatch(r"\w+", name) or not all(re.fullmatch(r"--[\w.]+=.+", option) for option in options):
            raise UserError(f"--row {word}: write it as NAME=--key=value[,--key=value]")
        if name in table.titles or name in own:
            raise UserError(f"--row {word}: there is a row {name!r} already; call it otherwise")
        own[name] = options
    titles = {**table.titles, **{name: " ".join(options) for name, options in own.items()}}
    return table._replace(titles=titles, options=lambda row, model: own[row] if row in own else table.options(row, model))


def _rows(text: str, own: Sequence[str], table: Ablation) -> list[str]:
    rows = [word.strip() for word in text.split(",") if word.strip()]
    rows += [name for word in own if (name := word.partition("=")[0]) not in rows]
    for word in rows:
        if word not in table.titles:
            known = list(table.titles)
            raise UserError(f"--rows: there is no row {word!r}{nearest(word, known)}; there are {', '.join(known)}")
    if len(set(rows)) < 2 or len(set(rows)) < len(rows):
        raise UserError(f"--rows {text}: name two or more, each once")
    return rows


def plans(shell: Shell, table: Ablation, words: Words, rows: Sequence[str], name: str) -> dict[str, tuple[Beginning, str, str, str]]:
    """Every row's recipe, read before the first training: a row that cannot be is said now. (beginning, recipe, monitor, mode)"""
    model = yaml.safe_load(Beginning(table.card, "fit", words, shell.say).recipe(None, []).text)["model"]
    found = {}
    for row in rows:
        rest = [*words.rest, *table.options(row, model)]
        row_words = Words(words.recipes, rest=rest, allow=words.allow, seeds=words.seeds, name=f"{name}-{row}", no_diff=words.no_diff)
        beginning = Beginning(table.card, "fit", row_words, shell.say)
        try:
            recipe = beginning.recipe(None, [])
        except UserError as error:
            raise UserError(f"row {row}: {error}; or leave it out with --rows") from error
        found[row] = (beginning, recipe.text, str(recipe.config["checkpoints"]["monitor"]), str(recipe.config["checkpoints"]["mode"]))
    return found


def _finished(shell: Shell, card: Card, name: str, text: str, seeds: int) -> Run | None:
    """The run of this row by an earlier call, of the same recipe and as many seeds."""
    for run in find_runs(shell.home, card.name):
        whole = run.state == "finished" and SECONDS in run.history() and len(_children(run)) == seeds
        if run.name == name and run.parent is None and whole and (run.folder / "config.yaml").read_text("utf-8") == text:
            shell.say(f"{name}: taken from the earlier call")
            return run
    return None


def _train(shell: Shell, table: Ablation, beginning: Beginning, title: str) -> Run:
    shell.say(f"row: {title}")
    paired = table.paired
    each = None if paired is None else (lambda child: _judge(shell, table.card, beginning, paired, child))
    run = find(shell.home, train_seeds(shell, beginning, str(beginning.words.name), each)["run"])
    seconds = [child.history()[CHILD_SECONDS][-1][1] for child in _children(run)]
    run.metric({SECONDS: statistics.mean(seconds)}, step=0)
    run.flush()
    return run


def _judge(shell: Shell, card: Card, trained: Beginning, paired: Paired, child: Run) -> None:
    """Ask the best checkpoint of a training once more, and keep what it answers: the checkpoint goes."""
    if (child.folder / JUDGED).exists():  # by an earlier call, which may have taken the checkpoint away
        return
    words = Words([], rest=[], allow=trained.words.allow)
    recipe, task, _ = Beginning(card, "validate", words, shell.say, locate(child.checkpoints, "best"), child).restore()
    run_trainer(recipe.trainer, "validate", task, datamodule=recipe.set_up("validate"), verbose=False)
    with write_whole(child.folder / JUDGED, private=True) as file:
        np.savez_compressed(file, **paired.judged(task))  # pyright: ignore[reportArgumentType]


def _answers(run: Run) -> list[Answers] | None:
    """Of each seed; None of a row whose answers were not kept."""
    files = [child.folder / JUDGED for child in _children(run)]
    return [dict(np.load(file, allow_pickle=False)) for file in files] if all(file.is_file() for file in files) else None


def _children(run: Run) -> list[Run]:
    return sorted(children_of(run).values(), key=lambda child: child.name)


def _scores(run: Run, monitor: str, mode: str) -> list[float]:
    """Of each seed, at the epoch whose checkpoint was kept."""
    best = max if mode == "max" else min
    histories = [child.history()[monitor] for child in _children(run)]
    return [best(value for _, value in history if not math.isnan(value)) for history in histories]


def _row(row: str, title: str, run: Run, scores: list[float], first: list[float] | None) -> Row:
    gaps = None if first is None else [score - base for score, base in zip(scores, first, strict=True)]
    return Row(
        row,
        title,
        run.id,
        statistics.mean(scores),
        interval(scores),
        None if gaps is None else statistics.mean(gaps),
        None if gaps is None else interval(gaps),
        run.history()[SECONDS][-1][1],
    )


def _table(rows: list[Row], monitor: str) -> str:
    lines = [("row", monitor, f"against {rows[0].title}", "seconds a training")]
    for row in rows:
        gap = "" if row.difference is None else f"{row.difference:+.4f} ± {row.difference_half_interval:.4f}"
        if row.difference_paired is not None:
            low, high = row.difference_paired
            gap += f" [{low:+.4f}, {high:+.4f}]"
        lines.append((row.title, f"{row.mean:.4f} ± {row.half_interval:.4f}", gap, f"{row.seconds:.0f}"))
    told = ["mean ± half its 95 % interval over the seeds; a difference whose interval holds 0 is not established"]
    if any(row.difference_paired is not None for row in rows):
        told.append("in brackets 95 % of the difference where families are drawn again for both rows, the trainings as they are")
    return "\n".join([columns(lines), "", *told])
