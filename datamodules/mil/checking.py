"""What a bag must be: rows of finite features, at least one, of the width that is expected."""

import numpy as np

from datamodules.errors import DataError
from datamodules.mil.errors import EmptyBagError, FeatureMismatchError

__all__ = ["checked", "checked_labels"]


def checked(x: np.ndarray, name: str, width: int | None = None) -> np.ndarray:
    """The bag as float32 (N,F); float16 files are widened. Anything that is no bag is refused by name."""
    x = np.asarray(x)
    if x.ndim == 3 and x.shape[0] == 1:  # some encoders write (1,N,F)
        x = x[0]
    if x.ndim != 2 or x.dtype.kind != "f":
        raise DataError(f"{name}: a bag is floating point (instances, features), not {x.dtype} {x.shape}; encode it again")
    if len(x) == 0:
        raise EmptyBagError(f"{name}: the bag has no instances; leave it out")
    if width is not None and x.shape[1] != width:
        raise FeatureMismatchError(f"{name}: {x.shape[1]} features, {width} are expected; encode it with the same encoder")
    finite = np.isfinite(x).all(1)
    if not finite.all():
        raise DataError(f"{name}: row {int((~finite).argmax())} is not finite ({int((~finite).sum())} such rows); encode it again")
    return np.ascontiguousarray(x, dtype=np.float32)


def checked_labels(labels: np.ndarray, classes: int, name: str) -> np.ndarray:
    labels = np.asarray(labels)
    if labels.dtype.kind not in "iub" or (len(labels) and (labels.min() < 0 or labels.max() >= classes)):
        raise DataError(
            f"{name}: labels are whole numbers from 0 to {classes - 1}, found {sorted(set(labels.tolist()))[:10]}; renumber them"
        )
    return labels.astype(np.int64)
