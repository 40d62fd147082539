"""What `discern predict` asks an exported solver."""

import pytest
import torch

from apps.accord.integers import row_of
from apps.accord.predicting import expand, read_row
from apps.base.errors import UserError
from datamodules.accord.synth import generate, write_examples


def test_a_file_of_several_instances_is_asked_one_by_one(tmp_path):
    (tmp_path / "in").mkdir()
    files = {path.stem: path for path in write_examples(tmp_path / "in", 3)}
    words = expand(str(files["tsp"]))
    assert words is not None
    assert words == [f"{files['tsp']}#{number}" for number in (1, 2, 3)]
    rows = [read_row(word) for word in words]
    assert len({tuple(row.tolist()) for row in rows}) == 3
    with pytest.raises(UserError, match="name one of them"):
        read_row(files["tsp"])


def test_a_broken_file_stands_for_itself_and_the_others_of_its_folder_are_asked(tmp_path):
    (tmp_path / "in").mkdir()
    files = {path.stem: path for path in write_examples(tmp_path / "in", 2)}
    broken = tmp_path / "in" / "broken.json"
    broken.write_text("{}")
    assert expand(str(broken)) is None
    (tmp_path / "broken.tar").write_bytes(b"no archive")
    assert expand(str(tmp_path / "broken.tar")) is None
    words = expand(str(tmp_path / "in"))
    assert words is not None
    assert sorted(words) == sorted([str(broken), *(f"{file}#{number}" for file in files.values() for number in (1, 2))])
    for word in words:
        if word != str(broken):
            read_row(word)


def test_one_instance_is_itself(tmp_path):
    (tmp_path / "in").mkdir()
    (path, *_) = write_examples(tmp_path / "in", 1)
    assert expand(str(path)) is None
    assert expand(f"{path}#1") is None
    assert expand("nowhere.tsp") is None


def test_a_row_is_the_instance_in_whole_numbers():
    (one,) = generate("knapsack", 1, 5)
    row = row_of(one)
    assert row.dtype == torch.int64
    assert row.tolist() == [2, 5, one.capacity, *one.values.tolist(), *one.weights.tolist()]
