"""Images that have landmarks bring the boxes of their regions, wherever augmentation puts them."""

import cv2
import numpy as np
import pytest
import torch

from datamodules.ahan.augment import FaceAugment
from datamodules.ahan.datamodule import Faces, TwinFaces
from datamodules.ahan.landmarks import region_boxes, template_boxes
from datamodules.errors import DataError
from tests.datamodules.ahan import sets


def test_without_being_asked_there_are_no_boxes() -> None:
    data = TwinFaces(train=2, val=1, test=1, each=2)
    data.setup("fit")
    assert "boxes" not in data.val_set[0]


def test_boxes_are_those_of_the_own_points_and_move_with_the_augmented_image() -> None:
    data = TwinFaces(train=2, val=1, test=1, each=2, hflip=0.5, turn=20, shift=0.1, jitter=0)
    data.setup("fit")
    data.bring_boxes()
    plain = data.val_set[1]["boxes"]
    part = data.part("val")
    assert np.allclose(plain, region_boxes(data.made.points[part][1], 64).boxes)
    assert plain.shape == (4, 4)
    assert plain.dtype == torch.float32
    turns = [data.train_set[(turn, 0)]["boxes"] for turn in range(4)]
    assert not torch.equal(turns[0], turns[1])


def test_the_matrix_of_an_augmentation_says_where_pixels_went() -> None:
    image = np.zeros((64, 64, 3), np.uint8)
    cv2.circle(image, (20, 40), 2, (255, 255, 255), -1)
    augment = FaceAugment(hflip=0.5, jitter=0, turn=20, shift=0.1)
    seen = set()
    for seed in range(12):
        view, mirrored, moved = augment(image, np.random.default_rng(seed))
        seen.add(mirrored)
        rows, columns = np.nonzero(view[:, :, 0] > 128)
        assert np.allclose(moved @ [20, 40, 1], [columns.mean(), rows.mean()], atol=0.7)
    assert seen == {True, False}


def test_a_set_without_landmarks_refuses_in_one_line(tmp_path) -> None:
    data = Faces(str(sets.twins(tmp_path / "set")), size=32)
    data.setup("fit")
    with pytest.raises(DataError, match="no image of this data has landmarks") as refused:
        data.bring_boxes()
    assert "\n" not in str(refused.value)


def test_the_template_stands_in_for_an_image_without_points() -> None:
    data = TwinFaces(train=2, val=1, test=1, each=2)
    data.setup("fit")
    data.bring_boxes()
    data.val_set.images.points = lambda index: None
    assert np.allclose(data.val_set[0]["boxes"], template_boxes().boxes)
