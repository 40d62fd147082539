"""Bags that are there twice: counted, and said whether a split parts them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datamodules.mil.bags import ArrayBags
from datamodules.mil.datamodule import NpzBags
from datamodules.mil.feature_bags import FeatureBags
from datamodules.mil.feature_files import FeatureFiles
from datamodules.mil.twins import twin_note, twins
from tests.datamodules.mil.feature_sets import labelled
from tests.datamodules.mil.test_bags import npz
from tests.system.command import Here


def said_by(data: Any) -> list[str]:
    said: list[str] = []
    data.say = said.append
    data.setup()
    return [line for line in said if "identical" in line]


def doubled(path: Path) -> Path:
    """A set whose first bag is there again as the third, tested elsewhere, and as the second, under another label."""
    npz(path)
    with np.load(path) as file:
        arrays = dict(file)
    first = arrays["x"][: arrays["offsets"][1]]
    lengths = np.diff(arrays["offsets"])
    bags = np.split(arrays["x"], arrays["offsets"][1:-1])
    bags[1], bags[2] = first, first
    lengths[1:3] = len(first)
    np.savez(path, **{**arrays, "x": np.concatenate(bags), "offsets": np.concatenate([[0], lengths.cumsum()])})
    return path


def test_groups_are_bags_of_the_same_content_and_no_others() -> None:
    x = np.array([[1.0], [2.0], [1.0], [2.0], [2.0], [1.0], [3.0], [1.0], [2.0]], np.float32)
    assert twins(ArrayBags(x, np.array([0, 2, 4, 6, 7, 9]))) == [[0, 1, 4]]  # 1 2 | 1 2 | 2 1 | 3 | 1 2
    assert twins(ArrayBags(x, np.array([0, 3, 9]))) == []


def test_files_are_compared_without_reading_all_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    contents = [rng.bytes(40_000) for _ in range(4)]
    contents += [contents[1], contents[2][:10_000] + b"other" + contents[2][10_005:]]  # a copy; one that differs between the pieces
    paths = [tmp_path / f"{i}.npy" for i in range(6)]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    read = []
    from datamodules.mil import twins as module

    whole = module.sha256
    monkeypatch.setattr(module, "sha256", lambda path: read.append(path.name) or whole(path))
    assert twins(FeatureFiles([path.stem for path in paths], paths, 1)) == [[1, 4]]
    assert sorted(read) == ["1.npy", "2.npy", "4.npy", "5.npy"]


def test_the_note_counts_labels_and_splits_that_part_a_group() -> None:
    labels = np.array([0, 0, 1, 0, 1])
    assert twin_note([], labels, labels) == []
    (note,) = twin_note([[0, 1], [2, 3]], labels, np.array([[0, 0, 1, 1, 0], [0, 1, 1, 1, 0]]))
    assert note.startswith("2 groups of identical bags (4 bags), 1 under several labels, 1 on several sides of a split: what is tested")
    (note,) = twin_note([[0, 1]], labels, np.zeros(5))
    assert note.endswith("0 on several sides of a split")


def test_a_fit_says_it_at_its_start(tmp_path: Path) -> None:
    (line,) = said_by(NpzBags(str(doubled(tmp_path / "a.npz"))))
    assert "1 groups of identical bags (3 bags), 1 under several labels, 1 on several sides" in line
    assert said_by(NpzBags(str(npz(tmp_path / "b.npz")))) == []
    folder = labelled(tmp_path / "set", layout="npz")
    assert said_by(FeatureBags(str(folder), scale="none")) == []
    (folder / "slide_03.npz").write_bytes((folder / "slide_05.npz").read_bytes())
    (line,) = said_by(FeatureBags(str(folder), scale="none"))
    assert "1 groups of identical bags (2 bags), 0 under several labels" in line


def test_data_check_says_it_of_all_folds_of_the_set(tmp_path: Path, here: Here) -> None:
    doubled(tmp_path / "a.npz")
    said = here("data", "check", "a.npz")
    assert said.returncode == 1  # the same bag under two labels is a problem
    assert "1 groups of identical bags (3 bags), 1 under several labels, 1 on several sides of a split" in said.stdout
