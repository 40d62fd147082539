"""From coordinates, or the numbers of an EDGE_WEIGHT_SECTION, to a matrix of whole distances: the rules of TSPLIB95, exactly (brief, 5.1).

Legend: N nodes, 2 coordinates.
"""

from collections.abc import Callable, Sequence

import numpy as np

from datamodules.accord.errors import InvalidInstanceError, ParseError, UnsupportedError

__all__ = ["LAYOUTS", "MANY", "METRICS", "REAL_SCALE", "ROUNDINGS", "entries", "fill", "matrix", "nint", "rounded"]

REAL_SCALE = 10**6  # ours: unrounded distances are kept to six decimals
MANY = 5_000  # nodes; the matrices of more would not fit into a small machine
PI = 3.141592  # TSPLIB's own; more digits give other distances somewhere
RADIUS = 6378.388


def nint(x: np.ndarray) -> np.ndarray:
    """Half up, as TSPLIB rounds. Python's round() goes to the even neighbour: another tour length."""
    return np.floor(x + 0.5)


def _differences(xy_N2: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    x_N, y_N = xy_N2.T
    return np.abs(x_N[:, None] - x_N), np.abs(y_N[:, None] - y_N)


def _straight(xy_N2: np.ndarray) -> np.ndarray:
    dx_NN, dy_NN = _differences(xy_N2)
    return np.sqrt(dx_NN * dx_NN + dy_NN * dy_NN)


def _euclidean(xy_N2: np.ndarray, scale: int) -> np.ndarray:
    return nint(_straight(xy_N2))


def _ceiling(xy_N2: np.ndarray, scale: int) -> np.ndarray:
    return np.ceil(_straight(xy_N2))


def _manhattan(xy_N2: np.ndarray, scale: int) -> np.ndarray:
    dx_NN, dy_NN = _differences(xy_N2)
    return nint(dx_NN + dy_NN)


def _maximum(xy_N2: np.ndarray, scale: int) -> np.ndarray:
    dx_NN, dy_NN = _differences(xy_N2)
    return np.maximum(nint(dx_NN), nint(dy_NN))


def _att(xy_N2: np.ndarray, scale: int) -> np.ndarray:
    dx_NN, dy_NN = _differences(xy_N2)
    exact_NN = np.sqrt((dx_NN * dx_NN + dy_NN * dy_NN) / 10)
    near_NN = nint(exact_NN)
    return near_NN + (near_NN < exact_NN)


def _geographical(xy_N2: np.ndarray, scale: int) -> np.ndarray:
    degrees_N2 = np.trunc(xy_N2)  # DDD.MM: toward zero, not to the nearest as TSPLIB's text has it
    latitude_N, longitude_N = (PI * (degrees_N2 + 5 * (xy_N2 - degrees_N2) / 3) / 180).T
    q1_NN = np.cos(longitude_N[:, None] - longitude_N)
    q2_NN = np.cos(latitude_N[:, None] - latitude_N)
    q3_NN = np.cos(latitude_N[:, None] + latitude_N)
    return np.floor(RADIUS * np.arccos(np.clip(((1 + q1_NN) * q2_NN - (1 - q1_NN) * q3_NN) / 2, -1, 1)) + 1)


def _real(xy_N2: np.ndarray, scale: int) -> np.ndarray:
    return nint(_straight(xy_N2) * scale)


def _truncated(xy_N2: np.ndarray, scale: int) -> np.ndarray:
    return np.floor(_straight(xy_N2) * 10)


METRICS: dict[str, Callable[[np.ndarray, int], np.ndarray]] = {
    "EUC_2D": _euclidean,
    "CEIL_2D": _ceiling,
    "MAN_2D": _manhattan,
    "MAX_2D": _maximum,
    "ATT": _att,
    "GEO": _geographical,
    "real": _real,  # Euclidean times `scale`, to the nearest whole
    "trunc1": _truncated,  # Euclidean cut after one decimal, times 10
}

# What becomes of a EUC_2D file's distances, and the scale that it brings. Golden's, Li's and CMT's sets mean `none` and do not say so.
ROUNDINGS: dict[str, tuple[str, int]] = {"nint": ("EUC_2D", 1), "none": ("real", REAL_SCALE), "trunc1": ("trunc1", 10)}


def matrix(xy: np.ndarray | Sequence[Sequence[float]], metric: str, scale: int = 1) -> np.ndarray:
    """The (N,N) int64 distances of points.

    scale: of metric real only; trunc1 has 10, the others are whole numbers as they are.
    """
    if metric not in METRICS:
        raise ParseError(f"distances {metric!r} are not known; there are {', '.join(METRICS)}, and EXPLICIT")
    if scale != (fixed := {"real": scale, "trunc1": 10}.get(metric, 1)):
        raise InvalidInstanceError(f"distances {metric} have scale {fixed}, not {scale}")
    xy_N2 = np.asarray(xy, np.float64)
    if len(xy_N2) > MANY:
        raise UnsupportedError(
            f"{len(xy_N2):,} nodes; at most {MANY:,} are read, as the matrix of distances is held in memory: cut it into regions"
        )
    distances_NN = METRICS[metric](xy_N2, scale).astype(np.int64)
    np.fill_diagonal(distances_NN, 0)
    return distances_NN


def rounded(metric: str, rounding: str | None) -> tuple[str, int]:
    """The metric and scale that an option makes of a file's EDGE_WEIGHT_TYPE."""
    if rounding is None:
        return metric, 1
    if rounding not in ROUNDINGS:
        raise InvalidInstanceError(f"rounding {rounding!r} is not known; there are {', '.join(ROUNDINGS)}")
    if metric != "EUC_2D" and rounding != "nint":
        raise InvalidInstanceError(f"rounding {rounding} is for EUC_2D coordinates; {metric} says itself how it rounds: leave it out")
    return ROUNDINGS[rounding] if metric == "EUC_2D" else (metric, 1)


def _upper(size: int, diagonal: bool) -> tuple[np.ndarray, np.ndarray]:
    return np.triu_indices(size, 0 if diagonal else 1)


def _lower(size: int, diagonal: bool) -> tuple[np.ndarray, np.ndarray]:
    return np.tril_indices(size, 0 if diagonal else -1)


# The matrix is symmetric, so that columns of the upper half are rows of the lower one.
LAYOUTS: dict[str, tuple[Callable[[int, bool], tuple[np.ndarray, np.ndarray]], bool] | None] = {
    "FULL_MATRIX": None,
    "UPPER_ROW": (_upper, False),
    "LOWER_ROW": (_lower, False),
    "UPPER_DIAG_ROW": (_upper, True),
    "LOWER_DIAG_ROW": (_lower, True),
    "UPPER_COL": (_lower, False),
    "LOWER_COL": (_upper, False),
    "UPPER_DIAG_COL": (_lower, True),
    "LOWER_DIAG_COL": (_upper, True),
}


def entries(size: int, layout: str) -> int:
    """Numbers that a matrix of this layout has."""
    if layout not in LAYOUTS:
        raise ParseError(f"EDGE_WEIGHT_FORMAT {layout!r} is not known; there are {', '.join(LAYOUTS)}")
    if layout == "FULL_MATRIX":
        return size * size
    return size * (size + 1) // 2 if "DIAG" in layout else size * (size - 1) // 2


def fill(numbers: Sequence[int] | np.ndarray, size: int, layout: str) -> np.ndarray:
    """The (N,N) matrix of as many numbers as `entries` says; the diagonal is 0 whatever they say (some files hold 9999 there)."""
    if len(numbers) != (needed := entries(size, layout)):
        raise ParseError(f"{len(numbers):,} weights; {layout} of {size} nodes has {needed:,}")
    row = np.asarray(numbers, np.int64)
    half = LAYOUTS[layout]
    if half is None:
        distances_NN = row.reshape(size, size).copy()
    else:
        places, diagonal = half
        one, other = places(size, diagonal)
        distances_NN = np.zeros((size, size), np.int64)
        distances_NN[one, other] = row
        distances_NN[other, one] = row
    np.fill_diagonal(distances_NN, 0)
    return distances_NN
