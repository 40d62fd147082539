"""Layouts of words in pictures, read as they are distributed. `detect(path)` says which one lies there."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

from datamodules.checks import Report
from datamodules.kinds import kind_of, recognised
from datamodules.otsnet.annotated_layout import is_annotated, read_annotated
from datamodules.otsnet.checking import report
from datamodules.otsnet.csv_layout import is_csv, read_csv
from datamodules.otsnet.doctr_layout import is_doctr, read_doctr
from datamodules.otsnet.hf_layout import is_hf, read_hf
from datamodules.otsnet.icdar_detection_layout import is_icdar_detection, read_icdar_detection
from datamodules.otsnet.icdar_words_layout import is_icdar_words, read_icdar_words
from datamodules.otsnet.iiit5k_layout import is_iiit5k, read_iiit5k
from datamodules.otsnet.joining import join
from datamodules.otsnet.lmdb_layout import is_lmdb, read_lmdb
from datamodules.otsnet.mjsynth_layout import is_mjsynth, read_mjsynth
from datamodules.otsnet.mmocr_layout import is_mmocr, read_mmocr
from datamodules.otsnet.paddle_layout import is_paddle, read_paddle
from datamodules.otsnet.svt_layout import is_svt, read_svt
from datamodules.otsnet.synthtext_layout import is_synthtext, read_synthtext
from datamodules.otsnet.table import Table, split_of, with_splits
from datamodules.otsnet.tsv_layout import is_tsv, read_tsv

__all__ = ["KNOWN", "Layout", "Named", "detect", "find", "read"]

Named = Literal[
    "auto", "lmdb", "iiit5k", "svt", "synthtext", "mjsynth", "annotated", "doctr", "hf", "mmocr",
    "icdar-detection", "icdar-words", "tsv", "paddle", "csv", "tree",
]  # fmt: skip
DEEPEST = 4  # folders below the root in which a tree looks


@dataclass(frozen=True)
class Kind:
    name: str
    looks_for: str
    matches: Callable[[Path], bool]
    read: Callable[[Path], Table]


# What is least mistaken comes first.
SINGLE = (
    Kind("lmdb", "LMDB (data.mdb)", is_lmdb, read_lmdb),
    Kind("iiit5k", "IIIT5K (traindata.mat, train/)", is_iiit5k, read_iiit5k),
    Kind("svt", "SVT (train.xml, img/)", is_svt, read_svt),
    Kind("synthtext", "SynthText (gt.mat)", is_synthtext, read_synthtext),
    Kind("mjsynth", "MJSynth (annotation_train.txt)", is_mjsynth, read_mjsynth),
    Kind("annotated", "<set>/IMG/1.jpg with <set>/label/1.txt", is_annotated, read_annotated),
    Kind("doctr", "docTR (labels.json, images/)", is_doctr, read_doctr),
    Kind("hf", "Hugging Face (metadata.jsonl)", is_hf, read_hf),
    Kind("mmocr", "MMOCR (*_label.txt, or a JSON with data_list)", is_mmocr, read_mmocr),
    Kind("icdar-detection", "ICDAR photographs (gt_img_1.txt)", is_icdar_detection, read_icdar_detection),
    Kind("icdar-words", 'ICDAR words (gt.txt with word_1.png, "text")', is_icdar_words, read_icdar_words),
    Kind("tsv", "a TSV of file and label, pictures beside it or in a zip or tar", is_tsv, read_tsv),
    Kind("paddle", "PaddleOCR (.txt of path, tab, label)", is_paddle, read_paddle),
    Kind("csv", "a CSV with the columns file,label (split, set)", is_csv, read_csv),
)


def _tree_folders(path: Path) -> list[tuple[Path, Kind]]:
    """The sets below a folder; inside a set none is looked for."""
    found: list[tuple[Path, Kind]] = []
    for place, folders, _ in os.walk(path):
        here = Path(place)
        if here == path:
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            continue
        kind = next((kind for kind in SINGLE if kind.matches(here)), None)
        if kind is not None:
            found.append((here, kind))
        deep = len(here.relative_to(path).parts) >= DEEPEST
        folders[:] = [] if kind is not None or deep else sorted(name for name in folders if not name.startswith("."))
    return found


def _is_tree(path: Path) -> bool:
    return path.is_dir() and bool(_tree_folders(path))


def _read_tree(path: Path, labels: bool = True) -> Table:
    """Sets are called by their places; a split that a set does not say itself, the folders above it may."""
    tables = {}
    for place, kind in _tree_folders(path):
        name = place.relative_to(path).as_posix()
        table = _read_kind(kind, place, labels)
        parts = list(reversed(Path(name).parts))
        called = "/".join(part for part in Path(name).parts if split_of(part) != part.lower()) or name
        records = [
            record._replace(split=record.split or split_of(*parts), set=called if record.set == parts[0] else f"{called}/{record.set}")
            for record in table.records
        ]
        tables[name] = replace(table, records=records)
    return join("tree", path, tables)


TREE = Kind("tree", "folders of such sets", _is_tree, _read_tree)
KNOWN = (*SINGLE, TREE)


def _read_kind(kind: Kind, path: Path, labels: bool) -> Table:
    """Only a database says how many words it has without saying what they read."""
    readers = {"lmdb": partial(read_lmdb, labels=labels), "tree": partial(_read_tree, labels=labels)}
    return readers.get(kind.name, kind.read)(path)


@dataclass(frozen=True)
class Layout:
    """A recognised source: `read()` is its table, `check()` the report of `discern data check`."""

    kind: Kind
    path: Path

    @property
    def name(self) -> str:
        return self.kind.name

    def as_it_is(self, labels: bool = True) -> Table:
        """With the splits that the source says, and none where it says none."""
        return _read_kind(self.kind, self.path, labels)

    def read(self, labels: bool = True) -> Table:
        """labels: False reads the pictures of databases without labels, too"""
        return with_splits(self.as_it_is(labels))

    def check(self, *, near: bool = False) -> Report:
        return report(self.read(), near=near)


def detect(path: str | Path) -> Layout:
    """The layout of what lies at `path`; a DataError listing what was looked for when none fits."""
    return Layout(recognised(Path(path), KNOWN), Path(path))


def read(path: str | Path, layout: Named = "auto", *, labels: bool = True) -> Table:
    """The table of words at `path`, in a named layout or whichever is recognised."""
    return find(path, layout).read(labels)


def find(path: str | Path, layout: Named = "auto") -> Layout:
    """What lies at `path`, in a named layout or whichever is recognised."""
    return Layout(kind_of(Path(path), layout, KNOWN), Path(path))
