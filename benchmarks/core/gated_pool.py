"""Gated pooling a few thousand tokens at a time against the eager form that keeps every hidden unit.

Time: interleaved rounds. Memory: torch's own allocations, from `torch.profiler` with profile_memory: the highest sum of what one forward
and backward hold at a time, without x (made before) and less its gradient (as large as x).
"""

import statistics
import time
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from benchmarks.gate import check_same
from kernels import use_backend
from kernels.gated_pool import gated_pool

__all__ = ["rows"]

TOKENS, DIM, HIDDEN = 100_000, 512, 128
FORMS = {"chunked": "torch", "eager": "reference"}


def rows(rounds: int) -> list[dict[str, Any]]:
    """One row a pass: milliseconds of both forms, the median of the rounds' ratios, and what they hold in MB."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(TOKENS, DIM, generator=generator).requires_grad_()
    V, U = ((torch.randn(DIM, HIDDEN, generator=generator) * DIM**-0.5).requires_grad_() for _ in range(2))
    w = torch.randn(HIDDEN, 1, generator=generator).requires_grad_()
    given = [x, V, U, w]
    made: list[dict[str, Any]] = []
    for bags in (1, 16):
        offsets = torch.linspace(0, TOKENS, bags + 1).long()
        chunked, eager = (partial(pooled, given, offsets, backend) for backend in FORMS.values())
        check_same(chunked, eager, given)
        for backward in (False, True):
            times: dict[str, list[float]] = {arm: [] for arm in FORMS}
            for turn in range(rounds + 1):
                for arm, backend in FORMS.items():
                    start = time.perf_counter()
                    run(given, offsets, backend, backward)
                    if turn:  # the first round warms up
                        times[arm].append((time.perf_counter() - start) * 1e3)
            ratio = statistics.median(b / a for a, b in zip(times["chunked"], times["eager"], strict=True))
            row: dict[str, Any] = {"what": f"gated pool, T={TOKENS}, D={DIM}, H={HIDDEN}, {bags} bags"}
            row["pass"] = "forward + backward" if backward else "forward"
            row |= {f"{arm}_ms": round(statistics.median(values), 1) for arm, values in times.items()}
            row["eager_over_chunked"] = round(ratio, 2)
            peaks = {
                arm: peak_bytes(given, offsets, backend, backward) - (4 * x.numel() if backward else 0) for arm, backend in FORMS.items()
            }
            row |= {f"{arm}_mb": round(peak / 1e6, 1) for arm, peak in peaks.items()}
            made.append(row | {"memory_share": round(peaks["chunked"] / peaks["eager"], 3)})
    return made


def pooled(given: list[Tensor], offsets: Tensor, backend: str) -> Tensor:
    with use_backend(backend):
        return gated_pool(*given, offsets)[0]


def run(given: list[Tensor], offsets: Tensor, backend: str, backward: bool) -> None:
    with torch.set_grad_enabled(backward):
        z = pooled(given, offsets, backend)
        if backward:
            torch.autograd.grad(z.sum(), given)


def peak_bytes(given: list[Tensor], offsets: Tensor, backend: str, backward: bool) -> int:
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        run(given, offsets, backend, backward)
    held = peak = 0
    for event in sorted(seen.profiler.kineto_results.events(), key=lambda event: event.start_ns()):
        if event.name() == "[memory]":
            held += event.nbytes()  # negative when something is released
            peak = max(peak, held)
    return peak
