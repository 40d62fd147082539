"""The three classes of a polyp's size. The borders are clinical and fixed: 5.0 mm belongs down, 10.0 mm up."""

from typing import Any

__all__ = ["BORDERS", "SIZE_CLASSES", "size_class"]

SIZE_CLASSES = ("diminutive", "small", "large")
BORDERS = (5.0, 10.0)


def size_class(mm: Any) -> Any:
    """0 up to 5 mm, 1 between, 2 from 10 mm; -1 of NaN, which has no class. Numbers, arrays and tensors alike.

    >>> size_class(5.0), size_class(10.0)
    (0, 2)
    """
    low, high = BORDERS
    return (mm > low) * 1 + (mm >= high) * 1 - (mm != mm) * 1
