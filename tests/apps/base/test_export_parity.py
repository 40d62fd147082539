"""What parity forgives, and what it never does."""

from pathlib import Path

import pytest
import torch

from apps.base.errors import FailureError
from apps.base.export import parity
from apps.base.program import Call
from apps.base.shell import Shell
from tests.apps.base.tiny_program import Tiny

QUIET = Shell(quiet=True)

pytestmark = pytest.mark.usefixtures("home")


def answers_with(program, calls, change):
    def run_alone(path, form, calls):
        outputs = [getattr(program, call.method)(*call.args) for call in calls]
        change(outputs[-1])
        return outputs

    return run_alone


def narrow(program, margin):
    """A batch whose two best probabilities lie `margin` apart."""
    program.forward = lambda x: {"probs": torch.tensor([[0.5, 0.5 - margin, 0.0]]), "best": torch.tensor([0])}
    return program


@pytest.mark.parametrize(("margin", "excused"), [(5e-5, True), (5e-4, False)])
def test_decision_may_turn_only_where_it_is_narrow(margin, excused, monkeypatch):
    program = narrow(Tiny().eval(), margin)
    calls = [Call("forward", (torch.rand(1, 3, 32, 32),))]
    monkeypatch.setattr(parity, "run_alone", answers_with(program, calls, lambda outputs: outputs.update(best=torch.tensor([1]))))
    if excused:
        assert parity.check(program, Path(), "torchscript", calls)["discrete"]["best"] == {"compared": 1, "excused": 1}
    else:
        with pytest.raises(FailureError, match="best decides otherwise in 1 of 1"):
            parity.check(program, Path(), "torchscript", calls)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_nan_and_infinity_are_never_close(value, monkeypatch):
    program = Tiny().eval()
    calls = [Call("forward", (torch.rand(1, 3, 32, 32),))]

    def spoil(outputs):
        outputs["probs"] = outputs["probs"].detach().clone()
        outputs["probs"][0, 0] = value

    monkeypatch.setattr(parity, "run_alone", answers_with(program, calls, spoil))
    with pytest.raises(FailureError, match="probs differs"):
        parity.check(program, Path(), "torchscript", calls)


def test_missing_output_is_refused(monkeypatch):
    program = Tiny().eval()
    calls = [Call("forward", (torch.rand(1, 3, 32, 32),))]
    monkeypatch.setattr(parity, "run_alone", answers_with(program, calls, lambda outputs: outputs.pop("heat")))
    with pytest.raises(FailureError, match="heat"):
        parity.check(program, Path(), "torchscript", calls)


def test_a_case_is_told_by_types_and_shapes_however_deep_its_tensors_lie():
    call = Call("step", ("tsp", {"size": torch.zeros(2, dtype=torch.int64), "parts": [torch.zeros(1, 3)]}, None))
    assert parity.describe(call) == "step('tsp', {size: int64 2, parts: [float32 1x3]}, None)"
