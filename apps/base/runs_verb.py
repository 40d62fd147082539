"""`discern runs`: what was run here, how runs differ, and what may go."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from apps.base.card import find_cards
from apps.base.errors import FailureError, UserError
from apps.base.shell import Shell, nearest
from apps.base.tracking.address import LOCAL, address
from apps.base.tracking.lock import held
from apps.base.tracking.replay import mlflow_id, sent, store_of
from apps.base.tracking.run import Run, find, find_runs
from apps.base.tracking.sender import send_pending
from apps.base.tracking.store import AwayError, RefusedError, Store

__all__ = ["runs"]

RANKING = "best.json"  # as apps.base.callbacks.checkpoints writes it, whose import would load torch
_FRESH_SECONDS = 3600  # a temporary file younger than this may still be written


def runs(shell: Shell, argv: list[str]) -> int:
    """Look at runs, compare them, send them to the tracking store, remove them."""
    parser = shell.parser("runs", runs.__doc__)
    words = parser.add_subparsers(metavar="WORD", required=True)

    def word(name: str, call: Callable[[Shell, Any], int]):
        sub = words.add_parser(name, help=call.__doc__, description=call.__doc__, allow_abbrev=False)
        sub.set_defaults(call=call)
        return sub

    sub = word("list", _list)
    sub.add_argument("--app", help="only this application's")
    sub.add_argument("--json", action="store_true", help="one JSON object a line")
    word("compare", _compare).add_argument("runs", nargs="+", metavar="RUN", help="id or name")
    sub = word("best", _best)
    sub.add_argument("app", metavar="APP")
    sub.add_argument("--metric", metavar="KEY", help="default: the validation metric that ranks the newest run's checkpoints")
    sub = word("delete", _delete)
    sub.add_argument("run", metavar="RUN", help="id or name")
    sub.add_argument("--yes", action="store_true", help="do not ask")
    word("gc", _gc).add_argument("--dry-run", action="store_true", help="say it, do not do it")
    word("send", _send)
    args = parser.parse_args(argv)
    return args.call(shell, args)


def _list(shell: Shell, args: Any) -> int:
    """All runs, oldest first."""
    if args.app is not None:
        _card(args.app)
    cards = find_cards()
    rows = []
    for run in find_runs(shell.home, args.app):
        key = cards[run.app].metric if run.app in cards else ""
        points = run.history().get(key, [])
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
                "sent": not _pending(run),
            }
        )
    if args.json:
        for row in rows:
            print(json.dumps(row))
    elif rows:
        head = ("id", "name", "app", "kind", "status", "begun", "result", "sent")
        _table(
            head,
            (
                [
                    row["id"],
                    row["name"],
                    row["app"],
                    row["kind"],
                    row["status"],
                    row["begun"][:16],
                    _result(row),
                    "yes" if row["sent"] else "no",
                ]
                for row in rows
            ),
        )
    else:
        shell.say(f"no runs under {shell.runs}")
    return 0


def _compare(shell: Shell, args: Any) -> int:
    """Where the configurations of runs differ, and their last metrics."""
    chosen = [find(shell.home, word) for word in args.runs]
    if len({run.id for run in chosen}) < 2:
        raise UserError("runs compare needs two different runs")
    params = [_params(run) for run in chosen]
    metrics = [{key: points[-1][1] for key, points in run.history().items() if not key.startswith("system/")} for run in chosen]
    rows = [
        [key, *(str(values.get(key, "-")) for values in params)] for key in _keys(params) if len({values.get(key) for values in params}) > 1
    ]
    rows += [[key, *(f"{values[key]:.6g}" if key in values else "-" for values in metrics)] for key in _keys(metrics)]
    _table(["", *(run.name for run in chosen)], rows)
    return 0


def _best(shell: Shell, args: Any) -> int:
    """The run that came furthest."""
    card = _card(args.app)
    candidates = find_runs(shell.home, args.app)
    monitor, mode = _monitor(candidates)
    key = args.metric or monitor
    if key is None:
        raise UserError(f"no run of {args.app} under {shell.runs} says what ranks its checkpoints; give --metric")
    if key == monitor:
        lowest = mode == "min"
    elif key == card.metric:
        lowest = not card.higher_is_better
    else:
        lowest = any(mark in key.rpartition("/")[2] for mark in ("loss", "error", "nll", "ece"))
    choose = min if lowest else max
    values: list[tuple[float, Run]] = []
    logged: set[str] = set()
    for run in candidates:
        history = run.history()
        logged |= history.keys()
        finite = [value for _, value in history.get(key, []) if value == value]
        if finite:
            values.append((choose(finite), run))
    if not values:
        raise UserError(f"no run of {args.app} under {shell.runs} has logged {key}{nearest(key, sorted(logged))}")
    value, run = choose(values, key=lambda pair: pair[0])
    print(f"{run.id}  {run.name}  {key} {value:.6g} ({'lowest' if lowest else 'highest'} of {len(values)})")
    return 0


def _delete(shell: Shell, args: Any) -> int:
    """Remove a run: its folder, and its entry and files in the tracking store. Registered models stay."""
    run = find(shell.home, args.run)
    if run.state == "running":
        raise UserError(f"run {run.name} is still running; stop it first")
    if not args.yes:
        if not sys.stdin.isatty():
            raise UserError(f"delete run {run.name}? There is nobody to ask: say --yes")
        if input(f"delete run {run.name} ({run.app}, {_mib(_weight(run.folder.rglob('*')))})? [y/N] ").strip().lower() not in ("y", "yes"):
            shell.say("kept")
            return 0
    with held(run.folder / "sending.lock") as mine:
        if not mine:
            raise FailureError(f"run {run.name} is being sent to the tracking store just now; try again when that is done")
        known = mlflow_id(run)
        if known:
            try:
                store_of(run).delete(known)
            except AwayError as error:
                raise FailureError(
                    f"the tracking store of run {run.name} is away ({error}); nothing was deleted, try again later"
                ) from error
            except RefusedError as error:
                if not error.lost:
                    raise FailureError(f"the tracking store refuses to delete run {run.name} ({error}); nothing was deleted") from error
                shell.say(f"the tracking store does not have run {run.name} any more")
        shutil.rmtree(run.folder)
    shell.say(f"run {run.name} is deleted; `discern runs gc` empties the store's dustbin")
    return 0


def _gc(shell: Shell, args: Any) -> int:
    """Remove checkpoints that no longer rank, left-over temporary files, and what was deleted in the store here."""
    freed = 0
    for run in find_runs(shell.home):
        spare = _spare_checkpoints(run)
        freed += _weight(spare)
        for path in spare:
            shell.say(f"{run.name}: {path.name}, {_mib(path.stat().st_size)}")
            if not args.dry_run:
                path.unlink()
                run.forget_artifact(path)
        if spare and not args.dry_run:
            run.flush()
            send_pending(shell.home, only=[run])
    left = _temporary(shell.home / "mlruns")
    for path in left:
        freed += _weight([path, *path.rglob("*")])
        shell.say(f"left over: {path}")
        if args.dry_run:
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    count = _empty_bin(shell, args.dry_run)
    did, place = ("would free", "in") if args.dry_run else ("freed", "gone from")
    print(f"{did} {_mib(freed)}; deleted runs {place} the store's dustbin: {count}")
    return 0


def _send(shell: Shell, args: Any) -> int:
    """Send what the tracking store does not have yet."""
    waiting = [run for run in find_runs(shell.home) if _pending(run)]
    trouble = send_pending(shell.home)
    for name, reason in trouble.items():
        shell.complain(f"run {name} is not sent: {reason}")
    shell.say(f"{max(len(waiting) - len(trouble), 0)} runs sent" if waiting else "nothing to send")
    return 1 if trouble else 0


# -- pieces ------------------------------------------------------------------------------------------------------------


def _card(app: str):
    cards = find_cards()
    if app not in cards:
        raise UserError(f"no application {app!r}{nearest(app, list(cards))} (see `discern apps`)")
    return cards[app]


def _monitor(candidates: Sequence[Run]) -> tuple[str | None, str]:
    """What the newest recipe ranks checkpoints by, and whether that falls or rises: never a test metric, which nothing may be chosen by."""
    for run in reversed(candidates):
        ranks = run.config().get("checkpoints")
        if isinstance(ranks, dict) and "monitor" in ranks:
            return ranks["monitor"], ranks.get("mode", "min")
    return None, "min"


def _pending(run: Run) -> bool:
    return sent(run)["offset"] < run.log_path.stat().st_size


def _params(run: Run) -> dict[str, str]:
    return {key: value for event in run.events() if event["kind"] == "param" for key, value in event["values"].items()}


def _keys(tables: Sequence[dict[str, Any]]) -> list[str]:
    return sorted({key for table in tables for key in table})


def _result(row: dict[str, Any]) -> str:
    return f"{row['metric']} {row['value']:.4g}" if row["metric"] else "-"


def _spare_checkpoints(run: Run) -> list[Path]:
    """Once ranked, and left behind by a process that was killed before it removed them."""
    try:
        ranked = {row["file"] for row in json.loads((run.checkpoints / RANKING).read_text("utf-8"))["ranking"]}
    except (OSError, ValueError, KeyError):
        return []  # nothing says what is spare
    return [] if run.state == "running" else [path for path in sorted(run.checkpoints.glob("best-*.ckpt")) if path.name not in ranked]


def _temporary(folder: Path) -> list[Path]:
    """Half-written files and folders of processes that were killed: `.name.xxxxxxxx` beside what they would have become."""
    old = time.time() - _FRESH_SECONDS
    hidden = sorted(path for room in ("runs", "artifacts") for path in (folder / room).rglob(".*.*"))
    whole = [path for path in hidden if not any(parent in hidden for parent in path.parents)]
    return [path for path in whole if max(part.stat().st_mtime for part in (path, *path.rglob("*"))) < old]


def _empty_bin(shell: Shell, dry_run: bool) -> int:
    """Only the store here: a server's dustbin is its keeper's."""
    if not (shell.home / "mlruns" / "mlflow.db").exists():
        return 0
    uri = address(shell.home, LOCAL)
    try:
        deleted = Store(uri, shell.home / "mlruns" / "artifacts").deleted()
    except (AwayError, RefusedError) as error:
        raise FailureError(f"the tracking store is away ({error}); try again later") from error
    if deleted and not dry_run:
        words = [sys.executable, "-m", "mlflow", "gc", "--backend-store-uri", uri, "--tracking-uri", uri, "--run-ids", ",".join(deleted)]
        done = subprocess.run(words, capture_output=True, text=True)
        if done.returncode:
            raise FailureError(f"the store's dustbin could not be emptied: {done.stderr.strip().splitlines()[-1:]}")
    return len(deleted)


def _weight(paths: Iterable[Path]) -> int:
    return sum(path.stat().st_size for path in paths if path.is_file())


def _mib(size: int) -> str:
    return f"{size / 2**20:.1f} MiB"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    lines = [list(head), *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
