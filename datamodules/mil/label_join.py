"""Which slides take part, with which label, and as whom: features on one side, a label table on the other."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from datamodules.checks import shorten
from datamodules.errors import DataError
from datamodules.mil import camelyon
from datamodules.mil.feature_folder import FeatureFolder
from datamodules.mil.folds import patients_of
from datamodules.mil.label_table import LabelRow, LabelTable, by_name, is_labels, read_labels

__all__ = ["Choice", "Known", "classes_of", "join", "label_table", "unlabelled"]


@dataclass(frozen=True)
class Choice:
    """What a person says of a set. See datamodules.mil.feature_bags.FeatureBags for the meaning of each."""

    labels: str | None = None
    patient: str | None = None
    splits: str | None = None
    classes: tuple[str, ...] = ()
    protocol: str = "clean"
    fold: int = 0


@dataclass
class Known:
    """What is known of the slides that have features, row after row."""

    slides: list[str] = field(default_factory=list)
    rows: list[LabelRow] = field(default_factory=list)
    patients: list[str] = field(default_factory=list)


def label_table(folder: FeatureFolder, path: Path, choice: Choice, slides: Sequence[str]) -> LabelTable | None:
    """The one that is named, or the only one near the features that tells of them."""
    if choice.labels is not None:
        return read_labels(Path(choice.labels))
    names = {*slides, *patients_of(slides, choice.patient)}
    below = folder.root.resolve()
    for place in dict.fromkeys([path.resolve(), below, *below.parents[:2]]):
        found = [table for file in sorted(place.glob("*.csv")) if is_labels(file) and (table := read_labels(file)) and _tells(table, names)]
        if len(found) > 1:
            raise DataError(f"{path}: {len(found)} label tables ({shorten([t.path.name for t in found])}); name one with data.labels")
        if found:
            return found[0]
    return None


def _tells(table: LabelTable, names: set[str]) -> bool:
    return any(row.label and (row.slide in names or row.patient in names) for row in table.rows)


def unlabelled(folder: FeatureFolder, table: LabelTable | None) -> str:
    slide = next(iter(folder.files), "none")
    if table is None:
        return f"no label table beside the {len(folder.files)} slides; put a CSV with slide_id,label there, or name one with data.labels"
    row = next((f"{row.slide or row.patient}" for row in table.rows), "no row")
    return f"{table.path} labels none of the {len(folder.files)} slides; it has {row!r}, the features have {slide!r}"


def join(slides: list[str], table: LabelTable | None, choice: Choice, notes: list[str], problems: list[str]) -> Known:
    """The slides with a label, under the name of their patient."""
    camelyon16 = camelyon.is_camelyon16(slides)
    if table is None and not camelyon16:
        return Known()
    by_name = patients_of(slides, choice.patient)
    rows = _by_slide(slides, by_name, table, notes, problems) if table else {}
    if camelyon16:
        rows = _named(slides, rows, table)
        out = camelyon.left_out(slides, choice.protocol)
        rows = {slide: row for slide, row in rows.items() if slide not in out}
        notes += [f"left out: {why}" for why in out.values()]
    found = Known()
    for slide, name in zip(slides, by_name, strict=True):
        row = rows.get(slide)
        if row is not None and row.label:
            found.slides.append(slide)
            found.rows.append(row)
            found.patients.append((row.patient if choice.patient is None else "") or name)
    labelled = set(found.slides)
    without = [slide for slide in slides if slide not in labelled]
    if without and found.slides:
        notes.append(f"{len(without)} slides have features and take no part, having no label: {shorten(without)}")
    return found


def _by_slide(slides: list[str], patients: list[str], table: LabelTable, notes: list[str], problems: list[str]) -> dict[str, LabelRow]:
    own = {row.slide for row in table.rows if row.slide} & set(slides)
    people = set(patients)
    of_patients = not own and any((row.patient or row.slide) in people for row in table.rows)
    rows, twice = by_name(table, of_patients)
    problems += twice
    there = people if of_patients else set(slides)
    if gone := [name for name in rows if name not in there]:
        what = "patients" if of_patients else "slides"
        notes.append(f"{len(gone)} of {len(rows)} labelled {what} have no features: {shorten(sorted(gone))}")
    if not of_patients:
        return {slide: row for slide, row in rows.items() if slide in there}
    return {
        slide: rows[patient]._replace(slide=slide, patient=patient)
        for slide, patient in zip(slides, patients, strict=True)
        if patient in rows
    }


def _named(slides: list[str], rows: dict[str, LabelRow], table: LabelTable | None) -> dict[str, LabelRow]:
    """CAMELYON-16's training slides are named after their label; a table that labels test slides alone is completed from them."""
    blank = dict.fromkeys(table.columns if table else [], "")
    if rows and not {row.label.casefold() for row in rows.values()} <= {"normal", "tumor"}:
        return rows  # labels of another kind, as 0 and 1
    rows = {slide: row._replace(label=row.label.casefold()) for slide, row in rows.items()}
    named = {slide: LabelRow(0, slide, "", camelyon.label_of(slide), blank) for slide in slides}
    return named | rows


def classes_of(known: Known, choice: Choice, notes: list[str]) -> list[str]:
    labels = Counter(row.label for row in known.rows)
    if not choice.classes:
        numeric = all(label.isascii() and label.isdigit() for label in labels)
        return sorted(labels, key=int) if numeric else sorted(labels)
    if absent := [name for name in choice.classes if name not in labels]:
        raise DataError(f"classes: no slide is labelled {shorten(absent)}; there are {shorten(sorted(labels))}")
    if others := {label: count for label, count in labels.items() if label not in choice.classes}:
        notes.append(f"{sum(others.values())} slides of other classes are left out: {shorten(sorted(others))}")
    return list(choice.classes)
