import pytest
import torch
from torch import Tensor

from kernels import explain
from kernels.attend import attend
from kernels.head_mean_map import head_mean_map
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


def qk(n: int = 5, m: int = 7, batch: int = 2) -> tuple[Tensor, Tensor]:
    return numbers(batch, HEADS, n, 4), numbers(batch, HEADS, m, 4, seed=1)


def call(q: Tensor, k: Tensor, mask: Tensor | None) -> Tensor:
    return head_mean_map(q, k, mask=mask)


@pytest.mark.parametrize("kind", MASKS)
@pytest.mark.parametrize("with_lse", [False, True])
def test_the_reference_and_the_pieces_are_the_textbook_formula(monkeypatch: pytest.MonkeyPatch, kind: str, with_lse: bool) -> None:
    in_small_pieces(monkeypatch)
    (q, k), mask = qk(), mask_of(kind, 5, 7)
    lse = attend(q, k, k, mask, scale=0.3, need_lse=True)[1] if with_lse else None
    p = textbook(q, k, mask, scale=0.3).softmax(-1).nan_to_num()
    for backend in ("reference", "torch"):
        with strictly(backend):
            torch.testing.assert_close(head_mean_map(q, k, lse, mask, 0.3), p.mean(1))


@pytest.mark.parametrize("kind", MASKS)
def test_the_pieces_equal_the_reference_forward_and_backward(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    in_small_pieces(monkeypatch)
    check_forms(call, qk, mask_of(kind, 5, 7))


@pytest.mark.parametrize(("n", "m"), SIZES)
@pytest.mark.parametrize("backend", ["reference", "torch"])
def test_gradients_are_right_in_float64(n: int, m: int, backend: str) -> None:
    leaves = [x.requires_grad_() for x in (*qk(n, m), numbers(2, 1, n, m))]
    with strictly(backend):
        assert torch.autograd.gradcheck(call, leaves, fast_mode=True)


@pytest.mark.parametrize("backend", ["reference", "torch"])
def test_a_query_that_sees_nothing_has_a_row_of_zeros_and_no_gradient(backend: str) -> None:
    leaves = [x.requires_grad_() for x in qk()]
    with strictly(backend):
        mean = call(*leaves, mask_of("pairs", 5, 7))
    assert (mean[:, 0] == 0).all()
    grads = torch.autograd.grad(mean.square().sum(), leaves)
    assert all(grad.isfinite().all() for grad in grads)
    assert (grads[0][:, :, 0] == 0).all()


@pytest.mark.parametrize("backend", ["reference", "torch"])
def test_rows_sum_to_one(backend: str) -> None:
    with strictly(backend):
        rows = head_mean_map(*(x.bfloat16() for x in qk(40, 300))).sum(-1)
    torch.testing.assert_close(rows, torch.ones(2, 40), rtol=1e-5, atol=1e-5)


def test_a_trace_at_one_size_is_right_at_three_others() -> None:
    check_traces(call, qk, [(5, 7), (1, 1), (9, 2), (2, 9)])


def test_compile_and_export_equal_eager() -> None:
    check_programs(call, qk, [{0: DYNAMIC, 2: DYNAMIC}] * 2)


def test_sums_stay_in_float32_under_autocast_and_half_inputs() -> None:
    check_autocast(call, qk, 1e-5)
    assert explain(head_mean_map, *qk()).startswith("torch ")


def test_wrong_arguments_are_named() -> None:
    q, k = qk()
    with pytest.raises(ValueError, match=r"shapes do not fit: q \(2, 4, 5, 4\), k \(2, 4, 7, 3\)"):
        head_mean_map(q, k[..., 1:])
    with pytest.raises(ValueError, match=r"lse is \(B, H, N\) = \(2, 4, 5\), not \(2, 4, 7\)"):
        head_mean_map(q, k, k[..., 0])
    with pytest.raises(TypeError, match="True = may attend"):
        head_mean_map(q, k, mask=torch.ones(5, 7, dtype=torch.int64))
