"""`discern bench mixers --study`: each mixer in the same trunk, with the same pictures and steps."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from apps.base.bench.study.pictures import Pictures, embedded, read
from apps.base.bench.study.summary import crossovers, summary, table
from apps.base.bench.study.training import Piece, loss_of, train
from apps.base.bench.study.trunks import NOTHING, arms, build
from core_attention import list_mixers
from datamodules.errors import DataError
from tests.system.command import Here


@pytest.fixture(scope="module")
def tiny() -> Pictures:
    return embedded(train=64, test=32)


def folder(path, tests: bool = True):
    rng = np.random.default_rng(0)
    for split in ("train", "test") if tests else ("train",):
        for name in ("ash", "birch"):
            (path / split / name).mkdir(parents=True)
            for i in range(3):
                Image.fromarray(rng.integers(0, 256, (50, 70, 3), dtype=np.uint8)).save(path / split / name / f"{i}.png")
    return path


def test_every_mixer_of_noncausal_self_attention_takes_part():
    assert set(arms()) == {name for name, spec in list_mixers().items() if "ns" in spec.patterns} | {NOTHING}


@pytest.mark.parametrize("name", arms())
def test_each_fits_into_the_trunk_and_learns_from_a_step(name, tiny: Pictures):
    model = build(name, tiny.side, tiny.classes, seed=0)
    x = tiny.train.pictures[:4].float() / 255
    loss_of(model, x, tiny.train.labels[:4]).backward()
    used = [p for key, p in model.named_parameters() if "attn" in key and p.grad is not None]
    assert bool(used) == (name != NOTHING)


def test_without_mixing_tokens_never_meet(tiny: Pictures):
    trunk = build(NOTHING, tiny.side, tiny.classes, seed=0)[0].eval()
    x = tiny.test.pictures[:1].float() / 255
    other = x.clone()
    other[..., :6, :6] = 0
    changed = (trunk.forward_features(x) != trunk.forward_features(other)).any(-1)
    assert changed[0].nonzero().flatten().tolist() == [0]


def test_the_loss_of_moh_asks_for_balance(tiny: Pictures):
    model, x = build("moh", tiny.side, tiny.classes, seed=0), tiny.train.pictures[:4].float() / 255
    plain = torch.nn.functional.cross_entropy(model(x), tiny.train.labels[:4])
    assert loss_of(model, x, tiny.train.labels[:4]) > plain


def test_a_training_can_be_done_again_bit_by_bit(tiny: Pictures):
    first, second = (train(Piece("softmax", 1, 3, tiny)) for _ in range(2))
    assert {**first, "cpu_seconds": 0} == {**second, "cpu_seconds": 0}


def test_a_folder_of_pictures_is_read_whole_in_one_size(tmp_path):
    data = read(folder(tmp_path))
    assert data.train.pictures.shape == (6, 3, 64, 64)
    assert data.test.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert data.mirrors


def test_a_folder_without_a_test_split_is_refused(tmp_path):
    with pytest.raises(DataError, match="a training and a test split"):
        read(folder(tmp_path, tests=False))


def test_gaps_are_of_the_same_seeds_and_a_verdict_needs_them_beyond_noise():
    scores = {"softmax": [0.5, 0.6, 0.55], "up": [0.6, 0.7, 0.65], "level": [0.5, 0.65, 0.5], "down": [0.4, 0.51, 0.45]}
    trainings = [{"mixer": name, "seed": i, "top1": top1, "parameters": 1} for name, each in scores.items() for i, top1 in enumerate(each)]
    rows = {row["mixer"]: row for row in summary(trainings, {}, {})}
    assert [rows[name]["verdict"] for name in ("up", "level", "down", "softmax")] == ["better", "level", "worse", ""]
    assert rows["up"]["over_softmax"] == pytest.approx(0.1)
    assert rows["up"]["over_softmax_ci95"] == pytest.approx(0.0)
    assert next(iter(rows)) == "up"


def test_lengths_of_a_sweep_in_the_same_folder_stand_in_the_table(tmp_path):
    wins = [{"pattern": "ns", "mixer": "halo", "both_ms": 256}, {"pattern": "cs", "mixer": "halo", "both_ms": None}]
    (tmp_path / "mixers.json").write_text(json.dumps({"wins": wins}))
    lengths = crossovers(tmp_path / "mixers.json")
    assert lengths == {"halo": {"ns": 256, "cs": None}}
    rows = summary([{"mixer": name, "seed": 0, "top1": 0.5, "parameters": 1} for name in ("softmax", "halo")], {}, lengths)
    assert table(rows).splitlines()[2].split()[-4:] == ["256", "never", "-", "-"]
    assert crossovers(tmp_path / "none.json") == {}


def test_the_command_writes_a_table_and_goes_on_where_it_was(here: Here, tmp_path):
    words = (
        "bench",
        "mixers",
        "--study",
        "--mixers",
        "sigmoid",
        "--steps",
        1,
        "--jobs",
        1,
        "--rounds",
        1,
        "--data",
        folder(tmp_path / "set"),
    )
    first = here(*words, "--seeds", 1)
    assert first.returncode == 0, first.stderr
    assert {line.split()[0] for line in first.stdout.splitlines()[1:]} == {"softmax", "sigmoid"}
    assert (tmp_path / "bench" / "study.png").read_bytes().startswith(b"\x89PNG")
    again = here(*words, "--seeds", 2)
    assert "2 trainings are there" in again.stderr
    assert "seed 0" not in again.stderr.split("trainings are there")[1]
    assert len(json.loads((tmp_path / "bench" / "study.json").read_text())["trainings"]) == 4


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--seeds", 2), "--seeds belongs to --study"),
        (("--study", "--pattern", "cs"), "are of the sweep"),
        (("--study", "--data", "nowhere"), "no such file or folder"),
        (("--study", "--mixers", "softmx"), "did you mean 'softmax'"),
    ],
)
def test_what_cannot_act_is_refused(here: Here, words, says):
    done = here("bench", "mixers", *words)
    assert done.returncode == 2
    assert says in done.stderr
