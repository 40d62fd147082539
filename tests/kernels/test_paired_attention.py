import pytest
import torch
from torch import Tensor

from kernels import explain
from kernels.attend import attend
from kernels.paired_attention import paired_attention
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
)

DYNAMIC = torch.export.Dim.DYNAMIC
OTHERS = 3  # keys of the second set


def qkvkv(n: int = 5, m: int = 7, batch: int = 2) -> tuple[Tensor, ...]:
    own = (numbers(batch, HEADS, n, 4), numbers(batch, HEADS, m, 4, seed=1), numbers(batch, HEADS, m, 6, seed=2))
    return (*own, numbers(batch, HEADS, OTHERS, 4, seed=3), numbers(batch, HEADS, OTHERS, 6, seed=4))


def call(q: Tensor, k: Tensor, v: Tensor, k2: Tensor, v2: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
    return paired_attention(q, k, v, k2, v2, mask)


@pytest.mark.parametrize("kind", MASKS)
@pytest.mark.parametrize("other", MASKS)
@pytest.mark.parametrize("backend", ["reference", "torch"])
def test_two_attentions_merge_by_their_log_sum_exps(kind: str, other: str, backend: str) -> None:
    q, k, v, k2, v2 = qkvkv()
    mask, mask2 = mask_of(kind, 5, 7), mask_of(other, 5, OTHERS)
    with strictly(backend):
        o, own = paired_attention(q, k, v, k2, v2, mask, mask2, 0.3)
    (o1, lse1), (o2, lse2) = (attend(q, *kv, scale=0.3, need_lse=True) for kv in ((k, v, mask), (k2, v2, mask2)))
    lse = torch.logaddexp(lse1, lse2)
    share1, share2 = (lse1 - lse).exp().nan_to_num(), (lse2 - lse).exp().nan_to_num()
    torch.testing.assert_close(o, share1[..., None] * o1 + share2[..., None] * o2)
    torch.testing.assert_close(own, share1)


@pytest.mark.parametrize("kind", MASKS)
def test_the_torch_form_equals_the_reference_forward_and_backward(kind: str) -> None:
    check_forms(call, qkvkv, mask_of(kind, 5, 7))


@pytest.mark.parametrize(("n", "m"), SIZES)
@pytest.mark.parametrize("backend", ["reference", "torch"])
def test_gradients_are_right_in_float64(n: int, m: int, backend: str) -> None:
    leaves = [x.requires_grad_() for x in (*qkvkv(n, m), numbers(2, HEADS, n, m))]
    with strictly(backend):
        assert torch.autograd.gradcheck(lambda *inputs: call(*inputs)[0], leaves, fast_mode=True)


@pytest.mark.parametrize("backend", ["reference", "torch"])
def test_two_equal_sets_are_plain_attention_with_half_the_mass_on_each(backend: str) -> None:
    q, k, v, *_ = qkvkv()
    with strictly(backend):
        o, own = paired_attention(q, k, v, k, v)
        torch.testing.assert_close(o, attend(q, k, v)[0])
    torch.testing.assert_close(own, torch.full_like(own, 0.5))


@pytest.mark.parametrize("backend", ["reference", "torch"])
def test_a_hidden_partner_is_no_partner(backend: str) -> None:
    q, k, v, k2, v2 = qkvkv()
    with strictly(backend):
        o, own = paired_attention(q, k, v, k2, v2, mask2=torch.zeros(1, 1, 1, OTHERS, dtype=torch.bool))
        torch.testing.assert_close(o, attend(q, k, v)[0])
        torch.testing.assert_close(own, torch.ones_like(own))
        o, own = paired_attention(q, k, v, k2, v2, mask1=torch.zeros(1, 1, 1, 7, dtype=torch.bool))
        torch.testing.assert_close(o, attend(q, k2, v2)[0])
        assert (own == 0).all()


@pytest.mark.parametrize("backend", ["reference", "torch"])
def test_a_query_that_sees_nothing_in_either_set_gives_zeros_own_mass_zero_and_no_gradient(backend: str) -> None:
    leaves = [x.requires_grad_() for x in qkvkv()]
    with strictly(backend):
        o, own = paired_attention(*leaves, mask_of("pairs", 5, 7), mask_of("pairs", 5, OTHERS))
    assert (o[:, :, 0] == 0).all()
    assert (own[:, :, 0] == 0).all()
    grads = torch.autograd.grad(o.square().sum(), leaves)
    assert all(grad.isfinite().all() for grad in grads)
    assert (grads[0][:, :, 0] == 0).all()


@pytest.mark.parametrize("backend", ["reference", "torch"])
def test_the_own_mass_carries_no_gradient(backend: str) -> None:
    with strictly(backend):
        o, own = paired_attention(*(x.requires_grad_() for x in qkvkv()))
    assert o.requires_grad
    assert not own.requires_grad


@pytest.mark.parametrize("backend", ["reference", "torch"])
def test_without_the_own_mass_the_answer_is_the_same(backend: str) -> None:
    with strictly(backend):
        (wanted, _), (o, own) = (paired_attention(*qkvkv(), need_own=need_own) for need_own in (True, False))
    torch.testing.assert_close(o, wanted)
    assert own is None


def test_a_trace_at_one_size_is_right_at_three_others() -> None:
    check_traces(call, qkvkv, [(5, 7), (1, 1), (9, 2), (2, 9)])


def test_compile_and_export_equal_eager() -> None:
    check_programs(call, qkvkv, [{0: DYNAMIC, 2: DYNAMIC}] * 3 + [{0: DYNAMIC}] * 2)


def test_sums_stay_in_float32_under_autocast_and_half_inputs() -> None:
    check_autocast(call, qkvkv)
    assert paired_attention(*(x.bfloat16() for x in qkvkv()))[1].dtype == torch.float32
    assert explain(paired_attention, *qkvkv()).startswith("torch ")


def test_wrong_arguments_are_named() -> None:
    q, k, v, k2, v2 = qkvkv()
    with pytest.raises(ValueError, match=r"k2 \(2, 4, 3, 4\), v2 \(2, 4, 7, 6\)"):
        paired_attention(q, k, v, k2, v)
    with pytest.raises(ValueError, match="shapes do not fit"):
        paired_attention(q, k, v, k2[..., 1:], v2)
    with pytest.raises(ValueError, match=r"mask2 \(5, 7\) does not broadcast"):
        paired_attention(q, k, v, k2, v2, mask2=torch.ones(5, 7, dtype=torch.bool))
    with pytest.raises(TypeError, match=r"mask2 is torch\.int64; bool: True = may attend"):
        paired_attention(q, k, v, k2, v2, mask2=torch.ones(5, OTHERS, dtype=torch.int64))
