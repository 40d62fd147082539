"""Readings as a folder that can be looked through, corrected and trained on: a picture a word, labels.tsv, and all.csv."""

import re
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import cv2
import numpy as np

from apps.base.errors import UserError
from apps.otsnet.reading import Asks, Reading
from apps.otsnet.rows import Rows
from datamodules.whole import write_bytes, write_whole

__all__ = ["WordFolder"]


class WordFolder:
    """A context: the lists are there whole when it is left, and not at all when it is left by an error."""

    def __init__(self, folder: Path, asks: Asks) -> None:
        if (folder / "labels.tsv").exists():
            raise UserError(f"--folder {folder}: has labels.tsv already, maybe corrected; name another folder")
        self.folder, self.asks, self.count = folder, asks, 0
        self._stack = ExitStack()

    def __enter__(self) -> "WordFolder":
        self._stack.__enter__()
        self.labels: IO[str] = self._stack.enter_context(write_whole(self.folder / "labels.tsv", "w"))
        self.labels.write("file\tlabel\n")
        self.rows = Rows(self._stack.enter_context(write_whole(self.folder / "all.csv", "w")), "csv", self.asks)
        self.rows.begin()
        return self

    def __exit__(self, *error: Any) -> bool | None:
        return self._stack.__exit__(*error)

    def add(self, reading: Reading) -> None:
        assert reading.picture is not None
        self.count += 1
        stem = re.sub(r"[^\w.-]+", "_", Path(reading.path).stem)[:60]
        name = f"{self.count:06d}_{stem}.png"
        upright = np.rot90(reading.picture, -reading.turned // 90)
        write_bytes(self.folder / name, cv2.imencode(".png", np.ascontiguousarray(upright[:, :, ::-1]))[1].tobytes())
        label = reading.nearest.word if reading.nearest is not None and reading.nearest.distance == 0 else reading.text
        self.labels.write(f"{name}\t{label}\n")
        self.rows.add(reading)
