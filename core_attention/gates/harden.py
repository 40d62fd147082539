"""Close gates for good: those below a threshold become exactly 0, the others stay or become 1 (HAG 2.6)."""

import math
from collections.abc import Collection
from dataclasses import dataclass

import torch
from torch import Tensor

from core_attention.gates.gate_set import GateSet
from core_attention.registry import nearest

__all__ = ["Hardened", "harden"]

END = 1e4  # a logit whose sigmoid is exactly 0 or 1 in every type, its gradient exactly 0: what is closed stays closed in training


@dataclass(frozen=True)
class Hardened:
    """What each gate has left."""

    rows: dict[str, tuple[int, int]]  # name -> (channels, open ones)
    saved: list[str]  # gates of which all channels would have closed: the largest was kept

    @property
    def closed(self) -> int:
        return sum(channels - left for channels, left in self.rows.values())

    @property
    def channels(self) -> int:
        return sum(channels for channels, _ in self.rows.values())

    def __str__(self) -> str:
        lines = [f"{self.closed} of {self.channels} channels closed"]
        lines += [f"  {name}: {left} of {channels} open" for name, (channels, left) in self.rows.items() if left < channels]
        return "\n".join(
            [*lines, *(f"  {name}: all would have closed; the largest stays, because nothing goes round it" for name in self.saved)]
        )


@torch.no_grad()
def harden(
    gate_set: GateSet,
    threshold: float | None = None,
    quantile: float | None = None,
    budget: float | None = None,
    value: str = "keep",
    may_close: Collection[str] = (),
) -> Hardened:
    """In place. One of: threshold (values below it close), quantile (this share of each gate's channels, the smallest), budget (this
    share of all channels stays open, the largest of all gates).

    value: of what stays open: "keep" (as it is) or "binary" (1).
    may_close: names of gates, besides those of the site "branch", that lie on a residual branch. Those may close altogether; a gate that
    everything has to pass keeps its largest channel.
    """
    given = {"threshold": threshold, "quantile": quantile, "budget": budget}
    chosen = {name: number for name, number in given.items() if number is not None}
    if len(chosen) != 1:
        raise ValueError(f"harden takes one of threshold, quantile and budget, not {' and '.join(chosen) or 'none of them'}")
    ((rule, number),) = chosen.items()
    if not 0 <= number <= (2 if rule == "threshold" else 1):
        raise ValueError(f"{rule}={number}: gates have values in 0..1 (0..2 with unit), and shares are in 0..1")
    if value not in ("keep", "binary"):
        raise ValueError(f"value is 'keep' or 'binary', not {value!r}")
    if unknown := [name for name in may_close if name not in gate_set.gates]:
        raise ValueError(f"may_close names {unknown[0]!r}, which is no gate{nearest(unknown[0], gate_set.gates)}")
    values = {name: s.float().cpu() for name, s in gate_set.values().items() if gate_set.gates[name].hardness != "off"}
    if not values:
        raise ValueError("there is no gate that could close: all are off")
    rows, saved = dict[str, tuple[int, int]](), list[str]()
    for name, keep in kept(values, rule, number).items():
        gate = gate_set.gates[name]
        if not keep.any() and gate_set.gated[name].site != "branch" and name not in may_close:
            keep[values[name].argmax()] = True
            saved.append(name)
        gate.logits[~keep] = -END
        if value == "binary":
            gate.logits[keep] = 0.0 if gate.unit else END
        rows[name] = (len(keep), int(keep.sum()))
    return Hardened(rows, saved)


def kept(values: dict[str, Tensor], rule: str, number: float) -> dict[str, Tensor]:
    """Which channels stay open. What is 0 already is closed by every rule."""
    if rule == "threshold":
        return {name: (s >= number) & (s > 0) for name, s in values.items()}
    if rule == "quantile":
        return {name: largest(s, len(s) - math.floor(number * len(s))) for name, s in values.items()}
    together = torch.cat(list(values.values()))
    left = largest(together, math.ceil(number * len(together)))
    return dict(zip(values, torch.split(left, [len(s) for s in values.values()]), strict=True))


def largest(s: Tensor, count: int) -> Tensor:
    keep = torch.zeros_like(s, dtype=torch.bool)
    keep[s.argsort(descending=True, stable=True)[:count]] = True
    return keep & (s > 0)
