"""Time, memory and the machine's own limits, of calls without arguments."""

import os
import statistics
import time
from collections.abc import Callable, Hashable, Mapping
from typing import Any, TypeVar

import torch

__all__ = ["METHOD", "limits", "median_ms", "peak_mib"]

K = TypeVar("K", bound=Hashable)
Call = Callable[[], object]

METHOD = {
    "time": "median over rounds; in each round every arm of the same length once, in turn; "
    "a short call is repeated within its turn and divided",
    "memory": "peak of what torch's allocator hands out during one call, above what it held before: answers and what is kept for the "
    "backward pass included, weights and inputs not (CPU: the profiler's memory events; CUDA: max_memory_allocated)",
    "floor": "what cost() says the least is, by the best rate of this machine measured in the same run (a matrix product; a copy), "
    "whichever takes longer; the backward pass counts twice the forward",
    "wins": "the smallest length from which on, to the greatest measured, the mixer's best form beats softmax's best form by 5 % or more",
}
SHORT = 2e-3  # seconds of a turn at least


def median_ms(arms: Mapping[K, Call], rounds: int, device: torch.device) -> dict[K, float]:
    """Milliseconds of each, measured in turn. Every arm is called before it counts."""
    repeats = {key: max(1, min(100, round(SHORT / max(_seconds(call, 2, device), 1e-6)))) for key, call in arms.items()}
    times: dict[K, list[float]] = {key: [] for key in arms}
    for _ in range(rounds):
        for key, call in arms.items():
            times[key].append(1000 * _seconds(call, repeats[key], device))
    return {key: statistics.median(values) for key, values in times.items()}


def _seconds(call: Call, repeats: int, device: torch.device) -> float:
    _wait(device)
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    _wait(device)
    return (time.perf_counter() - start) / repeats


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def peak_mib(call: Call, device: torch.device) -> float:
    """The most memory at a time that one call takes; see METHOD."""
    if device.type == "cuda":
        _wait(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        answer = call()
        _wait(device)
        peak = torch.cuda.max_memory_allocated(device) - before
        del answer
        return peak / 2**20
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # it writes to stderr when it begins and ends
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU], profile_memory=True, acc_events=True) as profiler:
        answer = call()
    del answer  # kept until here: not freed under the profiler
    results: Any = profiler.profiler
    events = [event for event in results.kineto_results.events() if event.name() == "[memory]"]
    held = peak = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        held += event.nbytes()
        peak = max(peak, held)
    return peak / 2**20


def limits(device: torch.device) -> tuple[float, float]:
    """The best rates of this machine: (multiply-adds counted as two, per second; bytes read and written per second)."""
    side, length = (1024, 1 << 24) if device.type == "cpu" else (8192, 1 << 28)
    a, b = torch.randn(side, side, device=device), torch.empty(side, side, device=device)
    source, target = torch.randn(length, device=device), torch.empty(length, device=device)
    product, copy = lambda: torch.mm(a, a, out=b), lambda: target.copy_(source)
    seconds = [min(_seconds(call, 1, device) for _ in range(7)) for call in (product, copy)]
    return 2 * side**3 / seconds[0], 2 * 4 * length / seconds[1]
