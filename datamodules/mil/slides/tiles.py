"""The pixels of a grid's tiles, in order, read ahead by threads. What comes out is the same whatever their number.

>>> with TileReader("case.svs", grid, batch=64, workers=2) as tiles:
...     for tiles_NHWC in tiles:
...         encode(tiles_NHWC)
"""

import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Self

import cv2
import numpy as np

from datamodules.mil.slides.problems import SlideUnreadableError
from datamodules.mil.slides.slide import Slide, open_slide
from datamodules.mil.slides.tiling import TileGrid

__all__ = ["MAX_BAD", "TileReader"]

TASK = 8  # tiles a thread takes at a time: neighbours share decoded blocks
MAX_BAD = 0.01  # share of damaged tiles above which the slide is given up


class TileReader:
    """Batches of uint8 (N,px,px,3). A damaged tile is white and counted in `bad`; too many end the slide."""

    def __init__(self, path: str | Path, grid: TileGrid, batch: int = 64, workers: int = 2) -> None:
        self.path, self.grid, self.batch, self.workers = Path(path), grid, batch, workers
        self.bad: list[int] = []
        self._own = threading.local()  # a slide is opened by the thread that reads it
        self._opened: list[Slide] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        for slide in self._opened:
            slide.close()
        self._opened.clear()
        self._own = threading.local()

    def __iter__(self) -> Iterator[np.ndarray]:
        self.bad.clear()
        starts = iter(range(0, len(self.grid), self.batch))
        pool = ThreadPoolExecutor(self.workers, thread_name_prefix="tiles")

        def begun() -> Iterator[tuple[np.ndarray, list[Future[list[int]]]]]:
            for start in starts:
                count = min(self.batch, len(self.grid) - start)
                tiles = np.empty((count, self.grid.px, self.grid.px, 3), np.uint8)
                yield tiles, [pool.submit(self._task, tiles[i : i + TASK], start + i) for i in range(0, count, TASK)]

        try:
            queue = deque(islice(begun(), 2))  # two batches ahead at most, so that memory does not grow with the slide
            while queue:
                tiles, parts = queue.popleft()
                for part in parts:
                    self.bad += part.result()
                    self._check()
                queue.extend(islice(begun(), 1))
                yield tiles
        finally:
            pool.shutdown(cancel_futures=True)

    def _check(self) -> None:
        if len(self.bad) > MAX_BAD * len(self.grid):
            raise SlideUnreadableError(
                f"{self.path}: {len(self.bad)} of {len(self.grid)} tiles are damaged so far, more than {MAX_BAD:.0%}; copy the file again"
            )

    def _task(self, out: np.ndarray, start: int) -> list[int]:
        """Fill `out` with the tiles from `start` on; the numbers of damaged ones."""
        slide = getattr(self._own, "slide", None)
        if slide is None:
            slide = self._own.slide = open_slide(self.path)
            self._opened.append(slide)
        grid, bad = self.grid, []
        px, (width, height) = grid.px, grid.side
        how = cv2.INTER_AREA if min(width, height) >= px else cv2.INTER_LINEAR
        for i, (x, y) in enumerate(grid.coords[start : start + len(out)].tolist()):
            try:
                tile = slide.read(x, y, grid.level, width, height)
            except SlideUnreadableError:
                out[i] = 255
                bad.append(start + i)
                continue
            out[i] = tile if (width, height) == (px, px) else cv2.resize(tile, (px, px), interpolation=how)
        return bad
