import pytest
import torch
from torch import nn

from apps.base.optim import Optim, cosine_with_warmup, parameter_groups


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Linear(3, 4)
        self.norm = nn.LayerNorm(4)
        self.pos = nn.Parameter(torch.zeros(2, 4))
        self.head = nn.Linear(4, 2)


LAYERS = [["stem"], ["norm", "pos"]]


def by_name(model, groups):
    names = {id(p): n for n, p in model.named_parameters()}
    return {names[id(p)]: group for group in groups for p in group["params"]}


def test_every_parameter_is_in_exactly_one_group():
    model = Small()
    groups = parameter_groups(model, Optim(layer_decay=0.5), LAYERS)
    assert sorted(id(p) for g in groups for p in g["params"]) == sorted(id(p) for p in model.parameters())


def test_norms_biases_and_named_matrices_never_decay():
    model = Small()
    group = by_name(model, parameter_groups(model, Optim(weight_decay=0.1), LAYERS, no_decay=["pos"]))
    decays = {name: g["weight_decay"] for name, g in group.items()}
    assert {name for name, decay in decays.items() if decay} == {"stem.weight", "head.weight"}


def test_layer_decay_lowers_the_rate_towards_the_input():
    model = Small()
    group = by_name(model, parameter_groups(model, Optim(lr=1.0, layer_decay=0.5), LAYERS))
    assert group["head.weight"]["lr"] == 1.0
    assert group["norm.weight"]["lr"] == 0.5
    assert group["stem.weight"]["lr"] == 0.25


def test_frozen_groups_do_not_move():
    model = Small()
    optimizer = Optim(freeze=1).optimizer(model, LAYERS)
    before = model.stem.weight.detach().clone(), model.head.weight.detach().clone()
    model.head(model.norm(model.stem(torch.rand(5, 3)))).square().sum().backward()
    optimizer.step()
    assert torch.equal(before[0], model.stem.weight)
    assert not torch.equal(before[1], model.head.weight)


def test_freezing_more_groups_than_there_are_is_an_error():
    with pytest.raises(ValueError, match=r"optim.freeze=3, but the model has 2"):
        parameter_groups(Small(), Optim(freeze=3), LAYERS)


def test_the_rate_rises_to_its_peak_and_falls_to_its_floor():
    rates = [cosine_with_warmup(step, 100, 0.1, 0.05) for step in range(101)]
    assert max(rates) == 1.0
    assert rates[:10] == sorted(rates[:10])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[100] == pytest.approx(0.05)


@pytest.mark.parametrize("wrong", [{"lr": 0}, {"warmup": 1.0}, {"layer_decay": 0}])
def test_values_out_of_range_name_the_key(wrong):
    with pytest.raises(ValueError, match=f"optim.{next(iter(wrong))}"):
        Optim(**wrong)
