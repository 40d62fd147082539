"""Properties 3 to 6: hidden tokens do not exist."""

import pytest
import torch

from kernels import use_backend
from tests.core_attention.properties.cases import Case, cases, tokens

HIDES = lambda case: "key" in case.spec.masks  # noqa: E731


def keys(case: Case, inputs: dict) -> str:
    return "context" if case.cross else "x"


@cases(lambda case: HIDES(case) and not case.spec.needs_grid and case.pattern != "cs")
def test_hiding_keys_equals_removing_them(case: Case) -> None:
    mixer, inputs = case.build(), case.inputs()
    part = keys(case, inputs)
    valid = torch.arange(inputs[part].shape[1]).expand(2, -1) % 3 != 1
    shorter = {**inputs, part: inputs[part][:, valid[0]]}
    y = mixer(**inputs, mask=valid)
    torch.testing.assert_close(y if case.cross else y[:, valid[0]], mixer(**shorter))


@cases(lambda case: "pair" in case.spec.masks)
def test_all_kinds_of_mask_that_say_the_same_do_the_same(case: Case) -> None:
    mixer, inputs = case.build(), case.inputs()
    n, m = inputs["x"].shape[1], inputs[keys(case, inputs)].shape[1]
    seen = torch.rand(2, n, m, generator=torch.Generator().manual_seed(2)) < 0.7
    wanted = mixer(**inputs, mask=seen)
    torch.testing.assert_close(mixer(**inputs, mask=seen[:, None]), wanted)
    torch.testing.assert_close(mixer(**inputs, mask=seen[:, None].expand(2, case.variant.heads, n, m)), wanted)
    if "bias" in case.spec.masks:
        bias = torch.zeros(2, 1, n, m, dtype=torch.float64).masked_fill(~seen[:, None], -torch.inf)
        torch.testing.assert_close(mixer(**inputs, mask=bias), wanted)


@cases(HIDES)
@pytest.mark.parametrize("backend", ["reference", "torch"])
def test_nan_in_hidden_tokens_changes_no_output_and_no_gradient(case: Case, backend: str) -> None:
    results = []
    for poison in (0.0, torch.nan, torch.inf):
        mixer, inputs = case.build(), case.inputs(m=5)
        part = inputs[keys(case, inputs)]
        valid = torch.arange(part.shape[1]).expand(2, -1) % 3 != torch.tensor([[1], [2]])
        part[~valid] = poison
        leaves = [value.requires_grad_() for value in inputs.values() if isinstance(value, torch.Tensor)]
        with use_backend(backend):
            y = mixer(**inputs, mask=valid)
        results.append([y, *torch.autograd.grad(y.square().sum(), [*leaves, *mixer.parameters()], allow_unused=True)])
    for clean, nan, inf in zip(*results, strict=True):
        if clean is not None:
            assert torch.equal(clean, nan)
            assert torch.equal(clean, inf)


@cases(HIDES)
@pytest.mark.parametrize("backend", ["reference", "torch"])
def test_a_sample_without_a_visible_key_looks_at_nothing(case: Case, backend: str) -> None:
    mixer, inputs = case.build(), case.inputs()
    part = inputs[keys(case, inputs)]
    valid = torch.ones(part.shape[:2], dtype=torch.bool)
    valid[1] = False
    leaves = [value.requires_grad_() for value in inputs.values() if isinstance(value, torch.Tensor)]
    with use_backend(backend), torch.autograd.set_detect_anomaly(True):
        y = mixer(**inputs, mask=valid)
        grads = torch.autograd.grad(y[1].square().sum(), [*leaves, *mixer.parameters()], allow_unused=True, retain_graph=True)
        whole = torch.autograd.grad(y.square().sum(), [*leaves, *mixer.parameters()], allow_unused=True)
    assert y.isfinite().all()
    assert torch.allclose(y[1], y[1, :1])  # the same for every query: nothing but biases
    assert all(grad is None or (grad == 0).all() for grad in grads[: len(leaves)])
    assert all(grad is None or grad.isfinite().all() for grad in whole)
    if "lse" in case.spec.needs:
        assert (mixer(**inputs, mask=valid, need="lse")[1][1] == -torch.inf).all()
    if "full" in case.spec.needs:
        assert (mixer(**inputs, mask=valid, need="full")[1][1] == 0).all()


@cases(lambda case: case.spec.ragged)
@pytest.mark.parametrize("lengths", [[3, 0, 1, 4], [5], [1, 1]])
def test_ragged_equals_each_segment_alone(case: Case, lengths: list[int]) -> None:
    mixer = case.build()
    flat, alone = case.ragged(lengths)
    y = mixer(**flat)
    torch.testing.assert_close(y, torch.cat([mixer(**part)[0] for part in alone]))
    if not case.cross:
        narrow = flat["segments"]._replace(offsets=flat["segments"].offsets.int())
        torch.testing.assert_close(mixer(flat["x"], segments=narrow), y)


@cases(lambda case: case.spec.ragged)
def test_a_segment_never_sees_its_neighbour(case: Case) -> None:
    """Neither forward nor backward, NaN included."""
    mixer = case.build()
    flat, _ = case.ragged([3, 2])
    wanted = mixer(**flat)[:3]
    poisoned = {**flat, "x": torch.cat([flat["x"][:3], torch.full_like(flat["x"][3:], torch.nan)])}
    torch.testing.assert_close(mixer(**poisoned)[:3], wanted)


def test_the_helpers_tokens_differ_by_seed() -> None:
    assert not torch.equal(tokens(3), tokens(3, seed=1))
