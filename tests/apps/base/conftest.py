"""Files, folders and a home of their own for the tests of export and predict; a training that dies."""

import json

import cv2
import numpy as np
import pytest

from apps.base import trust
from apps.base.predict import predict
from apps.base.shell import Shell
from datamodules.whole import sha256
from tests.apps.base.tiny_program import tiny_file


@pytest.fixture
def home(tmp_path, monkeypatch):
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    return home


@pytest.fixture
def out(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


@pytest.fixture
def file():
    trust.add(sha256(tiny_file(".ts")))
    return str(tiny_file(".ts"))


@pytest.fixture
def folder(tmp_path):
    """Seven pictures of several sizes, the names in no order of their making."""
    folder = tmp_path / "birds"
    folder.mkdir()
    random = np.random.default_rng(0)
    for i, name in enumerate("gcaebfd"):
        picture = random.integers(0, 256, (20 + 7 * i, 50 - 3 * i, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f"{name}.png"), cv2.blur(picture, (3, 3)))
    return folder


@pytest.fixture
def ask(capsys):
    def ask(*argv):
        code = predict(Shell(quiet=True), [str(word) for word in argv])
        return code, [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return ask


@pytest.fixture
def second_dies(monkeypatch):
    """The trainings that are begun in this process, the second of which dies."""
    from apps.base.family import child

    trains, seen = child.train, []

    def dies(*words):
        seen.append(words)
        if len(seen) == 2:
            raise MemoryError("killed")
        return trains(*words)

    monkeypatch.setattr(child, "train", dies)
    return seen
