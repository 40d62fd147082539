import math
from typing import Any

import pytest
import torch
from torch import Generator, Tensor
from torch.nn.functional import normalize

from apps.otsnet import quantize
from apps.otsnet.codebook import WINDOW, Codebook, kmeans
from apps.otsnet.health import health, joint_counts, usage_health
from apps.otsnet.options import Quantize
from apps.otsnet.quantize import Quantizer, temperature
from tests.apps.otsnet.tiny import eyes

MASK = torch.tensor([[True, True, False], [True, True, True]])


def quantizer(assign: Any = "ema", **options: Any) -> Quantizer:
    torch.manual_seed(0)
    return Quantizer(eyes(), Quantize(assign=assign, codes=8, code_width=8, **options))


def book(decay: float = 0.0, kmeans: bool = False, revive: bool = False, codes: int = 20) -> Codebook:
    torch.manual_seed(0)
    return Codebook(1, codes, 4, False, decay, kmeans, revive)


def vectors(count: int, seed: int = 0) -> Tensor:
    return normalize(torch.randn(count, 1, 4, generator=Generator().manual_seed(seed)), dim=-1)


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


@pytest.mark.parametrize("assign", ["ema", "nearest"])
@pytest.mark.parametrize("groups", [1, 2])
def test_the_chosen_code_is_the_nearest_and_is_passed_on_exactly(assign: Any, groups: int) -> None:
    made, g = quantizer(assign, groups=groups), torch.randn(2, 3, 16)
    said = made(g)
    rows = made.book.codes()  # type: ignore[union-attr]
    for b in range(2):
        for t in range(3):
            for group in range(groups):
                distances = [float((said.z_BLGE[b, t, group] - row).square().sum()) for row in rows[group]]
                index = distances.index(min(distances))
                assert said.codes_BLG[b, t, group] == index
                assert torch.equal(said.q_BLGE[b, t, group], rows[group, index])


@pytest.mark.parametrize("assign", ["ema", "nearest"])
def test_what_chose_the_code_gets_the_codes_gradient(assign: Any) -> None:
    made, g = quantizer(assign), torch.randn(2, 3, 16)
    said = made(g)
    said.z_BLGE.retain_grad()
    said.q_BLGE.retain_grad()
    said.s_BLD.square().sum().backward()
    assert said.q_BLGE.grad is not None
    assert torch.equal(said.z_BLGE.grad, said.q_BLGE.grad)  # type: ignore[arg-type]
    assert all(parameter.grad is None for parameter in made.book.parameters())  # type: ignore[union-attr]


def test_codes_that_are_learned_are_drawn_to_their_vectors() -> None:
    made, g = quantizer("nearest"), torch.randn(2, 3, 16)
    found = made.losses(made(g), MASK, beta=0.5)
    torch.testing.assert_close(found["commit"], 0.5 * found["codebook"])
    found["codebook"].backward()
    assert made.book.rows.grad.abs().sum() > 0  # type: ignore[union-attr]
    assert made.into.weight.grad is None


def test_without_memory_each_used_code_becomes_the_mean_of_its_vectors_and_others_stay() -> None:
    made, z = book(), vectors(12)
    before = made.rows.clone()
    chosen = (z[:, 0] @ before[0].T).argmax(1)
    made.follow(z, seeded())
    for i in range(20):
        wanted = normalize(z[chosen == i, 0].sum(0), dim=0) if (chosen == i).any() else before[0, i]
        torch.testing.assert_close(made.rows[0, i], wanted)
    torch.testing.assert_close(made.codes().norm(dim=-1), torch.ones(1, 20))


def test_evaluation_changes_nothing_and_slots_behind_the_end_never_count() -> None:
    made, g = quantizer(decay=0.0, kmeans=False), torch.randn(2, 3, 16)
    before = {name: value.clone() for name, value in made.state_dict().items()}
    made.eval()
    assert made.follow(made(g), MASK, 0, 0.5) == {}
    assert all(torch.equal(value, before[name]) for name, value in made.state_dict().items())
    made.train()
    made.follow(made(g), MASK, 0, 0.5)
    rows, counts = made.book.rows.clone(), made.book.weight_GM.clone()  # type: ignore[union-attr]
    assert counts.sum() == MASK.sum()
    again = quantizer(decay=0.0, kmeans=False)
    again.follow(again(torch.where(MASK.unsqueeze(-1), g, 7.0)), MASK, 0, 0.5)
    assert torch.equal(again.book.rows, rows)  # type: ignore[union-attr]
    torch.testing.assert_close(
        made.losses(made(g), MASK, 0.25)["commit"], again.losses(again(torch.where(MASK.unsqueeze(-1), g, 9.0)), MASK, 0.25)["commit"]
    )


def test_codes_begin_at_the_k_means_of_the_first_slots_by_seed() -> None:
    def begun(seed: int, generator: int = 0) -> Codebook:
        made = book(decay=0.9, kmeans=True)
        for i in range(4):
            made.follow(vectors(50, seed + i), seeded(generator))
        return made

    made = begun(0)
    assert int(made.filled) == 160
    torch.testing.assert_close(made.sum_GME, made.weight_GM.unsqueeze(-1) * made.rows)
    assert torch.equal(begun(0).rows, made.rows)
    assert not torch.equal(begun(0, 1).rows, made.rows)


def test_k_means_finds_clouds() -> None:
    middles = normalize(torch.eye(4)[:3], dim=-1)
    z = normalize(middles.repeat(30, 1) + 0.05 * torch.randn(90, 4, generator=seeded(3)), dim=-1)
    for seed in range(20):  # Lloyd's rounds may begin badly; some seed begins well
        rows, sizes = kmeans(z, 3, seeded(seed))
        if sizes.tolist() == [30, 30, 30]:
            assert float((rows @ middles.T).amax(0).min()) > 0.99
            return
    raise AssertionError("no seed found the clouds")


def test_dead_codes_alone_come_back_and_few_at_a_time() -> None:
    def revived(seed: int) -> tuple[Codebook, Tensor, Tensor]:
        made, z = book(decay=0.5, revive=True), vectors(1).expand(4, 1, 4)
        for i in range(2 * WINDOW):
            before = made.rows.clone()
            if count := made.follow(z, seeded(seed))["revived"]:
                assert i >= WINDOW - 1
                return made, before, count
        raise AssertionError("nothing came back")

    made, before, count = revived(0)
    moved = (made.rows != before).any(-1)[0]
    used = int((vectors(1)[0] @ before[0].T).argmax())
    assert int(count) == math.ceil(0.1 * 20) == int(moved.sum())
    assert not moved[used]
    assert (made.idle_GM[0][moved] == 0).all()
    assert made.weight_GM[0][moved].min() > 0.1 / 20 * made.weight_GM.sum()
    assert torch.equal(revived(0)[0].rows, made.rows)
    assert not torch.equal(revived(1)[0].rows, made.rows)


def test_nothing_is_revived_at_the_end_of_training() -> None:
    made = quantizer(kmeans=False, decay=0.5)
    g = torch.randn(1, 1, 16).expand(2, 3, 16)
    found = [float(made.follow(made(g), MASK, i, 0.9)["sq/revived"]) for i in range(WINDOW + 5)]
    assert max(found) == 0
    assert float(made.follow(made(g), MASK, 0, 0.5)["sq/revived"]) == 1


def test_gumbel_reads_its_best_code_and_draws_in_training() -> None:
    made, g = quantizer("gumbel"), torch.randn(2, 3, 16)
    rows = made.book.codes()[0]  # type: ignore[union-attr]
    made.eval()
    said = made(g)
    assert torch.equal(said.codes_BLG, said.scores_BLGM.argmax(-1))
    assert torch.equal(made(g).s_BLD, said.s_BLD)
    made.train()
    drawn = [made(g) for _ in range(8)]
    assert len({tuple(one.codes_BLG.flatten().tolist()) for one in drawn}) > 1
    for one in drawn:
        assert torch.equal(one.q_BLGE[:, :, 0], rows[one.codes_BLG[..., 0]])
    drawn[0].s_BLD.square().sum().backward()
    assert made.into.weight.grad is not None
    assert made.into.weight.grad.abs().sum() > 0
    assert made.book.rows.grad.abs().sum() > 0  # type: ignore[union-attr]


def test_gumbel_cools_until_soft_and_hard_agree() -> None:
    assert temperature(2.0, 0.0) == 2.0
    assert temperature(2.0, 0.3) == pytest.approx(1.0)
    assert temperature(2.0, 0.6) == temperature(2.0, 1.0) == pytest.approx(0.5)


def test_a_cool_gumbel_quantizer_is_softly_what_it_is_hard(monkeypatch: pytest.MonkeyPatch) -> None:
    real, seen = quantize.gumbel_softmax, []

    def spied(scores: Tensor, tau: float) -> Tensor:
        seen.append((tau, real(scores, tau=tau)))
        return seen[-1][1]

    monkeypatch.setattr(quantize, "gumbel_softmax", spied)
    made, g = quantizer("gumbel").train(), torch.randn(20, 3, 16)
    rows = made.book.codes()  # type: ignore[union-attr]
    apart = []
    for said in (made(g, 0.0), made(g, 1.0), made._gumbel(g, rows, 1e-4)):
        soft_BLGE = torch.einsum("blgm,gme->blge", seen[-1][1], rows)
        apart.append(float((soft_BLGE - said.q_BLGE).norm(dim=-1).mean()))
    assert [tau for tau, _ in seen] == [2.0, 0.5, 1e-4]
    assert apart[0] > apart[1] > 0.05
    assert apart[2] < 1e-2


def test_diversity_is_nothing_where_codes_are_evenly_meant() -> None:
    made = quantizer("gumbel")
    said = made(torch.randn(2, 3, 16))
    even = said._replace(scores_BLGM=torch.zeros(2, 3, 1, 8))
    torch.testing.assert_close(made.losses(even, MASK, 0.25)["diversity"], torch.tensor(0.0), atol=1e-6, rtol=0)
    one = said._replace(scores_BLGM=torch.eye(8)[0].mul(50).expand(2, 3, 1, 8))
    torch.testing.assert_close(made.losses(one, MASK, 0.25)["diversity"], torch.tensor(7 / 8))


def test_without_a_quantizer_there_are_no_codes_and_no_losses() -> None:
    made = Quantizer(eyes(), Quantize(assign="none"))
    said = made(torch.randn(2, 3, 16))
    assert said.codes_BLG.shape == (2, 3, 0)
    assert made.losses(said, MASK, 0.25) == made.follow(said, MASK, 0, 0.0) == {}


def test_perplexity_runs_from_one_to_all() -> None:
    perplexity, dead, entropy = usage_health(torch.full((8,), 5))
    assert (float(perplexity), float(dead), float(entropy)) == (pytest.approx(8), 0, pytest.approx(math.log(8)))
    perplexity, dead, entropy = usage_health(torch.tensor([9, 0, 0, 0, 0, 0, 0, 0]))
    assert (float(perplexity), float(dead), float(entropy)) == (pytest.approx(1), 7 / 8, 0)
    assert [float(value) for value in usage_health(torch.zeros(8))[:2]] == [0, 1]


def test_health_looks_back_a_hundred_steps_and_no_further() -> None:
    made = book(codes=4)
    for _ in range(WINDOW):
        made.watch(torch.tensor([[0], [0]]))
    assert [float(made.health()[name]) for name in ("perplexity", "dead", "entropy")] == [pytest.approx(1), 0.75, 0]
    for _ in range(WINDOW):
        made.watch(torch.tensor([[1], [2]]))
    assert [float(made.health()[name]) for name in ("perplexity", "dead")] == [pytest.approx(2), 0.5]


@pytest.mark.parametrize("assign", ["ema", "nearest", "gumbel"])
def test_every_way_to_choose_codes_tells_their_health(assign: Any) -> None:
    made = quantizer(assign)
    told = made.follow(made(torch.randn(2, 3, 16)), MASK, 0, 0.0)
    assert {"sq/perplexity", "sq/dead", "sq/entropy"} <= set(told)
    assert 1 <= float(told["sq/perplexity"]) <= 8


def test_codes_that_are_glyphs_say_all_about_them_and_others_nothing() -> None:
    tokens = torch.arange(4).repeat(5)
    glyphs = health(joint_counts((tokens + 3) % 8, tokens, 8, 4))
    assert float(glyphs.purity) == pytest.approx(1)
    assert float(glyphs.mutual_information) == pytest.approx(2)
    one = health(joint_counts(torch.zeros_like(tokens), tokens, 8, 4))
    assert float(one.purity) == pytest.approx(0.25)
    assert float(one.mutual_information) == pytest.approx(0, abs=1e-9)
