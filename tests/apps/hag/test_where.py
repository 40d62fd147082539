from math import pi
from pathlib import Path

import pytest
import torch
from torch.utils.data import default_collate

from apps.hag.model import Hag
from apps.hag.objective import losses_of
from apps.hag.options import Head, Losses
from apps.hag.program import Size
from apps.hag.where import ellipse, where_loss
from core_attention.trunks import build_trunk
from datamodules.hag.datamodule import Polyps
from datamodules.hag.dataset import FrameDataset
from datamodules.hag.on_disk import OnDisk
from datamodules.hag.targets import facts_of
from tests.apps.hag.test_gate_verbs import TINY
from tests.apps.hag.tiny import SIDE, WIDTH, batch, facts, gated, network
from tests.datamodules.hag.sets import put
from tests.system.command import Here

BOX = torch.tensor([[0.25, 0.5, 0.75, 0.75]])


def looking() -> tuple[Hag, Hag]:
    """The same network, with the part that says where and without it."""
    plain = network("regress")
    trunk = build_trunk("resnet18", width=WIDTH["width"])
    model = Hag({"rgb": (trunk, [0, 1, 2])}, Head("regress", 8), "log", 5.0, where="rgb")
    model.load_state_dict(plain.state_dict(), strict=False)
    return model, plain


def test_the_place_is_the_ellipse_that_fills_the_box() -> None:
    true = ellipse(BOX, 64, 64)[0]
    assert true.mean().item() == pytest.approx(pi / 4 * 0.5 * 0.25, rel=0.02)
    assert true[32:48, 16:48].sum() == true.sum()  # nothing beside the box
    assert true[40, 32] == 1
    assert true[32, 16] == 0  # its corner


def test_the_place_is_learned_in_training_alone_and_changes_no_answer() -> None:
    model, plain = looking()
    x = batch()["images"]
    assert model.train()(x).where.shape == (4, SIDE // 8, SIDE // 8)
    assert model.eval()(x).where is None
    model.load_state_dict(plain.state_dict(), strict=False)  # training has moved the batch norms' means
    assert torch.equal(model.eval()(x).mm, plain(x).mm)


def test_an_exported_program_does_not_carry_it() -> None:
    with_where, without = (Size(model, facts(), []).state_dict() for model in looking())
    assert with_where.keys() == without.keys()


def test_gates_are_still_folded_into_what_reads_their_channels() -> None:
    model, _ = looking()
    gated(model, ["stage"])
    assert not any("factor" in name for name in Size(model, facts(), []).state_dict())


def test_a_frame_without_a_box_teaches_no_place(tmp_path: Path) -> None:
    """Whatever its shape: a letterboxed frame does not fill the picture, and a box may fill the frame."""
    put(tmp_path, "with.png", "without.png", "whole.png", width=120, height=64)
    rows = "with.png,A,3,30,20,60,50\nwithout.png,B,4,,,,\nwhole.png,C,30,0,0,120,64\n"
    (tmp_path / "polyps.csv").write_text(f"image,polyp,mm,xmin,ymin,xmax,ymax\n{rows}")
    data = Polyps(str(tmp_path), size=SIDE)
    frames = OnDisk(data.table.store, data.table.records)
    seen = default_collate(list(FrameDataset(frames, facts_of(data.table, range(3), "size"), data.framing)))  # pyright: ignore
    assert seen["has_box"].tolist() == [True, False, True]
    said = torch.randn(3, 6, 6, requires_grad=True)
    where_loss(said, seen["box"], seen["has_box"]).backward()
    assert said.grad is not None
    assert said.grad.flatten(1).any(1).tolist() == [True, False, True]
    assert where_loss(said, seen["box"], torch.zeros(3, dtype=torch.bool)) == 0


def test_where_no_frame_has_a_box_there_is_nothing_to_learn_it_from(here: Here, tmp_path: Path) -> None:
    put(tmp_path, *(f"{number}.png" for number in range(12)))
    rows = "".join(f"{number}.png,{number},{number + 1}\n" for number in range(12))
    (tmp_path / "polyps.csv").write_text(f"image,polyp,mm\n{rows}")
    done = here(
        "hag", "fit", "--config", "small", f"--data.path={tmp_path}", "--model.loss.where=1", "--model.streams.use=[rgb]",
        "--model.streams.join=late", "--data.planes=[]",
    )  # fmt: skip
    assert done.returncode == 2
    assert "no training frame has one; give the frames boxes" in done.stderr.splitlines()[-1]
    assert not list(Path().rglob("run.json"))


def test_it_reaches_the_network_and_counts_as_much_as_it_is_told() -> None:
    model, _ = looking()
    given = batch() | {"box": BOX.expand(4, 4), "has_box": torch.ones(4, dtype=torch.bool)}
    outputs = model.train()(given["images"])
    once, twice = (losses_of(outputs, given, Losses(where=weight), training=True)["where"] for weight in (1.0, 2.0))
    assert twice == 2 * once
    once.backward()
    gradient = model.get_parameter("streams.rgb.trunk.conv1.weight").grad
    assert gradient is not None
    assert gradient.any()


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--model.loss.where=-1",), "loss.where is 0 or more, not -1.0"),
        (("--model.loss.where=1", "--data.view=crop"), "a crop is cut out by the box, and nothing is left to find"),
        (
            ("--model.loss.where=1", "--model.trunk=vit_micro", "--model.trunk_options=null", "--data.size=48"),
            "only a residual network, such as resnet18, has",
        ),
    ],
)
def test_where_it_could_not_act_it_is_refused(here: Here, words: tuple[str, ...], why: str) -> None:
    done = here("hag", "fit", *(word for word in TINY if "trunk" not in word), *words)
    assert done.returncode == 2
    assert why in done.stderr.splitlines()[-1]
    assert not list(Path().rglob("run.json"))


def test_a_run_that_learned_it_is_tested_pruned_and_exported_as_any_other(here: Here) -> None:
    done = here("hag", "fit", *TINY, "--model.loss.where=1")
    assert done.returncode == 0, done.stderr
    for words in (("fold",), ("prune", "--budget", "0.5"), ("export", "-o", "size.ts"), ("test",)):
        done = here("hag", *words)
        assert done.returncode == 0, done.stderr
    done = here("hag", "fit", "--ckpt", "last", "--model.loss.where=0", "--trainer.max_epochs=2")
    assert done.returncode == 2
    assert "leave out the options that change it, or start from it with --init" in done.stderr.splitlines()[-1]
