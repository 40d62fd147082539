import pytest
import torch
from torch import Tensor

from kernels import explain, use_backend
from kernels.history_attention import guard_hits, history_attention
from tests.kernels.programs import LENGTHS, compiles_and_exports, offsets_of, randn, traces

NORMS = ["signed", "l1", "softmax", "uniform"]
L, D = 4, 3


def textbook(c: Tensor, norm: str, eps: float) -> Tensor:
    """One row of weights (L,), as the table of the paper's norms says it in words."""
    if norm == "softmax":
        return c.exp() / c.exp().sum()
    if norm == "uniform" or (c == 0).all():
        return torch.full_like(c, 1 / len(c))
    if norm == "l1":
        return c / c.abs().sum()
    sign = 1.0 if c.sum() >= 0 else -1.0
    return c / (sign * max(float(c.sum().abs()), eps * float(c.abs().sum())))


def arguments(lengths: list[int], norm: str, bias: tuple[int, ...] | None = (L,), shared: bool = False) -> tuple[Tensor | None, ...]:
    n = sum(lengths)
    if norm == "uniform":
        return randn(n, L, D), None, None
    u = randn(D, seed=1) if shared else randn(n, D, seed=1)
    return randn(n, L, D), u, None if bias is None else randn(*bias, seed=2)


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("lengths", LENGTHS)
def test_a_graph_shares_the_weights_of_its_mean_scores(lengths: list[int], norm: str, shared: bool) -> None:
    states, u, bias = arguments(lengths, norm, (sum(lengths), L), shared)
    z, a = history_attention(states, u, bias, offsets_of(lengths), norm=norm, eps=0.3)
    scores = (
        torch.zeros(sum(lengths), L, dtype=torch.float64)
        if u is None
        else torch.einsum("nld,nd->nl", states, u.expand(len(states), D)) + bias
    )
    parts = zip(states.split(lengths), scores.split(lengths), z.split(lengths), a, strict=True)
    for x, s, z_alone, a_alone in parts:
        wanted = textbook(s.mean(0), norm, 0.3) if len(x) else torch.zeros(L, dtype=torch.float64)
        torch.testing.assert_close(a_alone, wanted)
        torch.testing.assert_close(z_alone, torch.einsum("l,nld->nd", wanted, x))
    narrow = history_attention(states, u, bias, offsets_of(lengths, torch.int32), norm=norm, eps=0.3)
    assert torch.equal(narrow[0], z)


@pytest.mark.parametrize("norm", NORMS)
def test_without_offsets_each_node_is_a_graph_of_its_own(norm: str) -> None:
    states, u, bias = arguments([5], norm)
    own = history_attention(states, u, bias, norm=norm)
    torch.testing.assert_close(own, history_attention(states, u, bias, offsets_of([1] * 5), norm=norm))
    assert own[1].shape == (5, L)


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("lengths", [None, [3, 0, 2]])
@pytest.mark.parametrize("norm", ["signed", "l1", "softmax"])
def test_the_torch_form_equals_the_reference_forward_and_backward(norm: str, lengths: list[int] | None, shared: bool) -> None:
    offsets = None if lengths is None else offsets_of(lengths)
    results = []
    for backend in ("reference", "torch"):
        leaves = [value.requires_grad_() for value in arguments([5], norm, (L,) if shared else (5, L), shared) if value is not None]
        with use_backend(backend):
            assert explain(history_attention, *leaves).startswith(backend)
            z, a = history_attention(*leaves, offsets, norm=norm)
        results.append([z, a, *torch.autograd.grad(z.sin().sum() + a.square().sum(), leaves)])
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("offsets", [None, [3, 0, 2]])
@pytest.mark.parametrize("norm", NORMS)
def test_gradients_are_right_in_float64(norm: str, offsets: list[int] | None) -> None:
    states, u, bias = arguments([5], norm, (5, L))
    given = [value.requires_grad_() for value in (states, u, bias) if value is not None]
    where = None if offsets is None else offsets_of(offsets)

    def run(states: Tensor, u: Tensor | None = None, bias: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return history_attention(states, u, bias, where, norm=norm)

    if norm == "uniform":
        assert torch.autograd.gradcheck(lambda x: run(x)[0], given)
    else:
        assert torch.autograd.gradcheck(run, given)
        assert torch.autograd.gradgradcheck(run, given, fast_mode=True)


def scored(*c: float) -> tuple[Tensor, Tensor]:
    """States of one number each, so that with u = 1 the scores are `c`."""
    return torch.tensor(c, dtype=torch.float64).reshape(1, -1, 1), torch.ones(1, dtype=torch.float64)


def test_signed_weights_sum_to_one_and_do_not_change_with_the_scores_scale() -> None:
    states, u = scored(3.0, -1.0, 0.5)
    wanted = history_attention(states, u, norm="signed")[1]
    assert wanted.sum() == pytest.approx(1.0)
    for factor in (-3.0, 0.1, 7.0):
        torch.testing.assert_close(history_attention(states, u * factor, norm="signed")[1], wanted)
        guarded, scaled = (history_attention(scored(1.0, -1.001)[0], u * t, norm="signed")[1] for t in (1.0, factor))
        torch.testing.assert_close(guarded, scaled)


@pytest.mark.parametrize("gap", [1e-3, 0.0, -1e-3])
def test_the_guard_bounds_signed_weights_with_right_and_finite_gradients(gap: float) -> None:
    states, _ = scored(1.0, 2.0, 3.0)
    c = torch.tensor([1.0, -1.0 + gap, 0.0], dtype=torch.float64, requires_grad=True)

    def weights(c: Tensor) -> Tensor:
        return history_attention(states * 0, torch.ones(1, dtype=torch.float64), c, norm="signed", eps=0.05)[1]

    a = weights(c)
    assert (a.abs() <= 1 / 0.05).all()
    assert a[0, 0].item() == pytest.approx(-10.0 if gap < 0 else 10.0, rel=1e-2)  # 1 / (0.05 * 2)
    assert guard_hits(a) == 1
    assert torch.autograd.grad(a[0, 0], c)[0].isfinite().all()
    assert torch.autograd.gradcheck(weights, [torch.tensor([1.0, -1.01 + gap, 0.002], dtype=torch.float64, requires_grad=True)])


def test_guard_hits_counts_guarded_rows_only() -> None:
    states = torch.tensor([[1.0, -1.001], [1.0, 2.0], [-1.0, -2.0], [0.0, 0.0]]).unsqueeze(-1)
    _, a = history_attention(states, torch.ones(1), norm="signed")
    assert guard_hits(a) == 1
    assert guard_hits(torch.cat([a, torch.zeros(3, 2)])) == 1


@pytest.mark.parametrize("norm", NORMS)
def test_scores_all_zero_give_equal_weights_and_finite_gradients(norm: str) -> None:
    states, u = torch.zeros(2, L, D, requires_grad=True), None if norm == "uniform" else torch.ones(D)
    with torch.autograd.set_detect_anomaly(True):
        z, a = history_attention(states, u, norm=norm)
        (z.sum() + a.square().sum()).backward()
    assert torch.equal(a, torch.full((2, L), 0.25))
    assert states.grad is not None
    assert states.grad.isfinite().all()


def test_l1_weights_can_be_a_pure_difference() -> None:
    _, a = history_attention(*scored(2.0, -2.0), norm="l1")
    assert a.tolist() == [[0.5, -0.5]]


@pytest.mark.parametrize("norm", NORMS)
def test_one_layer_is_taken_as_it_is(norm: str) -> None:
    states, u = randn(3, 1, D), None if norm == "uniform" else randn(3, D, seed=1)
    z, a = history_attention(states, u, norm=norm)
    torch.testing.assert_close(a.abs() if norm == "l1" else a, torch.ones(3, 1, dtype=torch.float64))
    torch.testing.assert_close(z, states[:, 0] * a)


def test_a_layer_hidden_by_its_bias_gets_weight_zero_and_no_gradient() -> None:
    states, u, _ = arguments([4], "softmax")
    bias = torch.zeros(4, L, dtype=torch.float64)
    bias[:, 1] = bias[3] = -torch.inf
    bias.requires_grad_()
    with torch.autograd.set_detect_anomaly(True):
        z, a = history_attention(states, u, bias)
        z.square().sum().backward()
    assert (a[:, 1] == 0).all()
    assert (z[3] == 0).all()
    assert bias.grad is not None
    assert bias.grad.isfinite().all()
    assert (bias.grad[3] == 0).all()


@pytest.mark.parametrize("norm", NORMS)
def test_scores_stay_in_float32_for_half_states_under_autocast(norm: str) -> None:
    states, u, bias = (None if value is None else value.abs().bfloat16() for value in arguments([30, 50], norm))
    offsets = offsets_of([30, 50])
    exact = (None if value is None else value.double() for value in (states, u, bias))
    wanted, weights = history_attention(*exact, offsets, norm=norm)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        z, a = history_attention(states, u, bias, offsets, norm=norm)
    assert (z.dtype, a.dtype) == (torch.bfloat16, torch.float32)
    torch.testing.assert_close(z.double(), wanted, rtol=4e-3, atol=1e-5)
    torch.testing.assert_close(a.double(), weights, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("norm", NORMS)
def test_huge_states_stay_finite(norm: str) -> None:
    states, u, bias = (None if value is None else value.float() * 1e8 for value in arguments([3, 2], norm))
    assert all(part.isfinite().all() for part in history_attention(states, u, bias, offsets_of([3, 2]), norm=norm))


@pytest.mark.parametrize(
    "norm", ["signed", "uniform", pytest.param("l1", marks=pytest.mark.full), pytest.param("softmax", marks=pytest.mark.full)]
)
def test_programs_equal_eager(norm: str) -> None:
    def inputs(lengths: list[int]) -> tuple[Tensor, ...]:
        return randn(sum(lengths), L, D), randn(sum(lengths), D, seed=1), offsets_of(lengths)

    def function(states: Tensor, u: Tensor, offsets: Tensor) -> tuple[Tensor, Tensor]:
        return history_attention(states, None if norm == "uniform" else u, None, offsets, norm=norm)

    traces(function, inputs)
    compiles_and_exports(function, inputs)
    traces(lambda states, u, offsets: history_attention(states, u[0]), inputs)


def test_wrong_arguments_are_named() -> None:
    states, u, bias = arguments([5], "signed")
    assert u is not None
    assert bias is not None
    with pytest.raises(ValueError, match="norm is signed, l1, softmax, uniform, not 'l2'"):
        history_attention(states, u, norm="l2")
    with pytest.raises(ValueError, match=r"u \(4, 3\) does not fit states \(5, 4, 3\)"):
        history_attention(states, u[:4])
    with pytest.raises(ValueError, match=r"bias \(3,\) does not fit states \(5, 4, 3\)"):
        history_attention(states, u, bias[:3])
    with pytest.raises(ValueError, match="uniform' takes no u"):
        history_attention(states, u, norm="uniform")
    with pytest.raises(ValueError, match="every other norm needs one"):
        history_attention(states, None, norm="l1")
    with pytest.raises(ValueError, match="takes no bias"):
        history_attention(states, None, bias, norm="uniform")
    with pytest.raises(ValueError, match="eps is in"):
        history_attention(states, u, norm="signed", eps=0.0)
    with pytest.raises(ValueError, match=r"history_attention: offsets .* tokens, 5"):
        history_attention(states, u, offsets=offsets_of([4]))
