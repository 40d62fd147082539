"""Bags that lie in a file each: read when they are asked for, one at a time, by whoever asks. Imported by workers: no Lightning here.

No file stays open, so that none is shared between processes, and what is in memory is the batches that are being made.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from datamodules.mil.reader import read_bag

__all__ = ["FeatureFiles"]


class FeatureFiles:
    def __init__(self, names: Sequence[str], paths: Sequence[Path], width: int):
        self.names, self.paths, self.width = list(names), list(paths), width

    def __len__(self) -> int:
        return len(self.paths)

    def read(self, index: int) -> np.ndarray:
        return read_bag(self.paths[index], self.width)

    def name(self, index: int) -> str:
        return self.names[index]
