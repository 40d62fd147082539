"""The features of one slide in memory, whatever file they come from, and what must hold of them."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from datamodules.mil.slides.problems import SlideError

__all__ = ["SlideFeatures", "checked"]


@dataclass
class SlideFeatures:
    name: str
    features: np.ndarray  # float32 or float16 (N,F)
    coords: np.ndarray | None  # int64 (N,2) top-left, level 0; some files have none
    about: dict[str, Any] = field(default_factory=dict)  # encoder, resolution, tile size: what the file says


def checked(bag: SlideFeatures, where: object) -> SlideFeatures:
    """The bag, or one line that names the slide and the row that is wrong."""
    features = bag.features
    if features.ndim != 2 or features.dtype not in (np.float32, np.float16):
        raise SlideError(
            f"{where}: features of {bag.name} are {features.dtype} {features.shape}, not float32 or float16 (N, F); encode it again"
        )
    wrong = ~np.isfinite(features).all(1)
    if wrong.any():
        raise SlideError(
            f"{where}: row {int(np.argmax(wrong))} of {bag.name} holds NaN or infinity ({int(wrong.sum())} rows do); encode it again"
        )
    if bag.coords is not None and bag.coords.shape != (len(features), 2):
        raise SlideError(f"{where}: {bag.name} has {len(features)} features but coordinates {bag.coords.shape}; write it again")
    return bag
