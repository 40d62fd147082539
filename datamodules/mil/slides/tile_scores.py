"""Numbers of tiles as files: a table, and GeoJSON whose tiles QuPath opens with their measurements. Coordinates are pixels of level 0."""

import csv
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from datamodules.whole import write_whole

__all__ = ["write_tile_geojson", "write_tile_table"]


def write_tile_table(path: Path, coords: np.ndarray, side0: tuple[int, int], scores: Mapping[str, np.ndarray]) -> None:
    """CSV: x, y, width, height, then a column a score; rows in the order of the features."""
    with write_whole(path, "w") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["x", "y", "width", "height", *scores])
        for (x, y), *values in zip(coords.tolist(), *scores.values(), strict=True):
            table.writerow([x, y, *side0, *(_short(value) for value in values)])


def write_tile_geojson(path: Path, coords: np.ndarray, side0: tuple[int, int], scores: Mapping[str, np.ndarray]) -> None:
    """Tile by tile, so that memory does not grow with the slide."""
    wide, high = side0
    with write_whole(path, "w") as file:
        file.write('{"type":"FeatureCollection","features":[')
        for number, ((x, y), *values) in enumerate(zip(coords.tolist(), *scores.values(), strict=True)):
            ring = [[x, y], [x + wide, y], [x + wide, y + high], [x, y + high], [x, y]]
            tile = {
                "type": "Feature",
                "geometry": {"type": "Polygon", "coordinates": [ring]},
                "properties": {
                    "objectType": "tile",
                    "measurements": {name: _short(value) for name, value in zip(scores, values, strict=True)},
                },
            }
            file.write(("," if number else "") + "\n" + json.dumps(tile, separators=(",", ":")))
        file.write("\n]}\n")


def _short(value: float) -> float:
    return float(f"{float(value):.7g}")
