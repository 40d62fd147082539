"""What single pools are equal to, and what they refuse."""

import pytest
import torch
from torch import Tensor, nn

from core_attention import Segments, build_pool
from tests.core_attention.pools.cases import DIM, Case, Variant, tokens


def test_mean_and_max_are_torchs_own() -> None:
    x = tokens(2, 5)
    torch.testing.assert_close(build_pool("mean", DIM)(x), x.mean(1))
    assert torch.equal(build_pool("max", DIM)(x), x.amax(1))
    assert torch.equal(build_pool("max", DIM)(-x.abs()), (-x.abs()).amax(1))


def test_cls_is_the_first_token_and_refuses_a_mask_that_hides_it() -> None:
    pool, x, valid = build_pool("cls", DIM), tokens(3, 4), torch.ones(3, 4, dtype=torch.bool)
    assert torch.equal(pool(x), x[:, 0])
    assert torch.equal(pool(x.flatten(0, 1), segments=Segments.from_lengths([0, 5, 7, 0]))[1:3], x.flatten(0, 1)[[0, 5]])
    valid[1, 0] = False
    with pytest.raises(ValueError, match="hides the first token of sample 1"):
        pool(x, valid)
    valid[1] = False
    assert (pool(x, valid)[1] == 0).all()


def test_gated_with_u_zero_and_no_bias_equals_plain_with_half_of_w() -> None:
    x = tokens(2, 5)
    gated, plain = build_pool("ab_mil", DIM, hidden=4).double(), build_pool("ab_mil", DIM, hidden=4, gated=False).double()
    assert isinstance(gated.U, nn.Linear)
    with torch.no_grad():
        gated.U.weight.zero_()
        plain.V.weight.copy_(gated.V.weight)
        plain.w.weight.copy_(gated.w.weight / 2)
    torch.testing.assert_close(gated(x), plain(x))


def test_ab_mil_does_not_notice_that_every_token_is_there_three_times() -> None:
    pool, x = Case("ab_mil", Variant({"hidden": 4})).build(), tokens(2, 5)
    torch.testing.assert_close(pool(x.repeat(1, 3, 1)), pool(x))


def test_branches_are_pools_of_their_own_side_by_side() -> None:
    both, x = Case("ab_mil", Variant({"hidden": 4, "branches": 2})).build(), tokens(2, 5)
    for i in range(2):
        one = build_pool("ab_mil", DIM, hidden=4).double()
        state = both.state_dict()
        one.load_state_dict({**state, "w.weight": state["w.weight"][i : i + 1]})
        torch.testing.assert_close(one(x), both(x)[:, i * DIM : (i + 1) * DIM])


def test_attentive_is_one_query_of_torchs_own_attention_and_an_mlp() -> None:
    pool, x = Case("attentive", Variant({"heads": 2})).build(), tokens(3, 5)
    q = pool.q(pool.latent).expand(3, -1, -1).unflatten(-1, (2, -1)).transpose(1, 2)
    k, v = pool.kv(x).unflatten(-1, (2, 2, -1)).permute(2, 0, 3, 1, 4)
    z = pool.proj(nn.functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
    torch.testing.assert_close(pool(x), (z + pool.mlp(pool.norm(z)))[:, 0])
    names = {name.rsplit(".", 1)[0] if "." in name else name for name in pool.state_dict()}
    assert names == {"latent", "q", "kv", "proj", "norm", "mlp.fc1", "mlp.fc2"}


def test_efficient_probing_is_attention_of_its_queries_over_the_tokens() -> None:
    pool, x = Case("ep", Variant({"queries": 2, "d_out": 2})).build(), tokens(3, 5)
    a = (pool.cls_token @ x.transpose(1, 2) * DIM**-0.5).softmax(-1)
    v = pool.v(x).unflatten(-1, (2, -1))
    torch.testing.assert_close(pool(x), torch.einsum("bkn,bnke->bke", a, v).flatten(1))


def test_simpool_is_efficient_probing_whose_one_query_is_the_mean() -> None:
    pool, x = Case("simpool", Variant()).build(), tokens(1, 5)
    twin = build_pool("ep", DIM, queries=1).double()
    twin.load_state_dict({"v.weight": pool.v.weight, "cls_token": x.mean(1, keepdim=True)})
    torch.testing.assert_close(pool(x), twin(x))


@pytest.mark.parametrize("context", ["learned", "mean"])
def test_lama_is_softmax_of_rank_one_scores(context: str) -> None:
    pool, x = Case("lama", Variant({"heads": 3, "context": context})).build(), tokens(2, 5)
    c: Tensor = x.mean(1) if pool.c is None else pool.c.expand(2, -1)
    scores = torch.einsum("md,bd,me,bne->bnm", pool.p.weight, c, pool.r.weight, x)
    torch.testing.assert_close(pool(x), pool.proj(torch.einsum("bnm,bnd->bmd", scores.softmax(1), x).flatten(1)))


def test_wrong_options_are_named() -> None:
    with pytest.raises(ValueError, match="tanh or relu, not 'gelu'"):
        build_pool("ab_mil", DIM, act="gelu")
    with pytest.raises(ValueError, match="branches=0"):
        build_pool("ab_mil", DIM, branches=0)
    with pytest.raises(ValueError, match="dim=8 does not divide by heads=3"):
        build_pool("attentive", DIM, heads=3)
    with pytest.raises(ValueError, match="dim=8 does not divide by d_out=2 times queries=3"):
        build_pool("ep", DIM, queries=3, d_out=2)
    with pytest.raises(ValueError, match="learned or mean, not 'max'"):
        build_pool("lama", DIM, context="max")
    with pytest.raises(ValueError, match="no option 'query'; did you mean 'queries'"):
        build_pool("ep", DIM, query=3)
