"""Interleaved timing on a device: all forms in turn, round after round, so that a drifting clock hits them alike."""

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch

__all__ = ["Floor", "measure_floor", "peak_bytes", "rounds"]

FLUSH = 256 * 2**20  # bytes written between two calls, more than any device's cache


def clock(call: Callable[[], Any], device: str) -> float:
    """Milliseconds of one call."""
    if device == "cpu":
        start = time.perf_counter()
        call()
        return 1e3 * (time.perf_counter() - start)
    torch.empty(FLUSH, dtype=torch.int8, device=device).zero_()
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    call()
    end.record()
    torch.cuda.synchronize()
    return start.elapsed_time(end)


def rounds(forms: dict[str, Callable[[], Any]], device: str, least: int, most: int, seconds: float) -> dict[str, list[float]]:
    """Milliseconds by form, as many as rounds: `most` of them, or as many as so many seconds hold, but `least`."""
    for call in forms.values():
        for _ in range(5 if device != "cpu" else 1):
            call()
    found: dict[str, list[float]] = {name: [] for name in forms}
    start = time.perf_counter()
    for count in range(most):
        if count >= least and time.perf_counter() - start > seconds:
            break
        for name, call in forms.items():
            found[name].append(clock(call, device))
    return found


def peak_bytes(call: Callable[[], Any], device: str) -> int:
    """Above what was there before."""
    if device == "cpu":
        return 0
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    call()
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated() - before


class Floor:
    """What this device really moves and multiplies, not what is advertised."""

    def __init__(self, gigabytes_a_second: float, teraflops: float) -> None:
        self.gigabytes_a_second, self.teraflops = gigabytes_a_second, teraflops

    def milliseconds(self, moved: float, operations: float) -> float:
        return max(moved / self.gigabytes_a_second / 1e6, operations / self.teraflops / 1e9)


def measure_floor(device: str, dtype: torch.dtype) -> Floor:
    size, side = (2**20, 256) if device == "cpu" else (2**30, 8192)
    source = torch.empty(size, dtype=torch.int8, device=device)
    target = torch.empty_like(source)
    a, b = (torch.randn(side, side, dtype=dtype, device=device) for _ in range(2))
    found = rounds({"copy": lambda: target.copy_(source), "product": lambda: a @ b}, device, 20, 20, 0.0)
    return Floor(2 * size / statistics.median(found["copy"]) / 1e6, 2 * side**3 / statistics.median(found["product"]) / 1e9)
