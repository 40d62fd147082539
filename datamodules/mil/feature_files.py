"""Bags that lie in a file each: read when they are asked for, one at a time, by whoever asks. Imported by workers: no Lightning here.

No file stays open, so that none is shared between processes, and what is in memory is the batches that are being made.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from datamodules.errors import DataError
from datamodules.mil.reader import read_bag, read_coords
from datamodules.mil.slides import native

__all__ = ["FeatureFiles"]


@dataclass
class FeatureFiles:
    names: list[str]
    paths: list[Path]
    width: int
    tiles: Path | None = None  # the folder with each slide's tiles and their truth

    def __len__(self) -> int:
        return len(self.paths)

    def read(self, index: int) -> np.ndarray:
        return read_bag(self.paths[index], self.width)

    def name(self, index: int) -> str:
        return self.names[index]

    def along(self, index: int) -> dict[str, np.ndarray]:
        """truth: the annotated share of each tile."""
        if self.tiles is None:
            return {}
        path = self.tiles / f"{self.names[index]}.safetensors"
        truth = native.read_truth(path)
        if truth is None:
            raise DataError(f"{path}: tells no truth of its tiles; run 'discern mil slides tile' with --annotations")
        coords, own = native.read_coords(path, "tiles"), read_coords(self.paths[index])
        if coords is None or own is None or not np.array_equal(coords, own):
            raise DataError(f"{path}: its tiles are not those of {self.paths[index]}; take the job that the features are of")
        return {"truth": truth}
