"""Attention rollout of one token: which tokens of the picture its answer comes from (Abnar and Zuidema, arXiv 2005.00928).

Shapes: B batch, N tokens, H heads.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from core_attention.contract import Mixer
from core_attention.maps.recorder import Call, Recording
from core_attention.maps.rows import shares

__all__ = ["Rollout", "carry", "rollout"]


class Rollout(NamedTuple):
    row: Tensor  # (B,N): shares of the tokens in the answer of one; they sum to one
    note: str  # what was done to maps that are no shares; empty if nothing


def rollout(source: Recording | Sequence[Call | tuple[Mixer, Mapping[str, Any]]], row: int = 0, residual: float = 0.5) -> Rollout:
    """A row of the product of all maps, from the last layer to the first: r = residual r + (1 - residual) mean_h(r A_h).

    Never a product of two maps, and no map either where the mixer's `pull` needs none. `source`: a recording, all of whose
    calls are one way through the layers, or those calls in their order. A query that sees nothing keeps only its residual share.

    >>> rollout(recording).row[:, prefix:].unflatten(1, grid)
    """
    if not 0 <= residual <= 1:
        raise ValueError(f"residual is the share of a token's own path, 0..1, not {residual}")
    listed = source.calls if isinstance(source, Recording) else source
    calls = [call if isinstance(call, Call) else Call(*call) for call in listed]
    if not calls:
        raise ValueError("rollout: no mixer was called")
    tokens = calls[-1].inputs["x"].shape[:2]
    for call in calls:
        if "context" in call.inputs:
            raise ValueError(f"{call}: a rollout goes through layers of self attention; leave out those with a context")
        if "segments" not in call.inputs and call.inputs["x"].shape[:2] != tokens:
            raise ValueError(f"{call} mixes {_size(call.inputs['x'].shape)}, the last layer {_size(tokens)}; a rollout needs equal ones")
    if not -tokens[1] <= row < tokens[1]:
        raise ValueError(f"rollout: there is no row {row} of {tokens[1]} tokens")

    x = calls[-1].inputs["x"]
    r_BN = x.new_zeros(tokens, dtype=torch.promote_types(x.dtype, torch.float32))
    r_BN[:, row] = 1
    made: list[str] = []
    r_BN = carry(r_BN, [partial(_pull, call, made) for call in calls], residual)
    made = list(dict.fromkeys(reversed(made)))
    return Rollout(r_BN, f"|A| with rows made to sum to one: {', '.join(made)}" if made else "")


def carry(r_BN: Tensor, pulls: Sequence[Callable[[Tensor], Tensor]], residual: float = 0.5) -> Tensor:
    """r through all layers, from the last to the first: r = residual r + (1 - residual) pull(r), pull(r) being r times the layer's map.

    A row times a product of maps associates to the left, so that no product of two maps is formed.

    >>> carry(r, [lambda r, p=p: (r.unsqueeze(1) @ p).squeeze(1) for p in maps])
    """
    for pull in reversed(pulls):
        r_BN = residual * r_BN + (1 - residual) * pull(r_BN)
    return r_BN


def _pull(call: Call, made: list[str], r_BN: Tensor) -> Tensor:
    """r times the head-mean map, as shares."""
    spec = call.mixer.spec
    if spec.mass == "one" and ("mean" in spec.needs or type(call.mixer).pull is not Mixer.pull):
        with call.again():
            return call.mixer.pull(r_BN, call.inputs["x"], None, call.inputs.get("mask"), call.inputs.get("grid"))
    map_BHNM = call.map("full")  # refused by name where there is none
    if spec.mass != "one":
        made.append(str(call))
        map_BHNM = shares(map_BHNM)
    return torch.einsum("bn,bnm->bm", r_BN.to(map_BHNM.dtype), map_BHNM.mean(1))


def _size(shape: Sequence[int]) -> str:
    return f"{shape[0]} samples of {shape[1]} tokens"
