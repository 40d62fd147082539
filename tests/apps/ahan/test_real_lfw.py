"""LFW as it was given out: its protocol is whole, and what is known of it is found again."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from apps.ahan.metrics import accuracy_folds
from datamodules.ahan.datamodule import Faces
from datamodules.ahan.layouts import read

FOLDER = Path(os.environ.get("DISCERN_LFW", Path(__file__).parents[4] / "shared/data/faces/lfw"))
PIXELS = 0.6243  # accuracy of 48 x 48 standardised grey values, measured beside the data without this code

pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(not (FOLDER / "pairs.txt").is_file(), reason="no folder of LFW at 112 pixels: DISCERN_LFW=FOLDER"),
]


def test_view_2_is_whole() -> None:
    table = read(FOLDER)
    assert not table.problems
    pairs = table.named_pairs()
    assert len(pairs.first) == 6000
    for fold in range(1, 11):
        assert [int((pairs.same[pairs.fold == fold] == kind).sum()) for kind in (True, False)] == [300, 300]
    by_person = {record.person: record.fold for record in table.records}
    assert all(by_person[record.person] == record.fold for record in table.records)
    assert len(read(FOLDER / "lfw-mini.tar").pairs) == 60


def test_grey_values_tell_people_apart_as_far_as_is_known() -> None:
    images, pairs = Faces(str(FOLDER), twin_ratio=0.0).named_pairs()
    rows = np.unique(np.concatenate([pairs.first, pairs.second]))
    place = np.zeros(len(images), np.int64)
    place[rows] = np.arange(len(rows))
    small = [cv2.resize(images[int(row)], (48, 48), interpolation=cv2.INTER_AREA) for row in rows]
    grey = np.stack([cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in small])
    vectors = grey.reshape(len(rows), -1).astype(np.float64)
    vectors -= vectors.mean(1, keepdims=True)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    score = (vectors[place[pairs.first]] * vectors[place[pairs.second]]).sum(1)
    assert accuracy_folds(score, pairs.same, pairs.fold).mean == pytest.approx(PIXELS, abs=0.01)
