"""A gate by itself: its values, gradients, beginnings and price in every hardness."""

import math

import pytest
import torch

from core_attention.gates import Gate
from core_attention.gates.gate import HARDNESS


def test_all_hardness_modes_begin_where_they_are_told():
    for hardness in HARDNESS:
        gate = Gate(5, "open", hardness).eval()
        expected = {"off": 1.0, "hard_concrete": 1.0}.get(hardness, 1 / (1 + math.exp(-4)))
        torch.testing.assert_close(gate.values(), torch.full((5,), expected))


@pytest.mark.parametrize("channels", [64, 512])
def test_xavier_and_he_have_the_spread_of_the_paper(channels):
    generator = torch.Generator().manual_seed(0)
    for init, fan in (("xavier", 1 + channels), ("he", channels)):
        logits = torch.cat([Gate(channels, init, generator=generator).logits for _ in range(200)])
        assert logits.std().item() == pytest.approx(math.sqrt(2 / fan), rel=0.02)


@pytest.mark.parametrize(
    ("hardness", "unit", "x"), [("sigmoid", False, 0.3), ("sigmoid", True, 1.7), ("hard_concrete", False, 0.0), ("anneal", False, 0.9)]
)
def test_value_x_begins_at_x(hardness, unit, x):
    gate = Gate(3, f"value:{x}", hardness, unit, tau=2.0 if hardness == "anneal" else 1.0).eval()
    torch.testing.assert_close(gate.values(), torch.full((3,), x), atol=1e-6, rtol=1e-6)


def test_unit_gates_begin_at_exactly_one():
    assert torch.equal(Gate(7, unit=True).values(), torch.ones(7))


@pytest.mark.parametrize("value", ["keep", "binary"])
def test_ste_is_closed_or_v_forward_and_a_sigmoid_backward(value):
    gate = Gate(1001, hardness="ste", value=value)
    gate.logits.data = torch.linspace(-6, 6, 1001)
    s = torch.sigmoid(gate.logits.detach())
    values = gate.values()
    assert torch.equal(values, torch.where(s > 0.5, s if value == "keep" else torch.ones_like(s), torch.zeros_like(s)))
    values.sum().backward()
    torch.testing.assert_close(gate.logits.grad, s * (1 - s))


def test_hard_concrete_is_deterministic_in_evaluation_and_drawn_in_training():
    gate = Gate(50, "half", "hard_concrete")
    assert not torch.equal(gate.values(), gate.values())
    gate.eval()
    assert torch.equal(gate.values(), gate.values())


@pytest.mark.parametrize("g", [-3.0, -0.5, 0.0, 2.0])
def test_the_price_of_hard_concrete_is_how_often_it_is_above_zero(g):
    torch.manual_seed(0)
    gate = Gate(100_000, "half", "hard_concrete")
    gate.logits.data.fill_(g)
    assert (gate.values() > 0).double().mean().item() == pytest.approx(gate.penalty().item(), abs=0.01)


def test_annealing_cools_to_a_tenth_and_stays_in_the_state():
    gate = Gate(2, "value:0.7", "anneal")
    gate.anneal(0.5)
    assert gate.tau.item() == pytest.approx(0.1**0.5)
    gate.anneal(1.0)
    again = Gate(2, hardness="anneal")
    again.load_state_dict(gate.state_dict())
    assert torch.equal(again.values(), gate.values())
    assert again.values()[0].item() == pytest.approx(torch.sigmoid(torch.tensor(math.log(0.7 / 0.3) / 0.1)).item(), abs=1e-6)


def test_a_gate_that_is_off_costs_nothing_and_learns_nothing():
    gate = Gate(3, hardness="off")
    assert torch.equal(gate.values(), torch.ones(3))
    assert gate.penalty().item() == 0
    assert not gate.logits.requires_grad


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"channels": 0}, "at least one channel"),
        ({"hardness": "soft"}, "hardness is sigmoid"),
        ({"hardness": "ste", "unit": True}, "unit goes with"),
        ({"hardness": "hard_concrete", "tau": 2.0}, "tau=2.0 would be ignored"),
        ({"value": "keep"}, "value='keep' would be ignored"),
        ({"hardness": "ste", "value": "soft"}, "value is keep or binary"),
        ({"tau": 0.0}, "tau is a temperature above 0"),
        ({"init": "wide"}, "init is xavier"),
        ({"init": "value:1.0"}, "begins in \\(0, 1\\)"),
        ({"init": "value:x"}, "x of value:x is a number"),
    ],
)
def test_what_could_not_act_is_refused(options, words):
    with pytest.raises(ValueError, match=words):
        Gate(**{"channels": 4, **options})


def test_only_annealed_gates_have_a_temperature_to_anneal():
    with pytest.raises(ValueError, match="no temperature"):
        Gate(3).anneal(0.5)
