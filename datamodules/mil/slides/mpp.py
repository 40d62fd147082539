"""How many micrometres a pixel of level 0 is: the first source that says so, never a guess.

The order: a CSV of the user, openslide.mpp, aperio.MPP, hamamatsu's and MIRAX' own fields, the TIFF's resolution, OME-XML,
and last the objective's power, which is marked as approximate. What lies outside 0.05 to 20 is no slide's and is passed over.
"""

import csv
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from datamodules.errors import DataError
from datamodules.mil.slides.problems import NoResolutionError
from datamodules.mil.slides.slide import Slide

__all__ = ["LARGEST", "SMALLEST", "Resolution", "find_mpp", "read_mpp_csv"]

SMALLEST, LARGEST = 0.05, 20.0
PLACEHOLDERS = (1.0, 72.0, 96.0)  # dots per inch that programs write when they know nothing
ALIKE = 0.01  # of x and y: below it tiles are square


@dataclass(frozen=True)
class Resolution:
    x: float  # um per pixel of level 0
    y: float
    source: str
    approximate: bool = False

    @property
    def warning(self) -> str:
        if self.approximate:
            return f"resolution is approximate: {self.x:g} um/px from the {self.source}"
        return "" if self.square else f"pixels are not square: {self.x:g} x {self.y:g} um"

    @property
    def square(self) -> bool:
        return abs(self.x / self.y - 1) <= ALIKE

    @property
    def mean(self) -> float:
        return (self.x + self.y) / 2


def find_mpp(slide: Slide, table: Mapping[str, tuple[float, float]] | None = None) -> Resolution:
    """`table` is `read_mpp_csv`'s: slide id or file name to (x, y)."""
    for key in (slide.path.name, slide.name):
        if table and key in table:
            return Resolution(*table[key], "csv")
    for source, approximate, x, y in _sources(slide.properties):
        if SMALLEST <= x <= LARGEST and SMALLEST <= y <= LARGEST:
            return Resolution(x, y, source, approximate)
    raise NoResolutionError(
        f"{slide.path}: nothing says its um per pixel; give --mpp-csv a table with columns slide,mpp and a row for {slide.name}"
    )


def read_mpp_csv(path: str | Path) -> dict[str, tuple[float, float]]:
    """Columns slide and mpp, or slide, mpp_x and mpp_y. The slide is an id or a file name."""
    table: dict[str, tuple[float, float]] = {}
    try:
        with Path(path).open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read ({error}); save it as CSV with columns slide,mpp") from None
    for line, row in enumerate(rows, 2):
        name = (row.get("slide") or "").strip()
        values = [_number(row.get(column)) for column in (("mpp", "mpp") if row.get("mpp") else ("mpp_x", "mpp_y"))]
        if not name:
            raise DataError(f"{path}: line {line} names no slide; the columns are slide,mpp or slide,mpp_x,mpp_y")
        if not all(SMALLEST <= value <= LARGEST for value in values):
            raise DataError(f"{path}: line {line}: mpp of {name} is not a number of {SMALLEST} to {LARGEST} um per pixel; correct it")
        pair = (values[0], values[1])
        if table.setdefault(name, pair) != pair:
            raise DataError(f"{path}: line {line} gives {name} another mpp than a line before; keep one")
    return table


def _sources(properties: Mapping[str, str]) -> Iterator[tuple[str, bool, float, float]]:
    """(name, approximate, x, y) in the order of trust; NaN and 0 fall through the range check."""

    def get(key: str) -> float:
        return _number(properties.get(key))

    def both(key: str, other: str) -> tuple[float, float]:
        x, y = get(key), get(other)
        return x, y if not math.isnan(y) else x

    yield "openslide.mpp", False, *both("openslide.mpp-x", "openslide.mpp-y")
    yield "aperio.MPP", False, *both("aperio.MPP", "aperio.MPP")
    x, y = both("hamamatsu.XResolution", "hamamatsu.YResolution")
    # ours: the field is seen as pixels per cm and as um per pixel; no slide has 500 um per pixel and none 20 pixels per cm
    yield "hamamatsu.XResolution", False, *((1e4 / x, 1e4 / y) if x >= 500 and y > 0 else (x, y))
    yield (
        "mirax",
        False,
        *both("mirax.LAYER_0_LEVEL_0_SECTION.MICROMETER_PER_PIXEL_X", "mirax.LAYER_0_LEVEL_0_SECTION.MICROMETER_PER_PIXEL_Y"),
    )
    x, y = both("tiff.XResolution", "tiff.YResolution")
    length = {"centimeter": 1e4, "inch": 25400.0}.get(properties.get("tiff.ResolutionUnit", ""), math.nan)
    if x > 0 and y > 0 and not any(math.isclose(_dpi(x, length), dots, rel_tol=1e-3) for dots in PLACEHOLDERS) and x != 1:
        yield "tiff.XResolution", False, length / x, length / y
    yield "ome.PhysicalSize", False, *both("ome.PhysicalSizeX", "ome.PhysicalSizeY")
    power = get("openslide.objective-power")
    power = get("aperio.AppMag") if math.isnan(power) else power
    if power > 0:
        yield "objective power", True, 10 / power, 10 / power


def _dpi(per_unit: float, length: float) -> float:
    return per_unit * 25400.0 / length


def _number(text: str | None) -> float:
    """A decimal comma is read as a point; anything that is no number is NaN."""
    try:
        return float((text or "nan").strip().replace(",", "."))
    except ValueError:
        return math.nan
