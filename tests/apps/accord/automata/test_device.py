"""The same automata where the tensors lie elsewhere."""

import numpy as np
import pytest
import torch

from apps.accord.automata import automaton
from datamodules.accord.instances import CVRP, KINDS
from datamodules.accord.packs import pack
from tests.apps.accord.automata import problems


def batch_of(kind):
    instances = problems.many(kind, count=10)
    if kind == "cvrp":  # the second needs the exact search
        instances += [problems.cvrp(np.random.default_rng(0), 9, fleet=5), CVRP(np.ones((7, 7)), [0, 5, 4, 3, 3, 3, 2], 10, fleet=2)]
    return pack(instances)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_a_rollout_on_a_gpu_is_that_of_the_processor(kind, masked):
    machine, here = automaton(kind, masked=masked), batch_of(kind)
    there = {name: tensor.cuda() for name, tensor in here.items()}
    actions, _ = problems.rolled(machine, here, 3)
    one, two = machine.reset(here, 3), machine.reset(there, 3)
    for action in actions.unbind(2):
        for name in ("mask", "features", "options", "entity", "current", "objective", "done"):
            assert torch.equal(getattr(machine, name)(here, one), getattr(machine, name)(there, two).cpu())
        one, two = machine.step(here, one, action), machine.step(there, two, action.cuda())
    assert all(torch.equal(one[name], two[name].cpu()) for name in one)
    assert torch.equal(machine.starts(here), machine.starts(there).cpu())


@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"jssp"}))  # its reset asks how many machines there are
def test_no_step_mixes_devices(kind, masked):
    """On tensors without data: an operation that meets one from the processor fails."""
    machine, batch = automaton(kind, masked=masked), {name: tensor.to("meta") for name, tensor in batch_of(kind).items()}
    if kind == "cvrp":
        batch = pack([problems.cvrp(np.random.default_rng(0), 5)])
        state = {name: tensor.to("meta") for name, tensor in machine.reset(batch, 2).items()}
        batch = {name: tensor.to("meta") for name, tensor in batch.items()}
    else:
        state = machine.reset(batch, 2)
    for name in ("mask", "features", "options", "entity", "current", "objective", "done"):
        assert getattr(machine, name)(batch, state).is_meta
    assert all(tensor.is_meta for tensor in machine.step(batch, state, torch.zeros_like(state["token"])).values())
    assert machine.starts(batch).is_meta
