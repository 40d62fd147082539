"""Made slides: an H&E-like picture whose tissue, tumour and pen are known exactly, written as an Aperio file that OpenSlide opens."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from datamodules.mil.slides.problems import need
from datamodules.whole import put_whole

__all__ = ["VERSION", "MadeSlide", "make_slide", "outlines", "write_slide"]

VERSION = 1  # of the pictures: another number makes other ones
GLASS, STROMA, NUCLEUS, INK = (244, 243, 246), (226, 160, 196), (96, 58, 128), (38, 62, 196)


@dataclass
class MadeSlide:
    picture: np.ndarray  # uint8 (H,W,3)
    tissue: np.ndarray  # bool (H,W): the lumen is no tissue; what the pen covers is
    tumour: np.ndarray
    pen: np.ndarray
    lumen: np.ndarray
    mpp: float


def make_slide(
    width: int = 2048, height: int = 2048, seed: int = 0, *, tumour: bool = True, contrast: float = 1.0, pen: bool = True, mpp: float = 0.5
) -> MadeSlide:
    """Two lobes of tissue, one with a lumen, one with a darker disc where `tumour`; `contrast` below 1 makes the disc hard to see."""
    rng = np.random.default_rng([VERSION, seed])
    masks = {name: np.zeros((height, width), np.uint8) for name in ("tissue", "lumen", "tumour", "pen")}
    shift = rng.uniform(-0.03, 0.03, 4)
    lobes = [(0.33 + shift[0], 0.42 + shift[1], 0.24, 0.30), (0.70 + shift[2], 0.55 + shift[3], 0.20, 0.32)]
    for x, y, across, down in lobes:
        _ellipse(masks["tissue"], x, y, across * rng.uniform(0.9, 1.05), down * rng.uniform(0.9, 1.05), rng.uniform(-20, 20))
    x, y, across, down = lobes[0]
    _ellipse(masks["lumen"], x - 0.02, y + 0.02, across * 0.36, down * 0.36, rng.uniform(0, 90))
    masks["tissue"][masks["lumen"] > 0] = 0
    if tumour:
        x, y, across, down = lobes[1]
        angle, radius = rng.uniform(0, 2 * np.pi), min(across * width, down * height) * 0.42
        centre = (x * width + across * 0.3 * width * np.cos(angle), y * height + down * 0.3 * height * np.sin(angle))
        cv2.circle(masks["tumour"], (round(centre[0]), round(centre[1])), round(radius), 1, -1)
        masks["tumour"] &= masks["tissue"]
    if pen:
        start, end = (0.06 * width, 0.86 * height), (0.44 * width, 0.93 * height)
        points = np.linspace(start, end, 24) + np.stack([np.zeros(24), 0.02 * height * np.sin(np.linspace(0, 9, 24))], 1)
        thick = max(0.02 * min(width, height), min(48 / mpp, 0.09 * min(width, height)))  # a real stroke is not thinner than 48 um
        cv2.polylines(masks["pen"], [np.rint(points).astype(np.int32)], False, 1, round(thick))
    picture = _paint(rng, masks, contrast)
    truth = {name: mask > 0 for name, mask in masks.items()}
    return MadeSlide(picture, truth["tissue"], truth["tumour"], truth["pen"], truth["lumen"], mpp)


def _ellipse(mask: np.ndarray, x: float, y: float, across: float, down: float, angle: float) -> None:
    high, wide = mask.shape
    axes = (round(across * wide), round(down * high))
    cv2.ellipse(mask, (round(x * wide), round(y * high)), axes, angle, 0, 360, 1, -1)


def _paint(rng: np.random.Generator, masks: dict[str, np.ndarray], contrast: float) -> np.ndarray:
    """A map of what is where, coloured by a table, then shaded: tissue more than glass, ink not at all."""
    high, wide = masks["tissue"].shape
    palette = np.zeros((256, 1, 3), np.uint8)
    palette[:5, 0] = (GLASS, STROMA, np.rint(np.array(STROMA) - contrast * np.array([58, 52, 34])), NUCLEUS, INK)
    nuclei = np.zeros((high, wide), np.uint8)
    ys, xs = np.nonzero(masks["tissue"][::4, ::4])
    for chosen in rng.integers(0, max(1, len(xs)), len(xs) // 60):
        cv2.circle(nuclei, (int(xs[chosen]) * 4, int(ys[chosen]) * 4), int(rng.integers(3, 6)), 1, -1)
    kinds = masks["tissue"] + masks["tumour"]
    cv2.copyTo(np.full_like(kinds, 3), nuclei & masks["tissue"], kinds)  # a nucleus at the edge does not leave the tissue
    cv2.copyTo(np.full_like(kinds, 4), masks["pen"], kinds)
    noise = cv2.GaussianBlur(rng.normal(0, 1, (high // 4 + 1, wide // 4 + 1)).astype(np.float32), (0, 0), 0.8)
    texture = cv2.resize(noise / noise.std(), (wide, high), interpolation=cv2.INTER_LINEAR)
    strength = np.zeros((256, 1), np.float32)
    strength[:5, 0] = (1, 14, 14, 14, 0)
    shading = np.rint(texture * cv2.LUT(kinds, strength)).astype(np.int16)
    return cv2.add(cv2.applyColorMap(kinds, palette), cv2.merge([shading] * 3), dtype=cv2.CV_8U)


def outlines(mask: np.ndarray) -> list[np.ndarray]:
    """The outer contours of a truth mask, as polygons in pixels of level 0."""
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    return [contour[:, 0].astype(np.int64) for contour in contours if len(contour) >= 3]


def write_slide(
    path: str | Path,
    made: MadeSlide,
    *,
    levels: Sequence[int] = (4, 16),
    tile: int = 256,
    compression: str | None = "jpeg",
    bigtiff: bool = False,
    resolution: bool = True,
    associated: bool = True,
) -> Path:
    """An Aperio-style TIFF: the tiled picture, a striped thumbnail, one tiled page a level (`levels`: their downsamples), label and macro.

    resolution=False leaves MPP and AppMag out, as some archives do. associated=False writes neither thumbnail, label nor macro.
    """
    tifffile = need("tifffile")
    need("imagecodecs")
    path = Path(path)
    high, wide = made.picture.shape[:2]
    pairs = f"|AppMag = {round(10 / made.mpp)}|MPP = {made.mpp:.4f}|Filename = {path.stem}" if resolution else f"|Filename = {path.stem}"
    how = {"compression": compression, "metadata": None, "software": False}
    if compression == "jpeg":
        how["compressionargs"] = {"level": 85}
    head = f"Aperio Image Library v12.0.15 \r\n{wide}x{high} [0,0 {wide}x{high}] ({tile}x{tile})"
    draft = path.with_name(f".{path.name}.part")
    try:
        with tifffile.TiffWriter(draft, bigtiff=bigtiff) as file:
            tiled = {"tile": (tile, tile), "photometric": "rgb", **how}
            file.write(made.picture, description=f"{head} JPEG/RGB Q=85{pairs}", **tiled)
            if associated:
                small = _shrunk(made.picture, max(wide, high) / 512)
                strip = {"rowsperstrip": 16, "photometric": "rgb", **how}
                text = f"{head} -> {small.shape[1]}x{small.shape[0]} - |"
                file.write(small, description=text, **strip)
            for down in levels:
                level = _shrunk(made.picture, down)
                text = f"{head} -> {level.shape[1]}x{level.shape[0]} JPEG/RGB Q=85{pairs}"
                file.write(level, description=text, **tiled)
            if associated:
                label = np.full((120, 100, 3), 200, np.uint8)
                cv2.putText(label, "LABEL", (5, 60), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (0, 0, 0), 2)
                plain = {"photometric": "rgb", "metadata": None, "software": False, "rowsperstrip": 16}
                file.write(label, description="Aperio\r\nlabel 100x120", subfiletype=1, compression="lzw", **plain)
                macro = _shrunk(made.picture, max(wide, high) / 256)
                file.write(macro, description="Aperio\r\nmacro", subfiletype=9, **{**plain, **how})
        put_whole(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    return path


def _shrunk(picture: np.ndarray, factor: float) -> np.ndarray:
    high, wide = picture.shape[:2]
    return cv2.resize(picture, (max(1, round(wide / factor)), max(1, round(high / factor))), interpolation=cv2.INTER_AREA)
