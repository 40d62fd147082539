"""The benchmarks of otsnet run from end to end on next to nothing, keep to what they promise about the test part, and write nothing."""

import json
import math
import sys
import zipfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from benchmarks.otsnet import arms, budget, classical, detector, embedded, generator, gpu, judged_generator, speed, steps, stress
from benchmarks.otsnet.fitting import looked_at
from datamodules.base import BaseData
from datamodules.otsnet.generator import Generator
from datamodules.otsnet.generator.pages import KINDS
from tests.datamodules.otsnet.sets import put


def said(monkeypatch: pytest.MonkeyPatch, capsys: Any, script: Any, *words: object) -> str:
    monkeypatch.setattr(sys, "argv", ["benchmark", *map(str, words)])
    script.main()
    return capsys.readouterr().out


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sets of made words that lie like the real ones."""
    root, made = tmp_path_factory.mktemp("words"), Generator("easy", seed=5, fonts=())
    for number, name in enumerate(arms.SETS):
        for split, count in (("train", 24), ("test", 6)):
            drawn = [made.draw(1000 * number + 100 * (split == "test") + i) for i in range(count)]
            lines = [f"{i}.png\t{word.label}\t128\t32\n" for i, word in enumerate(drawn)]
            put(root / name / f"{split}.tsv", "file\tlabel\torig_w\torig_h\n" + "".join(lines))
            with zipfile.ZipFile(root / name / f"{split}.zip", "w") as packed:
                for i, word in enumerate(drawn):
                    packed.writestr(f"{i}.png", cv2.imencode(".png", word.image[:, :, ::-1])[1].tobytes())
    return root


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How often the test part was asked for."""
    seen, real = [], BaseData.test_dataloader
    monkeypatch.setattr(BaseData, "test_dataloader", lambda self: seen.append(1) or real(self))
    return seen


def test_generator_runs_without_writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    out = said(monkeypatch, capsys, generator, "--smoke", "--out", tmp_path / "out.json")
    assert out.count("pictures_a_second") == len(generator.ARMS)
    assert not (tmp_path / "out.json").exists()


def test_the_detector_is_measured_on_every_kind_of_page_without_writing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    out = said(monkeypatch, capsys, detector, "--smoke", "--out", tmp_path / "out.json")
    assert out.count("'recall'") == len(KINDS)
    assert not (tmp_path / "out.json").exists()


def test_budget_looks_at_the_test_part_once_a_run(monkeypatch, capsys, tmp_path, data, looks):
    monkeypatch.chdir(tmp_path)
    rows = ["otsnet", "ctc", "no-verifier", "commonest", "hog"]
    out = said(monkeypatch, capsys, budget, "--data", data, "--smoke", "--only", *rows)
    assert [line.split("-15-0")[0].split()[0] for line in out.splitlines()] == rows
    assert len(looks) == 3
    assert not any(tmp_path.iterdir())


def test_budget_takes_up_kept_rows_and_writes_a_table_of_them(monkeypatch, capsys, tmp_path, data):
    runs = []
    monkeypatch.setattr(budget, "run", lambda arm, seed, *_: runs.append(1) or RUN | {"validation": 0.1 * seed})
    measured = [{"row": name, "step_seconds": 0.1} for name in arms.ARMS]
    put(tmp_path / "steps.json", json.dumps({"rows": measured}))
    words = ["--data", data, "--seeds", 0, 1, "--steps", tmp_path / "steps.json", "--rows", tmp_path / "rows", "--out", tmp_path / "t.json"]
    said(monkeypatch, capsys, budget, *words, "--only", "otsnet", "commonest")
    assert len(runs) == 2
    assert not (tmp_path / "t.json").exists()
    said(monkeypatch, capsys, budget, *words, "--minutes", 60, "--only", "no-sq", "otsnet")
    said(monkeypatch, capsys, budget, *words, "--only", "otsnet", "--table")
    assert len(runs) == 6
    table = json.loads((tmp_path / "t.json").read_text())["rows"]
    titles = [budget.PLAIN["commonest"], arms.ARMS["otsnet"].title, arms.ARMS["otsnet"].title, arms.ARMS["no-sq"].title]
    assert [(row["minutes"], row["row"]) for row in table] == list(zip("-", titles, strict=False)) + [("15", titles[1])] + [
        ("60", title) for title in (titles[1], titles[3])
    ]
    assert table[1]["iiit5k_36"] == 50.0
    assert (table[1]["fixed"], table[1]["broken"]) == (50.0, 0.0)
    said(monkeypatch, capsys, budget, *words, "--only", "otsnet", "--workers", 1)
    said(monkeypatch, capsys, budget, *words, "--only", "otsnet", "--table")
    assert [(row["minutes"], row["cores"]) for row in json.loads((tmp_path / "t.json").read_text())["rows"][1:3]] == [
        ("15", "1"),
        ("15", "2"),
    ]


SCORE = {"36": 50.0, "62": 40.0, "94": 30.0, "ned": 80.0, "seen": 60.0, "unseen": 40.0, "count": 9}
RUN = {
    "validation": 0.5, "chosen_step": 9, "steps": 9, "cpu_seconds": 60.0, "parameters": 9,
    "by_rounds": {"0": {**dict.fromkeys(arms.SETS, SCORE), "fixed": 9, "broken": 0}},
}  # fmt: skip


def test_steps_are_fixed_before_and_in_whole_hundreds(tmp_path):
    put(tmp_path / "steps.json", json.dumps({"rows": [{"row": "ctc", "step_seconds": 0.13}]}))
    assert budget.steps_of("ctc", 15, tmp_path / "steps.json") == 6900
    assert looked_at(100) == {60, 70, 80, 90, 100}


def test_steps_runs_without_writing(monkeypatch, capsys, tmp_path, data):
    monkeypatch.setattr(steps, "ARMS", {name: arms.ARMS[name] for name in ("otsnet", "parseq")})
    out = said(monkeypatch, capsys, steps, "--data", data, "--smoke", "--out", tmp_path / "out.json")
    assert out.count("step_seconds") == 2
    assert not (tmp_path / "out.json").exists()


def test_the_nearest_picture_of_a_training_picture_is_itself(data):
    words = arms.words(data, 0, 1)
    answers, ids = classical.nearest(words, split="train")
    assert answers == [words.truth(number) for number in ids]


def test_embedded_runs_without_writing(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    out = said(monkeypatch, capsys, embedded, "--smoke", "--only", "differential", "shuffled")
    assert [line.split()[0] for line in out.splitlines()] == ["differential", "shuffled"]
    assert not any(tmp_path.iterdir())


def test_shuffled_labels_are_those_of_other_pictures():
    plain, shuffled = (kind(train=40, val=4, test=4) for kind in (embedded.EmbeddedWords, embedded.Shuffled))
    ours, theirs = plain.drawn("train"), shuffled.drawn("train")
    assert list(ours["labels"]) == list(theirs["labels"])
    assert (ours["images"] == theirs["images"]).all((1, 2, 3)).mean() < 0.2
    assert np.array_equal(plain.drawn("test")["images"], shuffled.drawn("test")["images"])


def test_the_generator_is_judged_without_a_look_at_the_test_part(monkeypatch, capsys, tmp_path, data, looks):
    monkeypatch.chdir(tmp_path)
    out = said(monkeypatch, capsys, judged_generator, "--data", data, "--smoke")
    assert all(name in out for name in ("iiit5k_36", "told_apart", "characters_bits", "lengths_bits"))
    assert looks == []
    assert not any(tmp_path.iterdir())


def test_divergence_is_nothing_of_what_is_alike_and_a_bit_of_what_has_nothing_in_common():
    assert judged_generator.divergence("aabb", "ab") == 0
    assert judged_generator.divergence("aa", "bc") == pytest.approx(1)
    assert 0 < judged_generator.divergence("aab", "abb") < 1


def test_gpu_runs_without_writing_where_there_is_none(monkeypatch, capsys, tmp_path, data):
    monkeypatch.chdir(tmp_path)
    out = said(monkeypatch, capsys, gpu, "--data", data, "--smoke", "--only", "softmax")
    assert [line.split()[0] for line in out.splitlines()] == ["softmax"]
    assert not any(tmp_path.iterdir())
    assert gpu.of_size(arms.ARMS["ctc"], "small").parts["observe"].d == 192
    assert gpu.of_size(arms.ARMS["ctc"], "small").parts["observe"].grid == "1x32"


def test_speed_runs_without_writing(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    out = said(monkeypatch, capsys, speed, "--smoke")
    assert "images_a_second_32" in out
    assert not any(tmp_path.iterdir())


def test_stress_changes_what_it_says_and_leaves_the_words_alone(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    clean, covered, cluttered = (stress.words(name, 4) for name in ("clean", "covered 20 %", "clutter 0.4"))
    for changed in (covered, cluttered):
        assert torch.equal(clean["tokens"], changed["tokens"])
        assert torch.equal(clean["boxes"].nan_to_num(), changed["boxes"].nan_to_num())
    columns = (clean["images"] != covered["images"]).any((1, 2)).sum(1)
    assert ((columns > 0) & (columns <= math.ceil(0.2 * 128))).all()
    monkeypatch.setattr(stress, "STRESSES", {name: stress.STRESSES[name] for name in ("clean", "clutter 0.6")})
    out = said(monkeypatch, capsys, stress, "--smoke")
    assert out.count("background_encoder") == 4
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("script", "words", "remedy"),
    [
        (budget, ["--data", "nowhere"], "is not there; see"),
        (steps, ["--data", "nowhere"], "is not there; see"),
        (judged_generator, ["--data", "nowhere"], "is not there; see"),
        (gpu, ["--data", "nowhere"], "is not there; see"),
        (stress, ["--weights", "nowhere"], "first run: python -m benchmarks.otsnet.budget"),
    ],
)
def test_what_is_not_there_is_said_with_its_remedy(monkeypatch, capsys, tmp_path, script, words, remedy):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        said(monkeypatch, capsys, script, *words)
    assert end.value.code == 2
    assert remedy in capsys.readouterr().err
