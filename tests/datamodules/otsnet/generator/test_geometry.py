import random

import numpy as np
import pytest

from datamodules.otsnet.generator.geometry import HIGH, LEAST, WIDE, place, placed_ink
from datamodules.otsnet.generator.letter_boxes import letter_boxes
from datamodules.otsnet.generator.recipe import REAL, Recipe

NORMALS = np.random.default_rng(0).standard_normal((64, 64)).astype(np.float32)


def test_full_ink_stays_full_at_every_reduction() -> None:
    rng = random.Random(1)
    for wide in range(30, 600, 7):
        where = place(rng, REAL.scaled(0.3), wide / 40, NORMALS, 0.0)
        ink = placed_ink(np.full((40, wide), 255, np.uint8), where)
        inside = (np.abs(where.s) < 0.43) & (np.abs(where.t) < 0.43)
        assert inside.sum() > 500
        assert ink[inside].min() > 0.99, wide


def test_without_disturbance_a_word_fills_the_picture_but_for_the_margins() -> None:
    none = Recipe(side_margin=(0.05, 0.05), top_margin=(0.1, 0.1)).scaled(0.0)
    where = place(random.Random(1), none, 4.0, NORMALS, 0.0)
    ink = placed_ink(np.full((40, 160), 255, np.uint8), where)
    columns, rows = np.flatnonzero(ink.max(0) > 0.5), np.flatnonzero(ink.max(1) > 0.5)
    assert columns[[0, -1]] == pytest.approx([0.05 * WIDE, 0.95 * WIDE], abs=1)
    assert rows[[0, -1]] == pytest.approx([0.1 * HIGH, 0.9 * HIGH], abs=1)
    halves = letter_boxes(where, [(0.0, 80.0), (80.0, 160.0)], 160)
    assert halves == pytest.approx(np.array([[0.05, 0.1, 0.5, 0.9], [0.5, 0.1, 0.95, 0.9]]), abs=0.03)


def test_boxes_of_letters_hold_what_is_drawn_in_their_stretch_whatever_the_bend() -> None:
    rng = random.Random(2)
    for _ in range(200):
        where = place(rng, REAL, 4.0, NORMALS, 0.3)
        mask = np.zeros((40, 160), np.uint8)
        mask[:, 60:90] = 255
        ink = placed_ink(mask, where)
        x0, y0, x1, y1 = (letter_boxes(where, [(60.0, 90.0)], 160)[0] * [WIDE, HIGH, WIDE, HIGH]).round().astype(int)
        inner = ink[y0:y1, x0:x1].sum()
        assert inner >= 0.85 * ink.sum()  # the rest: half-covered pixels around the box
        outside = ink.copy()
        outside[max(0, y0 - 1) : y1 + 1, max(0, x0 - 1) : x1 + 1] = 0
        assert outside.sum() <= 0.02 * ink.sum()


def test_a_circle_bends_both_ways_and_keeps_the_reading_direction() -> None:
    circle = Recipe(share_circle=1.0, circle_radius=(0.6, 0.7))
    middles = []
    for seed in range(40):
        where = place(random.Random(seed), circle, 6.0, NORMALS, 0.0)
        boxes = letter_boxes(where, [(20.0 * i, 20.0 * (i + 1)) for i in range(6)], 120)
        assert (np.diff(boxes[:, 0] + boxes[:, 2]) > 0).all()
        centres = (boxes[:, 1] + boxes[:, 3]) / 2
        middles.append(centres[2:4].mean() - centres[[0, 5]].mean())
    assert min(middles) < -0.2
    assert max(middles) > 0.2


@pytest.mark.parametrize(("aspect", "wide"), [(0.45, 14), (2.0, 64), (3.99, 128), (9.0, 128), (0.1, LEAST)])
def test_a_picture_that_keeps_its_shape_is_as_wide_as_the_line_asks(aspect: float, wide: int) -> None:
    where = place(random.Random(0), REAL, aspect, NORMALS, 0.0, keep_ratio=True)
    assert where.s.shape == where.t.shape == (HIGH, wide)


def test_an_upright_word_that_keeps_its_shape_is_narrow() -> None:
    shapes = {place(random.Random(seed), REAL, 2.0, NORMALS, 1.0, keep_ratio=True).s.shape for seed in range(20)}
    assert shapes == {(HIGH, 64), (HIGH, 16)}  # turned by a half, or by a quarter


def test_a_word_whose_letters_would_be_too_small_upright_is_turned_by_a_half_only() -> None:
    shapes = {place(random.Random(seed), REAL, 4.0, NORMALS, 1.0, keep_ratio=True).s.shape for seed in range(20)}
    assert shapes == {(HIGH, 128)}
    assert len({place(random.Random(seed), REAL, 4.0, NORMALS, 1.0).s[0, 0] > 0 for seed in range(20)}) == 2  # stretched: by quarters, too
