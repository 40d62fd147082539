import pytest
import torch
from torch import Tensor

from kernels import explain
from kernels.attend import attend
from kernels.diff_attention import diff_attention
from kernels.diff_attention.reference import weights
from tests.kernels.operations import (
    HEADS,
    MASKS,
    SIZES,
    check_autocast,
    check_forms,
    check_programs,
    check_traces,
    mask_of,
    numbers,
    strictly,
    textbook,
)

DYNAMIC = torch.export.Dim.DYNAMIC


def parts(n: int = 5, m: int = 7, batch: int = 2, kept: int = 2) -> tuple[Tensor, ...]:
    """q1, k1, q2, k2 (two heads for four), v, lam."""
    first = (numbers(batch, HEADS, n, 4), numbers(batch, HEADS, m, 4, seed=1))
    second = (numbers(batch, kept, n, 4, seed=2), numbers(batch, kept, m, 4, seed=3))
    return (*first, *second, numbers(batch, HEADS, m, 6, seed=4), numbers(HEADS, seed=5))


call = diff_attention


def takes(kind: str, kept: int) -> bool:
    """Whether there is a torch form: not for a mask of each head where heads share a subtracted map."""
    return kept == HEADS or not kind.endswith(("each head", "bias"))


@pytest.mark.parametrize(("kind", "kept", "backend"), [
    (kind, kept, backend)
    for kind in [*MASKS, "causal", "causal pairs", "causal bias"] for kept in (1, 2, HEADS) for backend in ("reference", "torch")
    if backend == "reference" or takes(kind, kept)
])  # fmt: skip
def test_every_form_is_the_textbook_formula(kind: str, kept: int, backend: str) -> None:
    causal = kind.startswith("causal")
    m = 5 if causal else 7
    mask = None if kind == "causal" else mask_of(kind.removeprefix("causal "), 5, m)
    q1, k1, q2, k2, v, lam = parts(5, m, kept=kept)
    group = HEADS // kept
    p1 = textbook(q1, k1, mask, causal, 0.3).softmax(-1).nan_to_num()
    p2 = textbook(q2.repeat_interleave(group, 1), k2.repeat_interleave(group, 1), mask, causal, 0.3).softmax(-1).nan_to_num()
    with strictly(backend):
        torch.testing.assert_close(diff_attention(q1, k1, q2, k2, v, lam, mask, causal, 0.3), (p1 - lam[:, None, None] * p2) @ v)
        torch.testing.assert_close(diff_attention(q1, k1, q2, k2, v, lam[0], mask, causal, 0.3), (p1 - lam[0] * p2) @ v)


@pytest.mark.parametrize(("kind", "kept"), [(kind, kept) for kind in MASKS for kept in (1, 2, HEADS) if takes(kind, kept)])
def test_the_torch_form_equals_the_reference_forward_and_backward(kind: str, kept: int) -> None:
    check_forms(call, lambda: parts(kept=kept), mask_of(kind, 5, 7))


@pytest.mark.parametrize(("n", "m"), SIZES)
@pytest.mark.parametrize("backend", ["reference", "torch"])
def test_gradients_are_right_in_float64(n: int, m: int, backend: str) -> None:
    leaves = [x.requires_grad_() for x in (*parts(n, m), numbers(2, 1, n, m))]
    with strictly(backend):
        assert torch.autograd.gradcheck(call, leaves, fast_mode=True)


@pytest.mark.parametrize("backend", ["reference", "torch"])
def test_without_a_share_it_is_plain_attention_and_of_equal_maps_the_rest(backend: str) -> None:
    q1, k1, q2, k2, v, _ = parts(kept=HEADS)
    with strictly(backend):
        plain = attend(q1, k1, v)[0]
        torch.testing.assert_close(diff_attention(q1, k1, q2, k2, v, torch.tensor(0.0)), plain)
        torch.testing.assert_close(diff_attention(q1, k1, q1, k1, v, torch.tensor(0.3).double()), 0.7 * plain)


def test_rows_sum_to_what_the_share_leaves() -> None:
    q1, k1, q2, k2, _, lam = parts()
    torch.testing.assert_close(weights(q1, k1, q2, k2, lam).sum(-1), (1 - lam)[:, None].expand(2, HEADS, 5))


@pytest.mark.parametrize("backend", ["reference", "torch"])
@pytest.mark.parametrize("kind", ["pairs", "each head", "hard bias"])
def test_a_query_that_sees_nothing_gives_zeros_and_no_gradient(backend: str, kind: str) -> None:
    leaves = [x.requires_grad_() for x in parts(kept=HEADS)]
    with strictly(backend), torch.autograd.set_detect_anomaly(True):
        o = diff_attention(*leaves, mask_of(kind, 5, 7))
        grads = torch.autograd.grad(o.square().sum(), leaves)
    assert (o[:, :, 0] == 0).all()
    assert all(grad.isfinite().all() for grad in grads)
    assert (grads[0][:, :, 0] == 0).all()
    assert (grads[2][:, :, 0] == 0).all()


def test_a_trace_at_one_size_is_right_at_three_others() -> None:
    check_traces(call, parts, [(5, 7), (1, 1), (9, 2), (2, 9)])


def test_a_causal_trace_at_one_size_is_right_at_three_others() -> None:
    check_traces(lambda *inputs: diff_attention(*inputs, causal=True), parts, [(5, 5), (1, 1), (9, 9), (2, 2)])


@pytest.mark.full  # twice fused attention at open sizes: 15 s
def test_compile_and_export_equal_eager() -> None:
    check_programs(call, parts, [{0: DYNAMIC, 2: DYNAMIC}] * 5 + [{}])


def test_sums_stay_in_float32_under_autocast_and_half_inputs() -> None:
    check_autocast(call, parts)
    assert diff_attention(*(x.bfloat16() for x in parts())).dtype == torch.bfloat16


def test_it_says_which_form_it_takes() -> None:
    assert explain(diff_attention, *parts()).startswith("torch ")
    assert "a mask of each head" in explain(diff_attention, *parts(), mask_of("each head", 5, 7))


def test_wrong_arguments_are_named() -> None:
    q1, k1, q2, k2, v, lam = parts()
    with pytest.raises(ValueError, match=r"a whole share of them, not \(2, 3, 5, 4\), \(2, 3, 7, 4\) beside \(2, 4, 5, 4\)"):
        diff_attention(q1, k1, q1[:, 1:], k1[:, 1:], v, lam)
    with pytest.raises(ValueError, match=r"lam is \(\) or \(H,\) = \(4,\), not \(3,\)"):
        diff_attention(q1, k1, q2, k2, v, lam[1:])
    with pytest.raises(ValueError, match=r"v \(2, 4, 6, 6\)"):
        diff_attention(q1, k1, q2, k2, v[:, :, 1:], lam)
    with pytest.raises(ValueError, match="not 5 and 7"):
        diff_attention(q1, k1, q2, k2, v, lam, causal=True)
    with pytest.raises(TypeError, match="True = may attend"):
        diff_attention(q1, k1, q2, k2, v, lam, torch.ones(5, 7, dtype=torch.int64))
