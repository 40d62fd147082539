"""What belongs to one kind alone and is always trained: its reader, its bias, its way into a step and its last say (ACCORD brief 2.4.2).

Shapes: B instances, S rollouts or steps, N tokens, M = N + 1, H heads, D width, P and Q widths of phi and psi, A actions.
"""

from collections.abc import ItemsView
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from apps.accord.automata import automaton
from apps.accord.bias import RoutingBias, ShopBias
from apps.accord.readers import READERS

__all__ = ["GREEDY", "Parts", "widen_averages", "widened"]

# What the weights of psi begin as, so that an untrained network follows a greedy rule of its kind.
GREEDY: dict[str, tuple[float, ...]] = {
    "tsp": (-5.0, 2.0),  # near, and rather far from home: home comes last
    "cvrp": (-5.0, -1.0, 5.0),  # near, and far from the depot while there
    "knapsack": (0.0, 5.0),  # value a weight
    "binpack": (-15.0, 0.0, -30.0),  # least room left, with one more item behind it
    "pfsp": (-5.0, 2.0, -5.0),  # least idle time, and the least of what the rest needs
    "jssp": (-2.0, -2.0, 0.0, 5.0, 0.0),  # early, and of a job with much work left
}


class _Unbiased(nn.Module):
    def forward(self, pairs: Tensor | None) -> Tensor | None:
        return None


class _Biased(nn.Module):
    def __init__(self, bias: nn.Module) -> None:
        super().__init__()
        self.bias = bias

    def forward(self, pairs: Tensor | None) -> Tensor | None:
        assert pairs is not None
        return self.bias(pairs)


class Parts(nn.Module):
    def __init__(self, kind: str, dim: int, heads: int) -> None:
        super().__init__()
        reader = READERS[kind]()
        rules = automaton(kind)
        self.width = rules.state_width
        self.reader = reader
        self.token = nn.Linear(reader.features, dim)
        self.whole = nn.Linear(reader.whole, dim)  # of GLOBAL
        if kind in ("tsp", "cvrp"):
            self.bias = _Biased(RoutingBias(heads))
        else:
            self.bias = _Biased(ShopBias(heads)) if kind == "jssp" else _Unbiased()
        self.enter = nn.Linear(dim, dim, bias=False)  # U
        self.start = nn.Parameter(torch.randn(dim) * 0.02)
        self.told = nn.Linear(rules.state_width, dim)  # V
        self.special = nn.Parameter(torch.randn(dim) * 0.02)
        self.weight = nn.Parameter(torch.tensor(GREEDY[kind]))  # w, of psi
        self.expect = nn.Linear(dim, rules.state_width)  # the state head
        if len(GREEDY[kind]) != rules.option_width:
            raise ValueError(f"{kind}: {len(GREEDY[kind])} weights for {rules.option_width} numbers of an option")

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        """Numbers of an option that weights from before did not know have no say."""
        known = state_dict.get(f"{prefix}weight")
        if known is not None:
            state_dict[f"{prefix}weight"] = widened(known, self.weight)
        super()._load_from_state_dict(state_dict, prefix, *rest)

    def read(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        """(h0 of GLOBAL and tokens (B,M,D), START and what each token brings into a step (B,M,D), no padding (B,N), bias (B,M,H,M))."""
        features_BNF, whole_BG, valid_BN, pairs = self.reader(batch)
        h_BND = self.token(features_BNF)
        global_B1D = self.whole(whole_BG).unsqueeze(1)
        start_B1D = self.start.expand(h_BND.shape[0], 1, -1)
        return torch.cat([global_B1D, h_BND], 1), torch.cat([start_B1D, self.enter(h_BND)], 1), valid_BN, self.bias(pairs)


def widened(known: Tensor, weight: Tensor) -> Tensor:
    """What was kept of a shorter weight, zeros behind it."""
    shorter = known.ndim == weight.ndim == 1 and len(known) < len(weight)
    return nn.functional.pad(known, [0, len(weight) - len(known)]) if shorter else known


def widen_averages(optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """The averages of an optimiser that an older training kept, before they are loaded."""
    for saved, own in zip(state["param_groups"], optimizer.param_groups, strict=True):
        for number, weight in zip(saved["params"], own["params"], strict=True):
            kept = state["state"].get(number, {})
            kept |= {name: widened(value, weight) for name, value in kept.items()}


if TYPE_CHECKING:

    class AllParts(nn.ModuleDict):
        """What the dict of parts holds: torch says Module."""

        def items(self) -> ItemsView[str, Parts]: ...
