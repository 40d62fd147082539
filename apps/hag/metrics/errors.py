"""Errors in mm from sums (section 5.4).

Bias, limits of agreement and correlation are of exact sizes: of a censored one the error's sign is not known.
What has no answer is in no mean error; it is counted in `missing`, and outside of every tolerance. A mean of nothing is NaN.
"""

import numpy as np

from apps.hag.metrics.sums import Sums

__all__ = ["ERRORS", "errors"]

ERRORS = ("mae", "bias", "within_1mm", "within_20pct", "mae_censored", "loa_low", "loa_high", "pearson")
LIMITS = 1.96  # standard deviations: Bland and Altman's limits of agreement


def errors(sums: Sums) -> dict[str, np.ndarray]:
    """Of sums with whatever leading axes. mae_censored: mean of max(0, t - p) over censored sizes alone."""
    if "answered" not in sums:
        return {}
    with np.errstate(divide="ignore", invalid="ignore"):
        exact = sums["exact"]
        bias = sums["difference"] / exact
        spread = np.sqrt(np.maximum(0.0, sums["difference2"] - exact * bias**2) / np.where(exact > 1, exact - 1, np.nan))
        return {
            "mae": sums["error"] / sums["answered"],
            "bias": bias,
            "within_1mm": sums["within_1mm"] / sums["known"],
            "within_20pct": sums["within_20pct"] / sums["known"],
            "mae_censored": sums["open_error"] / sums["open"],
            "loa_low": bias - LIMITS * spread,
            "loa_high": bias + LIMITS * spread,
            "pearson": _pearson(sums),
        }


def _pearson(sums: Sums) -> np.ndarray:
    """NaN where the answers, or the sizes, are all one and the same."""
    n, t, p = sums["exact"], sums["t"], sums["p"]
    covariance, of_t, of_p = n * sums["tp"] - t * p, n * sums["tt"] - t**2, n * sums["pp"] - p**2
    flat = (of_t <= 1e-12 * n * sums["tt"]) | (of_p <= 1e-12 * n * sums["pp"])
    return np.where(flat, np.nan, covariance / np.sqrt(np.where(flat, 1.0, of_t * of_p)))
