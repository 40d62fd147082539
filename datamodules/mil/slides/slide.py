"""One way to read every kind of slide: its size, its levels, what its header says, and regions as uint8 RGB.

>>> with open_slide("case.svs") as slide:
...     pixels = slide.read(x=4096, y=2048, level=1, width=256, height=256)

Only the picture of the tissue is ever decoded: label and macro images may name a patient, and nothing here can read them.
"""

from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from datamodules.errors import DataError
from datamodules.mil.slide_name import slide_name
from datamodules.mil.slides.problems import SlideUnreadableError

__all__ = ["Slide", "open_slide"]

TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # classic and BigTIFF


class Slide:
    """What every backend offers. Opened handles do not travel: a slide that is sent to a worker is opened there anew."""

    vendor = ""

    def __init__(self, path: Path, levels: list[tuple[int, int]], properties: dict[str, str]) -> None:
        self.path = path
        self.levels = levels  # (width, height), the finest first
        self.size = levels[0]
        # a level's downsample is the mean of its width's and its height's, as OpenSlide has it
        self.downsamples = [(self.size[0] / w + self.size[1] / h) / 2 for w, h in levels]
        self.properties = properties

    @property
    def name(self) -> str:
        return slide_name(self.path)

    def read(self, x: float, y: float, level: int, width: int, height: int) -> np.ndarray:
        """uint8 (height,width,3): top-left corner in pixels of level 0, sizes in pixels of `level`. White where nothing was scanned."""
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __reduce__(self) -> tuple:
        return open_slide, (self.path,)


def open_slide(path: str | Path) -> Slide:
    """The first reader that understands the file: OME-TIFF by tifffile, then OpenSlide, any other TIFF, plain pictures."""
    path = Path(path)
    try:
        with path.open("rb") as file:
            head = file.read(4)
    except OSError as error:
        raise SlideUnreadableError(f"{path}: {error.strerror or error}") from None
    is_tiff = head in TIFF
    if is_tiff:
        from datamodules.mil.slides.tiff_slide import TiffSlide, is_ome

        if is_ome(path):  # OpenSlide would see its first level only
            return TiffSlide(path)
    from datamodules.mil.slides.openslide_slide import OpenSlideSlide, understands

    if understands(path):
        return OpenSlideSlide(path)
    if is_tiff:
        return TiffSlide(path)
    from datamodules.mil.slides.picture_slide import PictureSlide

    try:
        return PictureSlide(path)
    except DataError as error:
        raise SlideUnreadableError(f"{error} (nor is it a slide that OpenSlide knows)") from None
