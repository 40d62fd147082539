"""The embedded set: colonoscopies made by code, with polyps of known mm at known distances, so that reading scale can be checked.

A frame tells a polyp's size only together with its distance; the cues that tell this - texture, forceps, metric depth - can be turned off.
"""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from datamodules.cache import cached
from datamodules.hag.drawing import draw_frame
from datamodules.hag.scenes import CUES, FOCAL, VERSION, Scenes, draw_scenes

__all__ = ["CUES", "VERSION", "PolypSet", "hash_polyps", "synth_polyps", "write_examples"]


class PolypSet(NamedTuple):
    """Frames in the order of the polyps. Everything that is true of them stands in `scenes`."""

    images: np.ndarray  # uint8 (n,size,size,3)
    scenes: Scenes

    def estimate(self) -> np.ndarray:
        """mm from the true apparent diameter and distance: exact, by the pinhole."""
        return self.scenes.apparent * self.scenes.distance_mm / (FOCAL * self.images.shape[1])


def synth_polyps(
    n_polyps: int = 240,
    frames: int = 8,
    size: int = 96,
    seed: int = 0,
    cue: str = "both",
    label_noise: float = 0.0,
    *,
    threads: int = 2,
    cache: str | None = None,
) -> PolypSet:
    """`frames` frames of every polyp, polyp by polyp; a polyp's are the same however many there are.

    cue: what tells the distance: none, texture (vessels, folds and grain of physical size), forceps (on 70 % of the frames) or both
    label_noise: spread of the logarithm of a reading by eye, which is then rounded to a number that people say; 0 reads the truth
    threads: that draw; changes no byte
    cache: folder in which the pictures are kept

    >>> made = synth_polyps(n_polyps=2, frames=3)
    >>> made.images.shape
    (6, 96, 96, 3)
    """
    scenes = draw_scenes(n_polyps, frames, size, seed, cue, label_noise)

    def make() -> dict[str, np.ndarray]:
        with ThreadPoolExecutor(max(1, threads)) as pool:
            return {"images": np.stack(list(pool.map(lambda row: draw_frame(scenes, row, size, seed), range(len(scenes.polyp)))))}

    # what is read of a polyp changes no picture
    stated: dict[str, Any] = {"polyps": n_polyps, "frames": frames, "size": size, "seed": seed, "cue": cue, "version": VERSION}
    return PolypSet(cached(cache, "polyps", stated, make)["images"], scenes)


def hash_polyps(made: PolypSet) -> str:
    """A fingerprint of the pictures and of everything that is true of them."""
    digest = hashlib.sha256()
    for array in (made.images, *made.scenes):
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def write_examples(folder: Path, n: int) -> list[Path]:
    """n frames as PNG files, four of each polyp, with the boxes in boxes.csv beside them: inputs for an exported program."""
    import cv2

    made, paths, rows = synth_polyps(n_polyps=-(-n // 4), frames=4, seed=VERSION + 2**31), [], ["image,xmin,ymin,xmax,ymax,polyp"]
    for image, box, polyp, frame in zip(made.images[:n], made.scenes.box, made.scenes.polyp, made.scenes.frame, strict=False):
        paths.append(folder / f"polyp-{polyp}-{frame}.png")
        cv2.imwrite(str(paths[-1]), np.ascontiguousarray(image[:, :, ::-1]))
        rows.append(",".join([paths[-1].name, *(f"{value:.2f}" for value in box), f"polyp-{polyp}"]))
    (folder / "boxes.csv").write_text("\n".join(rows) + "\n")
    return paths
