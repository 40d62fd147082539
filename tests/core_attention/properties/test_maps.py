"""Properties 2, 7, 9, 12, 13: order, batches, causality, and what the maps say."""

import pytest
import torch

from core_attention.mixers.heads import Heads
from tests.core_attention.properties.cases import Case, cases, tokens

FULL = lambda case: "full" in case.spec.needs  # noqa: E731
# A logit depends on which other keys are seen: a temperature of their number, a choice among them.
OF_ALL_KEYS = {"selective", "topk"}


@cases(lambda case: case.spec.permutation == "equivariant" and case.pattern != "cs")
def test_permuting_tokens_permutes_the_answer(case: Case) -> None:
    mixer, inputs = case.build(), case.inputs()
    order = torch.tensor([3, 1, 0, 2, 4])
    permuted = {**inputs, "x": inputs["x"][:, order]}
    torch.testing.assert_close(mixer(**permuted), mixer(**inputs)[:, order])
    if case.cross:
        turned = {**inputs, "context": inputs["context"].flip(1)}
        torch.testing.assert_close(mixer(**turned), mixer(**inputs))


@cases()
def test_a_batch_equals_its_samples(case: Case) -> None:
    mixer, inputs = case.build(), case.inputs(batch=3)
    y = mixer(**inputs)
    for i in range(3):
        one = {name: value[i : i + 1] if isinstance(value, torch.Tensor) else value for name, value in inputs.items()}
        torch.testing.assert_close(mixer(**one), y[i : i + 1])


@cases(lambda case: case.pattern == "cs")
def test_a_causal_mixer_never_looks_ahead(case: Case) -> None:
    mixer, inputs = case.build(), case.inputs(n=6)
    x, grid = inputs["x"], inputs.get("grid")
    n = x.shape[1]
    y = mixer(x, grid=grid)
    for i in range(1, n):
        changed = torch.cat([x[:, :i], tokens(2, n - i, x.shape[2], seed=9)], 1)
        torch.testing.assert_close(mixer(changed, grid=grid)[:, :i], y[:, :i], rtol=0, atol=1e-12)
    x.requires_grad_()
    for i in range(n):
        (grad,) = torch.autograd.grad(mixer(x, grid=grid)[:, i].square().sum(), x)
        assert (grad[:, i + 1 :] == 0).all()


@cases(lambda case: case.pattern == "cc")
def test_a_causal_decoder_sees_all_of_a_finished_source_and_no_other_query(case: Case) -> None:
    mixer, inputs = case.build(), case.inputs()
    for value in (inputs["x"], inputs["context"]):
        value.requires_grad_()
    for i in (0, 4):
        x, context = torch.autograd.grad(mixer(**inputs)[:, i].square().sum(), [inputs["x"], inputs["context"]])
        if "full" not in case.spec.needs or (mixer(**inputs, need="full")[1][:, :, i] != 0).any(1).all():
            assert (context.abs().amax(-1) > 0).all()
        assert (x[:, :i] == 0).all()
        assert (x[:, i + 1 :] == 0).all()


@cases(FULL)
def test_maps_are_parts_of_one_another(case: Case) -> None:
    mixer, inputs = case.build(), case.inputs()
    y, full = mixer(**inputs, need="full")
    torch.testing.assert_close(y, mixer(**inputs))
    n, m = inputs["x"].shape[1], inputs.get("context", inputs["x"]).shape[1]
    assert full.shape[0] == 2
    assert full.shape[2:] == (n, m)
    if case.spec.mass == "one":
        torch.testing.assert_close(full.sum(-1), torch.ones_like(full[..., 0]))
        assert (full >= 0).all()
    if "mean" in case.spec.needs:
        torch.testing.assert_close(mixer(**inputs, need="mean")[1], full.mean(1))
    if "row" in case.spec.needs:
        torch.testing.assert_close(mixer(**inputs, need="row")[1], full[:, :, 0])
    if case.pattern == "cs":
        assert (full.triu(1) == 0).all()


@cases(lambda case: FULL(case) and "key" in case.spec.masks)
def test_a_map_shows_nothing_on_hidden_keys(case: Case) -> None:
    mixer, inputs = case.build(), case.inputs()
    m = inputs.get("context", inputs["x"]).shape[1]
    valid = torch.arange(m).expand(2, m) != 2
    full = mixer(**inputs, mask=valid, need="full")[1]
    assert (full[..., 2] == 0).all()
    if case.spec.mass == "one":
        rows = full.sum(-1)
        assert (torch.isclose(rows, torch.ones_like(rows)) | (rows == 0)).all()
    if "row" in case.spec.needs:
        torch.testing.assert_close(mixer(**inputs, mask=valid, need="row")[1], full[:, :, 0])


@cases(lambda case: FULL(case) and issubclass(type(case.build()), Heads))
def test_the_answer_is_the_map_times_the_values(case: Case) -> None:
    mixer, inputs = case.build(), case.inputs()
    assert isinstance(mixer, Heads)
    if not mixer.linear_in_values:
        pytest.skip("the answer is normalised after the sum")
    y, full = mixer(**inputs, need="full")
    values = mixer.project(inputs["x"], inputs.get("context"))[2]
    torch.testing.assert_close(mixer.finish(full @ values), y)


@cases(lambda case: "lse" in case.spec.needs and "pair" in case.spec.masks and case.name not in OF_ALL_KEYS)
def test_the_log_sum_exp_adds_up_over_keys(case: Case) -> None:
    mixer, inputs = case.build(), case.inputs()
    n, m = inputs["x"].shape[1], inputs.get("context", inputs["x"]).shape[1]
    first = torch.arange(m).expand(2, n, m) < 3
    some, rest = (mixer(**inputs, mask=mask, need="lse")[1] for mask in (first, ~first))
    torch.testing.assert_close(torch.logaddexp(some, rest), mixer(**inputs, need="lse")[1])


@cases(lambda case: "bias" in case.spec.masks)
def test_a_number_added_to_all_logits_changes_what_the_spec_says(case: Case) -> None:
    mixer, inputs = case.build(), case.inputs()
    n, m = inputs["x"].shape[1], inputs.get("context", inputs["x"]).shape[1]
    y, shifted = mixer(**inputs), mixer(**inputs, mask=torch.full((2, 1, n, m), 1.5, dtype=torch.float64))
    assert torch.allclose(y, shifted) == case.spec.shift_invariant


@cases(lambda case: "mean" in case.spec.needs)
def test_pulling_a_row_through_equals_multiplying_by_the_mean_map(case: Case) -> None:
    mixer, inputs = case.build(), case.inputs()
    n, m = inputs["x"].shape[1], inputs.get("context", inputs["x"]).shape[1]
    r = tokens(2, n, seed=3).softmax(-1)
    generator = torch.Generator().manual_seed(2)
    masks = {"key": torch.arange(m).expand(2, m) != 2}
    masks["pair"] = torch.rand(2, case.variant.heads, n, m, generator=generator) < 0.7
    masks["bias"] = torch.randn(2, case.variant.heads, n, m, generator=generator, dtype=torch.float64)
    for mask in (None, *(mask for kind, mask in masks.items() if kind in case.spec.masks)):
        wanted = torch.einsum("bn,bnm->bm", r, mixer(**inputs, mask=mask, need="mean")[1])
        got = mixer.pull(r, inputs["x"], inputs.get("context"), mask, inputs.get("grid"))
        torch.testing.assert_close(got, wanted)
