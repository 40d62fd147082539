"""Closing gates for good."""

import pytest
import torch
from torch import nn

from core_attention.gates import GateSet, Site, harden, wrap
from core_attention.trunks import Vit


def line(values: list[float], hardness: str = "sigmoid", unit: bool = False) -> GateSet:
    """Two gates in a row, the second with the values the other way round."""
    model = nn.Sequential(nn.Linear(3, len(values)), nn.Linear(len(values), len(values)))
    gates = wrap(model, ["0", "1"], hardness=hardness, unit=unit)
    s = torch.tensor(values) / (2 if unit else 1)
    with torch.no_grad():
        gates.gates["0"].logits.copy_(s.logit())
        gates.gates["1"].logits.copy_(s.flip(0).logit())
    return gates


def values(gates: GateSet, name: str = "0") -> list[float]:
    return [round(s, 4) for s in gates.gates[name].values().tolist()]


def test_a_threshold_closes_what_is_below_it_exactly() -> None:
    gates = line([0.1, 0.5, 0.9])
    report = harden(gates, threshold=0.5)
    assert values(gates) == [0.0, 0.5, 0.9]
    assert (report.closed, report.channels) == (2, 6)
    assert report.rows == {"0": (3, 2), "1": (3, 2)}


def test_a_quantile_closes_a_share_of_each_gate() -> None:
    gates = line([0.1, 0.6, 0.7, 0.9])
    harden(gates, quantile=0.5)
    assert values(gates) == [0.0, 0.0, 0.7, 0.9]
    assert values(gates, "1") == [0.9, 0.7, 0.0, 0.0]


def test_a_budget_keeps_the_largest_of_all_gates_together() -> None:
    gates = line([0.1, 0.2, 0.3])
    with torch.no_grad():
        gates.gates["1"].logits.add_(5)
    report = harden(gates, budget=0.5)
    assert values(gates) == [0.0, 0.0, 0.3]  # saved
    assert all(s > 0 for s in values(gates, "1"))
    assert report.saved == ["0"]


@pytest.mark.parametrize(
    ("hardness", "unit"), [("sigmoid", False), ("sigmoid", True), ("anneal", False), ("ste", False), ("hard_concrete", False)]
)
def test_binary_leaves_zeros_and_ones_in_every_mode(hardness: str, unit: bool) -> None:
    gates = line([0.1, 0.7, 0.9], hardness, unit)
    harden(gates, threshold=0.6, value="binary")
    assert values(gates) == [0.0, 1.0, 1.0]
    gates.model.train()
    assert gates.gates["0"].values().tolist() == [0.0, 1.0, 1.0]


def test_what_is_closed_stays_closed_in_training() -> None:
    gates = line([0.1, 0.7, 0.9])
    harden(gates, threshold=0.5)
    steps = torch.optim.Adam(gates.model.parameters(), lr=1.0)
    for _ in range(3):
        steps.zero_grad()
        gates.model(torch.randn(4, 3)).square().sum().backward()
        steps.step()
    assert values(gates)[0] == 0.0
    assert all(torch.isfinite(p).all() for p in gates.model.parameters())


def test_a_gate_that_everything_passes_keeps_one_channel_and_a_branch_may_close() -> None:
    model = Vit(image=16, patch=8, width=8, depth=1, heads=2)
    gates = wrap(model, ["branch", "hidden"], init="closed")
    report = harden(gates, threshold=0.5)
    assert report.saved == ["blocks.0.mlp.act"]
    assert report.rows["blocks.0.mlp.act"] == (32, 1)
    assert report.rows["blocks.0.ls1"] == (8, 0)
    assert "nothing goes round it" in str(report)


def test_may_close_names_branches_that_the_sites_do_not_know() -> None:
    gates = line([0.1, 0.2, 0.3])
    assert harden(gates, threshold=0.5, may_close=["1"]).saved == ["0"]
    with pytest.raises(ValueError, match="which is no gate"):
        harden(gates, threshold=0.5, may_close=["2"])


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({}, "none of them"),
        ({"threshold": 0.5, "budget": 0.5}, "threshold and budget"),
        ({"budget": 1.5}, "budget=1.5"),
        ({"threshold": -1.0}, "threshold=-1.0"),
        ({"threshold": float("nan")}, "threshold=nan"),
        ({"quantile": 0.5, "value": "soft"}, "not 'soft'"),
    ],
)
def test_what_could_not_act_is_refused(options: dict, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        harden(line([0.1, 0.9]), **options)


def test_gates_that_are_off_are_refused() -> None:
    gates = wrap(nn.Sequential(nn.Linear(2, 2)), Site("0"), hardness="off")
    with pytest.raises(ValueError, match="all are off"):
        harden(gates, threshold=0.5)
