"""`discern demo`: every application goes the whole way on its embedded set, as a user would: fit, test, export, predict."""

import contextlib
import io
import json
import tempfile
import time
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path

from apps.base.advice import advice
from apps.base.card import Card, find_card, find_cards
from apps.base.columns import columns
from apps.base.dispatch import dispatch
from apps.base.errors import FailureError
from apps.base.shell import Shell
from apps.base.tracking.finding import find
from datamodules.whole import write_whole

__all__ = ["demo"]

EXAMPLES = 4


HEAD = ("app", "metric", "value", "trivial baseline", "seconds", "exported file")


@dataclass
class Row:
    app: str
    metric: str
    value: float
    baseline: float
    seconds: float
    file: str
    picture: str | None


def demo(shell: Shell, argv: list[str]) -> int:
    """Train, test, export and ask every application on its embedded set; a minute or so each."""
    parser = shell.parser("demo", demo.__doc__)
    parser.add_argument("apps", nargs="*", help="only these applications")
    parser.add_argument("--fast", action="store_true", help="an epoch or two each: shows the way, not the quality")
    options = parser.parse_args(argv)
    cards = find_cards()
    for name in options.apps:
        find_card(name)
    rows = []
    for name in options.apps or cards:
        if missing := cards[name].missing_extras():
            shell.say(f"{name}: skipped, needs pip install 'discern[{','.join(missing)}]'")
            continue
        rows.append(_go(shell, cards[name], cards[name].fast if options.fast else ()))
    print(columns([HEAD, *map(_cells, rows)]))
    shell.say(f"\nin one look: {_write(shell, rows)}\nthe dashboard of these runs: {advice(shell, 'ui')}")
    worse = [row.app for row in rows if not _better(cards[row.app], row)]
    if worse:
        shell.complain(f"no better than the trivial baseline: {', '.join(worse)}")
    return FailureError.exit_code if worse else 0


def _go(shell: Shell, card: Card, options: tuple[str, ...]) -> Row:
    start = time.monotonic()
    shell.say(f"{card.name}: training on the embedded set")
    run = _discern(shell, [card.name, "fit", "--name", f"demo-{card.name}", *options])["run"]  # the newest here may be another one's
    tested = _discern(shell, [card.name, "test", "--run", run])
    file = _discern(shell, [card.name, "export", "--run", run])["file"]
    if card.examples is not None:
        with tempfile.TemporaryDirectory() as folder:
            module, name = card.examples.split(":")
            paths = getattr(import_module(module), name)(Path(folder), EXAMPLES)
            answer = _discern(shell, ["predict", file, *map(str, paths)])
        shell.say(f"{card.name}: asked the exported file: {json.dumps({k: v for k, v in answer.items() if k != 'input'})[:140]}")
    drawn = find(shell.home, run).figures / f"{card.picture}.png"
    picture = str(drawn) if drawn.is_file() else None
    return Row(card.name, card.metric, tested[card.metric], tested[card.baseline], time.monotonic() - start, file, picture)


def _discern(shell: Shell, words: list[str]) -> dict:
    """One command, in this process: four of their own would spend a minute an application on imports. The last line of its output,
    which is JSON."""
    with contextlib.redirect_stdout(io.StringIO()) as said:
        code = dispatch(shell, words)
    if code:
        raise FailureError(f"{advice(shell, *words)} left with {code}")
    lines = said.getvalue().strip().splitlines()
    return json.loads(lines[-1]) if lines else {}


def _better(card: Card, row: Row) -> bool:
    return row.value > row.baseline if card.higher_is_better else row.value < row.baseline


def _cells(row: Row) -> tuple[str, ...]:
    return (row.app, row.metric, f"{row.value:.3f}", f"{row.baseline:.3f}", f"{row.seconds:.0f}", row.file)


def _write(shell: Shell, rows: list[Row]) -> Path:
    """demo.html and demo.json beside the runs."""
    from apps.base.page import cell, image, page, text  # numpy and matplotlib's styles: not for `discern demo --help`

    folder = shell.home / "mlruns"
    folder.mkdir(exist_ok=True)
    lines = [f"<tr>{''.join(cell(text(word), 1 < i < 5) for i, word in enumerate(_cells(row)))}</tr>" for row in rows]
    head = f"<tr>{''.join(cell(word, 1 < i < 5, 'th') for i, word in enumerate(HEAD))}</tr>"
    parts = ["<h1>Every application on its embedded set</h1>", f'<div class="wide"><table>{head}{"".join(lines)}</table></div>']
    parts += [f"<h2>{text(row.app)}</h2>{image(Path(row.picture).read_bytes(), row.app)}" for row in rows if row.picture]
    with write_whole(folder / "demo.html", "w") as file:
        file.write(page("discern demo", "\n".join(parts)))
    with write_whole(folder / "demo.json", "w") as file:
        json.dump([asdict(row) for row in rows], file, indent=1)
    return folder / "demo.html"
