"""The benchmarks of hag run from end to end on next to nothing, and write nothing on --smoke."""

import sys
from itertools import accumulate

import cv2
import numpy as np
import pytest

from benchmarks.hag import cifar, cost, embedded, kvasir, timm_gates, toys
from tests.datamodules.hag import sets


@pytest.fixture
def said(monkeypatch, capsys, tmp_path):
    """What a script prints. It is called in an empty folder, and leaves it empty."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    def run(script, *words):
        monkeypatch.setattr(sys, "argv", ["benchmark", *map(str, words)])
        script.main()
        assert not list((tmp_path / "here").iterdir())
        return capsys.readouterr().out

    return run


@pytest.mark.full
def test_the_cost_of_gates_and_what_folding_and_cutting_save(said):
    out = said(cost, "--smoke")
    assert all(word in out for word in ("'closed_percent'", "'macs_less_percent'"))


def test_the_toys(said, monkeypatch):
    name = next(iter(toys.TABLES))
    monkeypatch.setattr(toys, "TABLES", {name: toys.TABLES[name]})
    assert len(said(toys, "--smoke").splitlines()) == len(toys.ROWS)


@pytest.mark.full
def test_the_embedded_set(said):
    rows = ["plain", "planes, val"]
    out = said(embedded, "--smoke", "--only", *rows)
    assert [line.split(" 0 ")[0] for line in out.splitlines()] == rows
    assert "gate_auc_noise" in out


@pytest.mark.full
def test_the_further_rows_of_the_embedded_set(said, tmp_path):
    (tmp_path / "cases.csv").write_text("case,size_mm,censored\n" + "".join(f"{n},{size},0\n" for n, size in enumerate((3, 5, 5, 12))))
    rows = ["joint, stop", "budgets", "joint, by eye"]
    out = said(embedded, "--smoke", "--only", *rows, "--sun", tmp_path / "cases.csv")
    *made, floor = out.splitlines()
    assert [line.split(" 0 ")[0] for line in made] == rows
    assert "'mae_open_0.25'" in made[1]
    assert "'always 5 mm', 'mae': 2.25" in floor


def test_rows_that_came_later_leave_the_kept_ones_as_they_were():
    told = embedded.recipe_of(embedded.ROWS["plain"], 0, 1)["row"]
    assert set(told) == {"title", "set", "sites", "routing", "head"}
    assert embedded.recipe_of(embedded.MORE["stop"], 0, 1)["row"]["stop"]
    told = cifar.recipe_of("resnet", cifar.ARMS["plain"], 1000, 0, 5)
    assert set(told) == {"network", "arm", "size", "seed", "steps", "numbers", "precision"}
    assert cifar.recipe_of("resnet", cifar.ARMS["plain"], 1000, 0, 5, cifar.Machine("cuda"))["device"] == "cuda"


def test_areas_of_kvasir_with_networks_and_trees(said, tmp_path):
    for name in ("kvasir_seg_160", "cvc_clinicdb_160"):
        (tmp_path / name).mkdir()
        sets.index_tar(tmp_path / name, name.removesuffix("_160"), 30)
    rows = ["constant", "trees", "plain", "val"]
    out = said(kvasir, "--smoke", "--data", tmp_path, "--only", *rows)
    assert [line.split(" ")[0] for line in out.splitlines()] == rows
    assert "'cvc'" in out


@pytest.mark.full
def test_little_of_cifar_with_both_networks_and_the_svm(said, monkeypatch, tmp_path):
    write_cifar(tmp_path)
    monkeypatch.setattr(cifar, "VALIDATION", 100)
    monkeypatch.setattr(cifar, "STEPS", {640: 2})
    out = said(cifar, "--smoke", "--data", tmp_path)
    made = [line.split(" ")[0] for line in out.splitlines()]
    assert made == [*(f"640-resnet-{key}-0" for key in cifar.ARMS), "640-svm", "640-vit-plain-0", "640-vit-joint-0", "8000-svm"]


def write_cifar(folder):
    draw = np.random.default_rng(0)
    for part, count in (("train", 1400), ("test", 60)):
        labels = np.arange(count) % 2
        coarse = draw.integers(0, 100, (count, 4, 4, 3), dtype=np.uint8) + (labels * 100)[:, None, None, None].astype(np.uint8)
        jpeg = [cv2.imencode(".jpg", cv2.resize(picture, (32, 32)))[1].ravel() for picture in coarse]
        offsets = np.array([0, *accumulate(map(len, jpeg))])
        np.savez(folder / f"{part}.npz", jpeg=np.concatenate(jpeg), offsets=offsets, labels=labels)


def test_timm_is_asked_for_in_one_line(said, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(SystemExit) as stop:
        said(timm_gates, "--smoke")
    assert stop.value.code == 2
    assert "run it with the interpreter" in capsys.readouterr().err
