"""ArcFace, the twin-aware triplet and the contrastive loss: identities, signs and what takes part."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from apps.ahan.arcface import ArcFace, margin_logits
from apps.ahan.model import AhanOutput
from apps.ahan.objective import Objective
from apps.ahan.options import Losses
from apps.ahan.pairs_losses import contrastive, cosine_distance, twin_triplet


def vectors(n: int = 8, dim: int = 6, seed: int = 0) -> Tensor:
    return normalize(torch.randn(n, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64))


PERSON = torch.tensor([0, 0, 1, 1, 2, 2, 3, -1])
FAMILY = torch.tensor([0, 0, 0, 0, 1, 1, 2, 0])  # 0 and 1 are twins

# --- ArcFace ---------------------------------------------------------------------------------------------------------


def test_without_a_margin_it_is_the_scaled_cross_entropy_of_cosines() -> None:
    head, x, label = ArcFace(6, 5, s=16.0, m=0.0, generator=torch.Generator().manual_seed(0)), vectors().float(), torch.arange(8) % 5
    expected = cross_entropy(16.0 * normalize(x) @ normalize(head.weight).T, label)
    torch.testing.assert_close(head(x, label), expected, rtol=1e-5, atol=1e-5)


def test_the_loss_never_falls_as_the_margin_grows_at_any_angle() -> None:
    theta = torch.linspace(0.001, math.pi - 0.001, 50)
    logits = torch.stack(
        [margin_logits(theta.cos()[:, None], torch.zeros(50, dtype=torch.long), 1.0, m)[:, 0] for m in torch.linspace(0, 1.5, 40).tolist()]
    )
    assert (logits.diff(dim=0) <= 1e-6).all()
    head, x, label = ArcFace(6, 5, generator=torch.Generator().manual_seed(0)), vectors().float(), torch.arange(8) % 5
    losses = [head(x, label, m).item() for m in (0.0, 0.1, 0.3, 0.5, 1.0)]
    assert losses == sorted(losses)


@pytest.mark.parametrize("side", [1.0, -1.0], ids=["theta = 0", "theta = pi"])
def test_at_no_angle_at_all_and_at_the_opposite_the_gradient_is_finite(side: float) -> None:
    head = ArcFace(3, 2)
    with torch.no_grad():
        head.weight.copy_(torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]))
    x = torch.tensor([[side, 0.0, 0.0]], requires_grad=True)
    head(x, torch.tensor([0])).backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()
    assert head.weight.grad is not None
    assert head.weight.grad.isfinite().all()


@pytest.mark.parametrize("label", [-1, 5])
def test_a_person_out_of_range_is_named(label: int) -> None:
    with pytest.raises(IndexError, match=f"person {label} is none of the 5"):
        ArcFace(6, 5)(vectors(2).float(), torch.tensor([0, label]))


def test_angles_are_of_float32_whatever_autocast_says() -> None:
    head, x = ArcFace(6, 5, generator=torch.Generator().manual_seed(0)), vectors().float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = head(x, torch.arange(8) % 5)
    assert torch.equal(inside, head(x, torch.arange(8) % 5))


def test_one_person_is_no_choice() -> None:
    with pytest.raises(ValueError, match="two or more"):
        ArcFace(6, 1)


# --- triplet ---------------------------------------------------------------------------------------------------------


def looped(x: Tensor, negative: str, margin: float = 0.5) -> float:
    distance, losses = 1 - x @ x.T, []
    for i in range(len(x)):
        own = [j for j in range(len(x)) if j != i and PERSON[j] == PERSON[i] >= 0]
        others = [j for j in range(len(x)) if PERSON[j] != PERSON[i] and min(PERSON[j], PERSON[i]) >= 0]
        twins = [j for j in others if FAMILY[j] == FAMILY[i]]
        kinds = [others] if negative == "hard" else [twins, [j for j in others if j not in twins]]
        terms = [max(0.0, float(distance[i, own].max() - distance[i, kind].min() + margin)) for kind in kinds if kind and own]
        losses += [sum(terms) / len(terms)] if terms else []
    return sum(losses) / len(losses)


@pytest.mark.parametrize("negative", ["twin_or_hard", "hard"])
def test_the_triplet_is_the_one_of_a_loop_and_has_its_gradient(negative: str) -> None:
    x = vectors()
    assert float(twin_triplet(x, PERSON, FAMILY, negative=negative)) == pytest.approx(looped(x, negative))
    assert torch.autograd.gradcheck(lambda t: twin_triplet(t, PERSON, FAMILY, negative=negative), [x.requires_grad_()])


def test_a_random_negative_lies_between_the_nearest_and_the_farthest_and_is_its_generators() -> None:
    x, seen = vectors(), set()
    for seed in range(20):
        loss = float(twin_triplet(x, PERSON, FAMILY, negative="random", generator=torch.Generator().manual_seed(seed)))
        assert loss <= float(twin_triplet(x, PERSON, FAMILY, negative="hard")) + 1e-9
        seen.add(loss)
    assert len(seen) > 1
    assert loss == float(twin_triplet(x, PERSON, FAMILY, negative="random", generator=torch.Generator().manual_seed(19)))
    with pytest.raises(ValueError, match="not 'easy'"):
        twin_triplet(x, PERSON, FAMILY, negative="easy")


@pytest.mark.parametrize("loss", [lambda x, p: twin_triplet(x, p, FAMILY[: len(p)]), contrastive], ids=["triplet", "contrastive"])
@pytest.mark.parametrize("people", [[0, 1, 2], [-1, -1, -1]], ids=["no positive", "nobody known"])
def test_where_nothing_can_be_compared_the_loss_and_its_gradient_are_0(people: list[int], loss: Any) -> None:
    x = vectors(3).requires_grad_()
    value = loss(x, torch.tensor(people))
    value.backward()
    assert float(value) == 0
    assert x.grad is not None
    assert (x.grad == 0).all()


def test_a_batch_of_one_person_has_no_negative() -> None:
    x = vectors(3).requires_grad_()
    value = twin_triplet(x, torch.zeros(3, dtype=torch.long), torch.zeros(3, dtype=torch.long))
    value.backward()
    assert float(value) == 0
    assert x.grad is not None
    assert (x.grad == 0).all()


def test_the_triplet_is_never_negative_and_distances_are_within_0_and_2() -> None:
    for seed in range(20):
        x = vectors(seed=seed) * 7
        assert twin_triplet(x, PERSON, FAMILY) >= 0
        distance = cosine_distance(torch.cat([x, -x]).float())
        assert ((distance >= 0) & (distance <= 2)).all()


def test_the_twin_term_is_of_the_declared_twin_alone() -> None:
    """Anchor 0 and its positive coincide; the twin is opposite, a stranger near. Who is the twin decides the loss."""
    x = torch.tensor([[1.0, 0.0], [1.0, 0.0], [-1.0, 0.0], [0.9, 0.1]], dtype=torch.float64)
    person = torch.tensor([0, 0, 1, 2])
    near = float((1 - normalize(x) @ normalize(x).T)[0, 3])
    declared = float(twin_triplet(x, person, torch.tensor([0, 0, 0, 1])))
    assert declared == pytest.approx((0 + 0.5 - near) / 2)
    assert float(twin_triplet(x, person, torch.tensor([0, 0, 1, 2]))) == pytest.approx(0.5 - near)  # nobody is: one term
    assert float(twin_triplet(x, person, torch.tensor([-1, -1, -1, -1]))) == pytest.approx(0.5 - near)


# --- contrastive -----------------------------------------------------------------------------------------------------


def test_the_contrastive_loss_is_the_one_of_a_loop_and_has_its_gradient() -> None:
    x, tau, losses = vectors(), 0.1, []
    for i in range(8):
        own = [j for j in range(8) if j != i and PERSON[j] == PERSON[i] >= 0]
        all_others = [j for j in range(8) if j != i and min(PERSON[j], PERSON[i]) >= 0]
        if own:
            base = torch.stack([x[i] @ x[k] / tau for k in all_others]).logsumexp(0)
            losses.append(-torch.stack([x[i] @ x[j] / tau - base for j in own]).mean())
    torch.testing.assert_close(contrastive(x, PERSON, tau), torch.stack(losses).mean())
    assert torch.autograd.gradcheck(lambda t: contrastive(t, PERSON, tau), [x.requires_grad_()])


# --- all together ----------------------------------------------------------------------------------------------------


def output(branch: bool = False) -> AhanOutput:
    e = vectors().float().requires_grad_()
    return AhanOutput(e, torch.ones(8, 4), torch.ones(8, 12), torch.ones(8, 4), branch=e * 1.0 if branch else None)


def objective(branch_weight: float = 0.0, **losses: Any) -> Objective:
    widths = {"global": 4, "hca": 12, "faam": 4}
    return Objective(Losses(**losses), 6, widths, 4, branch_weight, torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("losses", "names"),
    [
        ({}, {"arc", "triplet"}),
        ({"triplet": 0.0}, {"arc"}),
        ({"arc": 0.0, "s": 64.0, "contrastive": 1.0}, {"contrastive", "triplet"}),
        ({"aux": 0.1}, {"arc", "triplet", "aux_global", "aux_hca", "aux_faam"}),
    ],
)
def test_a_loss_whose_weight_is_0_is_not_there(losses: dict[str, Any], names: set[str]) -> None:
    assert set(objective(**losses)(output(), PERSON, FAMILY)) == names


def test_parts_carry_their_weights() -> None:
    one, two = (objective(arc=arc, triplet=0.1 * arc, contrastive=arc)(output(), PERSON, FAMILY) for arc in (1.0, 2.0))
    for name, value in one.items():
        torch.testing.assert_close(two[name], 2 * value)


def test_the_second_pass_has_a_loss_where_there_is_one() -> None:
    parts = objective(branch_weight=0.5)(output(branch=True), PERSON, FAMILY)
    torch.testing.assert_close(parts["branch"], 0.5 * parts["arc"])
    assert "branch" not in objective(branch_weight=0.5)(output(), PERSON, FAMILY)
    with pytest.raises(ValueError, match="mode=replace"):
        objective(branch_weight=0.5, arc=0.0)


def test_the_margin_grows_from_0_over_the_warm_up() -> None:
    made = objective(warmup=0.2)
    assert [made.margin(p) for p in (0.0, 0.1, 0.2, 1.0)] == pytest.approx([0.0, 0.25, 0.5, 0.5])
    assert objective().margin(0.0) == 0.5


def test_unknown_people_take_no_part() -> None:
    made, out = objective(contrastive=1.0), output()
    sum(made(out, PERSON, FAMILY).values()).backward()  # type: ignore[union-attr]
    assert out.embedding.grad is not None
    assert (out.embedding.grad[7] == 0).all()
    assert (out.embedding.grad[:6].abs().amax(1) > 0).all()
    nobody = made(output(), torch.full((8,), -1), FAMILY)
    assert all(float(part) == 0 for part in nobody.values())


def test_an_image_that_stands_twice_is_not_its_own_match() -> None:
    e_BE = torch.randn(5, 8, generator=torch.Generator().manual_seed(0))
    person_B, family_B, id_B = torch.tensor([0, 0, 1, 1, 2]), torch.tensor([0, 0, 1, 1, 2]), torch.tensor([5, 5, 6, 7, 8])
    plain = contrastive(e_BE, person_B), twin_triplet(e_BE, person_B, family_B)
    once = [1, 2, 3, 4]
    for loss, alone, twice in (
        (contrastive(e_BE, person_B, id_B=id_B), contrastive(e_BE[once], person_B[once]), plain[0]),
        (
            twin_triplet(e_BE, person_B, family_B, id_B=id_B),
            twin_triplet(e_BE[once], person_B[once], family_B[once]),
            plain[1],
        ),
    ):
        assert bool(loss.isfinite())
        assert float(loss) != float(twice)
        assert float(alone) > 0
    only = torch.tensor([0, 0, 1])
    assert float(contrastive(e_BE[:3], only, id_B=id_B[:3])) == 0
    assert float(twin_triplet(e_BE[:3], only, only, id_B=id_B[:3])) == 0
