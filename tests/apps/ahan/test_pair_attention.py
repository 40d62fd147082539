"""TA-PWCA: what a twin's keys may change, and what they may not."""

from typing import Any

import pytest
import torch
from torch import Tensor

from apps.ahan.model import Ahan
from apps.ahan.options import Tapwca
from apps.ahan.partners import choose_partners, twins_of
from apps.ahan.presets import build
from apps.ahan.stream import draw_on
from core_attention.functional import attention_map
from core_attention.pairwise import paired
from core_attention.trunks import build_trunk


def model(**options: Any) -> Ahan:
    made = build("tiny", tapwca=Tapwca(**{"p": 1.0, **options})).train()
    for part in made.modules():
        if isinstance(part, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
            part.eval()  # its statistics would mix the batch by themselves
    return made


def faces(n: int = 4, seed: int = 0) -> Tensor:
    return torch.randn(n, 3, 64, 64, generator=torch.Generator().manual_seed(seed))


TWINS = torch.tensor([1, 0, 3, 2])


@pytest.mark.parametrize("partner", [[0, 1, 2, 3], [-1, -1, -1, -1]], ids=["oneself", "nobody"])
def test_oneself_or_nobody_as_partner_is_plain_attention(partner: list[int]) -> None:
    made = model()
    out, plain = made.forward_train(faces(), torch.tensor(partner)), made(faces())
    torch.testing.assert_close(out.embedding, plain.embedding, rtol=0, atol=1e-6)
    assert (made.forward_train(faces(), TWINS).embedding - plain.embedding).abs().max() > 1e-4


def test_a_probability_of_0_leaves_no_block_that_sees_a_partner() -> None:
    made = build("tiny", tapwca=Tapwca(p=0.0)).train()
    assert made.layers == ()
    with pytest.raises(ValueError, match="no blocks that see a partner"):
        made.forward_train(faces(), TWINS)
    assert not draw_on("step", 0.0, 2, 3, None).any()
    for part in made.modules():
        if isinstance(part, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
            part.eval()
    assert torch.equal(made(faces()).embedding, model(partner="none")(faces()).embedding)


@pytest.mark.parametrize("draw", ["step", "layer", "sample"])
def test_a_draw_that_comes_out_off_is_plain_attention_and_one_that_comes_out_on_is_not(draw: str) -> None:
    made, seen = model(p=0.5, draw=draw), set()
    plain = made(faces()).embedding
    for seed in range(12):
        on = draw_on(draw, 0.5, len(made.layers), 4, torch.Generator().manual_seed(seed)).any(0)
        out = made.forward_train(faces(), TWINS, generator=torch.Generator().manual_seed(seed)).embedding
        same = (out - plain).abs().amax(1) <= 1e-6
        assert torch.equal(same, ~on)
        seen |= set(on.tolist())
    assert seen == {True, False}


def test_rows_over_the_own_and_the_partners_keys_sum_to_1_and_nobodys_keys_weigh_exactly_0() -> None:
    attn = build_trunk("vit_micro", seed=0, depth=1).blocks[0].attn.double()
    x = torch.randn(3, 7, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    pair, alone = torch.tensor([1, 0, 0]), torch.tensor([False, False, True])
    y, own = paired(attn, x, pair=pair, alone=alone)
    q, k, v = attn.project(x)
    weights = attention_map(
        q, torch.cat([k, k[pair]], 2), torch.cat([torch.ones(3, 1, 1, 7), ~alone[:, None, None, None] * torch.ones(7)], 3) > 0
    )
    torch.testing.assert_close(weights.sum(-1), torch.ones_like(weights[..., 0]))
    assert (weights[2, ..., 7:] == 0).all()
    torch.testing.assert_close(own, weights[..., :7].sum(-1).to(own.dtype), rtol=0, atol=1e-6)
    torch.testing.assert_close(y, attn.finish(weights.to(v.dtype) @ torch.cat([v, v[pair]], 2)), rtol=0, atol=1e-6)


def test_the_partner_is_one_of_the_same_pass_and_gets_a_gradient_unless_it_is_cut() -> None:
    for detach in (False, True):
        made, x = model(detach=detach), faces().requires_grad_()
        made.forward_train(x, TWINS).embedding[0].square().sum().backward()
        assert x.grad is not None
        reached = x.grad.abs().amax((1, 2, 3)) > 0
        assert reached.tolist() == [True, not detach, False, False]


def test_a_permuted_batch_with_its_partners_gives_permuted_answers() -> None:
    made, order = model(), torch.tensor([2, 0, 3, 1])
    there = torch.empty_like(order)
    there[order] = torch.arange(4)
    out = made.forward_train(faces(), TWINS).embedding
    permuted = made.forward_train(faces()[order], there[TWINS[order]]).embedding
    torch.testing.assert_close(permuted, out[order], rtol=0, atol=1e-5)


def test_a_model_in_use_knows_no_partner() -> None:
    made = model()
    made.eval()
    with pytest.raises(ValueError, match=r"eval\(\)"):
        made.forward_train(faces(), TWINS)
    without = build("tiny").eval()
    without.load_state_dict(made.state_dict())  # no weights of its own
    assert torch.equal(without(faces()).embedding, made(faces()).embedding)


@pytest.mark.parametrize("partner", [[0, 1], [4, 0, 0, 0], [-2, 0, 0, 0]])
def test_a_partner_that_is_not_in_the_batch_is_refused(partner: list[int]) -> None:
    with pytest.raises(ValueError, match="one index of the batch of 4"):
        model().forward_train(faces(), torch.tensor(partner))


def test_a_branch_leaves_the_main_pass_untouched() -> None:
    made = model(mode="branch")
    out = made.forward_train(faces(), TWINS)
    assert out.branch is not None
    assert torch.equal(out.embedding, made(faces()).embedding)
    torch.testing.assert_close(out.branch, model().forward_train(faces(), TWINS).embedding)


def test_the_share_of_attention_on_the_partner_is_told_where_it_was_seen() -> None:
    out = model().forward_train(faces(), TWINS)
    assert out.mass is not None
    assert ((out.mass > 0) & (out.mass < 1)).all()
    nobody = model().forward_train(faces(), torch.full((4,), -1)).mass
    assert nobody is not None
    assert nobody.isnan().all()


@pytest.mark.parametrize(("draw", "rows", "columns"), [("step", 1, 1), ("layer", 4, 1), ("sample", 1, 6)])
def test_one_draw_is_for_a_step_a_layer_or_a_sample(draw: str, rows: int, columns: int) -> None:
    generator, seen = torch.Generator().manual_seed(0), []
    before = torch.get_rng_state()
    for _ in range(200):
        on = draw_on(draw, 0.5, 4, 6, generator)
        assert len(on.unique(dim=0)) <= rows
        assert len(on.unique(dim=1)[0]) <= columns * rows or draw != "step"
        seen.append(on)
    assert 0.4 < torch.stack(seen).double().mean() < 0.6
    assert torch.equal(torch.get_rng_state(), before)  # nothing is eaten from torch's own
    assert torch.equal(draw_on(draw, 0.5, 4, 6, torch.Generator().manual_seed(0)), seen[0])


def test_half_of_the_time_is_drawn_from_a_generator_that_must_be_given() -> None:
    with pytest.raises(ValueError, match="pass generator"):
        model(p=0.5).forward_train(faces(), TWINS)


@pytest.mark.parametrize(("depth", "blocks"), [(12, (5, 6, 7, 8)), (6, (2, 3)), (4, (1, 2)), (2, (0,)), (1, (0,))])
def test_the_blocks_are_6_to_9_of_12_and_in_proportion(depth: int, blocks: tuple[int, ...]) -> None:
    assert Tapwca().of(depth) == blocks


def test_a_trunk_without_attention_has_no_partner() -> None:
    with pytest.raises(ValueError, match="softmax attention"):
        build("tiny", trunk="resnet18", trunk_options={"width": 0.125, "stages": 3}, tapwca=Tapwca())


# --- who is whose partner --------------------------------------------------------------------------------------------

PERSON, FAMILY = torch.tensor([0, 0, 1, 1, 2, -1, 3]), torch.tensor([0, 0, 0, 0, 1, 0, -1])


def test_twins_are_two_known_people_of_one_known_family() -> None:
    expected = torch.zeros(7, 7, dtype=torch.bool)
    expected[:2, 2:4] = expected[2:4, :2] = True
    assert torch.equal(twins_of(PERSON, FAMILY), expected)


def test_the_twins_image_is_any_of_the_batch_and_who_has_none_sees_nobody() -> None:
    generator, seen = torch.Generator().manual_seed(0), set()
    for _ in range(50):
        partner = choose_partners("twin", PERSON, FAMILY, generator)
        assert (partner[4:] == -1).all()
        assert set(partner[:2].tolist()) <= {2, 3}
        assert set(partner[2:4].tolist()) <= {0, 1}
        seen.add(tuple(partner[:4].tolist()))
    assert len(seen) == 16
    same = [choose_partners("twin", PERSON, FAMILY, torch.Generator().manual_seed(7)) for _ in range(2)]
    assert torch.equal(*same)


def test_the_controls_are_somebody_else_the_nearest_else_oneself_and_nobody() -> None:
    partner = choose_partners("random", PERSON, FAMILY, torch.Generator().manual_seed(0))
    assert partner[5] == -1
    assert all(PERSON[p] != PERSON[i] and PERSON[p] >= 0 for i, p in enumerate(partner) if i != 5)
    embedding = torch.eye(7)
    embedding[0, 4] = 0.9
    assert choose_partners("hard", PERSON, FAMILY, embedding_BE=embedding)[0] == 4
    assert choose_partners("self", PERSON, FAMILY).tolist() == list(range(7))
    assert (choose_partners("none", PERSON, FAMILY) == -1).all()
    for how, embedded in (("hard", None), ("twin", embedding)):
        with pytest.raises(ValueError, match="pass embedding with hard"):
            choose_partners(how, PERSON, FAMILY, embedding_BE=embedded)
    with pytest.raises(ValueError, match="not 'sister'"):
        choose_partners("sister", PERSON, FAMILY)
