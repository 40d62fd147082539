"""What makes a frame count less for its polyp."""

import cv2
import numpy as np
import pytest

from apps.hag.quality import LEAST, quality_of
from datamodules.hag.datamodule import SynthPolyps

BOX = np.array([20.0, 20.0, 70.0, 70.0])


@pytest.fixture(scope="module")
def frame() -> np.ndarray:
    return SynthPolyps(train=1, val=1, test=1, frames=1).picture(0)


def test_blur_highlights_and_a_box_outside_of_the_field_count_less(frame: np.ndarray) -> None:
    good = quality_of(frame, BOX)
    blurred = [quality_of(cv2.GaussianBlur(frame, (0, 0), sigma), BOX) for sigma in (1.0, 2.0, 4.0)]
    assert 1 >= good > blurred[0] > blurred[1] > blurred[2] >= LEAST
    bright = frame.copy()
    bright[20:45, 20:70] = 255
    assert quality_of(bright, BOX) < 0.7 * good
    half = frame.copy()
    half[:, :45] = 0
    assert quality_of(half, BOX) < 0.7 * good


def test_darkness_has_no_quality_and_everything_else_has_some(frame: np.ndarray) -> None:
    black = np.zeros_like(frame)
    assert quality_of(black, None) == quality_of(black, BOX) == 0.0
    assert quality_of(np.full_like(frame, 255), None) == LEAST
    lit = black.copy()
    lit[:5, :5] = 90
    assert quality_of(lit, BOX) == LEAST


def test_it_depends_little_on_the_resolution(frame: np.ndarray) -> None:
    large = cv2.resize(frame, None, fx=8, fy=8, interpolation=cv2.INTER_CUBIC)
    larger = cv2.resize(frame, None, fx=16, fy=16, interpolation=cv2.INTER_CUBIC)
    assert quality_of(larger, BOX * 16) == pytest.approx(quality_of(large, BOX * 8), abs=0.02)
