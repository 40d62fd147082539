"""Runs by what is known of them: their home and app, a name, an id, or the beginning of one."""

from pathlib import Path

from apps.base.errors import UserError
from apps.base.shell import nearest
from apps.base.tracking.run import Run

__all__ = ["find", "find_runs", "look_through", "newest"]


def find_runs(home: Path, app: str | None = None) -> list[Run]:
    """All runs, oldest first; folders that are no runs are passed over."""
    return look_through(home, app)[0]


def look_through(home: Path, app: str | None = None) -> tuple[list[Run], list[UserError]]:
    """All runs, oldest first, and what is wrong with the folders that cannot be read as one."""
    found, broken = [], []
    for path in sorted((Path(home) / "mlruns" / "runs").glob(f"{app or '*'}/*/run.json")):
        try:
            found.append(Run.open(path.parent))
        except UserError as error:
            broken.append(error)
    return sorted(found, key=lambda run: run.id), broken


def newest(home: Path, app: str) -> Run:
    """The app's newest training run: what `--ckpt best` and `--ckpt last` mean when no run is named."""
    runs = [run for run in find_runs(home, app) if run.kind == "fit"]
    if not runs:
        raise UserError(f"no run of {app} under {Path(home) / 'mlruns'}; `discern {app} fit` makes one, --home names another folder")
    return runs[-1]


def find(home: Path, word: str) -> Run:
    """The run of this id or name, or of a beginning that only one has."""
    runs = find_runs(home)
    for matches in (
        [run for run in runs if word == run.id],
        [run for run in runs if word == run.name],
        [run for run in runs if word and (run.id.startswith(word) or run.name.startswith(word))],
    ):
        if len(matches) == 1:
            return matches[0]
        if matches:
            raise UserError(f"{word!r} is several runs: {', '.join(f'{run.id} ({run.name})' for run in matches[-5:])}; give the id")
    words = [word for run in runs for word in (run.name, run.id)]
    raise UserError(f"no run {word!r} under {Path(home) / 'mlruns'}{nearest(word, words)} (see `discern runs list`)")
