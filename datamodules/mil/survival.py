"""Bags with a time instead of a class: the embedded set, and sets that are one .npz file with `time` and `event`."""

from pathlib import Path

import numpy as np

from datamodules.errors import DataError
from datamodules.mil import synth
from datamodules.mil.bags import ArrayBags
from datamodules.mil.checking import checked_labels
from datamodules.mil.datamodule import MadeBags, NpzBags
from datamodules.mil.folds import Parts
from datamodules.mil.npz_set import read_arrays
from datamodules.mil.table import BagTable

__all__ = ["NpzSurvival", "SurvivalBags", "checked_times"]

CLASSES = ("censored", "event")


def checked_times(time: np.ndarray, name: str) -> np.ndarray:
    """float64 (B,)."""
    time = np.asarray(time)
    if time.dtype.kind not in "iuf" or not np.isfinite(time).all() or (time <= 0).any():
        wrong = 0 if time.dtype.kind not in "iuf" else int((~(np.isfinite(time) & (time > 0))).argmax())
        raise DataError(f"{name}: time {time[wrong]} of bag {wrong}; times are finite numbers above 0: correct it or leave the bag out")
    return time.astype(np.float64)


class SurvivalBags(MadeBags):
    """The embedded set: see datamodules.mil.synth.survival_bags."""

    name = "survival bags"

    def __init__(
        self, batch_size: int = 16, workers: int = 0, seed: int = 0, train: int = 200, val: int = 100, test: int = 200, bags_seed: int = 0
    ):
        super().__init__(batch_size, workers, seed)
        self.bags_seed = bags_seed
        self.classes = list(CLASSES)
        made = synth.survival_bags(train + val + test, bags_seed)
        self.source = ArrayBags(made.x, made.offsets, synth.instances_of(made.kind))
        self.known = {"label": made.event, "time": made.time}
        self.patients = [f"timed {i} of {bags_seed}/{train}/{val}/{test}" for i in range(len(self.source))]
        self.parts = Parts(*np.split(np.arange(len(self.source)), [train, train + val]))


class NpzSurvival(NpzBags):
    """As NpzBags, with `time` (B,) and `event` (B,) instead of `y`: event is 1, or 0 where the bag was lost from sight at its time.
    Folds are stratified by event."""

    def read_table(self) -> BagTable:
        path = Path(self.path)
        arrays = read_arrays(path, ("time", "event"))
        labels = checked_labels(arrays.known["event"], 2, f"{path}: event")
        return arrays.table(path, list(CLASSES), labels, time=checked_times(arrays.known["time"], self.path))
