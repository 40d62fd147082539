from typing import Any

import pytest
import torch
from torch import Tensor, nn

from core_attention import Mixer, MixerSpec, PatternError, build_mixer
from core_attention.pairwise import paired
from kernels import use_backend
from tests.core_attention.properties.cases import tokens

PAIR = torch.tensor([2, 0, 1])


def mixer(**options: object) -> Mixer:
    torch.manual_seed(0)
    return build_mixer("softmax", 8, 2, **options).double()


def by_hand(attn: Mixer, x: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    """Softmax over both sets of keys, written out."""
    q, k, v = attn.project(x)
    _, k2, v2 = attn.project(other)
    p = (q @ torch.cat([k, k2], 2).mT / 2).softmax(-1)
    return attn.finish(p @ torch.cat([v, v2], 2)), p[..., : x.shape[1]].sum(-1)


def test_queries_see_the_keys_of_both() -> None:
    attn, x, other = mixer(), tokens(3, 5, 8), tokens(4, 6, 8, seed=1)
    pair = torch.tensor([3, 0, 3])
    for got, wanted in zip(paired(attn, x, other, pair), by_hand(attn, x, other[pair]), strict=True):
        torch.testing.assert_close(got, wanted)
    for got, wanted in zip(paired(attn, x, pair=PAIR), by_hand(attn, x, x[PAIR]), strict=True):
        torch.testing.assert_close(got, wanted)
    for got, wanted in zip(paired(attn, x, other[:3]), by_hand(attn, x, other[:3]), strict=True):
        torch.testing.assert_close(got, wanted)
    for got, wanted in zip(paired(attn, x, other[:1]), by_hand(attn, x, other[:1].expand(3, -1, -1)), strict=True):
        torch.testing.assert_close(got, wanted)


@pytest.mark.parametrize("masked", [False, True])
def test_a_partner_equal_to_oneself_is_plain_attention_with_own_mass_one_half(masked: bool) -> None:
    attn, x = mixer(), tokens(3, 5, 8)
    mask = torch.arange(5).expand(3, 5) != 2 if masked else None
    y, own = paired(attn, x, pair=torch.arange(3), mask=mask)
    torch.testing.assert_close(y, attn(x, mask=mask))
    torch.testing.assert_close(own, torch.full_like(own, 0.5))


def test_a_sample_alone_is_plain_attention_with_own_mass_one() -> None:
    attn, x = mixer(), tokens(3, 5, 8)
    y, own = paired(attn, x, pair=PAIR, alone=torch.tensor([False, True, False]))
    together, _ = paired(attn, x, pair=PAIR)
    torch.testing.assert_close(y[1], attn(x)[1])
    torch.testing.assert_close(own[1], torch.ones_like(own[1]))
    torch.testing.assert_close(y[[0, 2]], together[[0, 2]])


def test_partner_tokens_never_change_inference() -> None:
    attn, x = mixer(), tokens(3, 5, 8)
    before, names = attn(x), [name for name, _ in attn.named_parameters()]
    y, _ = paired(attn, x, tokens(3, 5, 8, seed=7))
    assert not torch.allclose(y, before)
    assert torch.equal(attn(x), before)
    assert [name for name, _ in attn.named_parameters()] == names


def test_hidden_tokens_do_not_exist_on_either_side() -> None:
    attn, x, other = mixer(), tokens(3, 5, 8), tokens(3, 6, 8, seed=1)
    mask, other_mask = torch.arange(5).expand(3, 5) < 4, torch.arange(6).expand(3, 6) < 2
    results = []
    for poison in (0.0, torch.nan):
        dirty, foul = x.masked_fill(~mask[..., None], poison), other.masked_fill(~other_mask[..., None], poison)
        y, own = paired(attn, dirty, foul, PAIR, mask, other_mask)
        results.append([y, own, *torch.autograd.grad(y.square().sum(), list(attn.parameters()))])
    for clean, nan in zip(*results, strict=True):
        assert torch.equal(clean, nan)
    y, own = paired(attn, x[:, :4], other[:, :2], PAIR)
    torch.testing.assert_close(results[0][0][:, :4], y)
    torch.testing.assert_close(results[0][1][..., :4], own)
    within = paired(attn, x.masked_fill(~mask[..., None], torch.nan), pair=PAIR, mask=mask)[0]
    torch.testing.assert_close(within[:, :4], paired(attn, x[:, :4], pair=PAIR)[0])


def test_detaching_the_partner_leaves_it_without_a_gradient_and_changes_no_answer() -> None:
    attn, x, other = mixer(), tokens(3, 5, 8).requires_grad_(), tokens(3, 5, 8, seed=1).requires_grad_()
    attached, detached = (paired(attn, x, other, PAIR, detach_other=detach)[0] for detach in (False, True))
    assert torch.equal(attached, detached)
    ours, theirs = torch.autograd.grad(detached.square().sum(), [x, other], allow_unused=True)
    assert (ours != 0).any()
    assert theirs is None
    assert (torch.autograd.grad(attached.square().sum(), other)[0] != 0).any()


def test_gradients_are_right_in_float64() -> None:
    attn, x, other = mixer(), tokens(2, 3, 8).requires_grad_(), tokens(2, 2, 8, seed=1).requires_grad_()
    pair = torch.tensor([1, 1])
    assert torch.autograd.gradcheck(lambda *_: paired(attn, x, other, pair)[0], [x, other, *attn.parameters()], fast_mode=True)


class Program(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attn = mixer()

    def forward(self, x: Tensor, other: Tensor, pair: Tensor) -> tuple[Tensor, Tensor]:
        return paired(self.attn, x, other, pair)


def check_elsewhere(got: Any, program: Program) -> None:
    for b, n, a, m in ((2, 3, 4, 7), (4, 9, 3, 2), (5, 4, 6, 10)):
        inputs = (tokens(b, n, 8), tokens(a, m, 8, seed=1), torch.arange(b) % a)
        torch.testing.assert_close(got(*inputs), program(*inputs))


def test_a_trace_at_one_size_is_right_at_three_others() -> None:
    program = Program()
    with use_backend("reference"):
        traced = torch.jit.trace(program, (tokens(3, 5, 8), tokens(2, 6, 8), torch.tensor([1, 0, 1])), check_trace=False)
    check_elsewhere(traced, program)


@pytest.mark.full
def test_compiled_whole_it_answers_as_eager() -> None:
    torch.compiler.reset()
    program = Program()
    check_elsewhere(torch.compile(program, fullgraph=True, backend="aot_eager", dynamic=True), program)


def test_what_has_no_meaning_is_refused() -> None:
    attn, x = mixer(), tokens(3, 5, 8)

    class Other(Mixer):
        spec = MixerSpec("other", frozenset({"ns"}), frozenset({"none"}), frozenset(), "N D", "none")

    with pytest.raises(ValueError, match="other has no pair-wise form; softmax has"):
        paired(Other(), x, pair=PAIR)
    with pytest.raises(ValueError, match="sigmoid has no pair-wise form"):
        paired(build_mixer("sigmoid", 8, 2).double(), x, pair=PAIR)
    with pytest.raises(ValueError, match="differential has no pair-wise form"):
        paired(build_mixer("differential", 8, 2, depth=0).double(), x, pair=PAIR)
    with pytest.raises(PatternError, match="softmax was built for causal attention"):
        paired(mixer(causal=True), x, pair=PAIR)
    with pytest.raises(PatternError, match="softmax was built for cross attention"):
        paired(mixer(context_dim=8), x, pair=PAIR)
    with pytest.raises(ValueError, match=r"attn_drop=0\.1 has no pair-wise form"):
        paired(mixer(attn_drop=0.1).train(), x, pair=PAIR)
    with pytest.raises(ValueError, match="who is the partner"):
        paired(attn, x)
    with pytest.raises(ValueError, match="other_mask belongs to other"):
        paired(attn, x, pair=PAIR, other_mask=torch.ones(3, 5, dtype=torch.bool))
    with pytest.raises(ValueError, match=r"pair is \(3,\), not \(2,\)"):
        paired(attn, x, pair=PAIR[:2])
    with pytest.raises(ValueError, match="2 others for 3 samples; say with pair"):
        paired(attn, x, x[:2])
    with pytest.raises(ValueError, match=r"other_mask is \(3, 5\), not \(3, 4\)"):
        paired(attn, x, x, other_mask=torch.ones(3, 4, dtype=torch.bool))
    with pytest.raises(ValueError, match=r"other \(A, M, D\), not \(3, 5, 8\) and \(3, 5, 7\)"):
        paired(attn, x, x[..., 1:])
    with pytest.raises(TypeError, match=r"alone is torch\.int64; it is bool"):
        paired(attn, x, pair=PAIR, alone=PAIR)
