"""Weights go out and come back bit by bit."""

import copy

import pytest
import torch

from apps.base.errors import FailureError
from apps.base.export import export_program, weights
from apps.base.shell import Shell
from tests.apps.base.tiny_program import LABELS, Tiny

QUIET = Shell(quiet=True)

pytestmark = pytest.mark.usefixtures("home")


class Mixed(Tiny):
    def __init__(self):
        super().__init__()
        self.tied = self.conv
        self.register_buffer("brief", torch.randn(3, 5, dtype=torch.bfloat16).t())
        self.register_buffer("odd", torch.tensor([float("nan"), -0.0, float("inf")]))
        self.register_buffer("count", torch.tensor(7))


def test_safetensors_round_trip_is_bitwise(out):
    program = Mixed()
    export_program(program, out / "mixed.safetensors", None, QUIET)
    back, metadata = weights.read(str(out / "mixed.safetensors"))
    state = program.state_dict()
    assert back.keys() == state.keys()
    for name, value in state.items():
        assert back[name].dtype == value.dtype
        assert bytes(back[name].contiguous().view(-1).view(torch.uint8)) == bytes(value.contiguous().view(-1).view(torch.uint8))
    assert metadata["labels"] == LABELS


def test_safetensors_with_a_changed_bit_is_refused(out, monkeypatch):
    honest = weights.write

    def write(program, path, metadata):
        other = copy.deepcopy(program)
        other.odd[1] = 0.0  # was -0.0: equal, but not the same bits
        honest(other, path, metadata)

    monkeypatch.setattr(weights, "write", write)
    with pytest.raises(FailureError, match="bits of odd changed"):
        export_program(Mixed(), out / "mixed.safetensors", None, QUIET)
    assert list(out.iterdir()) == []
