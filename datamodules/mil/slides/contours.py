"""Regions of a slide as polygons, and as GeoJSON that QuPath opens, edits and saves. Coordinates are pixels of level 0."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from datamodules.errors import DataError
from datamodules.whole import write_whole

__all__ = ["COLOURS", "MAX_BYTES", "Region", "rasterise", "read_geojson", "write_geojson"]

COLOURS = {"Tissue": [0, 160, 60], "Pen": [0, 90, 255], "Tumor": [200, 0, 0]}  # of classes in QuPath; others are grey
MAX_BYTES = 256 << 20
SHIFT = 6  # bits behind the point in OpenCV's polygons


@dataclass
class Region:
    """A polygon with holes. `kind` is QuPath's class: Tissue, Pen, Tumor; those that begin with Ignore are cut out of the others."""

    outer: np.ndarray  # (n,2) x, y
    holes: list[np.ndarray] = field(default_factory=list)
    kind: str = "Tissue"


def rasterise(regions: Sequence[Region], size: tuple[int, int], shape: tuple[int, int], kind: str = "Tissue") -> np.ndarray:
    """uint8 0/1 mask (height,width)=`shape` of the regions of one kind, over a slide of `size` (width,height) pixels."""
    mask = np.zeros(shape, np.uint8)
    scale = np.array([shape[1] / size[0], shape[0] / size[1]])

    def fixed(ring: np.ndarray) -> list[np.ndarray]:
        # a pixel's centre lies half a pixel into it; OpenCV counts from centres
        return [np.rint((ring * scale - 0.5) * (1 << SHIFT)).astype(np.int32)]

    for region in regions:
        if region.kind == kind:
            own = mask if not region.holes else np.zeros_like(mask)
            cv2.fillPoly(own, fixed(region.outer), 1, shift=SHIFT)
            for hole in region.holes:  # a ring belongs to the tissue around the hole
                cv2.fillPoly(own, fixed(hole), 0, shift=SHIFT)
                cv2.polylines(own, fixed(hole), True, 1, shift=SHIFT)
            if own is not mask:
                mask |= own
    for region in regions:
        if region.kind.startswith("Ignore"):
            cv2.fillPoly(mask, fixed(region.outer), 0, shift=SHIFT)
    return mask


def write_geojson(path: str | Path, regions: Sequence[Region]) -> None:
    features = [
        {
            "type": "Feature",
            "geometry": {"type": "Polygon", "coordinates": [_closed(ring) for ring in (region.outer, *region.holes)]},
            "properties": {
                "objectType": "annotation",
                "name": f"{region.kind} {number}",
                "classification": {"name": region.kind, "color": COLOURS.get(region.kind, [128, 128, 128])},
            },
        }
        for number, region in enumerate(regions, 1)
    ]
    with write_whole(path, "w") as file:
        json.dump({"type": "FeatureCollection", "features": features}, file, separators=(",", ":"))


def read_geojson(path: str | Path, default: str = "Tissue") -> list[Region]:
    """Ours, QuPath's and TRIDENT's. A polygon without a class is `default`; points and lines have no area and are left out."""
    path = Path(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise DataError(f"{path}: more than {MAX_BYTES >> 20} MiB of polygons; simplify them")
        data = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: no GeoJSON ({error}); export it again") from None
    features = data if isinstance(data, list) else data.get("features", [data]) if isinstance(data, dict) else None
    if features is None:
        raise DataError(f"{path}: GeoJSON without features; export it again")
    regions: list[Region] = []
    for number, feature in enumerate(features):
        try:
            regions += _regions(feature, default)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(
                f"{path}: feature {number} is no polygon that can be read ({type(error).__name__}: {error}); draw it again"
            ) from None
    return regions


def _regions(feature: dict[str, Any], default: str) -> list[Region]:
    geometry = feature.get("geometry", feature)
    kind = ((feature.get("properties") or {}).get("classification") or {}).get("name") or default
    if geometry["type"] == "Polygon":
        polygons = [geometry["coordinates"]]
    elif geometry["type"] == "MultiPolygon":
        polygons = geometry["coordinates"]
    elif geometry["type"] == "GeometryCollection":
        return [region for part in geometry["geometries"] for region in _regions({**feature, "geometry": part}, default)]
    elif geometry["type"] in ("Point", "MultiPoint", "LineString", "MultiLineString"):
        return []
    else:
        raise ValueError(f"geometry {geometry['type']!r}")
    return [Region(_ring(outer), [_ring(hole) for hole in holes], kind) for outer, *holes in polygons]


def _ring(points: Any) -> np.ndarray:
    ring = np.asarray(points, np.float64)
    if ring.ndim != 2 or ring.shape[0] < 3 or ring.shape[1] < 2 or not np.isfinite(ring).all():
        raise ValueError("a ring needs three finite points or more")
    ring = ring[:, :2]
    return ring[:-1] if len(ring) > 3 and (ring[0] == ring[-1]).all() else ring


def _closed(ring: np.ndarray) -> list[list[float]]:
    points = [[_plain(x), _plain(y)] for x, y in ring.tolist()]
    return [*points, points[0]]


def _plain(value: float) -> float | int:
    return int(value) if value == int(value) else round(value, 3)
