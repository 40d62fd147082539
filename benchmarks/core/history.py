"""The history attention layer in absorbed form against the textbook form, which projects all L states to keys.

Both are the same layer with the same weights (tests/core_attention/depth holds them equal); rounds are interleaved.
"""

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from benchmarks.gate import check_same
from core_attention import Segments
from core_attention.depth import HistoryAttention
from tests.core_attention.depth.textbook import textbook

__all__ = ["rows"]

NODES, LAYERS, DIM, GRAPHS = 13000, 16, 128, 128


def rows(rounds: int) -> list[dict[str, Any]]:
    """One row a norm and a pass: milliseconds of both forms, and the median of the rounds' ratios."""
    generator = torch.Generator().manual_seed(0)
    history = torch.randn(NODES, LAYERS, DIM, generator=generator).requires_grad_()
    cuts = torch.randint(NODES + 1, (GRAPHS - 1,), generator=generator).sort().values
    segments = Segments.from_offsets(torch.cat([torch.tensor([0]), cuts.unique(), torch.tensor([NODES])]).unique())
    made: list[dict[str, Any]] = []
    for norm in ("signed", "softmax"):
        torch.manual_seed(0)
        layer = HistoryAttention(DIM, LAYERS, norm=norm)
        arms: dict[str, Callable[[], Tensor]] = {
            "absorbed": lambda layer=layer: layer(history, segments)[0],
            "textbook": lambda layer=layer: textbook(layer, history, segments)[0],
        }
        check_same(arms["absorbed"], arms["textbook"], [history, *layer.parameters()])
        for backward in (False, True):
            times: dict[str, list[float]] = {arm: [] for arm in arms}
            for turn in range(rounds + 1):
                for arm, forward in arms.items():
                    ms = _ms(forward, [history, *layer.parameters()] if backward else [])
                    if turn:  # the first round warms up
                        times[arm].append(ms)
            ratio = statistics.median(b / a for a, b in zip(times["absorbed"], times["textbook"], strict=True))
            row = {"what": f"history {norm}, N={NODES}, L={LAYERS}, D={DIM}", "pass": "forward + backward" if backward else "forward"}
            row |= {f"{arm}_ms": round(statistics.median(values), 1) for arm, values in times.items()}
            made.append(row | {"textbook_over_absorbed": round(ratio, 2)})
    return made


def _ms(forward: Callable[[], Tensor], wanted: list[Tensor]) -> float:
    with torch.set_grad_enabled(bool(wanted)):
        start = time.perf_counter()
        out = forward()
        if wanted:
            torch.autograd.grad(out.sum(), wanted)
        return (time.perf_counter() - start) * 1e3
