"""`discern runs delete` and `gc`: what may go, here and in the tracking store."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from apps.base.errors import FailureError, UserError
from apps.base.kept import RANKING
from apps.base.shell import Shell
from apps.base.tracking.address import LOCAL, address
from apps.base.tracking.finding import find, find_runs
from apps.base.tracking.lock import held
from apps.base.tracking.replay import mlflow_id, store_of
from apps.base.tracking.run import Run
from apps.base.tracking.sender import send_pending
from apps.base.tracking.store import AwayError, RefusedError, Store
from datamodules.whole import is_draft

__all__ = ["delete", "gc"]

_FRESH_SECONDS = 3600  # a temporary file younger than this may still be written


def delete(shell: Shell, argv: list[str]) -> int:
    """Remove a run with its seeds, folds and points, here and in the tracking store. Registered models stay."""
    parser = shell.parser("runs delete", delete.__doc__)
    parser.add_argument("run", metavar="RUN", help="id or name")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    args = parser.parse_args(argv)
    run = find(shell.home, args.run)
    family = [*_children(shell.home, run), run]  # itself last: what was broken off can be asked for again
    if going := next((one for one in family if one.state == "running"), None):
        raise UserError(f"run {going.name} is still running; stop it first")
    with_them = _with_children(len(family) - 1)
    if not args.yes:
        if not sys.stdin.isatty():
            raise UserError(f"delete run {run.name}? There is nobody to ask: say --yes")
        size = _mib(sum(_weight(one.folder.rglob("*")) for one in family))
        if input(f"delete run {run.name}{with_them} ({run.app}, {size})? [y/N] ").strip().lower() not in ("y", "yes"):
            shell.say("kept")
            return 0
    for one in family:
        _remove(shell, one)
    shell.say(f"deleted run {run.name}{with_them}; `discern runs gc` empties the store's dustbin")
    return 0


def _children(home: Path, run: Run) -> list[Run]:
    """Its seeds, folds and points, theirs first. A resume with another configuration is a training of its own, and stays."""
    own = [child for child in find_runs(home, run.app) if child.parent == run.id and child.kind in ("seed", "fold", "point")]
    return [one for child in own for one in (*_children(home, child), child)]


def _with_children(count: int) -> str:
    return f" and its {count} {'child' if count == 1 else 'children'}" if count else ""


def _remove(shell: Shell, run: Run) -> None:
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


def gc(shell: Shell, argv: list[str]) -> int:
    """Remove checkpoints that no longer rank, left-over temporary files, and what was deleted in the store here."""
    parser = shell.parser("runs gc", gc.__doc__)
    parser.add_argument("--dry-run", action="store_true", help="say it, do not do it")
    args = parser.parse_args(argv)
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


# -- pieces ------------------------------------------------------------------------------------------------------------


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
    hidden = sorted(path for room in ("runs", "artifacts") for path in (folder / room).rglob(".*.*") if is_draft(path))
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
