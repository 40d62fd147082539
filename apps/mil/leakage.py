"""A teacher that has seen whom it will be judged on is refused."""

from pathlib import Path
from typing import Any

from apps.base.checkpoint import evaluation_weights, read_checkpoint
from apps.base.errors import UserError
from apps.mil.card import CARD
from datamodules.checks import shorten
from datamodules.mil.folds import overlap

__all__ = ["LeakageError", "NoTeacherError", "load_teacher", "refuse_seen"]


class LeakageError(UserError):
    """A checkpoint was trained on patients that are validated or tested on here."""


class NoTeacherError(UserError, FileNotFoundError):
    """There is no such checkpoint: never silently a teacher of random weights."""


def refuse_seen(facts: dict[str, Any], data: Any, splits: tuple[str, ...], what: str, remedy: str) -> None:
    """A LeakageError that lists the patients of these splits whom a checkpoint was trained on."""
    if seen := overlap(facts["patients"], data.patients_in(*splits)):
        where = " or ".join({"val": "validation", "test": "test"}[split] for split in splits)
        raise LeakageError(f"{what} was trained on patients of this {where} split: {shorten(seen)}; {remedy}")


def load_teacher(path: str, data: Any, facts: dict[str, Any]) -> dict[str, Any]:
    """The student's weights out of a checkpoint of ours, for use as the teacher of this split."""
    if not Path(path).is_file():
        raise NoTeacherError(f"teacher.checkpoint={path}: no such file; train one first, or set teacher.epochs")
    checkpoint = read_checkpoint(Path(path), CARD.name)
    ours = checkpoint["discern"]
    refuse_seen(ours["facts"], data, ("val", "test"), f"teacher.checkpoint={path}", "train a teacher on this split (teacher.epochs)")
    if different := [key for key in ("classes", "features", "mean", "std", "clip", "knots") if ours["facts"].get(key) != facts.get(key)]:
        raise UserError(f"teacher.checkpoint={path}: its {', '.join(different)} differ from this set's; train a teacher on this split")
    weights = evaluation_weights(checkpoint)
    return {name.removeprefix("student."): value for name, value in weights.items() if name.startswith("student.")}
