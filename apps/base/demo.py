"""`discern demo`: every application goes the whole way on its embedded set, as a user would: fit, test, export, predict."""

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from apps.base.advice import advice
from apps.base.card import Card, find_card, find_cards
from apps.base.columns import columns
from apps.base.errors import FailureError
from apps.base.shell import Shell

__all__ = ["demo"]

EXAMPLES = 4


@dataclass
class Row:
    app: str
    metric: str
    value: float
    baseline: float
    seconds: float
    file: str


def demo(shell: Shell, argv: list[str]) -> int:
    """Train, test, export and ask every application on its embedded set; about a minute each."""
    parser = shell.parser("demo", demo.__doc__)
    parser.add_argument("apps", nargs="*", help="only these applications")
    parser.add_argument("--fast", action="store_true", help="one epoch each: shows the way, not the quality")
    options = parser.parse_args(argv)
    cards = find_cards()
    for name in options.apps:
        find_card(name)
    rows = []
    for name in options.apps or cards:
        if missing := cards[name].missing_extras():
            shell.say(f"{name}: skipped, needs pip install 'discern[{','.join(missing)}]'")
            continue
        rows.append(_go(shell, cards[name], ["--trainer.max_epochs", "1"] if options.fast else []))
    print(_table(rows))
    shell.say(f"\nthe dashboard of these runs: {advice(shell, 'ui')}")
    worse = [row.app for row in rows if not _better(cards[row.app], row)]
    if worse:
        shell.complain(f"no better than the trivial baseline: {', '.join(worse)}")
    return FailureError.exit_code if worse else 0


def _go(shell: Shell, card: Card, options: list[str]) -> Row:
    start = time.monotonic()
    shell.say(f"{card.name}: training on the embedded set")
    _discern(shell, [card.name, "fit", "--name", f"demo-{card.name}", *options])
    tested = _discern(shell, [card.name, "test"])
    file = _discern(shell, [card.name, "export"])["file"]
    if card.examples is not None:
        with tempfile.TemporaryDirectory() as folder:
            module, name = card.examples.split(":")
            paths = getattr(import_module(module), name)(Path(folder), EXAMPLES)
            answer = _discern(shell, ["predict", file, *map(str, paths)])
        shell.say(f"{card.name}: asked the exported file: {json.dumps({k: v for k, v in answer.items() if k != 'input'})[:140]}")
    return Row(card.name, card.metric, tested[card.metric], tested[card.baseline], time.monotonic() - start, file)


def _discern(shell: Shell, words: list[str]) -> dict:
    """One command in a process of its own; the last line of its output, which is JSON (fit prints none)."""
    command = [sys.executable, "-m", "apps.cli", "--home", str(shell.home), *(["--quiet"] if shell.quiet else []), *words]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise FailureError(f"{advice(shell, *words)} left with {done.returncode}")
    lines = done.stdout.strip().splitlines()
    return json.loads(lines[-1]) if lines else {}


def _better(card: Card, row: Row) -> bool:
    return row.value > row.baseline if card.higher_is_better else row.value < row.baseline


def _table(rows: list[Row]) -> str:
    head = ("app", "metric", "value", "trivial baseline", "seconds", "exported file")
    cells = [(r.app, r.metric, f"{r.value:.3f}", f"{r.baseline:.3f}", f"{r.seconds:.0f}", r.file) for r in rows]
    return columns([head, *cells])
