"""AHAN as a whole: its three streams, its vector, its sizes."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from apps.ahan.model import Ahan
from apps.ahan.objective import Objective
from apps.ahan.options import Faam, Hca, Losses, Streams, Tapwca
from apps.ahan.presets import PRESETS, build
from datamodules.ahan.template import BOXES


def faces(n: int = 3) -> Tensor:
    return torch.randn(n, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def tiny(**options: Any) -> Ahan:
    return build("tiny", **options).eval()


NETWORK = {"trunk": "resnet18", "trunk_options": {"width": 0.125, "stages": 3}}
HYBRID = {"trunk": "hybrid_mini", "trunk_options": {"width": 32, "depth": 1, "heads": 2, "patch": 8}, "image": 64}


@pytest.mark.parametrize("options", [{}, NETWORK, HYBRID], ids=["transformer", "network", "hybrid"])
def test_every_trunk_gives_unit_vectors_of_three_streams(options: dict[str, Any]) -> None:
    made = tiny(**options)
    out, dim = made(faces()), made.stream.dim
    assert out.embedding.shape == (3, 128)
    assert out.global_.shape == (3, dim)
    assert out.regions.shape == (3, 4 * dim)
    assert out.asymmetry.shape == (3, dim)
    torch.testing.assert_close(out.embedding.norm(dim=1), torch.ones(3), rtol=0, atol=1e-5)
    assert out.differs.shape == (3, made.stream.grid[0], -(-made.stream.grid[1] // 2))


@pytest.mark.parametrize("value", [0.0, -1.0, 1.0])
def test_an_image_of_one_colour_has_a_finite_vector_of_length_1(value: float) -> None:
    e = tiny()(torch.full((2, 3, 64, 64), value)).embedding
    assert e.isfinite().all()
    torch.testing.assert_close(e.norm(dim=1), torch.ones(2), rtol=0, atol=1e-5)


def test_no_image_has_no_vector() -> None:
    assert tiny()(faces(0)).embedding.shape == (0, 128)


def test_in_use_no_row_depends_on_another() -> None:
    made, x = tiny(), faces(4)
    whole = made(x).embedding
    changed = x.clone()
    changed[1:] = 5.0
    torch.testing.assert_close(made(changed).embedding[0], whole[0], rtol=0, atol=1e-6)
    torch.testing.assert_close(made(x.flip(0)).embedding, whole.flip(0), rtol=0, atol=1e-6)


@pytest.mark.parametrize("use", [("global",), ("hca",), ("faam",), ("global", "faam"), ("global", "hca"), ("hca", "faam")])
@pytest.mark.parametrize("fusion", ["concat", "gated"])
def test_a_stream_that_is_left_out_is_not_built(use: Any, fusion: Any) -> None:
    if fusion == "gated" and len(use) == 1:
        return
    made = tiny(streams=Streams(use=use, fusion=fusion))
    out = made(faces())
    there = {"global": out.global_, "hca": out.regions, "faam": out.asymmetry}
    assert {name for name, value in there.items() if value is not None} == set(use)
    assert (made.hca is None, made.faam is None) == ("hca" not in use, "faam" not in use)
    assert sum(each.weight.shape[1] for each in made.fusion.maps if isinstance(each, torch.nn.Linear)) == sum(
        {"global": 64, "hca": 256, "faam": 64}[name] for name in use
    )


def test_boxes_of_the_template_are_what_an_image_without_boxes_gets() -> None:
    made = tiny()
    same = made(faces(), torch.tensor([BOXES] * 3)).embedding
    torch.testing.assert_close(same, made(faces()).embedding, rtol=0, atol=1e-6)
    moved = torch.tensor([BOXES] * 3)
    moved[:, 0] = torch.tensor([0.0, 0.0, 0.3, 0.3])
    assert (made(faces(), moved).embedding - same).abs().max() > 1e-4


def test_the_controls_have_boxes_of_their_own() -> None:
    grid, full = tiny(streams=Streams(boxes="grid")), tiny(streams=Streams(boxes="full"))
    assert torch.as_tensor(grid.boxes).tolist() == [[0, 0, 0.5, 0.5], [0.5, 0, 1, 0.5], [0, 0.5, 0.5, 1], [0.5, 0.5, 1, 1]]
    assert torch.as_tensor(full.boxes).tolist() == [[0, 0, 1, 1]] * 4
    for made in (grid, full):
        with pytest.raises(ValueError, match="leave boxes out"):
            made(faces(), torch.tensor([BOXES] * 3))
    with pytest.raises(ValueError, match="has no hca"):
        tiny(streams=Streams(use=("global",)))(faces(), torch.tensor([BOXES] * 3))


def test_a_region_that_is_hidden_changes_its_own_part_alone() -> None:
    made, seen = tiny(), torch.ones(3, 4, dtype=torch.bool)
    seen[:, 2] = False
    before, after = (made(faces(), seen_BR=s).regions.unflatten(1, (4, -1)) for s in (None, seen))
    changed = (before - after).abs().amax((0, 2)) > 0
    assert changed.tolist() == [False, False, True, False]


def test_the_tapped_block_is_what_hca_and_faam_read() -> None:
    first = tiny(streams=Streams(tap=0))
    with torch.no_grad():
        before = first(faces())
        for parameter in first.stream.trunk.get_submodule("blocks.1").parameters():
            parameter.zero_()
        after = first(faces())
    assert torch.equal(after.regions, before.regions)
    assert torch.equal(after.asymmetry, before.asymmetry)
    assert not torch.equal(after.global_, before.global_)


def test_every_weight_is_reached_by_a_step_that_lowers_the_loss() -> None:
    made = build("tiny", tapwca=Tapwca(p=1.0)).train()
    objective = Objective(PRESETS["tiny"].losses, 128, made.widths, 4, generator=torch.Generator().manual_seed(0))
    x, person, family = faces(8), torch.arange(8) // 2, torch.arange(8) // 4
    partner = torch.tensor([2, 3, 0, 1, 6, 7, 4, 5])

    def loss() -> Tensor:
        return torch.stack(list(objective(made.forward_train(x, partner), person, family).values())).sum()

    before = loss()
    before.backward()
    unreached = [name for name, p in made.named_parameters() if p.requires_grad and (p.grad is None or not p.grad.any())]
    # no region is left out here; and what both halves add alike cancels
    assert set(unreached) | {"faam.attn.proj.bias"} == {"hca.missing", "faam.attn.proj.bias"}
    torch.optim.SGD([*made.parameters(), *objective.parameters()], 0.05).step()
    assert loss() < before


def test_the_seed_decides_every_weight() -> None:
    one, again, other = (tiny(seed=seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert not torch.equal(one["fusion.maps.0.weight"], other["fusion.maps.0.weight"])


def test_the_presets_are_of_the_size_that_the_method_states() -> None:
    weights = sum(p.numel() for p in tiny().parameters())
    assert 0.15e6 < weights < 0.3e6  # about 0.2 million
    assert tiny().stream.grid == (8, 8)
    small = build("small")
    assert (small.stream.grid, small.embedding, small.stream.dim) == ((14, 14), 256, 192)


@pytest.mark.full
def test_the_paper_preset_adds_a_third_to_its_trunk() -> None:
    made = build("paper")
    assert made.hca is not None
    trunk = sum(p.numel() for p in made.stream.trunk.parameters())
    regions = sum(p.numel() for p in made.hca.parameters())
    assert made.stream.grid == (14, 14)
    assert 0.31 < regions / trunk < 0.35


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"streams": Streams(tap=5)}, "blocks 0 to 1"),
        ({"hca": Hca(regions=("eyes", "ear"), share="all")}, "no region 'ear'"),
        ({"streams": Streams(boxes="grid"), "hca": Hca(regions=("eyes", "nose"))}, "four quarters"),
        ({"streams": Streams(use=("global",)), "faam": Faam()}, "not in streams.use"),
        ({"tapwca": Tapwca(layers=(3,))}, "blocks 1 to 2"),
        ({**NETWORK, "streams": Streams(tap=1, pool="mean")}, "leave them out"),
        ({**NETWORK, "streams": Streams(use=("global", "faam"))}, "set streams.pool=mean"),
        ({"trunk": "moat_micro"}, "not MoatTrunk"),
    ],
)
def test_what_does_not_fit_the_trunk_is_refused_in_one_line(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said) as error:
        build("tiny", **options)
    assert "\n" not in str(error.value)


def test_pictures_of_another_size_are_refused_by_their_size() -> None:
    for options in ({}, NETWORK):
        with pytest.raises(ValueError, match="64x64, not 48x48"):
            tiny(**options)(torch.zeros(1, 3, 48, 48))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Streams(use=()), "one or more"),
        (lambda: Streams(use=("faam",), boxes="full"), "is of hca"),
        (lambda: Streams(use=("faam",), pool="mean"), "global stream"),
        (lambda: Streams(use=("global",), tap=0), "hca and faam"),
        (lambda: Streams(use=("hca",), tap=0), "shallower"),
        (lambda: Streams(use=("hca",), fusion="gated"), "use concat"),
        (lambda: Hca(scales=(0,)), "from 1 up"),
        (lambda: Hca(regions=()), "one name"),
        (lambda: Hca(scale_weight=(0.5, 0.4, 0.0)), "sum to 1"),
        (lambda: Faam(direction="l2r"), "mode=abs"),
        (lambda: Faam(window=-1), "0 or more"),
        (lambda: Tapwca(p=1.5), r"\[0, 1\]"),
        (lambda: Tapwca(partner="none", draw="layer"), "tapwca.draw=layer cannot act"),
        (lambda: Tapwca(p=0.0, detach=True), "tapwca.detach=True cannot act"),
        (lambda: Tapwca(branch_weight=1.0), "mode=branch"),
        (lambda: Losses(m=2.0), "m=2.0"),
        (lambda: Losses(m=0.0, warmup=0.2), "nothing to grow to"),
        (lambda: Losses(tau=0.2), "loss.tau=0.2 cannot act"),
        (lambda: Losses(triplet=0.0, triplet_margin=0.3), "loss.triplet_margin=0.3 cannot act"),
        (lambda: Losses(arc=0.0, triplet=0.0), "nothing would be learned"),
        (lambda: Losses(arc=0.0, m=0.2), "loss.m=0.2 cannot act"),
        (lambda: replace(Losses(), arc=-1.0), "from 0 up"),
    ],
)
def test_a_choice_that_could_not_act_is_refused(make: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make()
