import pytest
import torch
from torch import Tensor

from kernels import use_backend
from kernels.errors import LIMITS
from kernels.gate_residual import gate_residual
from kernels.launch import aimed_at
from tests.kernels.fused.checks import ON, ROUNDED, check_fused, needs_interpreter, relative
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
@pytest.mark.parametrize("bias", ["none", "gate", "last"])
def test_what_is_as_large_as_the_input_is_written_in_its_dtype_once(bias: str) -> None:
    leaves = [x if x is None else x.bfloat16().requires_grad_() for x in arguments((4, 7, 40), "full", bias)]
    with aimed_at(90) as listed, use_backend("triton"):
        answer = gate_residual(*leaves)
        torch.autograd.grad(answer, [x for x in leaves if x is not None], torch.ones_like(answer))
    for one in listed:
        large = [x for x in one.arguments if isinstance(x, Tensor) and x.numel() >= 4 * 7 * 40]
        assert {x.dtype for x in large} == {torch.bfloat16}, one.kernel


@needs_interpreter
@pytest.mark.parametrize(
    ("gate", "bias"), [(torch.bfloat16, torch.float32), (torch.float32, torch.bfloat16), (torch.float32, torch.float32)]
)
def test_gate_and_bias_of_one_shape_and_other_dtypes_get_gradients_of_their_own(gate: torch.dtype, bias: torch.dtype) -> None:
    x, y, g, b = (value for value in arguments((3, 5, 18), "full", "gate") if value is not None)
    leaves = [x.bfloat16(), y.bfloat16(), g.to(gate), b.to(bias)]
    exact = [value.double().requires_grad_() for value in leaves]
    leaves = [value.requires_grad_() for value in leaves]
    with strictly("triton"):
        got = torch.autograd.grad(gate_residual(*leaves).sum(), leaves)
    wanted = torch.autograd.grad(gate_residual(*exact).sum(), exact)
    for one, other in zip(got, wanted, strict=True):
        assert relative(one, other) < LIMITS[one.dtype][1]
    assert got[2].data_ptr() != got[3].data_ptr()


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
