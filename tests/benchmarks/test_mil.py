"""The benchmarks of bags run from beginning to end, on next to nothing."""

import json
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from benchmarks.mil import bags, front_end, glas, hard_bags, large_bags, slides


def call(module: Any, monkeypatch: pytest.MonkeyPatch, *words: object) -> None:
    monkeypatch.setattr(sys, "argv", [module.__name__, *map(str, words)])
    module.main()


@pytest.fixture
def sets(tmp_path: Path) -> Path:
    for name in bags.SETS:
        rng = np.random.default_rng(0)
        lengths = rng.integers(2, 6, 30)
        y = np.arange(30) % 2
        x = rng.standard_normal((lengths.sum(), 4)).astype(np.float32) + 3 * np.repeat(y, lengths)[:, None]
        fold = np.stack([rng.permutation(30) % 2 for _ in range(3)]).astype(np.int8)
        np.savez(tmp_path / f"{name}.npz", x=x, offsets=np.concatenate([[0], lengths.cumsum()]), y=y.astype(np.int8), fold=fold)
    return tmp_path


def test_bags_run_without_writing(sets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    call(bags, monkeypatch, "--data", sets, "--smoke", "--rows", tmp_path / "rows", "--out", tmp_path / "out.json")
    assert capsys.readouterr().out.count("musk1") == 7
    assert not (tmp_path / "rows").exists()


@pytest.mark.full  # every arm is trained: 10 s
def test_bags_that_are_there_are_not_made_again(sets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("--data", sets, "--repeats", 0, 1, "--rows", tmp_path / "rows", "--out", tmp_path / "out.json")
    monkeypatch.setattr(bags, "RECIPE", bags.Recipe(epochs=2, mining=2, batch=8, lr=1e-2, decay=0.0, momentum=0.99, alpha=0.1))
    monkeypatch.setattr(bags, "TREES", 3)
    monkeypatch.setattr(bags, "write", lambda path, subject, rows: path.write_text(json.dumps(rows)))
    call(bags, monkeypatch, *words)
    rows = json.loads((tmp_path / "out.json").read_text())
    assert [row["arm"] for row in rows if row["set"] == "fox"] == [
        "trees",
        *(f"{arm}{ranks}" for ranks in ("", ", ranks") for arm in ("mean", "ab_mil", "mhim, ab_mil", "ds_mil", "mhim, ds_mil")),
    ]
    assert all(row["fold_auc"] > 0.9 for row in rows if row["arm"] in ("trees", "mean"))  # any model sees a shift of three deviations
    monkeypatch.setattr(bags, "run", None)
    monkeypatch.setattr(bags, "trees", None)
    call(bags, monkeypatch, *words)
    assert json.loads((tmp_path / "out.json").read_text()) == rows


def test_hard_bags_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    call(hard_bags, monkeypatch, "--smoke", "--out", tmp_path / "out.json")
    assert capsys.readouterr().out.count("'arm'") == 1 + len(hard_bags.ARMS)
    assert not (tmp_path / "out.json").exists()


def test_colon_glands_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    import zipfile

    rng = np.random.default_rng(0)
    lines = ["file,patient,label,fold"]
    with zipfile.ZipFile(tmp_path / "images.zip", "w") as archive:
        for i in range(10):
            archive.writestr(f"{i}.jpg", cv2.imencode(".jpg", rng.integers(0, 255, (260, 330, 3), np.uint8))[1].tobytes())
            lines.append(f"{i}.jpg,{i},{'benign' if i % 2 else 'malignant'},{i // 2}")
    (tmp_path / "index.csv").write_text("\n".join(lines))
    tiles, labels, folds = glas.read(tmp_path, 64, None)
    assert [len(bag) for bag in tiles] == [4 * 5] * 10
    assert [len(bag) for bag in glas.read(tmp_path, 256, None)[0]] == [2] * 10
    assert labels.tolist() == [1, 0] * 5
    assert folds.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    call(glas, monkeypatch, "--data", tmp_path, "--smoke")
    assert "tile statistics: trees" in capsys.readouterr().out


def test_large_bags_run(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setattr(large_bags, "apart", lambda function, *arguments: function(*arguments))  # this process will do
    call(large_bags, monkeypatch, "--smoke")
    assert capsys.readouterr().out.count("'instances': 1000") == 2


@pytest.mark.full
def test_the_front_end_runs(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    pytest.importorskip("openslide")
    monkeypatch.setattr(front_end, "apart", lambda function, *arguments: function(*arguments))
    call(front_end, monkeypatch, "--smoke")
    assert "cosine" in capsys.readouterr().out


@pytest.mark.full
def test_slides_go_from_files_to_maps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    pytest.importorskip("openslide")
    monkeypatch.setenv("HOME", str(tmp_path))
    call(slides, monkeypatch, "--smoke", "--out", tmp_path / "out.json")
    said = capsys.readouterr().out
    assert all(arm in said for arm in (*slides.ARMS, "trees", "seconds of heatmap", "give --data"))
    assert not (tmp_path / "out.json").exists()


def test_a_set_that_is_not_there_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    for module in (bags, glas):
        with pytest.raises(SystemExit):
            call(module, monkeypatch, "--data", tmp_path / "nowhere")
        assert "is not there" in capsys.readouterr().err
