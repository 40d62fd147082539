import pytest
import torch
from torch import Tensor

from kernels import explain
from kernels.apply_transposed import apply_transposed
from kernels.reversed_attend import reversed_attend
from tests.kernels.operations import (
    HEADS,
    MASKS,
    SIZES,
    check_autocast,
    check_forms,
    check_programs,
    check_traces,
    in_small_pieces,
    mask_of,
    numbers,
    strictly,
    textbook,
)  # fmt: skip

DYNAMIC = torch.export.Dim.DYNAMIC


def qkv(n: int = 5, m: int = 7, batch: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    return numbers(batch, HEADS, n, 4), numbers(batch, HEADS, m, 4, seed=1), numbers(batch, HEADS, n, 6, seed=2)


call = reversed_attend


@pytest.mark.parametrize("kind", MASKS)
def test_the_reference_and_the_pieces_are_the_textbook_formula(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    in_small_pieces(monkeypatch)
    (q, k, v), mask = qkv(), mask_of(kind, 5, 7)
    p = textbook(q, k, mask, scale=0.3).softmax(-1).nan_to_num()
    for backend in ("reference", "torch"):
        with strictly(backend):
            torch.testing.assert_close(reversed_attend(q, k, v, mask, 0.3), p.mT @ v)


def test_of_one_value_a_query_it_is_a_row_carried_through_the_map() -> None:
    q, k, v = qkv()
    torch.testing.assert_close(reversed_attend(q, k, v)[..., 2], apply_transposed(q, k, v[..., 2]))


@pytest.mark.parametrize("kind", MASKS)
def test_the_pieces_equal_the_reference_forward_and_backward(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    in_small_pieces(monkeypatch)
    check_forms(call, qkv, mask_of(kind, 5, 7))


@pytest.mark.parametrize(("n", "m"), SIZES)
@pytest.mark.parametrize("backend", ["reference", "torch"])
def test_gradients_are_right_in_float64(n: int, m: int, backend: str) -> None:
    leaves = [x.requires_grad_() for x in (*qkv(n, m), numbers(2, 1, n, m))]
    with strictly(backend):
        assert torch.autograd.gradcheck(reversed_attend, leaves, fast_mode=True)


@pytest.mark.parametrize("backend", ["reference", "torch"])
def test_a_query_that_sees_nothing_sends_nothing_and_gets_no_gradient(backend: str) -> None:
    leaves = [x.requires_grad_() for x in qkv()]
    with strictly(backend):
        y = reversed_attend(*leaves, mask_of("pairs", 5, 7))
    grads = torch.autograd.grad(y.square().sum(), leaves)
    assert all(grad.isfinite().all() for grad in grads)
    assert (grads[0][:, :, 0] == 0).all()
    assert (grads[2][:, :, 0] == 0).all()


@pytest.mark.parametrize("backend", ["reference", "torch"])
def test_a_key_that_nobody_sees_gets_zeros(backend: str) -> None:
    seen = torch.arange(7) != 3
    with strictly(backend):
        assert (reversed_attend(*qkv(), seen.expand(5, 7))[:, :, 3] == 0).all()


def test_a_trace_at_one_size_is_right_at_three_others() -> None:
    check_traces(call, qkv, [(5, 7), (1, 1), (9, 2), (2, 9)])


def test_compile_and_export_equal_eager() -> None:
    check_programs(call, qkv, [{0: DYNAMIC, 2: DYNAMIC}] * 3)


def test_sums_stay_in_float32_under_autocast_and_half_inputs() -> None:
    check_autocast(call, qkv, 3e-3)
    assert reversed_attend(*(x.bfloat16() for x in qkv())).dtype == torch.bfloat16
    assert explain(reversed_attend, *qkv()).startswith("torch ")


def test_wrong_arguments_are_named() -> None:
    q, k, v = qkv()
    with pytest.raises(ValueError, match=r"a value for each query \(2, 4, 5\), not \(2, 4, 7, 4\)"):
        reversed_attend(q, k, k)
    with pytest.raises(ValueError, match="shapes do not fit"):
        reversed_attend(q, k[..., 1:], v)
    with pytest.raises(TypeError, match="True = may attend"):
        reversed_attend(q, k, v, torch.ones(5, 7, dtype=torch.int64))
