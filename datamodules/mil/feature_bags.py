"""Features of slides, a file each, as batches."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from datamodules.base import NOT_STATED
from datamodules.checks import shorten
from datamodules.errors import DataError
from datamodules.mil.bag_data import Scale
from datamodules.mil.clam_splits import count_splits
from datamodules.mil.datamodule import SetBags
from datamodules.mil.feature_files import FeatureFiles
from datamodules.mil.feature_set import Choice, read_feature_set
from datamodules.mil.table import BagTable, only

__all__ = ["FeatureBags"]


class FeatureBags(SetBags):
    r"""Features of slides with a table of labels: CLAM's folders, TRIDENT's, ours, or a file a slide. Read when a batch needs them.

    Args:
        path: The folder; a job of CLAM, TRIDENT or 'discern mil slides' will do where it holds one kind of features.
        labels: A CSV with slide_id,label and perhaps patient_id, split, fold, time, event; by default the one beside the features.
        patient: A pattern whose first group, at the beginning of a slide's name, is the patient; by default the table's column, and TCGA's
            names are known. What is one patient is never on two sides; TCGA-(\w\w) keeps hospitals together.
        splits: CLAM's splits_0.csv, splits_1.csv, ... or the folder with them, for protocol=official.
        classes: In this order; slides with other labels are left out. Of two the second is looked for.
        protocol: What is tested and what validates: clean (a fold is tested, a fifth of the other patients validates), official (the set's
            own split; without a validation part a tenth of its training patients validates), or parity (validation is the test fold, as
            in the published code).
        fold: Which fold is tested, or which of the splits.
        repeat: Which drawing of the folds.
        folds: How many are made; by default the label table's column fold is taken, or five made.
        fold_seed: Of folds that are made, and of the part that validates.
        truth: The folder tiles/ of a job of 'discern mil slides tile --annotations', so that test says how well annotated tiles are found.
        skip_broken: Leave out slides that cannot be read or are not finite, with a count, instead of refusing the set; reads all once.
    """

    made_folds = 5
    preload = ("datamodules.mil.bags", "datamodules.mil.feature_files")

    def __init__(
        self,
        path: str,
        batch_size: int = 1,
        workers: int = 0,
        seed: int = 0,
        labels: str | None = None,
        patient: str | None = None,
        splits: str | None = None,
        classes: list[str] | None = None,
        protocol: Literal["clean", "official", "parity"] = "clean",
        fold: int = 0,
        repeat: int = 0,
        folds: int | None = None,
        fold_seed: int = 0,
        scale: Scale = "standard",
        instance_dropout: float = 0.0,
        clip: float | None = None,
        truth: str | None = None,
        skip_broken: bool = False,
        licence: str = NOT_STATED,
    ):
        super().__init__(batch_size, workers, seed, protocol, fold, repeat, folds, fold_seed, scale, instance_dropout, clip, licence)
        self.path, self.truth, self.skip_broken = path, truth, skip_broken
        self.choice = Choice(labels, patient, splits, tuple(classes or ()), protocol, fold)
        if splits is not None and protocol != "official":
            raise DataError(
                f"splits={splits} is no split for protocol={protocol}, which makes its own; set protocol=official, or leave splits out"
            )

    @property
    def outer_folds(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        return count_splits(Path(self.choice.splits)) if self.choice.splits is not None else super().outer_folds

    @property
    def encoder(self) -> dict[str, Any]:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.table.encoder

    @property
    def columns(self) -> dict[str, list[str]]:
        """The label table's other columns, a text a slide."""
        return self.table.columns

    def read_table(self) -> BagTable:
        table = read_feature_set(self.path, self.choice)
        if table.problems:
            raise DataError(f"{table.problems[0]}{self._more(len(table.problems))}")
        if table.broken and not self.skip_broken:
            first = table.broken[0]
            raise type(first)(f"{first}{self._more(len(table.broken))}, or set skip_broken to leave such slides out")
        if self.skip_broken:
            table = self._readable(table)
        if len(table.classes) < 2:
            raise DataError(
                f"{self.path}: {len(table.classes)} classes; classification needs two: label slides of another, or name it in data.classes"
            )
        return table if self.truth is None else self._annotated(table, Path(self.truth))

    def _readable(self, table: BagTable) -> BagTable:
        broken = list(table.broken)
        good = []
        for index in range(len(table.bags)):
            try:
                table.bags.read(index)
                good.append(index)
            except DataError as error:
                broken.append(error)
        if broken:
            self.say(f"{self.path}: {len(broken)} broken slides are left out, the first: {broken[0]}")
        return only(table, np.array(good, np.int64))

    def _annotated(self, table: BagTable, folder: Path) -> BagTable:
        files = table.bags
        assert isinstance(files, FeatureFiles)
        if gone := [name for name in files.names if not (folder / f"{name}.safetensors").is_file()]:
            raise DataError(f"truth={folder}: there are no tiles of {shorten(gone)}; 'discern mil slides tile' writes JOB/tiles")
        return replace(table, bags=replace(files, tiles=folder))

    def _more(self, count: int) -> str:
        return f" (and {count - 1} more; 'discern data check {self.path}' lists all)" if count > 1 else ""
