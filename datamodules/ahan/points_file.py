"""A face's landmarks in a file of their own: iBUG's .pts, or a line `x y` for each of 5, 68 or 468 points. NaN: not known."""

import numpy as np

from datamodules.ahan.landmarks import COUNTS
from datamodules.errors import DataError

__all__ = ["parse_points"]

HEAD = ("version", "n_points", "{", "}")


def parse_points(data: bytes, where: str) -> tuple[float, ...]:
    """x, y, x, y, ... in pixels that begin at 0. A .pts file counts them from 1, as its annotators' tool did."""
    try:
        lines = data.decode("utf-8").split("\n")
        bare = [line.split() for line in lines if line.strip() and not line.strip().startswith(HEAD)]
        points = np.array([[float(cell) for cell in line] for line in bare], np.float64)
    except ValueError:
        raise DataError(f"{where}: no file of landmarks; write a line 'x y' for each point") from None
    if points.ndim != 2 or points.shape[1] != 2 or len(points) not in COUNTS:
        raise DataError(f"{where}: {len(points)} lines, where {', '.join(map(str, COUNTS))} points 'x y' are known")
    if np.isinf(points).any() or (np.abs(points) > 1e6).any():
        raise DataError(f"{where}: points that lie nowhere; correct them, or write nan where one is not known")
    first = 1 if any(line.strip().startswith("n_points") for line in lines) else 0
    return tuple((points - first).ravel().tolist())
