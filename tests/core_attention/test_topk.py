import pytest
import torch

from core_attention import Mixer, build_mixer
from core_attention.mixers.topk import largest
from kernels import use_backend
from tests.core_attention.properties.cases import Case, Variant, tokens


def random(pattern: str = "ns", **options: object) -> Mixer:
    return Case("topk", pattern, Variant()).build(**options)


@pytest.mark.parametrize("pattern", ["ns", "cs", "nc"])
@pytest.mark.parametrize("topk", [7, 100, 1.0])
def test_keeping_every_key_is_softmax(topk: float, pattern: str) -> None:
    mixer, plain = random(pattern, topk=topk), Case("softmax", pattern, Variant()).build()
    inputs = Case("topk", pattern, Variant()).inputs()
    for got, wanted in zip(
        (*mixer(**inputs, need="full"), mixer(**inputs, need="lse")[1]),
        (*plain(**inputs, need="full"), plain(**inputs, need="lse")[1]),
        strict=True,
    ):
        torch.testing.assert_close(got, wanted)


def test_a_query_keeps_its_largest_logits_in_their_softmax_proportions() -> None:
    x = tokens(2, 6, 8)
    full, plain = random(topk=2)(x, need="full")[1], Case("softmax", "ns", Variant()).build()(x, need="full")[1]
    top = plain.topk(2)
    wanted = torch.zeros_like(plain).scatter(-1, top.indices, top.values / top.values.sum(-1, keepdim=True))
    torch.testing.assert_close(full, wanted)


def test_of_equal_logits_the_first_are_kept() -> None:
    logits = torch.tensor([[[[1.0, 2.0, 1.0, 1.0, 0.0], [3.0, 3.0, 3.0, 3.0, 3.0]]]])
    kept = largest(logits, torch.full((1, 1, 2, 1), 3))
    assert kept[0, 0].tolist() == [[True, True, True, False, False], [True, True, True, False, False]]
    mixer = random(topk=2)
    assert (mixer(torch.ones(1, 5, 8, dtype=torch.float64), need="full")[1] == torch.tensor([0.5, 0.5, 0, 0, 0])).all()


@pytest.mark.parametrize(("share", "count", "kept"), [(0.28, 25, 7), (0.1, 31, 4), (0.5, 5, 3), (0.001, 5, 1), (1.0, 5, 5)])
def test_a_share_is_rounded_up(share: float, count: int, kept: int) -> None:
    full = random(topk=share)(tokens(1, count, 8), need="full")[1]
    assert ((full > 0).sum(-1) == kept).all()


def test_a_share_is_of_the_keys_that_a_query_sees() -> None:
    x = tokens(1, 6, 8)
    causal = random(topk=0.5, causal=True)(x, need="full")[1]
    assert (causal > 0).sum(-1)[0, 0].tolist() == [1, 1, 2, 2, 3, 3]
    padded = random(topk=0.5)(x, mask=torch.arange(6)[None] < 4, need="full")[1]
    assert ((padded > 0).sum(-1) == 2).all()


def test_no_gradient_reaches_a_forgotten_key() -> None:
    mixer, x, context = random("nc", topk=2), tokens(1, 1, 8), tokens(1, 7, 6, seed=1).requires_grad_()
    kept = (mixer(x, context, need="full")[1][0] > 0).any(0)[0]
    assert 0 < kept.sum() < 7
    (grad,) = torch.autograd.grad(mixer(x, context).square().sum(), context)
    assert ((grad[0] != 0).any(-1) == kept).all()


@pytest.mark.parametrize("pattern", ["ns", "cs"])
def test_the_context_token_is_one_more_key_the_mean_of_those_seen(pattern: str) -> None:
    mixer, x = random(pattern, topk=2, context_token=True), tokens(1, 6, 8)
    q, k, v = mixer.project(x)
    for i in range(6):
        seen = slice(0, i + 1 if pattern == "cs" else 6)
        keys, values = (torch.cat([part[:, :, seen], part[:, :, seen].mean(2, keepdim=True)], 2) for part in (k, v))
        logits = (q[:, :, i : i + 1] @ keys.transpose(2, 3)) / 2
        top = logits[..., :-1].topk(min(2, logits.shape[-1] - 1)).indices
        mask = torch.zeros_like(logits, dtype=torch.bool).scatter(-1, top, True)
        mask[..., -1] = True
        logits = logits.masked_fill(~mask, -torch.inf)
        torch.testing.assert_close(mixer(x)[:, i : i + 1], mixer.finish(logits.softmax(-1) @ values))
        torch.testing.assert_close(mixer(x, need="lse")[1][:, :, i : i + 1], logits.logsumexp(-1))


def test_autocast_stays_near_float32_where_the_choice_is_clear() -> None:
    mixer = random(topk=3).float()
    x = tokens(2, 5, 8).float()
    with use_backend("reference"), torch.autocast("cpu", dtype=torch.bfloat16):
        y, full = mixer(x, need="full")
    wanted, plain = mixer(x, need="full")
    same = ((full > 0) == (plain > 0)).all(-1).all(1)
    assert same.float().mean() > 0.5
    error = (y.float() - wanted)[same]
    assert error.square().mean().sqrt() < 3e-2 * wanted.square().mean().sqrt()


@pytest.mark.parametrize("topk", [0, -1, 0.0, 1.5, True])
def test_a_number_that_keeps_nothing_or_means_nothing_is_refused(topk: float) -> None:
    with pytest.raises(ValueError, match=f"topk is a whole number from 1, or a share in .0, 1., not {topk}"):
        build_mixer("topk", 8, 2, topk=topk)
