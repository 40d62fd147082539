"""Bags of features as batches: the embedded hard bags, and sets that are one .npz file."""

import hashlib
from pathlib import Path
from typing import Any, Literal

import numpy as np

from datamodules.base import MADE, NOT_STATED
from datamodules.checks import shorten
from datamodules.errors import DataError
from datamodules.mil import synth
from datamodules.mil.bag_data import SPLITS, BagData, Scale
from datamodules.mil.bags import ArrayBags
from datamodules.mil.folds import Parts, official, split
from datamodules.mil.npz_set import read_npz_set
from datamodules.mil.table import BagTable, fingerprint
from datamodules.mil.twins import twin_note, twins

__all__ = ["HardBags", "MadeBags", "NpzBags", "SetBags"]


class MadeBags(BagData):
    """An embedded set: made by code, on the scale that models take.

    Args:
        seed: Of the order and of what training leaves to chance; which bags are made, says bags_seed.
        train: Bags to train on.
        val: Bags to validate on.
        test: Bags to test on.
        bags_seed: Which bags are made.
    """

    name: str
    scale = "none"
    protocol = "drawn apart"
    licence = MADE
    source: ArrayBags
    bags_seed: int

    def describe(self, hash_content: bool = False) -> dict[str, Any]:
        return {
            "name": self.name,
            "source": "made by datamodules.mil.synth",
            "parameters": {"bags_seed": self.bags_seed, "version": synth.VERSION},
            "counts": self.counts(),
            "protocol": self.protocol,
            "fingerprint": hashlib.sha256(self.source.x.tobytes()).hexdigest(),
        }


class HardBags(MadeBags):
    """The embedded set: see datamodules.mil.synth. Half of the test split has no easy instance in its positive bags.

    Args:
        test: Bags to test on with easy instances, and as many without.
    """

    name = "hard bags"

    def __init__(
        self, batch_size: int = 4, workers: int = 0, seed: int = 0, train: int = 200, val: int = 100, test: int = 200, bags_seed: int = 0
    ):
        super().__init__(batch_size, workers, seed)
        self.classes = list(synth.CLASSES)
        self.bags_seed = bags_seed
        made = [synth.hard_bags(n, 4 * bags_seed + i, hard_only=i == 3) for i, n in enumerate((train, val, test, test))]
        kind = np.concatenate([part.kind for part in made])
        offsets = np.concatenate([[0], np.concatenate([np.diff(part.offsets) for part in made]).cumsum()])
        self.source = ArrayBags(np.concatenate([part.x for part in made]), offsets, synth.instances_of(kind))
        hard = np.repeat([0, 0, 0, 1], [train, val, test, test]).astype(bool)
        self.known = {"label": np.concatenate([part.labels for part in made]), "hard": hard}
        self.patients = [f"made {i} of {bags_seed}/{train}/{val}/{test}" for i in range(len(self.source))]
        self.parts = Parts(*np.split(np.arange(len(self.source)), [train, train + val]))


class SetBags(BagData):
    """Bags of a set on disk, shared out to folds. A subclass gives `read_table()`.

    Args:
        seed: Of the order and of what training leaves to chance; the split does not depend on it.
        fold: Which fold is tested.
        repeat: Which of the set's repeats; of folds that are made, which drawing.
        fold_seed: Of folds that are made.
        scale: Of features, by the training bags: standard (mean 0 and deviation 1), ranks (normal scores: heavy tails go), or none.
        instance_dropout: Share of instances left out in training.
        clip: How many deviations from the mean a feature under scale=standard may be; 3 where some features have heavy tails.
        licence: A note for the data card and for exported files.
    """

    made_folds = 10

    def __init__(
        self,
        batch_size: int,
        workers: int,
        seed: int,
        protocol: str,
        fold: int,
        repeat: int,
        folds: int | None,
        fold_seed: int,
        scale: Scale,
        instance_dropout: float,
        clip: float | None,
        licence: str,
    ):
        super().__init__(batch_size, workers, seed)
        self.protocol, self.fold, self.repeat, self.folds, self.fold_seed = protocol, fold, repeat, folds, fold_seed
        self.scale, self.instance_dropout, self.clip, self.licence = scale, instance_dropout, clip, licence
        self.chosen_on = "test" if protocol == "parity" else "validation"
        self._table: BagTable | None = None
        if not 0 <= instance_dropout < 1:
            raise DataError(f"instance_dropout is a share in [0, 1), not {instance_dropout}")
        if clip is not None and not (clip > 0 and scale == "standard"):
            raise DataError(f"clip={clip} is a number of deviations above 0 of features under scale=standard; leave it out to clip nothing")
        if repeat < 0 or fold_seed < 0:
            raise DataError(f"repeat={repeat} and fold_seed={fold_seed} are 0 or more")
        if protocol == "official" and (folds is not None or repeat):
            raise DataError("protocol=official takes the set's own split; folds and repeat are of clean and parity")

    def read_table(self) -> BagTable:
        raise NotImplementedError(f"{type(self).__name__} has no read_table()")

    @property
    def table(self) -> BagTable:
        if self._table is None:
            self._table = self.read_table()
        return self._table

    def setup(self, stage: str | None = None) -> None:
        if not hasattr(self, "parts"):
            table = self.table
            self.source, self.classes, self.patients = table.bags, table.classes, table.patients
            self.known = {"label": table.labels, **table.known}
            self.parts = self._shared_out()
            self._warn()
        super().setup(stage)

    @property
    def outer_folds(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        if self.protocol == "official":
            return 1
        own = self._own_folds()
        return self.folds or (self.made_folds if own is None else int(own.max()) + 1)

    @property
    def outer_repeats(self) -> int | None:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Repeats that the set brings; None: as many as one likes."""
        own = None if self.protocol == "official" else self._own_folds()
        return 1 if self.protocol == "official" else None if own is None else len(own)

    def _own_folds(self) -> np.ndarray | None:
        return self.table.outer if self.folds is None else None

    def _shared_out(self) -> Parts:
        table, labels = self.table, self.table.labels.tolist()
        if self.protocol == "official":
            if not 0 <= self.fold < self.outer_folds:
                raise DataError(f"{table.path}: fold is from 0 to {self.outer_folds - 1} under protocol=official, not {self.fold}")
            if table.own is None:
                raise DataError(f"{table.path}: has no split of its own; protocol=clean makes folds")
            return official(labels, table.patients, table.own, self.fold_seed)
        outer = self._own_folds()
        if outer is not None:
            if self.fold_seed:
                raise DataError(f"{table.path}: brings its folds, which fold_seed does not change; give folds to have others made")
            if self.repeat >= len(outer):
                raise DataError(f"{table.path}: repeat is from 0 to {len(outer) - 1}, not {self.repeat}")
            outer = outer[self.repeat]
        seed = 0 if outer is not None else self.fold_seed * 2**20 + self.repeat  # the split does not depend on the seed of training
        return split(labels, table.patients, self.protocol, self.fold, self.outer_folds, seed, outer)

    def _warn(self) -> None:
        for note in self.table.notes:
            self.say(f"{self.table.path}: {note}")
        if self.protocol == "parity":
            self.say("protocol parity: the epoch and the threshold are chosen on the test fold, so every figure is optimistic")
        if self.protocol != "official" and self.table.own is not None:
            self.say(f"{self.table.path}: its own split is not used; protocol=official takes it")
        side = np.full(len(self.patients), -1)
        for number, part in enumerate(self.parts):
            side[part] = number
        for note in twin_note([group for group in twins(self.source) if (side[group] >= 0).all()], self.known["label"], side):
            self.say(f"{self.table.path}: {note}")
        counts = self.counts()
        if absent := [name for name in self.classes if name not in counts["train"]]:
            raise DataError(f"{self.table.path}: no bag for training of class {shorten(absent)}; it takes more bags, or fewer folds")
        for part in ("val", "test"):
            if absent := [name for name in self.classes if name not in counts[part]]:
                self.say(f"{self.table.path}: no {part} bag of class {shorten(absent)}; figures that need one are not numbers")

    def describe(self, hash_content: bool = False) -> dict[str, Any]:
        table = self.table
        return {
            "name": table.path.resolve().name,
            "source": str(table.path),
            "layout": table.layout,
            "counts": self.counts(),
            "patients": {part: len(self.patients_in(part)) for part in SPLITS},
            "protocol": self.protocol,
            "fold": [self.repeat, self.fold],
            "fold_seed": self.fold_seed,
            "encoder": table.encoder,
            "notes": len(table.notes),
            "fingerprint": fingerprint(table, hash_content),
        }


class NpzBags(SetBags):
    """A set that is one .npz file, see datamodules.mil.npz_set. Every bag is a patient of its own.

    Args:
        path: The file.
        protocol: What is tested and what validates: clean (a fold is tested, a fifth of the others validates), or parity (validation is the
            test fold, as in the published code).
        folds: How many are made; by default the file's own are taken, or ten made.
    """

    def __init__(
        self,
        path: str,
        batch_size: int = 8,
        workers: int = 0,
        seed: int = 0,
        protocol: Literal["clean", "parity"] = "clean",
        fold: int = 0,
        repeat: int = 0,
        folds: int | None = None,
        fold_seed: int = 0,
        scale: Scale = "standard",
        instance_dropout: float = 0.0,
        clip: float | None = None,
        licence: str = NOT_STATED,
    ):
        super().__init__(batch_size, workers, seed, protocol, fold, repeat, folds, fold_seed, scale, instance_dropout, clip, licence)
        self.path = path

    def read_table(self) -> BagTable:
        return read_npz_set(Path(self.path))
