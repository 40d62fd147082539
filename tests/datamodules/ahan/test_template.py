import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datamodules.ahan.template import BOXES, AlignmentError, box_similarity, residual, similarity, template, warp


def moved(points, angle, scale, shift):
    c, s = np.cos(angle), np.sin(angle)
    return points @ (scale * np.array([[c, -s], [s, c]])).T + shift


@settings(max_examples=40, deadline=None)
@given(angle=st.floats(-3.1, 3.1), scale=st.floats(0.2, 5), x=st.floats(-300, 300), y=st.floats(-300, 300), size=st.sampled_from([64, 112]))
def test_a_similarity_is_recovered_from_five_points_and_from_the_eyes(angle, scale, x, y, size):
    points = moved(template(size), angle, scale, [x, y])
    for some in (points, points[:2]):
        matrix = similarity(some, size)
        assert np.abs(points @ matrix[:, :2].T + matrix[:, 2] - template(size)).max() < 1e-4
        assert residual(some, matrix, size) < 1e-4


def test_the_template_maps_to_itself():
    assert np.allclose(similarity(template(112), 112), np.eye(3)[:2], atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_points_of_any_kind_are_never_reflected(seed):
    points = np.random.default_rng(seed).normal(0, 30, (5, 2))
    try:
        matrix = similarity(points, 112)
    except AlignmentError:
        return
    assert np.linalg.det(matrix[:, :2]) > 0


@pytest.mark.parametrize(
    "points",
    [np.zeros((5, 2)), np.arange(5)[:, None] * np.ones(2), np.full((5, 2), np.nan), np.zeros((4, 2)), np.zeros((2, 2))],
)
def test_points_without_a_frame_are_refused_in_one_line(points):
    with pytest.raises(AlignmentError) as refused:
        similarity(points, 112)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("scale", [1.5, 0.3])
def test_a_turned_photograph_gives_the_same_crop(scale):
    y, x = np.mgrid[:112, :112] / 112
    face = (127 + 100 * np.stack([np.sin(5 * x), np.cos(4 * y), np.sin(3 * x + 4 * y)], 2)).astype(np.uint8)
    import cv2

    photo = cv2.resize(face, None, fx=1 / scale, fy=1 / scale, interpolation=cv2.INTER_LINEAR)
    points = (template(112) + 0.5) / scale - 0.5
    crop = warp(photo, similarity(points, 112), 112)
    turned = np.ascontiguousarray(np.rot90(photo))
    turned_points = np.column_stack([points[:, 1], photo.shape[1] - 1 - points[:, 0]])
    other = warp(turned, similarity(turned_points, 112), 112)
    inner = (slice(6, -6), slice(6, -6))
    assert np.abs(crop[inner].astype(int) - other[inner]).max() <= 4
    assert np.abs(crop[inner].astype(int) - face[inner]).max() <= 6


def test_a_box_alone_fills_the_frame_coarsely():
    matrix = box_similarity((100, 50, 98, 98), 112)
    assert np.allclose(matrix @ [100 + 48.5, 50 + 48.5, 1], [56, 60])
    with pytest.raises(AlignmentError):
        box_similarity((0, 0, 0, 5), 112)


def test_mirroring_moves_no_box():
    assert all(abs(x0 + x1 - 1) < 1e-9 and y0 < y1 for x0, y0, x1, y1 in BOXES)
