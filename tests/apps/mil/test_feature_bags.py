"""From a folder of features to a trained, measured and exported model, and who is refused on the way."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("h5py", reason="needs pip install 'discern[slides]'")

from apps.mil.leakage import LeakageError
from apps.mil.options import Mask, Teacher
from datamodules.mil.errors import FeatureMismatchError
from datamodules.mil.feature_bags import FeatureBags
from datamodules.mil.slides import native
from datamodules.mil.slides.features import SlideFeatures
from tests.apps.mil.test_task import run
from tests.datamodules.mil.feature_sets import WIDTH, broken, features, labelled, slides, table, write
from tests.system.command import Here

TINY = ("--model.host.dim=8", "--model.teacher.epochs=1", "--trainer.max_epochs=2", "--trainer.accelerator=cpu")


def data(folder: Path, **options: Any) -> FeatureBags:
    made = FeatureBags(str(folder), batch_size=4, **options)
    made.say = lambda words: None
    return made


def trained(folder: Path, checkpoints: Path, **options: Any) -> str:
    checkpoints.mkdir()
    run(checkpoints, data(folder, **options), epochs=1)
    return str(checkpoints / "last.ckpt")


def with_teacher(checkpoint: str) -> dict[str, Any]:
    return {"mask": Mask(high=0.2), "teacher": Teacher(checkpoint=checkpoint)}


@pytest.mark.parametrize("protocol", ["clean", "official"])
def test_a_teacher_that_saw_a_patient_of_the_split_is_refused_whatever_the_protocol(tmp_path: Path, protocol: str) -> None:
    folder = labelled(tmp_path / "set", 24, patients=12)
    teacher = trained(folder, tmp_path / "teacher", fold=1)
    if protocol == "official":
        rows = [(name, i % 2, f"p{i % 12}", "test" if i % 12 < 3 else "train") for i, name in enumerate(slides())]
        table(folder / "labels.csv", rows, "slide_id,label,patient_id,split")
    (tmp_path / "student").mkdir()
    with pytest.raises(LeakageError, match=r"patients of this validation or test split: p\d"):
        run(tmp_path / "student", data(folder, fold=0, protocol=protocol), epochs=1, **with_teacher(teacher))


def test_the_patient_counts_not_the_slide(tmp_path: Path) -> None:
    """Another slide of a patient who was trained on is no new patient."""
    folder = labelled(tmp_path / "set", 24, patients=12)
    teacher = trained(folder, tmp_path / "teacher")
    names = [f"new_{i:02d}" for i in range(24)]
    other = write(tmp_path / "other", names, labels=[i % 2 for i in range(24)])
    table(other / "labels.csv", [(name, i % 2, f"p{i % 12}") for i, name in enumerate(names)], "slide_id,label,patient_id")
    (tmp_path / "student").mkdir()
    with pytest.raises(LeakageError):
        run(tmp_path / "student", data(other, fold_seed=1), epochs=1, **with_teacher(teacher))


def test_a_checkpoint_is_not_measured_on_patients_whom_it_was_trained_on(tmp_path: Path) -> None:
    folder = labelled(tmp_path / "set", 24, patients=12)
    (tmp_path / "run").mkdir()
    task = run(tmp_path / "run", data(folder, scale="none"), epochs=1)
    same, other = data(folder, scale="none"), data(folder, scale="none", fold=1)
    for each in (same, other):
        each.setup()
    task.check_data(same)
    with pytest.raises(LeakageError, match="patients of this test split"):
        task.check_data(other)


def test_features_of_another_encoder_are_a_mismatch_and_files_that_do_not_tell_are_not(tmp_path: Path) -> None:
    folder = labelled(tmp_path / "set", layout="native")
    (tmp_path / "run").mkdir()
    task = run(tmp_path / "run", data(folder, scale="none"), epochs=1)
    assert task.facts["encoder"] == {"encoder": "stats", "tile_px": 64}
    silent = labelled(tmp_path / "silent", layout="npz")
    same = data(silent, scale="none")
    same.setup()
    task.check_data(same)
    task.facts["encoder"] = {"encoder": "resnet50"}
    other = data(folder, scale="none")
    other.setup()
    with pytest.raises(FeatureMismatchError, match=r"trained on other features \(the encoder: resnet50 and stats\)"):
        task.check_data(other)


def test_what_diagnose_takes_for_the_same_features_is_measured_too(tmp_path: Path) -> None:
    """Tiles within the tolerance of tiling, and weights of one hash under another name."""
    folder = tmp_path / "set"
    for i, name in enumerate(slides()):
        about = {"encoder": f"copy {i % 2}", "encoder_sha256": "a" * 64, "mpp_target": 0.5 + i / 5000, "transform": {"size": 224}}
        native.write_features(folder / f"{name}.safetensors", SlideFeatures(name, features(name, label=i % 2), None, about))
    table(folder / "labels.csv", [(name, i % 2) for i, name in enumerate(slides())])
    (tmp_path / "run").mkdir()
    task = run(tmp_path / "run", data(folder, scale="none"), epochs=1)
    assert task.facts["encoder"]["transform"] == {"size": 224}
    same = data(folder, scale="none")
    same.setup()
    task.facts["encoder"] |= {"encoder": "uni", "mpp_target": 0.505}
    task.check_data(same)
    task.facts["encoder"] |= {"transform": {"size": 256}}
    with pytest.raises(FeatureMismatchError, match="the encoder's transform"):
        task.check_data(same)


@pytest.mark.parametrize("layout", ["clam", "trident"])
def test_the_threshold_is_a_function_of_validation_alone(tmp_path: Path, layout: str) -> None:
    """Turning the labels of the tested slides changes neither weights nor threshold."""
    folder = labelled(tmp_path / "set", layout=layout)
    first = data(folder, fold=2)
    (tmp_path / "one").mkdir()
    one = run(tmp_path / "one", first, epochs=1)
    tested = {first.source.name(i) for i in first.parts.test}
    fold = {first.source.name(i): 0 if i in first.parts.test else 1 for part in first.parts for i in part}
    parts = {first.source.name(i): name for name, part in zip(("train", "val", "test"), first.parts, strict=True) for i in part}
    rows = [(name, 1 - i % 2 if name in tested else i % 2, parts[name]) for i, name in enumerate(slides())]
    assert set(fold.values()) == {0, 1}
    table(folder / "labels.csv", rows, "slide_id,label,split")
    (tmp_path / "two").mkdir()
    two = run(tmp_path / "two", data(folder, protocol="official"), epochs=1)
    assert one.facts["threshold"] == two.facts["threshold"]
    assert all(torch.equal(a, b) for a, b in zip(one.model.state_dict().values(), two.model.state_dict().values(), strict=True))


def test_the_whole_way_from_a_folder_to_an_answer(tmp_path: Path, here: Here) -> None:
    labelled(tmp_path / "set", 24, "clam", patients=12)
    checked = here("data", "check", "set", "--json")
    report = json.loads(checked.stdout)
    assert checked.returncode == 0
    assert (report["format"], report["counts"], report["classes"]) == ("clam", {"train": 14, "val": 4, "test": 6}, 2)
    words = report["command"].split()
    assert words[1:] == ["mil", "fit", "--config", "features", "--data.path=set"]
    assert here(*words[1:], *TINY).returncode == 0
    measured = here("mil", "test")
    assert measured.returncode == 0
    assert {"test/auc", "test/stats_auc", "test/constant"} <= json.loads(measured.stdout).keys()
    assert "patients of this test split" in here("--quiet", "mil", "test", "--data.fold=1").line
    assert here("mil", "export", "-o", "bags.ts").returncode == 0
    answered = here("predict", "bags.ts", "set/h5_files/slide_00.h5", "set/pt_files/slide_00.pt")
    rows = [json.loads(line) for line in answered.stdout.splitlines()]
    assert len(rows) == 2
    assert rows[0]["probs"][0]["probability"] == pytest.approx(rows[1]["probs"][0]["probability"], abs=1e-6)
    saved = next((tmp_path / "mlruns").rglob("run.json")).parent
    assert not any("p11" in path.read_text(errors="ignore") for path in saved.rglob("*") if path.suffix in (".json", ".yaml", ".jsonl"))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda folder: (folder / "labels.csv").unlink(), "no label table"),
        (lambda folder: (folder / "slide_00.npz").write_bytes(b"PK\3\4 cut"), "slide_00.npz: damaged"),
        (lambda folder: np.savez(folder / "slide_01.npz", features=features("slide_01", WIDTH + 2)), "7 features, most have 5"),
        (lambda folder: [broken(folder / f"{name}.npz") for name in slides()], "row 1 is not finite"),
        (lambda folder: np.savez(folder / "slide_01.npz", features=np.zeros((3, WIDTH), np.int64)), "floating point"),
    ],
)
def test_what_is_wrong_with_a_folder_is_one_line_and_leaves_with_2(tmp_path: Path, here: Here, spoil: Any, words: str) -> None:
    spoil(labelled(tmp_path / "set"))
    said = here("--quiet", "mil", "fit", "--config", "features", "--data.path=set", *TINY)
    assert said.returncode == 2
    assert words in said.line


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda folder: broken(folder / "slide_03.npz"), "slide_03.npz: row 1 is not finite"),
        (lambda folder: (folder / "slide_03.npz").write_bytes(b"nonsense"), "slide_03.npz: damaged"),
        (lambda folder: np.savez(folder / "slide_03.npz", features=features("slide_03", 9)), "9 features, most have 5"),
        (lambda folder: (folder / "slide_03.npz").write_bytes((folder / "slide_05.npz").read_bytes()), "same bag as different patients"),
        (lambda folder: (folder / "slide_03.npz").write_bytes((folder / "slide_04.npz").read_bytes()), "same bag under 2 labels"),
        (lambda folder: table(folder / "labels.csv", [(n, int(n == "slide_00")) for n in slides()]), "fewer than 5 bags of 1"),
    ],
)
def test_data_check_names_what_is_wrong_and_leaves_with_1(tmp_path: Path, here: Here, spoil: Any, words: str) -> None:
    spoil(labelled(tmp_path / "set"))
    said = here("data", "check", "set")
    assert said.returncode == 1
    assert words in said.stdout


def test_data_check_looks_at_the_sets_own_split_and_tells_how_to_take_it(tmp_path: Path, here: Here) -> None:
    folder = labelled(tmp_path / "set")
    rows = [(name, i % 2, "test" if i > 17 else "train") for i, name in enumerate(slides())]
    table(folder / "labels.csv", rows, "slide_id,label,split")
    assert "--data.path=set --data.protocol=official" in here("data", "check", "set").stdout
    (folder / "slide_20.npz").write_bytes((folder / "slide_00.npz").read_bytes())
    said = here("data", "check", "set")
    assert said.returncode == 1
    assert "and test: slide_00, slide_20; keep it in one split" in said.stdout


def test_data_check_reads_a_set_in_one_file(tmp_path: Path, here: Here) -> None:
    from tests.datamodules.mil.test_bags import npz

    npz(tmp_path / "a.npz")
    said = here("data", "check", "a.npz")
    assert said.returncode == 0, said.stderr
    assert "mil (npz), 2 classes, train 28, val 8, test 4" in said.stdout
    assert "discern mil fit --config small --data.path=a.npz" in said.stdout
