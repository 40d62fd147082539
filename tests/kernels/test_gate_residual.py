import pytest
import torch
from torch import Tensor

from kernels import explain
from kernels.gate_residual import gate_residual
from tests.kernels.programs import compiles_and_exports, randn, traces

GATES = [(4, 5, 6), (4, 5, 1), (6,)]


def arguments(gate: tuple[int, ...]) -> list[Tensor]:
    return [randn(4, 5, 6), randn(4, 5, 6, seed=1), randn(*gate, seed=2), randn(gate[-1], seed=3)]


@pytest.mark.parametrize("gate", GATES)
def test_it_is_the_textbook_formula(gate: tuple[int, ...]) -> None:
    x, y, g, b = arguments(gate)
    torch.testing.assert_close(gate_residual(x, y, g, b), x + y / (1 + (-(g + b)).exp()))
    torch.testing.assert_close(gate_residual(x, y, g), x + y / (1 + (-g).exp()))
    torch.testing.assert_close(gate_residual(None, y, g, b), gate_residual(x, y, g, b) - x)


@pytest.mark.parametrize("gate", GATES)
def test_gradients_are_right_in_float64(gate: tuple[int, ...]) -> None:
    leaves = [leaf.requires_grad_() for leaf in arguments(gate)]
    assert torch.autograd.gradcheck(gate_residual, leaves)
    assert torch.autograd.gradcheck(lambda *rest: gate_residual(None, *rest), leaves[1:])


def test_a_gate_far_shut_leaves_x_and_one_far_open_adds_y() -> None:
    x, y = randn(3, 4).float(), randn(3, 4, seed=1).float()
    assert torch.equal(gate_residual(x, y, torch.full((4,), -1e4)), x)
    assert torch.equal(gate_residual(x, y, torch.full((4,), 1e4)), x + y)


def test_half_precision_is_rounded_once_and_keeps_the_wider_dtype() -> None:
    x, y, g, b = (value.bfloat16() for value in arguments((4, 5, 6)))
    wanted = gate_residual(*(value.double() for value in (x, y, g, b)))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(gate_residual(x, y, g, b), wanted.bfloat16())
    assert gate_residual(x.float(), y, g, b).dtype == torch.float32
    assert gate_residual(None, y, g.float(), b).dtype == torch.bfloat16


def test_programs_equal_eager() -> None:
    def inputs(lengths: list[int]) -> tuple[Tensor, ...]:
        return randn(sum(lengths), 6), randn(sum(lengths), 6, seed=1), randn(sum(lengths), 1, seed=2), randn(1, seed=3)

    traces(gate_residual, inputs)
    compiles_and_exports(gate_residual, inputs, fixed=(3,))


def test_wrong_arguments_are_named() -> None:
    x, y, g, b = arguments((4, 5, 6))
    with pytest.raises(ValueError, match=r"x \(4, 5, 3\) and y \(4, 5, 6\)"):
        gate_residual(x[..., :3], y, g, b)
    with pytest.raises(ValueError, match=r"gate \(5, 6\) does not fit y \(4, 5, 6\)"):
        gate_residual(x, y, g[0], b)
    with pytest.raises(ValueError, match=r"bias \(5,\) does not fit the gate \(4, 5, 6\)"):
        gate_residual(x, y, g, b[:5])
    assert explain(gate_residual, x, y, g, b).startswith("reference ")
