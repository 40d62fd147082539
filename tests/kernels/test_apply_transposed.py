import pytest
import torch
from torch import Tensor

from kernels import explain
from kernels.apply_transposed import apply_transposed
from kernels.attend import attend
from kernels.query_chunks import CPU_BYTES
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


def qkr(n: int = 5, m: int = 7, batch: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    return numbers(batch, HEADS, n, 4), numbers(batch, HEADS, m, 4, seed=1), numbers(batch, HEADS, n, seed=2)


def call(q: Tensor, k: Tensor, r: Tensor, mask: Tensor | None) -> Tensor:
    return apply_transposed(q, k, r, mask=mask)


@pytest.mark.parametrize("kind", MASKS)
@pytest.mark.parametrize("with_lse", [False, True])
def test_the_reference_and_the_pieces_are_the_textbook_formula(monkeypatch: pytest.MonkeyPatch, kind: str, with_lse: bool) -> None:
    in_small_pieces(monkeypatch)
    q, k, r = qkr()
    mask = mask_of(kind, 5, 7)
    lse = attend(q, k, k, mask, scale=0.3, need_lse=True)[1] if with_lse else None
    p = textbook(q, k, mask, scale=0.3).softmax(-1).nan_to_num()
    for backend in ("reference", "torch"):
        with strictly(backend):
            c = apply_transposed(q, k, r, lse, mask, 0.3)
            same = apply_transposed(q, k, r[:, 0], lse, mask, 0.3)
        torch.testing.assert_close(c, torch.einsum("bhn,bhnm->bhm", r, p))
        torch.testing.assert_close(same, torch.einsum("bn,bhnm->bhm", r[:, 0], p))


@pytest.mark.parametrize("kind", MASKS)
def test_the_pieces_equal_the_reference_forward_and_backward(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    in_small_pieces(monkeypatch)
    check_forms(call, qkr, mask_of(kind, 5, 7))


@pytest.mark.parametrize(("n", "m"), SIZES)
@pytest.mark.parametrize("backend", ["reference", "torch"])
def test_gradients_are_right_in_float64(n: int, m: int, backend: str) -> None:
    leaves = [x.requires_grad_() for x in (*qkr(n, m), numbers(2, 1, n, m))]
    with strictly(backend):
        assert torch.autograd.gradcheck(lambda q, k, r, bias: call(q, k, r, bias), leaves, fast_mode=True)


def test_the_gradient_is_complete_with_a_log_sum_exp_given(monkeypatch: pytest.MonkeyPatch) -> None:
    in_small_pieces(monkeypatch)
    grads = []
    for given in (False, True):
        q, k, r = (x.requires_grad_() for x in qkr())
        lse = attend(q, k, k, need_lse=True)[1] if given else None
        grads.append(torch.autograd.grad(apply_transposed(q, k, r, lse).square().sum(), [q, k, r]))
    for without, with_lse in zip(*grads, strict=True):
        torch.testing.assert_close(with_lse, without)


@pytest.mark.parametrize("backend", ["reference", "torch"])
def test_a_query_that_sees_nothing_passes_nothing_on_and_gets_no_gradient(backend: str) -> None:
    q, k, r = (x.requires_grad_() for x in qkr())
    mask = mask_of("pairs", 5, 7)
    with strictly(backend):
        c = apply_transposed(q, k, r, mask=mask)
        louder = apply_transposed(q, k, r * torch.tensor([9.0, 1, 1, 1, 1]), mask=mask)
    assert torch.equal(c, louder)
    grads = torch.autograd.grad(c.square().sum(), [q, k, r])
    assert all(grad.isfinite().all() for grad in grads)
    assert (grads[0][:, :, 0] == 0).all()
    assert (grads[2][:, :, 0] == 0).all()


def test_weights_that_sum_to_one_still_do() -> None:
    q, k, r = qkr(300, 200)
    torch.testing.assert_close(apply_transposed(q, k, r.softmax(-1)).sum(-1), torch.ones(2, HEADS, dtype=torch.float64))


def test_the_map_is_never_there_as_a_whole() -> None:
    n = 1024
    q, k, r = (x.float().requires_grad_() for x in (numbers(2, HEADS, n, 4), numbers(2, HEADS, n, 4), numbers(2, n)))
    largest = []

    class Watch(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            out = func(*args, **(kwargs or {}))
            largest.extend(x.numel() * x.itemsize for x in torch.utils._pytree.tree_leaves(out) if isinstance(x, Tensor))
            return out

    with Watch():
        apply_transposed(q, k, r).sum().backward()
    assert max(largest) <= CPU_BYTES < 2 * HEADS * n * n * 4 / 4


def test_a_trace_at_one_size_is_right_at_three_others() -> None:
    check_traces(call, qkr, [(5, 7), (1, 1), (9, 2), (2, 9)])


def test_compile_and_export_equal_eager() -> None:
    check_programs(call, qkr, [{0: DYNAMIC, 2: DYNAMIC}] * 3)


def test_sums_stay_in_float32_under_autocast_and_half_inputs() -> None:
    half = [x.bfloat16() for x in qkr(40, 40)]
    assert apply_transposed(*half).dtype == torch.float32
    check_autocast(call, qkr, 1e-5)


def test_it_says_which_form_it_takes() -> None:
    assert explain(apply_transposed, *qkr()).startswith("torch ")


def test_wrong_arguments_are_named() -> None:
    q, k, r = qkr()
    with pytest.raises(ValueError, match=r"r is \(B, H, N\) = \(2, 4, 5\) or \(B, N\) = \(2, 5\), not \(2, 4, 4\)"):
        apply_transposed(q, k, r[..., 1:])
    with pytest.raises(ValueError, match=r"shapes do not fit: q \(2, 4, 5, 4\), k \(2, 3, 7, 4\)"):
        apply_transposed(q, k[:, 1:], r)
    with pytest.raises(ValueError, match="tokens, width"):
        apply_transposed(q[0], k[0], r)
    with pytest.raises(ValueError, match=r"lse is \(B, H, N\)"):
        apply_transposed(q, k, r, lse=r[:1])
    with pytest.raises(TypeError, match="True = may attend"):
        apply_transposed(q, k, r, mask=torch.ones(5, 7, dtype=torch.int64))
    with pytest.raises(ValueError, match=r"mask \(5, 6\) does not broadcast"):
        apply_transposed(q, k, r, mask=torch.ones(5, 6, dtype=torch.bool))
    with pytest.raises(ValueError, match="a query and a key"):
        apply_transposed(q[:, :, :0], k, r[:, :, :0])
