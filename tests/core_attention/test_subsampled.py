import pytest
import torch

from core_attention import build_mixer
from core_attention.mixers import Subsampled
from tests.core_attention.properties.cases import Case, Variant, tokens


def random(pattern: str = "ns", seed: int = 0, **options: object) -> Subsampled:
    mixer = Case("subsampled", pattern, Variant()).build(**options)
    assert isinstance(mixer, Subsampled)
    mixer.generator = torch.Generator().manual_seed(seed)
    return mixer.train()


@pytest.mark.parametrize("pattern", ["ns", "cs"])
@pytest.mark.parametrize("kind", ["none", "key", "pair", "bias"])
@pytest.mark.parametrize("window", [None, 2])
def test_training_is_softmax_over_the_drawn_keys_and_the_own_one(pattern: str, kind: str, window: int | None) -> None:
    mixer, x, n = random(pattern, share=0.4, window=window), tokens(2, 7, 8), 7
    seen = torch.rand(2, n, n, generator=torch.Generator().manual_seed(3)) < 0.7
    bias = tokens(2, 2, n, n, seed=2).masked_fill(~seen[:, None], -torch.inf)
    mask = {"none": None, "key": seen[:, 0], "pair": seen, "bias": bias}[kind]
    y = mixer(x, mask=mask)
    mixer.generator = torch.Generator().manual_seed(0)
    drawn = mixer.draw(mixer.project(x)[1])
    assert drawn.shape == (2, 3)
    away = (torch.arange(n)[:, None] - torch.arange(n)).abs()
    kept = torch.zeros(2, n, n, dtype=torch.bool).scatter(2, drawn[:, None].expand(-1, n, -1), True)
    kept = (kept & (away <= (window or n))) | torch.eye(n, dtype=torch.bool)
    given = torch.ones(2, 1, n, n, dtype=torch.bool) if mask is None else mask
    given = given[:, None, None].expand(2, 1, n, n) if given.ndim == 2 else given[:, None] if given.ndim == 3 else given
    joined = given & kept[:, None] if given.dtype == torch.bool else given.masked_fill(~kept[:, None], -torch.inf)
    plain = build_mixer("softmax", 8, 2, causal=pattern == "cs").double()
    plain.load_state_dict(mixer.state_dict())
    clean = torch.where(seen[:, 0, :, None], x, 0.0) if kind == "key" else x
    torch.testing.assert_close(y, plain(clean, mask=joined))


def test_all_keys_drawn_are_softmax() -> None:
    mixer, x = random(share=1.0), tokens(2, 5, 8)
    torch.testing.assert_close(mixer(x), mixer.eval()(x))


def test_each_step_draws_anew_and_the_same_seed_the_same() -> None:
    mixer, x = random(), tokens(2, 9, 8)
    first, second = mixer(x), mixer(x)
    assert not torch.equal(first, second)
    assert torch.equal(random()(x), first)


def test_a_token_that_sees_nothing_gets_nothing_and_no_broken_gradient() -> None:
    mixer, x = random(), tokens(1, 4, 8).requires_grad_()
    mask = torch.ones(1, 4, 4, dtype=torch.bool)
    mask[0, 2] = False
    y = mixer(x, mask=mask)
    torch.testing.assert_close(y[0, 2], mixer.proj.bias)
    (grad,) = torch.autograd.grad(y.square().sum(), x)
    assert grad.isfinite().all()


def test_there_are_no_maps_in_training() -> None:
    with pytest.raises(ValueError, match=r"call eval\(\) first"):
        random()(tokens(1, 4, 8), need="full")
    with pytest.raises(ValueError, match=r"call eval\(\) first"):
        random()(tokens(1, 4, 8), need="lse")


@pytest.mark.parametrize("options", [{"share": 0.0}, {"share": 2.0}, {"window": 0}])
def test_what_cannot_be_built_is_refused(options: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        build_mixer("subsampled", 8, 2, **options)
