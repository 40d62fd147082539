import pytest
import torch
from torch import Tensor

from kernels.gate_residual import gate_residual
from tests.kernels.fused.checks import ON, ROUNDED, check_fused, needs_interpreter
from tests.kernels.operations import strictly
from tests.kernels.programs import randn

SHAPES = [(4, 5, 6), (1, 1), (9, 17), (3, 33), (7,), (0, 4)]
GATES = {"full": lambda s: s, "rows": lambda s: (*s[:-1], 1), "columns": lambda s: s[-1:]}


def arguments(shape: tuple[int, ...], gate: str, bias: str, x: bool = True) -> list[Tensor | None]:
    gates = GATES[gate](shape)
    biases = {"none": None, "gate": gates, "last": gates[-1:], "one": (1,), "scalar": ()}[bias]
    return [
        randn(*shape) if x else None, randn(*shape, seed=1), randn(*gates, seed=2),
        None if biases is None else randn(*biases, seed=3),
    ]  # fmt: skip


@pytest.mark.parametrize(("device", "dtype"), ON)
@pytest.mark.parametrize("bias", ["none", "gate", "last", "one", "scalar"])
@pytest.mark.parametrize("gate", list(GATES))
def test_it_is_the_reference_forward_and_backward(gate: str, bias: str, device: str, dtype: torch.dtype) -> None:
    check_fused(gate_residual, arguments((3, 5, 18), gate, bias), device, dtype)
    check_fused(gate_residual, arguments((3, 5, 18), gate, bias, x=False), device, dtype)


@pytest.mark.parametrize(("device", "dtype"), ROUNDED)
def test_other_dtypes_are_rounded_once(device: str, dtype: torch.dtype) -> None:
    for gate in GATES:
        check_fused(gate_residual, arguments((4, 7, 40), gate, "last"), device, dtype)


@pytest.mark.parametrize(("device", "dtype"), ON[:2])
@pytest.mark.parametrize("shape", SHAPES)
def test_every_size_comes_out_whole(shape: tuple[int, ...], device: str, dtype: torch.dtype) -> None:
    for gate in GATES:
        check_fused(gate_residual, arguments(shape, gate, "last"), device, dtype)


@needs_interpreter
def test_strides_are_followed() -> None:
    x, y, g = randn(6, 5, 4).transpose(0, 2), randn(4, 5, 12)[..., ::2], randn(1, 5, 1, seed=2).expand(4, 5, 6)
    with strictly("triton"):
        got = gate_residual(x, y, g)
    torch.testing.assert_close(got, x + g.sigmoid() * y)


@needs_interpreter
def test_second_derivatives_come_from_the_reference() -> None:
    x, y, g, b = (value.requires_grad_() for value in arguments((2, 3), "full", "last") if value is not None)
    with strictly("triton"):
        assert torch.autograd.gradgradcheck(gate_residual, (x, y, g, b))
