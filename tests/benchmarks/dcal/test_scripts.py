"""Every script of benchmarks/dcal runs on miniature data, keeps to what it promises about the test split, and writes nothing on --smoke."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from apps.dcal.metrics import Gathered
from benchmarks.dcal import beetles, cub38, pku59, search
from datamodules.base import BaseData
from tests.datamodules.dcal.reid_sets import pku
from tests.datamodules.dcal.sets import index, plain_rows

BIRDS = {"classes": ("ant", "bee", "cow"), "train": 20, "test": 12}


@pytest.fixture
def looks(monkeypatch):
    """How often the test split was asked for."""
    seen, real = [], BaseData.test_dataloader
    monkeypatch.setattr(BaseData, "test_dataloader", lambda data: seen.append(1) or real(data))
    return seen


def said(monkeypatch, capsys, script, *words):
    monkeypatch.setattr(sys, "argv", ["benchmark", *map(str, words)])
    script.main()
    return capsys.readouterr().out


def test_cub38_chooses_its_trunk_without_the_test_split_and_looks_at_it_once_a_run(monkeypatch, capsys, tmp_path, looks):
    data = index(tmp_path / "birds", plain_rows(**BIRDS))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(cub38.DATA, "image_size", 32)
    rows = ["plain", "both", "resnet18", "trees"]
    out = said(monkeypatch, capsys, cub38, "--data", data, "--smoke", "--only", *rows)
    assert [line.split(" 0 ")[0] for line in out.splitlines() if " 0 " in line][-4:] == rows
    assert out.count("trunk choice") == 2
    assert len(looks) == 3
    assert not Path("benchmarks").exists()


def test_cub38_takes_up_kept_rows_and_writes_a_table_of_all(monkeypatch, capsys, tmp_path, looks):
    data = index(tmp_path / "birds", plain_rows(**BIRDS))
    monkeypatch.setattr(
        cub38, "train", lambda row, trunk, seed, epochs, options, test=True: looks.append(1) or RUN | {"top1": 0.5 + 0.1 * row.pwca}
    )
    monkeypatch.setattr(cub38, "trees", lambda name, seed, options: RUN)
    words = ["--data", data, "--seeds", 0, 1, "--rows", tmp_path / "rows", "--out", tmp_path / "table.json"]
    out = said(monkeypatch, capsys, cub38, *words)
    assert (tmp_path / "table.json").exists()
    assert len(looks) == 2 + 2 * len(cub38.NETWORKS)
    said(monkeypatch, capsys, cub38, *words)
    assert len(looks) == 2 + 2 * len(cub38.NETWORKS)
    both = next(line for line in out.splitlines() if line.startswith("{'row': '+ PWCA"))
    assert "'over_plain': '+0.1000', 'over_plain_ci95': '0.0000'" in both


RUN = {
    "top1": 0.5, "per_class": 0.5, "validation": 0.5, "mode": "sa", "epoch": 1, "cpu_seconds": 1.0, "tested": 9, "parameters": 9,
}  # fmt: skip


def test_pku59_measures_both_protocols_from_one_look(monkeypatch, capsys, tmp_path, looks):
    data = pku(tmp_path / "people")
    monkeypatch.setitem(pku59.DATA, "image_size", (64, 32))
    out = said(monkeypatch, capsys, pku59, "--data", data, "--smoke", "--only", "stripes", "dcal")
    assert [line.split()[0] for line in out.splitlines()] == ["stripes", "dcal"]
    assert len(looks) == 1


def test_centring_takes_off_what_a_camera_adds_to_every_vector():
    own = torch.nn.functional.normalize(torch.randn(20, 16, generator=torch.Generator().manual_seed(0)), dim=1)
    camera = torch.arange(40) // 20
    vectors = torch.nn.functional.normalize(torch.cat([own, own + torch.eye(16)[0] * 5]), dim=1)
    data = Gathered(vectors, torch.arange(40) % 20, camera, torch.zeros(40, dtype=torch.bool))
    marks = pku59.marks(data._replace(is_query=torch.arange(40) < 5))
    assert marks["cross, centred"]["mAP"] > marks["cross"]["mAP"]
    centred = pku59.centred(data, torch.ones(40, dtype=torch.bool)).vectors
    assert torch.allclose(centred[camera == 1].mean(0), torch.zeros(16, dtype=torch.float64), atol=1e-12)


def test_beetles_say_how_often_the_class_cell_was_chosen(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    out = said(monkeypatch, capsys, beetles, "--smoke", "--only", "easy", "attend, random", "pwca")
    assert [line.partition(" 0 ")[0] for line in out.splitlines()] == ["easy", "attend, random", "pwca"]
    assert out.count("cell_hit") == 2
    assert not Path("benchmarks").exists()


# What search.py asks of faiss, so that the way to the other interpreter is tried without it.
STUB = """
import numpy as np
__version__ = "0"
def omp_set_num_threads(count): pass
class IndexFlatIP:
    def __init__(self, width): pass
    def add(self, vectors): self.vectors = vectors
    def search(self, queries, top):
        scores = queries @ self.vectors.T
        rows = (-scores).argsort(1, kind="stable")[:, :top]
        return np.take_along_axis(scores, rows, 1), rows
"""


def test_search_compares_itself_with_the_other_interpreters_answers(monkeypatch, capsys, tmp_path):
    (tmp_path / "faiss.py").write_text(STUB)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert "'identical': '3 of 3'" in said(monkeypatch, capsys, search, "--smoke", "--faiss-python", sys.executable)


def test_search_without_faiss_says_that_it_is_not_measured(monkeypatch, capsys):
    assert "'faiss_flat_ms': 'not measured'" in said(monkeypatch, capsys, search, "--smoke")


def test_two_answers_are_the_same_only_up_to_ties():
    vectors, query = np.eye(3, dtype=np.float32), np.array([1, 1, 0], np.float32)
    assert search.same([0, 1], [1, 0], vectors, query)
    assert not search.same([0, 2], [2, 0], vectors, query)
    assert not search.same([0], [0, 1], vectors, query)


@pytest.mark.parametrize("script", [cub38, pku59])
def test_data_that_is_not_there_is_said_with_where_to_get_it(monkeypatch, capsys, tmp_path, script):
    with pytest.raises(SystemExit) as end:
        said(monkeypatch, capsys, script, "--data", tmp_path / "nowhere")
    assert end.value.code == 2
    assert "is not there; see" in capsys.readouterr().err


def test_an_interpreter_that_is_not_there_is_said(monkeypatch, capsys, tmp_path):
    with pytest.raises(SystemExit) as end:
        said(monkeypatch, capsys, search, "--smoke", "--faiss-python", tmp_path / "python")
    assert end.value.code == 2
    assert "pip install faiss-cpu" in capsys.readouterr().err
