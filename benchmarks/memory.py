"""What a process held at most, and work in a process of its own, so that nothing but it is counted."""

from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from typing import Any

__all__ = ["apart", "high_water_kib"]


def high_water_kib() -> int:
    """Of this process alone: ru_maxrss begins with the peak of the one that started it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1])


def apart(function: Callable[..., Any], *arguments: Any) -> Any:
    """The answer of a function of a module, from a fresh process."""
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(function, arguments)
