"""The rollout row of query 0 through twelve layers: carried through by `apply_transposed`, and by maps that are formed.

`product` multiplies the layers' mean maps, `row` carries the row through them (they must be kept until the last layer has run),
`carried` never forms a map. Each arm's memory is that of a process of its own: what it holds at most, over what it was given.
"""

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from benchmarks.memory import apart, high_water_kib
from core_attention.functional import apply_transposed, attention_map

__all__ = ["rows"]

LAYERS, BATCH, HEADS, TOKENS, WIDTH = 12, 4, 12, 785, 64
Layers = list[tuple[Tensor, Tensor]]


def layers(count: int = LAYERS, tokens: int = TOKENS) -> Layers:
    generator = torch.Generator().manual_seed(0)
    make = lambda: torch.randn(BATCH, HEADS, tokens, WIDTH, generator=generator)  # noqa: E731
    return [(make(), make()) for _ in range(count)]


def mean_maps(qk: Layers) -> list[Tensor]:
    return [attention_map(q, k).mean(1) for q, k in qk]


def product(qk: Layers) -> Tensor:
    one = torch.eye(qk[0][0].shape[2])
    whole = one
    for step in mean_maps(qk):
        whole = (0.5 * step + 0.5 * one) @ whole
    return whole[:, 0]


def row(qk: Layers) -> Tensor:
    return backwards(qk, [lambda r, step=step: torch.einsum("bn,bnm->bm", r, step) for step in mean_maps(qk)])


def carried(qk: Layers) -> Tensor:
    return backwards(qk, [lambda r, q=q, k=k: apply_transposed(q, k, r).mean(1) for q, k in qk])


def backwards(qk: Layers, steps: list[Callable[[Tensor], Tensor]]) -> Tensor:
    """From the last layer to the first: a row times a product of matrices."""
    r = torch.zeros(BATCH, qk[0][0].shape[2])
    r[:, 0] = 1
    for step in reversed(steps):
        r = 0.5 * r + 0.5 * step(r)
    return r


ARMS: dict[str, Callable[[Layers], Tensor]] = {"product": product, "row": row, "carried": carried}


def peak_mib(arm: str) -> float:
    """In this process: the most that it ever held, over what it held before."""
    with torch.no_grad():
        ARMS[arm](layers(1, 32))  # libraries and thread pools
        qk = layers()
        before = high_water_kib()
        ARMS[arm](qk)
    return (high_water_kib() - before) / 1024


def rows(rounds: int) -> list[dict[str, Any]]:
    memory: dict[str, float] = {arm: apart(peak_mib, arm) for arm in ARMS}
    qk, times = layers(), {arm: [] for arm in ARMS}
    answers: dict[str, Tensor] = {}
    with torch.no_grad():
        for _ in range(rounds):
            for arm, compute in ARMS.items():
                start = time.perf_counter()
                answers[arm] = compute(qk)
                times[arm].append(time.perf_counter() - start)
    for arm in ("row", "carried"):
        torch.testing.assert_close(answers[arm], answers["product"], rtol=1e-4, atol=1e-6)
    return [
        {
            "what": f"rollout {arm}, {LAYERS} layers, batch {BATCH}, {HEADS} heads, {TOKENS} tokens",
            "ms": round(1000 * statistics.median(times[arm]), 1),
            "time_over_product": round(statistics.median(a / b for a, b in zip(times[arm], times["product"], strict=True)), 3),
            "peak_mib": round(memory[arm], 1),
            "memory_over_product": round(memory[arm] / memory["product"], 3),
        }
        for arm in ARMS
    ]
