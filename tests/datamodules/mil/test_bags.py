"""Bags on disk, made bags, and who is trained on."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from datamodules.errors import DataError
from datamodules.mil.bags import collate
from datamodules.mil.checking import checked, checked_labels
from datamodules.mil.datamodule import HardBags, NpzBags
from datamodules.mil.errors import EmptyBagError, FeatureMismatchError
from datamodules.mil.folds import grouped_folds, overlap, patient_hash, patients_of, split
from datamodules.mil.reader import read_bag
from datamodules.mil.scaling import fit_deviations
from datamodules.mil.synth import DISTRACTOR, EASY, HARD, hard_bags, write_examples


def npz(path: Path, bags: int = 40, folds: bool = True, **more: Any) -> Path:
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 9, bags)
    offsets = np.concatenate([[0], lengths.cumsum()])
    arrays = {"x": rng.normal(3, 2, (offsets[-1], 5)).astype(np.float32), "offsets": offsets, "y": (np.arange(bags) % 2).astype(np.int8)}
    if folds:
        arrays["fold"] = np.stack([np.arange(bags) // 2 % 10, np.arange(bags) // 4 % 10]).astype(np.int8)
    np.savez(path, **(arrays | more))
    return path


# --- made bags -------------------------------------------------------------------------------------------------------


def test_hard_bags_are_what_they_are_said_to_be() -> None:
    made = hard_bags(60, 0)
    assert np.bincount(made.labels).tolist() == [30, 30]
    for label, first, last in zip(made.labels, made.offsets[:-1], made.offsets[1:], strict=True):
        kinds = np.bincount(made.kind[first:last], minlength=4)
        assert 80 <= last - first < 160
        assert 2 <= kinds[DISTRACTOR] <= 5
        assert (1 <= kinds[EASY] <= 2 and 6 <= kinds[HARD] <= 12) if label else (kinds[EASY] == kinds[HARD] == 0)
    assert made.x[made.kind == EASY, 0].mean() == pytest.approx(8, abs=0.4)
    assert made.x[made.kind == HARD, 1].mean() == pytest.approx(2.5, abs=0.2)
    assert made.x[made.kind == DISTRACTOR, 2].mean() == pytest.approx(4, abs=0.3)


def test_the_hard_kind_has_no_easy_instances_and_seeds_make_other_bags() -> None:
    assert not (hard_bags(20, 0, hard_only=True).kind == EASY).any()
    assert np.array_equal(hard_bags(4, 0).x, hard_bags(4, 0).x)
    assert not np.array_equal(hard_bags(4, 0).x[:80], hard_bags(4, 1).x[:80])


def test_examples_are_bags_that_predict_reads(tmp_path: Path) -> None:
    assert all(read_bag(path).shape[1] == 16 for path in write_examples(tmp_path, 2))


# --- batches ---------------------------------------------------------------------------------------------------------


def batch_of(data: Any, name: str = "train", workers: int = 0) -> list[dict]:
    data.workers = workers
    data.setup()
    return list(getattr(data, f"{name}_dataloader")())


def test_a_batch_is_ragged_with_noise_in_training_only() -> None:
    data = HardBags(batch_size=3, train=7, val=5, test=4)
    batch = batch_of(data)[0]
    assert batch["bag"].flat.shape == (batch["bag"].offsets[-1], 16)
    assert batch["noise"].shape == (len(batch["bag"].flat), 3)
    assert "truth" not in batch
    assert batch["label"].shape == (3,)
    evaluated = batch_of(data, "val")[0]
    assert "noise" not in evaluated
    assert evaluated["truth"].shape == evaluated["hard_instance"].shape == (len(evaluated["bag"].flat),)
    assert (evaluated["truth"] >= evaluated["hard_instance"].float()).all()
    assert sum(len(part["label"]) for part in batch_of(data, "test")) == 8


def test_the_noise_of_a_bag_does_not_depend_on_the_number_of_workers() -> None:
    one, other = batch_of(HardBags(4, train=8, val=4, test=4)), batch_of(HardBags(4, train=8, val=4, test=4), workers=2)
    for a, b in zip(one, other, strict=True):
        assert torch.equal(a["noise"], b["noise"])
        assert torch.equal(a["index"], b["index"])


def test_noise_differs_between_epochs_and_bags() -> None:
    data = HardBags(2, train=4, val=4, test=4)
    data.setup()
    first, again, other = data.train_set[(0, 0)]["noise"], data.train_set[(1, 0)]["noise"], data.train_set[(0, 1)]["noise"]
    assert not torch.equal(first, again)
    assert not torch.equal(first[:80], other[:80])


def test_instance_dropout_leaves_something_of_every_bag(tmp_path: Path) -> None:
    data = NpzBags(str(npz(tmp_path / "a.npz")), instance_dropout=0.9)
    data.setup()
    lengths = [len(data.train_set[(t, i)]["x"]) for i in range(len(data.train_set)) for t in range(3)]
    assert min(lengths) == 1
    assert np.mean(lengths) < 2
    assert collate([data.train_set[(0, 0)], data.train_set[(0, 1)]])["noise"].shape[1] == 3


def test_features_are_scaled_by_the_training_bags_alone(tmp_path: Path) -> None:
    data = NpzBags(str(npz(tmp_path / "a.npz")))
    data.setup()
    scaled = data.train_dataloader().dataset
    rows = np.concatenate([scaled[i]["x"].numpy() for i in range(len(scaled))])
    assert np.allclose(rows.mean(0), 0, atol=1e-4)
    assert np.allclose(rows.std(0), 1, atol=1e-4)
    tampered = data.source.x.copy()
    for index in data.parts.test:
        tampered[data.source.offsets[index] : data.source.offsets[index + 1]] += 100
    other = NpzBags(str(npz(tmp_path / "b.npz", x=tampered)))
    other.setup()
    assert np.array_equal(data.scaler.mean, other.scaler.mean)
    assert np.array_equal(data.scaler.std, other.scaler.std)


def test_no_bag_is_read_for_the_scale_before_one_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who exports, or begins a cross-validation, looks at no training bag."""
    data = NpzBags(str(npz(tmp_path / "a.npz")))
    with monkeypatch.context() as patch:
        patch.setattr("datamodules.mil.bag_data.fit_deviations", lambda *_: pytest.fail("the scale was fitted"))
        data.setup()
        assert len(data.examples(2)) == 2
    (first, *_) = data.test_dataloader()
    x = data.source.read(int(data.parts.test[0]))
    assert np.array_equal(first["bag"].flat[: len(x)].numpy(), data.scaler(x))


def test_a_constant_feature_keeps_its_scale() -> None:
    class One:
        width = 2

        def read(self, index: int) -> np.ndarray:
            return np.array([[1e6, 1.0], [1e6, 3.0]], np.float32)

    assert fit_deviations(One(), [0]).std.tolist() == [1.0, 1.0]  # type: ignore[arg-type]


# --- splits ----------------------------------------------------------------------------------------------------------


def test_no_patient_is_in_two_folds_and_every_bag_is_tested_once() -> None:
    rng = np.random.default_rng(0)
    groups = [f"p{rng.integers(30)}" for _ in range(120)]
    labels = [int(group[1:]) % 2 for group in groups]
    fold = grouped_folds(labels, groups, 5, seed=3)
    assert all(len(set(fold[np.array(groups) == group])) == 1 for group in set(groups))
    tested = np.concatenate([split(labels, groups, "clean", i, 5, 3).test for i in range(5)])
    assert sorted(tested.tolist()) == list(range(120))
    for i in range(5):
        parts = split(labels, groups, "clean", i, 5, 3)
        sets = [{groups[j] for j in part} for part in parts]
        assert sum(map(len, sets)) == len(set(groups))
        assert sorted(np.concatenate(parts).tolist()) == list(range(120))


def test_classes_are_spread_within_one_bag() -> None:
    labels = [0] * 33 + [1] * 17 + [2] * 8
    fold = grouped_folds(labels, [str(i) for i in range(58)], 5, seed=0)
    for label in range(3):
        counts = np.bincount(fold[np.array(labels) == label], minlength=5)
        assert counts.max() - counts.min() <= 1
    assert np.bincount(fold).max() - np.bincount(fold).min() <= 2


def test_the_split_is_a_function_of_its_seed() -> None:
    labels, groups = [0, 1] * 20, [str(i) for i in range(40)]
    assert np.array_equal(grouped_folds(labels, groups, 4, 1), grouped_folds(labels, groups, 4, 1))
    assert not np.array_equal(grouped_folds(labels, groups, 4, 1), grouped_folds(labels, groups, 4, 2))


def test_under_parity_validation_is_the_test_fold() -> None:
    parts = split([0, 1] * 20, [str(i) for i in range(40)], "parity", 1, 4, 0)
    assert np.array_equal(parts.val, parts.test)


def test_the_files_own_folds_are_taken(tmp_path: Path) -> None:
    data = NpzBags(str(npz(tmp_path / "a.npz")), repeat=1, fold=3)
    data.setup()
    assert data.parts.test.tolist() == [12, 13, 14, 15]


def test_a_patient_is_the_patterns_group_and_nothing_that_only_begins_alike() -> None:
    names = ["TCGA-05-4420-01Z-00-DX1", "TCGA-05-442-01Z-00-DX1"]
    found = patients_of(names, r"(TCGA-\w\w-\w+)-")
    assert found == ["TCGA-05-4420", "TCGA-05-442"]
    assert overlap([patient_hash(found[1])], found) == ["TCGA-05-442"]
    with pytest.raises(DataError, match="0 of 2"):
        patients_of(names, r"CAMELYON-(\d+)")


@pytest.mark.parametrize(("fold", "k", "word"), [(0, 1, "folds"), (0, 99, "patients"), (4, 4, "fold")])
def test_a_split_that_cannot_be_is_refused(fold: int, k: int, word: str) -> None:
    with pytest.raises(DataError, match=word):
        split([0, 1] * 5, [str(i) for i in range(10)], "clean", fold, k, 0)


# --- what is broken --------------------------------------------------------------------------------------------------


def test_an_empty_bag_a_wrong_width_and_a_row_that_is_no_number_are_named() -> None:
    with pytest.raises(EmptyBagError, match="slide 7"):
        checked(np.zeros((0, 4), np.float32), "slide 7")
    with pytest.raises(FeatureMismatchError, match="4 features, 8"):
        checked(np.zeros((3, 4), np.float32), "slide 7", 8)
    broken = np.zeros((5, 4), np.float32)
    broken[3, 1] = np.nan
    with pytest.raises(ValueError, match=r"slide 7: row 3"):
        checked(broken, "slide 7")
    with pytest.raises(ValueError, match="labels"):
        checked_labels(np.array([0, 1, 2]), 2, "a set")


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({"offsets": np.array([0, 3])}, "offsets"),
        ({"y": np.zeros(3, np.int8)}, "labels"),
        ({"y": np.full(40, -1)}, "whole numbers"),
        ({"y": np.array(["a", "b"] * 20)}, "whole numbers"),
        ({"y": np.full(40, np.nan)}, "whole numbers"),
    ],
)
def test_a_set_whose_parts_do_not_agree_is_refused(tmp_path: Path, more: dict, word: str) -> None:
    with pytest.raises(DataError, match=word):
        NpzBags(str(npz(tmp_path / "a.npz", **more))).setup()


def test_a_file_that_is_not_there_or_no_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        NpzBags(str(tmp_path / "a.npz")).setup()
    np.savez(tmp_path / "b.npz", x=np.zeros((3, 2)))
    with pytest.raises(DataError, match="lacks"):
        NpzBags(str(tmp_path / "b.npz")).setup()


# --- one bag from a file ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("kind", ["npy", "npz", "pt", "pt of an array", "h5"])
def test_every_form_of_a_bag_reads_the_same(tmp_path: Path, kind: str, dtype: type) -> None:
    x = np.arange(12).reshape(4, 3).astype(dtype)
    path = tmp_path / f"bag.{kind.split()[0]}"
    if kind == "npy":
        np.save(path, x)
    elif kind == "npz":
        np.savez(path, features=x)
    elif kind == "pt":
        torch.save(torch.from_numpy(x), path)
    elif kind == "pt of an array":
        torch.save(x, path)
    else:
        h5py = pytest.importorskip("h5py")
        with h5py.File(path, "w") as file:
            file["features"] = x
    assert np.array_equal(read_bag(path), x.astype(np.float32))


def test_a_file_that_would_run_code_is_refused(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> Any:
            return (print, ("boom",))

    torch.save(Bomb(), tmp_path / "bag.pt")
    with pytest.raises(DataError, match="could run code"):
        read_bag(tmp_path / "bag.pt")


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".pt", ".h5", ".csv"])
def test_a_damaged_file_is_named_in_one_line(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"bag{suffix}"
    path.write_bytes(b"nonsense")
    with pytest.raises(DataError, match=r"bag\.") as caught:
        read_bag(path)
    assert "\n" not in str(caught.value)
