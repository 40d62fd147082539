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
from datamodules.mil.slides.reader import Slide, open_slide
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
        waiting: list[np.ndarray] = []
        count = 0
        for piece in self._pieces():
            waiting.append(piece)
            count += len(piece)
            if count >= self.batch:
                whole = np.concatenate(waiting)
                for start in range(0, count - self.batch + 1, self.batch):
                    yield whole[start : start + self.batch]
                rest = count % self.batch
                waiting, count = ([whole[-rest:]] if rest else []), rest
        if count:
            yield np.concatenate(waiting)

    def _pieces(self) -> Iterator[np.ndarray]:
        starts = iter(range(0, len(self.grid), TASK))
        pool = ThreadPoolExecutor(self.workers, thread_name_prefix="tiles")
        # ahead of the reader by two batches at most, so that memory does not grow with the slide
        queue: deque[Future] = deque(pool.submit(self._task, start) for start in islice(starts, max(2 * self.batch // TASK, self.workers)))
        try:
            while queue:
                tiles, bad = queue.popleft().result()
                self.bad += bad
                if len(self.bad) > MAX_BAD * len(self.grid):
                    raise SlideUnreadableError(
                        f"{self.path}: {len(self.bad)} of {len(self.grid)} tiles are damaged so far, "
                        f"more than {MAX_BAD:.0%}; copy the file again"
                    )
                for start in islice(starts, 1):
                    queue.append(pool.submit(self._task, start))
                yield tiles
        finally:
            pool.shutdown(cancel_futures=True)

    def _task(self, start: int) -> tuple[np.ndarray, list[int]]:
        slide = getattr(self._own, "slide", None)
        if slide is None:
            slide = self._own.slide = open_slide(self.path)
            self._opened.append(slide)
        grid, bad = self.grid, []
        px, (width, height) = grid.px, grid.side
        how = cv2.INTER_AREA if min(width, height) >= px else cv2.INTER_LINEAR
        tiles = np.empty((min(TASK, len(grid) - start), px, px, 3), np.uint8)
        for i, (x, y) in enumerate(grid.coords[start : start + TASK].tolist()):
            try:
                tile = slide.read(x, y, grid.level, width, height)
            except SlideUnreadableError:
                tiles[i] = 255
                bad.append(start + i)
                continue
            tiles[i] = tile if (width, height) == (px, px) else cv2.resize(tile, (px, px), interpolation=how)
        return tiles, bad
