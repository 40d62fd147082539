"""Verification as a task: what a checkpoint carries, what an optimiser may decay, what goes in with --init, what mirrors faces."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from apps.ahan.options import Faam, Hca, Losses, Streams, Tapwca
from apps.ahan.presets import PRESETS, build
from apps.ahan.program import Embed, EmbedRegions
from apps.ahan.task import Verification, cosines
from core_attention.trunks import build_trunk
from tests.apps.ahan.tiny import TRUNK, faces, task
from tests.system.command import Here

GOLDEN = Path(__file__).parents[2] / "system" / "golden"
SMALL = {"width": 32, "depth": 2, "heads": 2}


def built(data: Any = None, **options: Any) -> Verification:
    made = task(**options)
    made.build(made.gather(data or faces()))
    return made


def test_facts_out_of_a_checkpoint_equal_those_gathered_anew(tmp_path: Path) -> None:
    torch.save(task().gather(faces()), tmp_path / "facts")
    anew = task().gather(faces())
    assert torch.load(tmp_path / "facts", weights_only=True) == anew == json.loads(json.dumps(anew))
    assert anew["people"] == 16
    assert task().gather(faces(hflip="identity"))["people"] == 32, "a mirrored person is another one"


def test_places_tokens_and_shares_do_not_decay() -> None:
    made = built()
    optimizer = made.optim.optimizer(made.model, made.layers(), made.no_decay())
    decaying = {id(parameter) for group in optimizer.param_groups if group["weight_decay"] for parameter in group["params"]}
    net = made.net
    assert net.hca is not None
    assert net.faam is not None
    kept = (net.stream.trunk.pos_embed, net.stream.trunk.cls_token, net.hca.missing, net.hca.scale_weight, net.faam.place, net.faam.sign)
    assert decaying
    assert not [each.shape for each in kept if id(each) in decaying]


@pytest.mark.parametrize(
    ("name", "options", "streams"),
    [
        ("vit_micro", TRUNK, Streams()),
        ("hybrid_mini", {**SMALL, "patch": 8}, Streams()),
        ("resnet18_half", {}, Streams(pool="mean")),
    ],
)
def test_every_kind_of_trunk_takes_a_step(name: str, options: dict[str, Any], streams: Streams) -> None:
    data = faces()
    data.setup("fit")
    pairs = Tapwca(partner="none") if name.startswith("resnet") else Tapwca(p=1.0)
    made = built(data, trunk=name, trunk_options=options, streams=streams, tapwca=pairs)
    made.train()
    batch = next(iter(data.train_dataloader()))
    made.draws = torch.Generator().manual_seed(0)
    output = made.model(*made.inputs(batch))
    parts = made.model.objective(output, batch["person"], batch["family"], 0.5, made.draws, batch["id"])
    torch.stack(list(parts.values())).sum().backward()
    still = [name for name, value in made.model.named_parameters() if value.requires_grad and value.grad is None]
    assert still in ([], ["net.hca.missing"])
    assert (output.mass is not None) == made.tapwca.any


def test_a_residual_network_with_the_twins_keys_is_refused_by_the_key_that_helps() -> None:
    with pytest.raises(ValueError, match=r"tapwca\.partner=none"):
        built(trunk="resnet18_half", trunk_options={}, streams=Streams(pool="mean"))


def test_weights_of_ours_and_of_a_trunk_alone_go_in(tmp_path: Path) -> None:
    one, other = built(), built(data=faces(train=9))
    with torch.no_grad():
        for value in one.model.parameters():
            value.add_(0.01)
    exported = one.program("embed", []).weights().state_dict()
    for weights in (exported, one.model.state_dict()):
        report = other.take_weights(weights, tmp_path)
        assert (report.missing, report.unexpected, report.mismatched) == ([], [], {})
        for name, value in other.net.state_dict().items():
            torch.testing.assert_close(value, one.net.state_dict()[name], msg=name)
    trunk = build_trunk("vit_micro", 3, image=(32, 32), **TRUNK)
    report = other.take_weights(trunk.state_dict(), tmp_path)
    assert len(report.loaded) == len(trunk.state_dict())
    torch.testing.assert_close(other.net.stream.trunk.pos_embed, trunk.pos_embed)


def test_faces_are_mirrored_only_where_no_sign_is_read_unless_told() -> None:
    plain = {"streams": Streams(use=("global",)), "hca": None}
    for options, chance in (({"faam": Faam(mode="abs")}, 0.5), ({"faam": Faam()}, 0.0), ({}, 0.0), (plain, 0.0)):
        data = faces()
        task(**options).gather(data)
        assert data.augment.hflip == chance
    data, said = faces(hflip=0.3), []
    data.say = said.append
    data.setup("fit")
    task().gather(data)
    assert data.augment.hflip == 0.3
    assert "hflip=auto" in said[0]


def test_boxes_are_in_the_program_where_the_model_takes_them() -> None:
    assert isinstance(built().program("embed", []), EmbedRegions)
    plain = built(streams=Streams(use=("global",)), hca=None).program("embed", [])
    assert isinstance(plain, Embed)
    assert not isinstance(plain, EmbedRegions)


@pytest.mark.parametrize(("recipe", "size"), [("embedded", "tiny"), ("small", "small"), ("paper", "paper")])
def test_a_recipe_is_the_preset_of_its_size(recipe: str, size: Any) -> None:
    told = yaml.safe_load((GOLDEN / f"ahan-{recipe}.yaml").read_text())
    options, preset = told["model"]["init_args"], PRESETS[size]
    assert (options["trunk"], options["trunk_options"] or {}, options["embedding"]) == (
        preset.trunk, preset.trunk_options, preset.embedding
    )  # fmt: skip
    plain = lambda values: {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}  # noqa: E731
    assert Hca(**plain(options["hca"] or {})) == preset.hca
    assert Faam(**plain(options["faam"] or {})) == preset.faam
    assert Losses(**options["loss"]) == preset.losses
    assert told["data"]["init_args"]["size"] == preset.image
    made = build(size, trunk_options={"depth": 1} if size == "paper" else None)
    assert made.stream.size == (preset.image, preset.image)


def test_cosines_of_a_batch_are_told_by_kind() -> None:
    vectors = torch.eye(4)[[0, 0, 1, 2]]
    found = cosines(vectors, torch.tensor([0, 0, 1, 2]), torch.tensor([0, 0, 0, 1]))
    assert {name: float(value) for name, value in found.items()} == {"cosine_genuine": 1.0, "cosine_twin": 0.0, "cosine_general": 0.0}
    assert cosines(vectors[:1], torch.tensor([0]), torch.tensor([0])) == {}


@pytest.mark.parametrize("partner", ["random", "hard", "self"])
def test_other_partners_than_the_twin_are_found_in_a_batch(partner: Any) -> None:
    data = faces()
    data.setup("fit")
    made = built(data, tapwca=Tapwca(partner=partner, p=1.0))
    made.train()
    batch = next(iter(data.train_dataloader()))
    made.draws = torch.Generator().manual_seed(0)
    *_, chosen, _ = made.inputs(batch)
    own = batch["person"][chosen] == batch["person"]
    assert bool(own.all()) if partner == "self" else not bool(own.any())
    assert made.net.training


def test_a_key_that_could_not_act_is_one_line(here: Here) -> None:
    done = here("ahan", "fit", "--model.streams.use=[global]")
    assert done.returncode == 2
    assert "hca has options" in done.line
