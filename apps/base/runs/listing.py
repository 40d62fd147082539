"""`discern runs list` and `compare`: what was run here, and how runs differ."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from apps.base.card import find_card, find_cards
from apps.base.columns import columns
from apps.base.errors import UserError
from apps.base.shell import Shell
from apps.base.tracking.finding import find, look_through
from apps.base.tracking.replay import pending
from apps.base.tracking.run import Run

__all__ = ["compare", "list_runs"]

Points = list[tuple[int, float]]


def list_runs(shell: Shell, argv: list[str]) -> int:
    """All runs, oldest first."""
    parser = shell.parser("runs list", list_runs.__doc__)
    parser.add_argument("--app", help="only this application's")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    args = parser.parse_args(argv)
    if args.app is not None:
        find_card(args.app)
    cards = find_cards()
    rows = []
    found, broken = look_through(shell.home, args.app)
    for error in broken:
        shell.complain(f"left out: {error}")
    for run in found:
        key, points = _headline(run, cards[run.app].metric if run.app in cards else "")
        rows.append(
            {
                "id": run.id,
                "name": run.name,
                "app": run.app,
                "kind": run.kind,
                "status": run.state,
                "begun": datetime.fromtimestamp(run.created / 1000).astimezone().isoformat(timespec="seconds"),
                "metric": key if points else None,
                "value": points[-1][1] if points else None,
                "parent": run.parent,
                "sent": not pending(run),
            }
        )
    if args.json:
        for row in rows:
            print(json.dumps(row))
    elif rows:
        head = ("id", "name", "app", "kind", "status", "begun", "result", "sent")
        plain = ("id", "name", "app", "kind", "status")
        cells = [(*(row[key] for key in plain), row["begun"][:16], _result(row), "yes" if row["sent"] else "no") for row in rows]
        print(columns([head, *cells]))
    else:
        shell.say(f"no runs under {shell.runs}")
    return 0


def compare(shell: Shell, argv: list[str]) -> int:
    """Where the configurations of runs differ, and their last metrics."""
    parser = shell.parser("runs compare", compare.__doc__)
    parser.add_argument("runs", nargs="+", metavar="RUN", help="id or name")
    args = parser.parse_args(argv)
    chosen = [find(shell.home, word) for word in args.runs]
    if len({run.id for run in chosen}) < 2:
        raise UserError("runs compare needs two different runs")
    params = [_params(run) for run in chosen]
    metrics = [{key: points[-1][1] for key, points in run.history().items() if not key.startswith("system/")} for run in chosen]
    rows = [
        [key, *(str(values.get(key, "-")) for values in params)] for key in _keys(params) if len({values.get(key) for values in params}) > 1
    ]
    rows += [[key, *(f"{values[key]:.6g}" if key in values else "-" for values in metrics)] for key in _keys(metrics)]
    print(columns([["", *(run.name for run in chosen)], *rows]))
    return 0


def _headline(run: Run, metric: str) -> tuple[str, Points]:
    """The application's measure; of a task that has another one, what ranks its checkpoints, as tested."""
    history = run.history()
    ranks = run.config().get("checkpoints") or {}
    key = metric if metric in history else str(ranks.get("monitor", "")).replace("val/", "test/")
    return key, history.get(key, [])


# -- pieces ------------------------------------------------------------------------------------------------------------


def _params(run: Run) -> dict[str, str]:
    return {key: value for event in run.events() if event["kind"] == "param" for key, value in event["values"].items()}


def _keys(tables: Sequence[dict[str, Any]]) -> list[str]:
    return sorted({key for table in tables for key in table})


def _result(row: dict[str, Any]) -> str:
    return f"{row['metric']} {row['value']:.4g}" if row["metric"] else "-"
