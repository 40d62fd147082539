"""Features and labels put together: which slides take part, as whom, and what was wrong."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from datamodules.checks import shorten
from datamodules.errors import DataError
from datamodules.mil import camelyon
from datamodules.mil.clam_splits import read_split
from datamodules.mil.encoding import compared
from datamodules.mil.errors import FeatureMismatchError
from datamodules.mil.feature_files import FeatureFiles
from datamodules.mil.feature_folder import FeatureFolder, find_features
from datamodules.mil.label_join import Choice, Known, classes_of, join, label_table, unlabelled
from datamodules.mil.label_table import SPLIT_NAMES, LabelTable
from datamodules.mil.reader import Header, read_header
from datamodules.mil.table import BagTable

__all__ = ["Choice", "read_feature_set"]


def read_feature_set(path: str | Path, choice: Choice | None = None) -> BagTable:
    """Headers are read, features are not."""
    choice = choice or Choice()
    folder = find_features(Path(path))
    notes, problems = list(folder.notes), []
    headers, broken, empty = _headers(folder)
    if empty:
        notes.append(f"{len(empty)} slides without instances are left out: {shorten(empty)}")
    table = label_table(folder, Path(path), choice, list(headers))
    problems += table.problems if table else []
    known = join(list(headers), table, choice, notes, problems)
    if not known.slides:
        raise broken[0] if broken and not headers else DataError(f"{path}: {unlabelled(folder, table)}")
    width = Counter(headers[slide].width for slide in known.slides).most_common(1)[0][0]
    others = [slide for slide in known.slides if headers[slide].width != width]
    broken += [
        FeatureMismatchError(f"{folder.files[slide]}: {headers[slide].width} features, most have {width}; encode it with the same encoder")
        for slide in others
    ]
    known = _without(known, set(others))
    encoder = _encoder({slide: headers[slide].encoder for slide in known.slides}, problems)
    classes = classes_of(known, choice, notes)
    known = _without(known, {slide for slide, row in zip(known.slides, known.rows, strict=True) if row.label not in classes})
    numbers = _numbers(known, table, problems)
    files = [folder.files[slide] for slide in known.slides]
    return BagTable(
        layout=folder.layout,
        path=Path(path),
        bags=FeatureFiles(known.slides, files, width),
        classes=classes,
        labels=np.array([classes.index(row.label) for row in known.rows], np.int64),
        patients=known.patients,
        outer=_outer(known, table, problems),
        own=_own_split(known, table, choice, notes, problems),
        known=numbers,
        columns={name: [row.more[name] for row in known.rows] for name in (table.columns if table else [])},
        encoder=encoder,
        broken=broken,
        files=[*files, *([table.path] if table else [])],
        problems=problems,
        notes=notes,
    )


# --- files -----------------------------------------------------------------------------------------------------------


def _headers(folder: FeatureFolder) -> tuple[dict[str, Header], list[DataError], list[str]]:
    headers, broken, empty = {}, [], []
    for slide, path in folder.files.items():
        try:
            header = read_header(path)
        except DataError as error:
            broken.append(error)
            continue
        if header.instances:
            headers[slide] = header
        else:
            empty.append(slide)
    return headers, broken, empty


def _encoder(said: Mapping[str, dict[str, Any]], problems: list[str]) -> dict[str, Any]:
    """What all files say; files that say nothing do not disagree."""
    found: dict[str, Any] = {}
    for slide, about in said.items():
        if wrong := compared(found, about)[1]:
            others = f"those before it, such as {next(iter(said))}"
            problems.append(f"{slide} was encoded otherwise than {others} ({'; '.join(wrong)}); encode all slides alike")
            return {}
        found = about | found
    return found


def _without(known: Known, out: set[str]) -> Known:
    rows = [i for i, slide in enumerate(known.slides) if slide not in out]
    return Known([known.slides[i] for i in rows], [known.rows[i] for i in rows], [known.patients[i] for i in rows])


# --- further columns -------------------------------------------------------------------------------------------------


def _numbers(known: Known, table: LabelTable | None, problems: list[str]) -> dict[str, np.ndarray]:
    """time and event, where the table has both."""
    if table is None or not {"time", "event"} <= set(table.columns):
        return {}
    time = [_number(row.more["time"]) for row in known.rows]
    event = [{"true": 1.0, "false": 0.0}.get(row.more["event"].lower(), _number(row.more["event"])) for row in known.rows]
    problems += [
        f"{table.path}:{row.line}: time {row.more['time']!r} and event {row.more['event']!r}; make time positive and event 0 or 1"
        for row, t, e in zip(known.rows, time, event, strict=True)
        if not (0 < t < np.inf and e in (0.0, 1.0))
    ]
    return {"time": np.array(time, np.float32), "event": np.nan_to_num(np.array(event)).astype(np.int64)}


def _outer(known: Known, table: LabelTable | None, problems: list[str]) -> np.ndarray | None:
    if table is None or "fold" not in table.columns:
        return None
    folds = [row.more["fold"] for row in known.rows]
    if bad := [row for row, fold in zip(known.rows, folds, strict=True) if not (fold.isascii() and fold.isdigit())]:
        problems.append(
            f"{table.path}:{bad[0].line}: fold {bad[0].more['fold']!r} is no whole number ({len(bad)} such rows); number the folds"
        )
        return None
    return np.unique(np.array(folds, np.int64), return_inverse=True)[1][None]  # numbered from 0 without holes


def _own_split(known: Known, table: LabelTable | None, choice: Choice, notes: list[str], problems: list[str]) -> list[str] | None:
    """train, val or test of each slide; "" takes no part."""
    if choice.splits is not None:
        named = read_split(Path(choice.splits), choice.fold)
        there = set(known.slides)
        if gone := [slide for slide in named if slide not in there]:
            notes.append(f"{len(gone)} of {len(named)} slides of the split have no features or no label: {shorten(sorted(gone))}")
        return [named.get(slide, "") for slide in known.slides]
    if table is not None and "split" in table.columns:
        own = [SPLIT_NAMES.get(row.more["split"].lower(), "?" if row.more["split"] else "") for row in known.rows]
        problems += [
            f"{table.path}:{row.line}: split {row.more['split']!r} is not train, val or test; rename it, or leave the cell empty"
            for row, split in zip(known.rows, own, strict=True)
            if split == "?"
        ]
        if any(own):
            return ["" if split == "?" else split for split in own]
    if camelyon.is_camelyon16(known.slides):
        return [camelyon.split_of(slide) for slide in known.slides]
    return None


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return float("nan")
