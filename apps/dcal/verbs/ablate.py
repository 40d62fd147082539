"""`discern dcal ablate`: the paper's table on one's own data. What does each branch bring, and does it matter which patches are chosen?"""

import json
import math
import statistics
import time
from dataclasses import asdict, dataclass

import yaml

from apps.base.beginning import Beginning
from apps.base.columns import columns
from apps.base.compose import Words
from apps.base.errors import UserError
from apps.base.seeds import interval
from apps.base.shell import Parser, Shell, nearest
from apps.base.tracking.names import new_name
from apps.base.tracking.run import Run, find, find_runs
from apps.base.training import train_seeds
from apps.dcal.card import CARD

__all__ = ["ROWS", "ablate"]

SECONDS = "ablate/seconds"  # of one training, logged to the row's run


@dataclass(frozen=True)
class Arm:
    """A row: which branches are on, and how patches are chosen."""

    title: str
    glca: bool
    pwca: bool
    select: str | None = None  # None: as the recipe says


ROWS = {
    "sa": Arm("self-attention", False, False),
    "glca": Arm("+ GLCA", True, False),
    "pwca": Arm("+ PWCA", False, True),
    "both": Arm("+ GLCA + PWCA", True, True),
    "last_layer": Arm("+ GLCA, by the last layer", True, False, "last_layer"),
    "random": Arm("+ GLCA, at random", True, False, "random"),
}


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


def ablate(shell: Shell, argv: list[str]) -> int:
    """Train the recipe with and without its branches, the same seeds and epochs for every row, and print the table.

    The score is the one that ranks checkpoints, on validation, at its best epoch: alike for all rows, and a little too good for all;
    the test split stays untouched. The differences are to the first row, seed by seed. Epochs are equal, time is not: the last column
    says it. Other options are keys of the recipe, as for `fit`. With --name of an earlier call its finished rows are taken as they are.
    """
    parser = _parser(shell)
    args, rest = parser.parse_known_args(argv)
    rows = _rows(args.rows)
    if args.seeds < 2:
        raise UserError(f"--seeds {args.seeds}: an interval needs 2 or more")
    name = args.name or new_name({run.name for run in find_runs(shell.home)})
    words = Words(args.recipes, rest=rest, allow=args.allow, seeds=args.seeds, no_diff=args.no_diff)
    plans = _plans(shell, words, rows, name)
    shell.say(f"{name}: {len(rows)} rows of {args.seeds} trainings")
    found: list[Row] = []
    first: list[float] = []
    for row in rows:
        beginning, text, monitor, mode = plans[row]
        run = _finished(shell, f"{name}-{row}", text, args.seeds) or _train(shell, beginning, ROWS[row].title)
        scores = _scores(shell, run, monitor, mode)
        first = first or scores
        found.append(_row(row, run, scores, first if row != rows[0] else None))
    print(json.dumps({"score": monitor, "seeds": args.seeds, "rows": [asdict(r) for r in found]}) if args.json else _table(found, monitor))
    return 0


def _parser(shell: Shell) -> Parser:
    parser = shell.parser("dcal ablate", ablate.__doc__)
    parser.add_argument("-c", "--config", dest="recipes", action="append", default=[], metavar="NAME|FILE", help="a recipe, as for fit")
    parser.add_argument("--rows", default=",".join(ROWS), metavar="A,B,...", help=f"of {', '.join(ROWS)}; default: all")
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="trainings a row; default: 3")
    parser.add_argument("--name", help="the runs are called NAME-row")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    parser.add_argument("--allow", action="append", default=[], metavar="PACKAGE", help="let configs name classes of this package")
    parser.add_argument("--no-diff", action="store_true", help="do not keep the uncommitted changes of the source with the runs")
    return parser


def _rows(text: str) -> list[str]:
    rows = [word.strip() for word in text.split(",") if word.strip()]
    for word in rows:
        if word not in ROWS:
            raise UserError(f"--rows: there is no row {word!r}{nearest(word, list(ROWS))}; there are {', '.join(ROWS)}")
    if len(set(rows)) < 2 or len(set(rows)) < len(rows):
        raise UserError(f"--rows {text}: name two or more, each once")
    return rows


def _plans(shell: Shell, words: Words, rows: list[str], name: str) -> dict[str, tuple[Beginning, str, str, str]]:
    """Every row's recipe, read before the first training: a row that cannot be is said now. (beginning, recipe, monitor, mode)"""
    base = yaml.safe_load(Beginning(CARD, "fit", words, shell.say).recipe(None, []).text)
    model = base["model"]["init_args"]
    if "glca" not in model or "pwca" not in model:
        raise UserError(f"ablate switches glca and pwca; {base['model']['class_path']} has none")
    blocks = {"glca": model["glca"]["blocks"] or 1, "pwca": model["pwca"]["blocks"] or "all"}
    plans = {}
    for row in rows:
        arm = ROWS[row]
        options = [f"--model.{branch}.blocks={blocks[branch] if getattr(arm, branch) else 0}" for branch in blocks]
        options += ["--model.branches=auto", *([f"--model.glca.select={arm.select}"] if arm.select else [])]
        row_words = Words(
            words.recipes, rest=[*words.rest, *options], allow=words.allow, seeds=words.seeds, name=f"{name}-{row}", no_diff=words.no_diff
        )
        beginning = Beginning(CARD, "fit", row_words, shell.say)
        try:
            recipe = beginning.recipe(None, [])
        except UserError as error:
            raise UserError(f"row {row}: {error}; or leave it out with --rows") from error
        plans[row] = (beginning, recipe.text, str(recipe.config["checkpoints"]["monitor"]), str(recipe.config["checkpoints"]["mode"]))
    return plans


def _finished(shell: Shell, name: str, text: str, seeds: int) -> Run | None:
    """The run of this row by an earlier call, of the same recipe and as many seeds."""
    for run in find_runs(shell.home, CARD.name):
        whole = run.state == "finished" and SECONDS in run.history() and len(_children(shell, run)) == seeds
        if run.name == name and run.parent is None and whole and (run.folder / "config.yaml").read_text("utf-8") == text:
            shell.say(f"{name}: taken from the earlier call")
            return run
    return None


def _train(shell: Shell, beginning: Beginning, title: str) -> Run:
    shell.say(f"row: {title}")
    start = time.monotonic()
    run = find(shell.home, train_seeds(shell, beginning)["run"])
    run.metric({SECONDS: (time.monotonic() - start) / beginning.words.seeds}, step=0)
    run.flush()
    return run


def _children(shell: Shell, run: Run) -> list[Run]:
    return sorted((child for child in find_runs(shell.home, CARD.name) if child.parent == run.id), key=lambda child: child.name)


def _scores(shell: Shell, run: Run, monitor: str, mode: str) -> list[float]:
    """Of each seed, at the epoch whose checkpoint was kept."""
    best = max if mode == "max" else min
    histories = [child.history()[monitor] for child in _children(shell, run)]
    return [best(value for _, value in history if not math.isnan(value)) for history in histories]


def _row(row: str, run: Run, scores: list[float], first: list[float] | None) -> Row:
    gaps = None if first is None else [score - base for score, base in zip(scores, first, strict=True)]
    return Row(
        row,
        ROWS[row].title,
        run.id,
        statistics.mean(scores),
        interval(scores),
        None if gaps is None else statistics.mean(gaps),
        None if gaps is None else interval(gaps),
        run.history()[SECONDS][-1][1],
    )


def _table(rows: list[Row], monitor: str) -> str:
    lines = [("row", monitor, f"against {ROWS[rows[0].row].title}", "seconds a training")]
    for row in rows:
        gap = "" if row.difference is None else f"{row.difference:+.4f} ± {row.difference_half_interval:.4f}"
        lines.append((row.title, f"{row.mean:.4f} ± {row.half_interval:.4f}", gap, f"{row.seconds:.0f}"))
    return "\n".join(
        [columns(lines), "", "mean ± half its 95 % interval over the seeds; a difference whose interval holds 0 is not established"]
    )
