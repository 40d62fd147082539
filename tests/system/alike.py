"""Answers in JSON that say the same: words equal, numbers within a tolerance."""

from typing import Any

import pytest

__all__ = ["alike"]


def alike(one: Any, other: Any, within: float = 1e-5) -> bool:
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(alike(one[key], other[key], within) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(alike(a, b, within) for a, b in zip(one, other, strict=True))
    return one == pytest.approx(other, abs=within, nan_ok=True) if isinstance(one, float) else one == other
