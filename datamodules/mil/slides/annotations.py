"""What a pathologist drew, as regions, and as the truth of tiles: ASAP's XML, GeoJSON, and CAMELYON's JSON.

Regions to exclude become the kind Ignore, which is cut out of all others.
"""

import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from datamodules.errors import DataError
from datamodules.mil.slides.contours import MAX_BYTES, Region, rasterise, read_geojson
from datamodules.mil.slides.tiling import TileGrid, region_share

__all__ = ["find_annotation", "read_annotations", "tile_truth"]

TUMOUR = "Tumor"
EXCLUDED = ("_2", "exclusion", "exclude")  # ASAP groups of CAMELYON
FINE = 16  # pixels of the raster along a tile: a metastasis may be small
MAX_RASTER = 1 << 28


def find_annotation(folder: Path, name: str) -> Path | None:
    """The file of a slide: <name>.xml, .geojson or .json."""
    return next((path for suffix in (".xml", ".geojson", ".json") if (path := folder / f"{name}{suffix}").is_file()), None)


def read_annotations(path: Path) -> list[Region]:
    if path.suffix.lower() == ".xml":
        return _read_asap(path)
    if path.suffix.lower() == ".json" and (regions := _read_camelyon(path)) is not None:
        return regions
    return read_geojson(path, default=TUMOUR)


def tile_truth(grid: TileGrid, regions: Sequence[Region], kind: str = TUMOUR) -> np.ndarray:
    """float32 (N,): the share of each tile that regions of this kind cover."""
    scale = min(FINE / min(grid.side0), (MAX_RASTER / (grid.size[0] * grid.size[1])) ** 0.5)
    shape = (max(1, round(grid.size[1] * scale)), max(1, round(grid.size[0] * scale)))
    return region_share(grid.coords, grid.side0, grid.size, rasterise(regions, grid.size, shape, kind))


def _read_asap(path: Path) -> list[Region]:
    data = _bytes(path)
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise DataError(f"{path}: XML that declares types or entities is not read, and ASAP writes none; delete the declaration")
    try:
        root = ElementTree.fromstring(data)
    except ElementTree.ParseError as error:
        raise DataError(f"{path}: broken XML ({error}); export it again") from None
    regions = []
    for number, annotation in enumerate(root.iter("Annotation")):
        group = (annotation.get("PartOfGroup") or "").strip().lower()
        try:
            points = sorted(annotation.iter("Coordinate"), key=lambda point: int(float(point.get("Order", "0"))))
            ring = np.array([[_decimal(point.get("X")), _decimal(point.get("Y"))] for point in points])
        except ValueError as error:
            raise DataError(f"{path}: annotation {number} has a point that is no number ({error}); export it again") from None
        if len(ring) >= 3 and np.isfinite(ring).all():  # dots and rulers have no area
            regions.append(Region(ring, kind="Ignore" if group in EXCLUDED else TUMOUR))
    return regions


def _read_camelyon(path: Path) -> list[Region] | None:
    """{"positive": [{"vertices": [[x, y], ...]}], "negative": [...]}; None when it is another JSON."""
    try:
        data = json.loads(_bytes(path))
        if not isinstance(data, dict) or not {"positive", "negative"} & data.keys():
            return None
        return [
            Region(np.array(part["vertices"], np.float64).reshape(-1, 2), kind=kind)
            for key, kind in (("positive", TUMOUR), ("negative", "Ignore"))
            for part in data.get(key, [])
        ]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(f"{path}: annotations that cannot be read ({type(error).__name__}: {error}); export them again") from None


def _bytes(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise DataError(f"{path}: more than {MAX_BYTES >> 20} MiB of annotations; simplify them")
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from None


def _decimal(text: str | None) -> float:
    return float((text or "").replace(",", "."))  # ASAP writes the comma of the machine's language
