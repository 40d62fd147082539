from typing import Any

import pytest
import torch
from torch import Tensor

from kernels import explain
from kernels.sigmoid_attention import sigmoid_attention
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
BIASES: dict[str, Any] = {
    "number": -1.5,
    "scalar": torch.tensor(-1.5),
    "each head": numbers(HEADS),
    "each row": numbers(2, 1, 5, 1),
    "each row and head": numbers(2, HEADS, 5, 1),
}


def qkvb(n: int = 5, m: int = 7, batch: int = 2) -> tuple[Tensor, ...]:
    return numbers(batch, HEADS, n, 4), numbers(batch, HEADS, m, 4, seed=1), numbers(batch, HEADS, m, 6, seed=2), numbers(HEADS, seed=3)


def call(q: Tensor, k: Tensor, v: Tensor, bias: Tensor, mask: Tensor | None) -> Tensor:
    return sigmoid_attention(q, k, v, bias, mask)


@pytest.mark.parametrize("kind", [*MASKS, "causal", "causal pairs", "causal bias"])
@pytest.mark.parametrize("bias", BIASES)
def test_the_reference_and_the_pieces_are_the_textbook_formula(monkeypatch: pytest.MonkeyPatch, kind: str, bias: str) -> None:
    in_small_pieces(monkeypatch)
    causal = kind.startswith("causal")
    m = 5 if causal else 7
    (q, k, v, _), mask = qkvb(5, m), None if kind == "causal" else mask_of(kind.removeprefix("causal "), 5, m)
    added = BIASES[bias][:, None, None] if bias == "each head" else BIASES[bias]
    p = (textbook(q, k, mask, causal, 0.3) + added).sigmoid()
    for backend in ("reference", "torch"):
        with strictly(backend):
            torch.testing.assert_close(sigmoid_attention(q, k, v, BIASES[bias], mask, causal, 0.3), p @ v)


@pytest.mark.parametrize("kind", MASKS)
@pytest.mark.parametrize("rowwise", [False, True])
def test_the_pieces_equal_the_reference_forward_and_backward(monkeypatch: pytest.MonkeyPatch, kind: str, rowwise: bool) -> None:
    in_small_pieces(monkeypatch)
    check_forms(call, lambda: (*qkvb()[:3], numbers(2, 1, 5, 1)) if rowwise else qkvb(), mask_of(kind, 5, 7))


@pytest.mark.parametrize(("n", "m"), SIZES)
@pytest.mark.parametrize("backend", ["reference", "torch"])
def test_gradients_are_right_in_float64(n: int, m: int, backend: str) -> None:
    leaves = [x.requires_grad_() for x in (*qkvb(n, m), numbers(2, 1, n, m))]
    with strictly(backend):
        assert torch.autograd.gradcheck(call, leaves, fast_mode=True)


@pytest.mark.parametrize("backend", ["reference", "torch"])
@pytest.mark.parametrize("kind", ["pairs", "hard bias"])
def test_a_query_that_sees_nothing_gives_zeros_and_no_gradient(backend: str, kind: str) -> None:
    leaves = [x.requires_grad_() for x in qkvb()]
    with strictly(backend), torch.autograd.set_detect_anomaly(True):
        o = sigmoid_attention(*leaves, mask_of(kind, 5, 7))
        grads = torch.autograd.grad(o.square().sum(), leaves)
    assert (o[:, :, 0] == 0).all()
    assert all(grad.isfinite().all() for grad in grads)
    assert (grads[0][:, :, 0] == 0).all()


@pytest.mark.parametrize("backend", ["reference", "torch"])
def test_huge_logits_stay_finite(backend: str) -> None:
    with strictly(backend):
        assert sigmoid_attention(*(x.float() * 1e4 for x in qkvb())).isfinite().all()


def test_a_trace_at_one_size_is_right_at_three_others() -> None:
    check_traces(call, qkvb, [(5, 7), (1, 1), (9, 2), (2, 9)])


def test_a_causal_trace_at_one_size_is_right_at_three_others() -> None:
    check_traces(lambda *inputs: sigmoid_attention(*inputs, causal=True), qkvb, [(5, 5), (1, 1), (9, 9), (2, 2)])


def test_compile_and_export_equal_eager() -> None:
    check_programs(
        lambda *inputs: sigmoid_attention(*inputs, causal=True), qkvb, [{0: DYNAMIC, 2: torch.export.Dim("n")}] * 3 + [{}], square=True
    )


def test_sums_stay_in_float32_under_autocast_and_half_inputs() -> None:
    check_autocast(call, qkvb, 3e-3)
    assert sigmoid_attention(*(x.bfloat16() for x in qkvb())).dtype == torch.bfloat16
    assert explain(sigmoid_attention, *qkvb()).startswith("torch ")


def test_wrong_arguments_are_named() -> None:
    q, k, v, bias = qkvb()
    with pytest.raises(ValueError, match=r"bias is \(\), \(H,\) or \(B, 1|H, N, 1\) with B, H, N = 2, 4, 5, not \(3,\)"):
        sigmoid_attention(q, k, v, bias[1:])
    with pytest.raises(ValueError, match=r"k \(2, 4, 7, 4\), v \(2, 4, 6, 6\)"):
        sigmoid_attention(q, k, v[:, :, 1:], bias)
    with pytest.raises(ValueError, match="not 5 and 7"):
        sigmoid_attention(q, k, v, bias, causal=True)
    with pytest.raises(TypeError, match="True = may attend"):
        sigmoid_attention(q, k, v, bias, torch.ones(5, 7, dtype=torch.int64))
