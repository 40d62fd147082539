from typing import Any

import pytest
import torch
from torch import Tensor

from kernels import explain, use_backend
from kernels.gated_pool import gated_pool, torch_form
from tests.kernels.operations import strictly
from tests.kernels.programs import LENGTHS, compiles_and_exports, offsets_of, randn, traces

D, H, K = 5, 4, 2
KINDS: dict[str, dict[str, Any]] = {
    "gated": {},
    "gated with biases": {"bv": randn(H, seed=5), "bu": randn(H, seed=6)},
    "gated with one bias": {"bu": randn(H, seed=6)},
    "plain": {"U": None},
    "plain relu": {"U": None, "act": "relu", "bv": randn(H, seed=5)},
    "gated relu": {"act": "relu"},
}


def arguments(lengths: list[int], kind: str, **more: Any) -> dict[str, Any]:
    made = {"x": randn(sum(lengths), D), "V": randn(D, H, seed=1), "U": randn(D, H, seed=2), "w": randn(H, K, seed=3)}
    options = {name: value.clone() if isinstance(value, Tensor) else value for name, value in KINDS[kind].items()}
    return made | {"offsets": offsets_of(lengths)} | options | more


def leaves(given: dict[str, Any]) -> list[Tensor]:
    return [value.requires_grad_() for name, value in given.items() if isinstance(value, Tensor) and name != "offsets"]


@pytest.fixture(autouse=True)
def _several_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_form, "CHUNK", 3)


@pytest.mark.parametrize("backend", ["reference", "torch"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("lengths", LENGTHS)
def test_it_is_the_textbook_formula(lengths: list[int], kind: str, backend: str) -> None:
    given = arguments(lengths, kind)
    with strictly(backend):
        z, lse = gated_pool(**given)
    act = torch.relu if given.get("act") == "relu" else torch.tanh
    for i, x in enumerate(given["x"].split(lengths)):
        h = act(x @ given["V"] + given.get("bv", 0))
        if given["U"] is not None:
            h = h * torch.sigmoid(x @ given["U"] + given.get("bu", 0))
        e = h @ given["w"]
        torch.testing.assert_close(z[i], e.softmax(0).T @ x)
        torch.testing.assert_close(lse[i], e.logsumexp(0))


@pytest.mark.parametrize("kind", KINDS)
def test_the_torch_form_equals_the_reference_forward_and_backward(kind: str) -> None:
    results = []
    for backend in ("reference", "torch"):
        given = arguments([4, 0, 1, 6], kind)
        wanted = leaves(given)
        with strictly(backend):
            z, lse = gated_pool(**given)
        loss = (z * randn(*z.shape, seed=8)).sum() + lse[[0, 2, 3]].sin().sum()
        results.append([z, lse, *torch.autograd.grad(loss, wanted)])
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("backend", ["reference", "torch"])
@pytest.mark.parametrize("kind", ["gated with biases", "plain"])
@pytest.mark.parametrize("lengths", [[3, 1, 4], [5]])
def test_gradients_are_right_in_float64(lengths: list[int], kind: str, backend: str) -> None:
    given = arguments(lengths, kind)
    with strictly(backend):
        assert torch.autograd.gradcheck(lambda *_: gated_pool(**given), leaves(given), fast_mode=True)


@pytest.mark.parametrize("backend", ["reference", "torch"])
def test_second_derivatives_are_right(backend: str) -> None:
    given = arguments([3, 2], "gated with biases")
    wanted = leaves(given)
    with strictly(backend):
        assert torch.autograd.gradgradcheck(lambda *_: gated_pool(**given), wanted, fast_mode=True)


def test_features_that_need_no_gradient_get_none() -> None:
    given = arguments([3, 4], "gated")
    given["V"].requires_grad_()
    with use_backend("torch"):
        gated_pool(**given)[0].sum().backward()
    assert given["x"].grad is None
    assert given["V"].grad is not None


@pytest.mark.parametrize("backend", ["reference", "torch"])
def test_a_segment_without_tokens_gives_zeros_and_the_gradient_is_finite(backend: str) -> None:
    given = arguments([2, 0, 3], "gated")
    wanted = leaves(given)
    with strictly(backend), torch.autograd.set_detect_anomaly(True):
        z, lse = gated_pool(**given)
        (z.sum() + lse[[0, 2]].sum()).backward()
    assert (z[1] == 0).all()
    assert (lse[1] == -torch.inf).all()
    assert all(leaf.grad is not None and leaf.grad.isfinite().all() for leaf in wanted)


@pytest.mark.parametrize("backend", ["reference", "torch"])
def test_scores_and_sums_stay_in_float32_for_half_inputs_under_autocast(backend: str) -> None:
    x, V, U, w = (value.bfloat16() for value in (randn(4000, D), randn(D, H, seed=1), randn(D, H, seed=2), randn(H, K, seed=3)))
    offsets = offsets_of([1000, 3000], torch.int32)
    exact = [value.double().requires_grad_() for value in (x, V, U, w)]
    half = [value.requires_grad_() for value in (x, V, U, w)]
    wanted, wanted_lse = gated_pool(*exact, offsets)
    with strictly(backend), torch.autocast("cpu", dtype=torch.bfloat16):
        z, lse = gated_pool(*half, offsets)
        grads = torch.autograd.grad(z.float().square().sum(), half)
    assert (z.dtype, lse.dtype) == (torch.bfloat16, torch.float32)
    torch.testing.assert_close(z.double(), wanted, rtol=4e-3, atol=1e-5)
    torch.testing.assert_close(lse.double(), wanted_lse, rtol=1e-5, atol=1e-5)
    for ours, theirs in zip(grads, torch.autograd.grad(wanted.square().sum(), exact), strict=True):
        assert ours.dtype == torch.bfloat16
        assert (ours.double() - theirs).square().mean().sqrt() < 1e-2 * theirs.square().mean().sqrt()


@pytest.mark.parametrize("backend", ["reference", "torch"])
def test_huge_tokens_stay_finite(backend: str) -> None:
    given = arguments([3, 4], "gated relu")
    given = {name: value.float() if name in ("V", "U", "w") else value for name, value in given.items()}
    given["x"] = (given["x"].float() * 1e6).requires_grad_()
    with strictly(backend):
        z, _ = gated_pool(**given)
    assert z.isfinite().all()
    assert torch.autograd.grad(z.mean(), given["x"])[0].isfinite().all()


@pytest.mark.parametrize("kind", ["gated with biases", "plain"])
def test_programs_equal_eager(kind: str) -> None:
    given = arguments([1], kind)
    weights = {name: value for name, value in given.items() if name not in ("x", "offsets")}

    def inputs(lengths: list[int]) -> tuple[Tensor, ...]:
        return randn(sum(lengths), D), offsets_of(lengths)

    def function(x: Tensor, offsets: Tensor) -> Any:
        return gated_pool(x, offsets=offsets, **weights)

    traces(function, inputs)
    compiles_and_exports(function, inputs)


def test_the_torch_form_is_taken_unless_a_program_is_made() -> None:
    given = arguments([2], "gated")
    assert explain(gated_pool, **given).startswith("torch ")
    with use_backend("reference"):
        assert explain(gated_pool, **given).startswith("reference ")


def test_wrong_arguments_are_named() -> None:
    given = arguments([2, 3], "gated")
    with pytest.raises(ValueError, match=r"not \(5, 5\), \(5, 4\), \(3, 2\)"):
        gated_pool(**given | {"w": given["w"][:3]})
    with pytest.raises(ValueError, match=r"U \(5, 3\) is shaped as V \(5, 4\)"):
        gated_pool(**given | {"U": given["U"][:, :3]})
    with pytest.raises(ValueError, match="bu is the bias of U"):
        gated_pool(**given | {"U": None, "bu": randn(H)})
    with pytest.raises(ValueError, match=r"bv \(3,\) does not fit V \(5, 4\)"):
        gated_pool(**given, bv=randn(3))
    with pytest.raises(ValueError, match="tanh or relu, not 'gelu'"):
        gated_pool(**given, act="gelu")
    with pytest.raises(ValueError, match=r"gated_pool: offsets .* tokens, 5"):
        gated_pool(**given | {"offsets": offsets_of([4])})
