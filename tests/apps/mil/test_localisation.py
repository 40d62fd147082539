"""Whether the instances that matter are found: the figures, and the truth of slides on its way to them."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from apps.mil.localisation import instance_auc, instance_recall, positives
from core_attention.segments import Segments
from datamodules.errors import DataError
from datamodules.mil.feature_bags import FeatureBags
from tests.system.command import Here

SCORES = torch.tensor([0.9, 0.1, 0.8, 0.2, 0.5, 0.5, 0.7, 0.6])
POSITIVE = torch.tensor([1, 0, 0, 1, 0, 0, 1, 1]).bool()
BAGS = Segments.from_lengths([4, 2, 2])


def test_the_auc_is_within_each_bag_and_no_number_where_all_are_alike() -> None:
    found = instance_auc(SCORES, POSITIVE, BAGS)
    assert found[0] == 0.75
    assert found[1:].isnan().all()
    assert torch.equal(
        found[:1], instance_auc(SCORES * torch.tensor([9.0] * 4 + [1.0] * 4), POSITIVE, BAGS)[:1]
    )  # a bag's scale is its own


def test_recall_at_n_is_the_share_of_n_positives_among_the_n_highest() -> None:
    found = instance_recall(SCORES, POSITIVE, BAGS)
    assert found[0] == 0.5
    assert found[1].isnan()
    assert found[2] == 1


def test_tiles_are_positive_from_half_of_their_area_on() -> None:
    assert positives({"truth": torch.tensor([0.0, 0.49, 0.5, 1.0])}).tolist() == [False, False, True, True]  # type: ignore[union-attr]
    assert positives({"label": torch.zeros(1)}) is None


@pytest.mark.full  # trains: 25 s
def test_a_model_that_mines_is_measured_on_made_bags(here: Here) -> None:
    tiny = (
        "--data.train=24",
        "--data.val=12",
        "--data.test=12",
        "--model.host.dim=8",
        "--model.teacher.epochs=1",
        "--trainer.max_epochs=2",
    )
    assert here("--quiet", "mil", "fit", "--trainer.accelerator=cpu", *tiny).returncode == 0
    found = json.loads(here("--quiet", "mil", "test").stdout)
    for name in ("attention_auc", "attention_recall", "instance_auc", "instance_recall"):
        assert 0 <= found[f"test/{name}"] <= 1
    assert {"test/average_precision", "test/precision", "test/recall", "test/ece", "test/brier"} <= found.keys()
    assert "test/kappa" not in found  # of two classes there is no order to speak of


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten annotated slides with their tiles and features."""
    pytest.importorskip("openslide", reason="needs pip install 'discern[slides]'")
    from apps.base.dispatch import dispatch
    from apps.base.shell import Shell

    home = tmp_path_factory.mktemp("job")
    shell = Shell(quiet=True)
    assert dispatch(shell, ["mil", "slides", "synth", str(home / "wsi"), "-n", "10", "--side", "512"]) == 0
    words = ["--encoder", "stats", "--px", "32", "--mpp", "1", "--jobs", "1"]
    assert dispatch(shell, ["mil", "slides", "features", str(home / "wsi"), "--job", str(home / "plain"), *words]) == 0
    words += ["--annotations", str(home / "wsi/annotations")]
    assert dispatch(shell, ["mil", "slides", "features", str(home / "wsi"), "--job", str(home / "job"), *words]) == 0
    return home


def annotated(job: Path, **options: Any) -> FeatureBags:
    return FeatureBags(str(job / "job"), labels=str(job / "wsi/labels.csv"), **options)


def test_the_truth_of_tiles_comes_with_the_bag_when_it_is_evaluated(job: Path) -> None:
    data = annotated(job, truth=str(job / "job/tiles"), folds=2)
    data.setup()
    seen = {}
    for batch in data.test_dataloader():
        assert batch["truth"].shape == (len(batch["bag"].flat),)
        seen[int(batch["label"])] = max(seen.get(int(batch["label"]), 0.0), float(batch["truth"].max()))
    assert seen[0] == 0
    assert seen[1] > 0.5
    assert "truth" not in next(iter(data.train_dataloader()))


def test_how_well_annotated_tiles_are_found_is_said_by_test(job: Path, here: Here) -> None:
    words = ("--data.path", job / "job", "--data.labels", job / "wsi/labels.csv", "--data.truth", job / "job/tiles")
    tiny = ("--model.host.dim=8", "--model.teacher.epochs=1", "--trainer.max_epochs=2", "--trainer.accelerator=cpu")
    assert here("--quiet", "mil", "fit", "--config", "features", *words, *tiny).returncode == 0
    found = json.loads(here("--quiet", "mil", "test").stdout)
    assert 0 <= found["test/attention_auc"] <= 1
    assert 0 <= found["test/instance_recall"] <= 1


def test_to_know_the_truth_of_a_slide_its_features_are_not_read(job: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = annotated(job, truth=str(job / "job/tiles"), folds=2)
    data.setup()
    monkeypatch.setattr("datamodules.mil.slides.native.read_features", lambda _: pytest.fail("features were read"))
    assert len(data.source.along(0)["truth"])


def test_a_truth_that_is_not_there_or_of_other_tiles_is_one_line(job: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there are no tiles of made_000"):
        annotated(job, truth=str(tmp_path)).setup()
    silent = annotated(job, truth=str(job / "plain/tiles"))
    silent.setup()
    with pytest.raises(DataError, match="tells no truth of its tiles; run 'discern mil slides tile' with --annotations"):
        next(iter(silent.test_dataloader()))
    for path in (job / "job/tiles").glob("*.safetensors"):
        (tmp_path / path.name).write_bytes((job / "job/tiles/made_001.safetensors").read_bytes())
    others = annotated(job, truth=str(tmp_path), folds=2)
    others.setup()
    with pytest.raises(DataError, match="its tiles are not those of"):
        list(others.test_dataloader())
