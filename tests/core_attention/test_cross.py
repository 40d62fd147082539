import pytest
import torch

from core_attention import build_mixer
from core_attention.blocks import Cross
from tests.core_attention.properties.cases import tokens


def test_its_parts_are_named_as_in_a_plain_block() -> None:
    names = {name.rsplit(".", 1)[0] for name, _ in Cross(8, 2, context_dim=6, layer_scale=1e-5).named_parameters()}
    assert names == {"norm1", "norm_context", "attn.q", "attn.kv", "attn.proj", "ls1", "norm2", "mlp.fc1", "mlp.fc2", "ls2"}


def test_with_silent_branches_it_is_the_identity() -> None:
    x, context = torch.randn(2, 5, 8), torch.randn(2, 7, 6)
    assert torch.equal(Cross(8, 2, 6, layer_scale=0.0)(x, context), x)
    assert not torch.equal(Cross(8, 2, 6)(x, context), x)


def test_both_ways_are_two_blocks_of_their_own_that_see_what_came_in() -> None:
    torch.manual_seed(0)
    both, there, back = Cross(8, 2, 6, bidirectional=True), Cross(8, 2, 6), Cross(6, 2, 8)
    state = both.state_dict()
    back.load_state_dict({name.removeprefix("back."): value for name, value in state.items() if name.startswith("back.")})
    there.load_state_dict({name: value for name, value in state.items() if not name.startswith("back.")})
    x, context = torch.randn(2, 5, 8), torch.randn(2, 7, 6)
    mask, back_mask = torch.arange(7).expand(2, 7) < 4, torch.arange(5).expand(2, 5) < 3
    new_x, new_context = both(x, context, mask, back_mask)
    torch.testing.assert_close(new_x, there(x, context, mask))
    torch.testing.assert_close(new_context, back(context, x, back_mask))


def test_it_gives_the_maps_of_its_mixers() -> None:
    block = Cross(8, 2, 6, bidirectional=True)
    (x, there), (context, back) = block(torch.randn(2, 5, 8), torch.randn(2, 7, 6), need="full")
    assert (x.shape, context.shape) == ((2, 5, 8), (2, 7, 6))
    assert (there.shape, back.shape) == ((2, 2, 5, 7), (2, 2, 7, 5))


def test_nan_in_hidden_context_changes_no_answer_and_no_gradient() -> None:
    torch.manual_seed(0)
    block, x, valid = Cross(8, 2, 6).double(), tokens(2, 5, 8), torch.arange(7).expand(2, 7) < 4
    results = []
    for poison in (0.0, torch.nan):
        y = block(x, tokens(2, 7, 6).masked_fill(~valid[..., None], poison), valid)
        results.append([y, *torch.autograd.grad(y.square().sum(), list(block.parameters()))])
    for clean, nan in zip(*results, strict=True):
        assert torch.equal(clean, nan)


def test_any_mixer_of_cross_attention_may_stand_in_it() -> None:
    x, context = torch.randn(2, 5, 8), torch.randn(2, 7, 8)
    assert Cross(8, 2, mixer="differential", mixer_options={"depth": 0})(x, context).shape == x.shape
    assert Cross(8, 2, mixer="sigmoid", bidirectional=True)(x, context)[1].shape == context.shape


def test_what_would_be_ignored_is_refused() -> None:
    x = torch.randn(2, 5, 8)
    with pytest.raises(ValueError, match="back_mask is for a bidirectional block"):
        Cross(8, 2)(x, x, back_mask=torch.ones(2, 5, dtype=torch.bool))


@pytest.mark.parametrize(("name", "options"), [("softmax", {}), ("differential", {"depth": 1})])
def test_keys_and_values_may_be_made_of_different_things(name: str, options: dict[str, int]) -> None:
    torch.manual_seed(0)
    apart = build_mixer(name, 8, 2, context_dim=6, keys_apart=True, **options)
    plain = build_mixer(name, 8, 2, context_dim=6, **options)
    plain.load_state_dict(apart.state_dict())
    x, context, other = torch.randn(2, 5, 8), torch.randn(2, 7, 6), torch.randn(2, 7, 6)
    torch.testing.assert_close(apart(x, torch.cat([context, context], 2)), plain(x, context))
    y, full = apart(x, torch.cat([context, other], 2), need="full")
    torch.testing.assert_close(full, plain(x, context, need="full")[1])
    assert not torch.allclose(y, plain(x, context))
    hidden = torch.tensor([[True] * 6 + [False]] * 2)
    spoilt = torch.cat([context, other], 2)
    spoilt[:, 6] = torch.nan
    assert apart(x, spoilt, mask=hidden).isfinite().all()
    with pytest.raises(ValueError, match="keys_apart is for cross attention"):
        build_mixer(name, 8, 2, keys_apart=True, **options)
