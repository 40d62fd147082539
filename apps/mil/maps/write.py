"""All that is written about one slide's tiles: table, GeoJSON, maps, the tiles that count most, and the page that zooms."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from apps.base.errors import UserError
from apps.mil.draw import map_figure, top_sheet
from apps.mil.maps.heat import Score, coloured, encode_png, heat, percentile
from apps.mil.maps.zoom_page import write_zoom_page
from datamodules.mil.slides.contours import Region, rasterise
from datamodules.mil.slides.located import Located
from datamodules.mil.slides.mpp import Resolution
from datamodules.mil.slides.problems import SlideUnreadableError
from datamodules.mil.slides.pyramid import plan_pyramid, write_pyramid
from datamodules.mil.slides.scaled import read_scaled
from datamodules.mil.slides.slide import Slide
from datamodules.mil.slides.tile_scores import write_tile_geojson, write_tile_table
from datamodules.whole import write_bytes

__all__ = ["Background", "Maps", "write_maps"]

LAYER = 1600  # pixels along the longer side of a map
TOP, TOP_SIDE = 12, 224


@dataclass
class Background:
    """What the maps lie on."""

    slide: Slide
    mpp: Resolution | None
    regions: Sequence[Region]  # tissue; none: maps are not clipped
    source: Any  # tells the slide's content


@dataclass
class Maps:
    files: dict[str, str]  # what -> name within the folder
    top: list[int]  # numbers of the tiles that count most
    bad: int = 0  # damaged tiles of the page

    @property
    def warnings(self) -> list[str]:
        return [f"{self.bad} tiles of {self.files['page']} could not be read from the slide and are white"] if self.bad else []


def write_maps(
    folder: Path,
    located: Located,
    scores: Sequence[Score],
    title: str,
    background: Background | None,
    finest: float | None,
    readers: int = 2,
) -> Maps:
    """`finest`: um per pixel of the page that zooms; None writes none."""
    folder.mkdir(parents=True, exist_ok=True)
    order = np.argsort(-scores[0].values, kind="stable")[:TOP].tolist()
    made = Maps({"table": "tiles.csv", "geojson": "tiles.geojson", "map": "map.png"}, order)
    columns = _columns(scores)
    write_tile_table(folder / "tiles.csv", located.coords, located.side0, columns)
    write_tile_geojson(folder / "tiles.geojson", located.coords, located.side0, columns)
    size = located.size if background is None else background.slide.size
    reach = (located.coords + located.side0).max(0)
    if (reach > np.array(size) + 1).any() or (located.coords < 0).any():
        raise UserError(
            f"{located.name}: tiles reach to {reach[0]}, {reach[1]}, the slide is {size[0]} x {size[1]}; name the slide of these features"
        )
    layers = _layers(located, scores, size, background)
    rgb = None if background is None else _picture(background.slide, _shape(size))
    write_bytes(folder / "map.png", map_figure(rgb, list(zip(scores, layers, strict=True)), title, _um(size, background)))
    if background is None:
        return made
    for score, layer in zip(scores, layers, strict=True):
        made.files[f"layer_{score.name}"] = f"layer_{score.name}.png"
        write_bytes(folder / f"layer_{score.name}.png", encode_png(coloured(layer, score.limits)))
    made.files["top"] = "top.png"
    tiles = [_tile(background.slide, located, number) for number in order]
    write_bytes(folder / "top.png", top_sheet(tiles, order, scores, f"{title}; the highest {scores[0].name} first"))
    if finest is not None:
        mpp = background.mpp
        plan = plan_pyramid(size, mpp.mean if mpp else 1.0, finest if mpp else 1.0)
        made.bad = write_pyramid(background.slide, plan, folder / "pyramid", background.source, readers)
        made.files["page"] = "zoom.html"
        write_zoom_page(folder / "zoom.html", title, plan, mpp, located, scores, order)
    return made


def _columns(scores: Sequence[Score]) -> dict[str, np.ndarray]:
    columns: dict[str, np.ndarray] = {}
    for score in scores:
        columns[score.name] = score.values
        columns[f"{score.name} percentile"] = percentile(score.values)
    return columns


def _shape(size: tuple[int, int]) -> tuple[int, int]:
    """(height,width) of a picture of the slide; small slides are not enlarged."""
    factor = max(1.0, max(size) / LAYER)
    return max(1, round(size[1] / factor)), max(1, round(size[0] / factor))


def _um(size: tuple[int, int], background: Background | None) -> float | None:
    """Per pixel of such a picture, where it is known."""
    return None if background is None or background.mpp is None else background.mpp.x * size[0] / _shape(size)[1]


def _layers(located: Located, scores: Sequence[Score], size: tuple[int, int], background: Background | None) -> list[np.ndarray]:
    shape = _shape(size)
    tissue = rasterise(background.regions, size, shape) if background and background.regions else None
    return [heat(score.shown, located.coords, located.side0, size, shape, tissue) for score in scores]


def _picture(slide: Slide, shape: tuple[int, int]) -> np.ndarray:
    return read_scaled(slide, (0, 0, *slide.size), (shape[1], shape[0]))


def _tile(slide: Slide, located: Located, number: int) -> np.ndarray:
    (x, y), (wide, high) = located.coords[number].tolist(), located.side0
    try:
        return read_scaled(slide, (x, y, x + wide, y + high), (TOP_SIDE, max(1, round(TOP_SIDE * high / wide))))
    except SlideUnreadableError:
        return np.full((TOP_SIDE, TOP_SIDE, 3), 255, np.uint8)  # damaged: counted when it was encoded
