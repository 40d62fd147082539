import pytest
import torch

from core_attention import build_mixer
from core_attention.mixers.sigmoid import Sigmoid
from tests.core_attention.properties.cases import tokens


def build(**options: object) -> Sigmoid:
    torch.manual_seed(0)
    mixer = build_mixer("sigmoid", 8, 2, **options).double()
    assert isinstance(mixer, Sigmoid)
    return mixer


def test_it_is_the_papers_formula() -> None:
    mixer, x = build(logit_bias=-1.3), tokens(3, 5, 8)
    q, k, v = mixer.project(x)
    torch.testing.assert_close(mixer(x), mixer.finish((q @ k.mT / 2 - 1.3).sigmoid() @ v))


@pytest.mark.parametrize("causal", [False, True])
def test_auto_is_minus_the_log_of_the_keys_that_a_query_sees(causal: bool) -> None:
    mixer, x = build(causal=causal), tokens(2, 4, 8)
    mask = torch.tensor([[True, True, False, True], [True, False, False, False]])
    q, k, _ = mixer.project(x)
    mixer.qkv.weight.data[:16] = mixer.qkv.bias.data[:16] = 0  # all logits 0
    full = mixer(x, mask=mask, need="full")[1]
    seen = mask[:, None, None].expand(2, 2, 4, 4).tril() if causal else mask[:, None, None].expand(2, 2, 4, 4)
    count = seen.sum(-1, keepdim=True)
    torch.testing.assert_close(full, torch.where(seen, 1 / (count + 1), 0.0).double())
    assert mixer.bias(q, k, None, causal).shape == (1, 1, 4, 1)


def test_with_a_very_negative_bias_it_is_linear_in_the_exponentials() -> None:
    mixer, x = build(logit_bias=-30.0), tokens(2, 5, 8)
    q, k, _ = mixer.project(x)
    full = mixer(x, need="full")[1]
    torch.testing.assert_close(full * torch.tensor(30.0).double().exp(), (q @ k.mT / 2).exp())
    torch.testing.assert_close(full / full.sum(-1, keepdim=True), build_like_softmax(mixer)(x, need="full")[1])


def build_like_softmax(mixer: Sigmoid) -> torch.nn.Module:
    plain = build_mixer("softmax", 8, 2).double()
    plain.load_state_dict(mixer.state_dict())
    return plain


def test_a_learned_bias_is_one_number_a_head_and_begins_as_none() -> None:
    for logit_bias in ("auto", -2.0):
        learned, fixed, x = build(logit_bias=logit_bias, learn_bias=True), build(logit_bias=logit_bias), tokens(2, 5, 8)
        assert learned.learned_bias is not None
        assert learned.learned_bias.shape == (2,)
        assert torch.equal(learned(x), fixed(x))
        (grad,) = torch.autograd.grad(learned(x).square().sum(), learned.learned_bias)
        assert (grad != 0).all()
        learned.learned_bias.data[1] = 5.0
        assert not torch.allclose(learned(x), fixed(x))
        torch.testing.assert_close(learned(x, need="full")[1][:, 0], fixed(x, need="full")[1][:, 0])


def test_refusals_name_the_argument() -> None:
    with pytest.raises(ValueError, match="logit_bias is a number or 'auto', not 'none'"):
        build(logit_bias="none")
    with pytest.raises(ValueError, match="sigmoid cannot give need='lse'"):
        build()(tokens(2, 5, 8), need="lse")
