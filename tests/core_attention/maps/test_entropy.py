import math

import pytest
import torch

from core_attention.functional import attend, attention_weights
from core_attention.maps import entropy, entropy_without_map
from tests.core_attention.maps.models import tokens

MASKS = {
    "none": None,
    "key": torch.tensor([[True, True, False, True], [True, False, False, False]]),
    "pair": torch.ones(2, 4, 4, dtype=torch.bool).tril(1),
    "blind": torch.tensor([[True] * 4, [False] * 4]),
}


def looped(full: torch.Tensor) -> torch.Tensor:
    rows = [-sum(p * math.log(p) for p in row if p > 0) for row in full.flatten(0, -2).tolist()]
    return torch.tensor(rows, dtype=torch.float64).reshape(full.shape[:-1])


@pytest.mark.parametrize("name", list(MASKS))
@pytest.mark.parametrize("causal", [False, True])
def test_it_is_the_textbook_form_with_and_without_a_map(name: str, causal: bool) -> None:
    q, k, mask = tokens(2, 3, 4, 5), tokens(2, 3, 4, 5, seed=1), MASKS[name]
    four = mask if mask is None else mask[:, None, None] if mask.ndim == 2 else mask[:, None]
    full, lse = attention_weights(q, k, four, causal)
    wanted = looped(full)
    visible = (full > 0).sum(-1)
    most = visible.clamp(min=1).double().log()
    share = torch.where(visible > 1, wanted / most.clamp(min=0.1), 0.0)
    for found in (
        entropy(full, mask, causal),
        entropy_without_map(q, k, lse, mask, causal),
        entropy_without_map(q, k, mask=mask, causal=causal),
    ):
        torch.testing.assert_close(found.nats, wanted, rtol=0, atol=1e-14)
        torch.testing.assert_close(found.share, share, rtol=0, atol=1e-14)


def test_an_even_row_is_wholly_undecided_and_a_query_of_one_key_is_not_at_all() -> None:
    even = torch.full((1, 1, 2, 4), 0.25)
    torch.testing.assert_close(entropy(even).share, torch.ones(1, 1, 2))
    first = entropy_without_map(torch.zeros(1, 1, 3, 2), torch.zeros(1, 1, 3, 2), causal=True)
    torch.testing.assert_close(first.share[0, 0], torch.tensor([0.0, 1.0, 1.0]))
    torch.testing.assert_close(first.nats[0, 0], torch.tensor([1, 2, 3]).log())


def test_scale_is_that_of_the_logits() -> None:
    q, k = tokens(1, 2, 3, 4), tokens(1, 2, 5, 4, seed=1)
    full = attention_weights(q, k, scale=0.1)[0]
    torch.testing.assert_close(entropy_without_map(q, k, scale=0.1).nats, looped(full))


def test_gradients_are_finite_where_keys_are_hidden() -> None:
    q, mask = tokens(2, 1, 4, 3).requires_grad_(), MASKS["blind"] & MASKS["key"]
    full = attention_weights(q, q, mask[:, None, None])[0]
    (a,) = torch.autograd.grad(entropy(full, mask).nats.sum(), q)
    (b,) = torch.autograd.grad(entropy_without_map(q, q, mask=mask).nats.sum(), q)
    assert a.isfinite().all()
    torch.testing.assert_close(a, b)


def test_half_precision_is_summed_in_single() -> None:
    q = torch.randn(1, 2, 64, 8)
    wanted = entropy_without_map(q.bfloat16().float(), q.bfloat16().float()).nats
    torch.testing.assert_close(entropy_without_map(q.bfloat16(), q.bfloat16()).nats, wanted)
    _, lse = attend(q, q, q, need_lse=True)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(entropy_without_map(q, q, lse).nats, entropy_without_map(q, q).nats)


def test_what_is_no_share_is_refused() -> None:
    with pytest.raises(ValueError, match=r"signed or sum to another number \(make them so: maps.shares\)"):
        entropy(torch.tensor([[[[1.5, -0.5]]]]))
    with pytest.raises(ValueError, match="sum to another number"):
        entropy(torch.tensor([[[[0.5, 0.2]]]]))
    with pytest.raises(TypeError, match="with a bias take the map"):
        entropy_without_map(torch.zeros(1, 1, 2, 2), torch.zeros(1, 1, 2, 2), mask=torch.zeros(1, 1, 2, 2))
