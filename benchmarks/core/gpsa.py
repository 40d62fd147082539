"""Gated positional self-attention: our Kronecker form against maps of all pairs, at ConViT's and a larger resolution.

Two arms in turn, round after round. `whole`: the mixer, projections included; `positional half`: the positional maps and their
product with the values alone, which is what the Kronecker form replaces. The other arm is kinder than the public code: it
computes the positional map once a call, not once a sample, from a table of offsets that is at hand. A part of what the whole
gains is not the Kronecker form's own: with no map to mix, the content half is free to take torch's fused attention.

Shapes: B batch, N tokens, D width, H heads, E head width, Y X grid.
"""

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from benchmarks.gate import check_same
from core_attention.mixers.gpsa import Gpsa, kronecker

__all__ = ["rows"]

# grid side, width, heads, batch; nine heads do not divide 192
SIZES = ((28, 192, 4, 8), (28, 198, 9, 8), (14, 192, 4, 8))
REPEATS = 3  # calls a round and arm, of which the median counts


def offsets(side: int) -> Tensor:
    """(dx, dy, dx^2 + dy^2) of all pairs, (N,N,3)."""
    place = torch.arange(side * side)
    dy, dx = (a - a[:, None] for a in (place // side, place % side))
    return torch.stack([dx, dy, dx**2 + dy**2], -1).float()


def all_pairs(mixer: Gpsa, x_BND: Tensor, offsets_NN3: Tensor) -> Tensor:
    q_BHNE, k_BHNE = mixer.qk(x_BND).unflatten(-1, (2, mixer.heads, -1)).permute(2, 0, 3, 1, 4).unbind(0)
    v_BHNE = mixer.v(x_BND).unflatten(-1, (mixer.heads, -1)).transpose(1, 2)
    content_BHNN = (q_BHNE @ k_BHNE.transpose(-2, -1) * q_BHNE.shape[-1] ** -0.5).softmax(-1)
    gate_H11 = mixer.gating_param.sigmoid()[:, None, None]
    map_BHNN = (1 - gate_H11) * content_BHNN + gate_H11 * position_map(mixer, offsets_NN3)
    map_BHNN = map_BHNN / map_BHNN.sum(-1, keepdim=True)
    return mixer.proj((map_BHNN @ v_BHNE).transpose(1, 2).flatten(2))


def position_map(mixer: Gpsa, offsets_NN3: Tensor) -> Tensor:
    return mixer.pos_proj(offsets_NN3).permute(2, 0, 1).softmax(-1)


def rows(rounds: int) -> list[dict[str, Any]]:
    found = []
    for side, dim, heads, batch in SIZES:
        torch.manual_seed(0)
        mixer, grid, table_NN3 = Gpsa(dim, heads), (side, side), offsets(side)
        x_BND = torch.randn(batch, side * side, dim, requires_grad=True)
        v_BHNE = torch.randn(batch, heads, side * side, dim // heads, requires_grad=True)
        parts: dict[str, tuple[Callable[[], Tensor], Callable[[], Tensor]]] = {
            "whole": (lambda: mixer(x_BND, grid=grid), lambda: all_pairs(mixer, x_BND, table_NN3)),  # noqa: B023
            "positional half": (
                lambda: kronecker(*mixer.position_maps(v_BHNE, grid), v_BHNE.unflatten(2, grid)).flatten(2, 3),  # noqa: B023
                lambda: position_map(mixer, table_NN3) @ v_BHNE,  # noqa: B023
            ),
        }
        for part, (ours, theirs) in parts.items():
            check_same(ours, theirs, [x_BND, *mixer.parameters()] if part == "whole" else [v_BHNE])
            for backward in (False, True):
                times = [(milliseconds(ours, backward), milliseconds(theirs, backward)) for _ in range(rounds)]
                row = {"grid": f"{side}x{side}", "width": dim, "heads": heads, "batch": batch, "part": part}
                row |= {"pass": "forward + backward" if backward else "forward"}
                row |= {"kronecker_ms": round(statistics.median(a for a, _ in times), 2)}
                row |= {"all_pairs_ms": round(statistics.median(b for _, b in times), 2)}
                found.append(row | {"times_faster": round(statistics.median(b / a for a, b in times), 2)})
    return found


def milliseconds(compute: Callable[[], Tensor], backward: bool) -> float:
    ticks = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        with torch.set_grad_enabled(backward):
            y = compute()
        if backward:
            y.sum().backward()
        ticks.append(time.perf_counter() - start)
    return 1000 * statistics.median(ticks)
