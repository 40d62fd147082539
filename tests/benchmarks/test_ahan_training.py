"""The scripts that train verifiers run on miniature data, keep protocols, and write nothing on --smoke."""

import sys
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest

from apps.ahan.scenarios import Scored
from benchmarks.ahan import embedded, lfw, speed
from benchmarks.ahan.fitting import paired
from tests.datamodules.ahan import sets


def said(monkeypatch, capsys, script, *words):
    monkeypatch.setattr(sys, "argv", ["benchmark", *map(str, words)])
    script.main()
    return capsys.readouterr().out


def test_embedded_rows_run_and_write_nothing_on_smoke(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    rows = ["global", "full", "hard", "tap", "landmarks", "asymmetry, signed, flipped", "asymmetry, abs, tied", "shuffled, full"]
    out = said(monkeypatch, capsys, embedded, "--smoke", "--only", *rows)
    assert [line.split(" 0 ")[0] for line in out.splitlines()] == rows
    assert not list(tmp_path.iterdir())


def test_a_table_of_embedded_twins_compares_the_same_pairs(monkeypatch, capsys, tmp_path):
    def run(row, seed, options):
        sure = {"global stream alone": 0.5, "all": 1.0}.get(row.title, 0.75)
        right = (np.arange(40) % 4 < 4 * sure).astype(int)
        pairs = {"right": "".join(map(str, right)), "same": "0" * 20 + "1" * 20, "family": (np.arange(40) % 5).tolist()}
        return dict.fromkeys(
            ("twin_accuracy", "twin_eer", "twin_tar", "twin_auc", "general_accuracy", "general_auc", "cpu_seconds"), sure
        ) | {"twin_pairs": pairs}

    monkeypatch.setattr(embedded, "run", run)
    words = ["--seeds", 2, "--rows", tmp_path / "rows", "--out", tmp_path / "table.json"]
    out = said(monkeypatch, capsys, embedded, *words)
    full = next(line for line in out.splitlines() if "'row': 'all'" in line and "'set': 'all'" in line)
    assert "'over_first': '+0.5000'" in full
    assert len(list((tmp_path / "rows").glob("*.json"))) == 2 * len(embedded.ROWS) - 2
    monkeypatch.setattr(embedded, "run", lambda *_: pytest.fail("a kept row is made again"))
    said(monkeypatch, capsys, embedded, *words)


def test_as_many_seeds_are_taken_as_there_is_time_for():
    runs = {"global": [{"cpu_seconds": 600.0}], "full": [{"cpu_seconds": 600.0}], "genes, full": [{"cpu_seconds": 9e9}]}
    for minutes, seeds in ((5, 1), (39, 1), (41, 2), (500, 3)):
        assert embedded.seeds_within(Namespace(minutes=minutes, seeds=3), runs) == seeds


def test_epochs_of_lfw_are_chosen_by_what_a_step_takes(monkeypatch, tmp_path):
    folder = sets.lfw(tmp_path / "lfw", folds=10)
    clock = iter(range(0, 10_000, 7))

    def fit(task, data, *_, steps, **__):
        data.setup("fit")
        for _ in range(steps):
            next(clock)

    monkeypatch.setattr(lfw, "fit", fit)
    monkeypatch.setattr(lfw.time, "monotonic", lambda: float(next(clock)))
    options = Namespace(data=folder, smoke=True, epochs=20, minutes=100)
    told = lfw.epochs_within(options, "resnet")
    assert told["step_seconds"] == dict.fromkeys(lfw.ROWS, 7.0)
    assert told["epochs"] == int(6000 / (told["steps"] * 3 * 7 * 5))
    assert lfw.epochs_within(Namespace(**{**vars(options), "minutes": 1e9}), "resnet")["epochs"] == 20


def test_shuffled_names_are_of_the_training_alone():
    data = embedded.Shuffled(train=4, val=2, test=2, each=2)
    plain = embedded.TwinFaces(train=4, val=2, test=2, each=2)
    assert sorted(map(tuple, data.numbers("train")[:, :2])) == sorted(map(tuple, plain.numbers("train")[:, :2]))
    assert not np.array_equal(data.numbers("train"), plain.numbers("train"))
    assert np.array_equal(data.numbers("test"), plain.numbers("test"))


def test_lfw_tests_two_folds_validates_on_one_and_trains_on_the_others(monkeypatch, capsys, tmp_path):
    folder = sets.lfw(tmp_path / "lfw", folds=10)
    data = lfw.Folded(str(folder), (3, 4), 5, size=32)
    folds = {split: {record.fold for record in data.table.of(split)} for split in ("train", "val", "test")}
    assert folds == {"train": {1, 2, 6, 7, 8, 9, 10}, "val": {5}, "test": {3, 4}}
    people = {split: {record.person for record in data.table.of(split)} for split in folds}
    assert not people["train"] & (people["val"] | people["test"])
    assert set(data.pairs("test").fold) == {3, 4}
    monkeypatch.chdir(tmp_path)
    out = said(monkeypatch, capsys, lfw, "--data", folder, "--smoke")
    assert [line.split(" ")[0] for line in out.splitlines()] == ["trunk", "trunk", "epochs", "arcface", "plain", "ahan"]
    assert {path.name for path in tmp_path.iterdir()} == {"lfw"}


def test_lfw_says_what_is_missing(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(sys, "argv", ["lfw", "--data", str(tmp_path / "none")])
    with pytest.raises(SystemExit) as left:
        lfw.main()
    assert left.value.code == 2
    assert "get LFW" in capsys.readouterr().err


def test_speed_asks_the_smallest_once_and_writes_nothing_on_smoke(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert len(said(monkeypatch, capsys, speed, "--smoke").splitlines()) == 3
    assert not Path("benchmarks").exists()


def test_a_gap_is_between_the_same_pairs():
    number = np.arange(8)
    pairs = Scored(number, number, number < 4, np.zeros(8), np.stack([number % 4] * 2, 1), np.full(8, -1))
    one, other = np.ones((2, 8)), np.zeros((2, 8))
    assert paired(one, other, pairs.same, pairs.family, 20) == (1, 1, 1)
    assert paired(one, one, pairs.same, pairs.family, 20) == (0, 0, 0)
