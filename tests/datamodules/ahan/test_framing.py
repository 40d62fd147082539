"""The pixels of an aligned face: torch's answer is Umeyama's, and a frame shows what lies there."""

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from datamodules.ahan.framing import frame, solve, whole
from datamodules.ahan.template import AlignmentError, similarity, template, warp


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 100_000), st.sampled_from([64, 112, 224]), st.floats(0.01, 100))
def test_the_solution_in_torch_is_umeyamas(seed, size, spread):
    points = np.random.default_rng(seed).normal(0, 30 * spread, (5, 2)) + 200
    try:
        expected = similarity(points, size)
    except AlignmentError:
        return
    got = solve(torch.from_numpy(points), torch.from_numpy(template(size))).numpy()
    assert np.allclose(got, expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max())


@pytest.mark.parametrize("points", [np.zeros((5, 2)), np.arange(5)[:, None] * np.ones(2), np.full((5, 2), np.nan), np.zeros((4, 2))])
def test_points_without_a_frame_are_refused(points):
    with pytest.raises(RuntimeError, match="points"):
        solve(torch.from_numpy(points.astype(np.float64)), torch.from_numpy(template(112)))


def test_a_frame_that_is_the_picture_changes_no_byte():
    image = np.random.default_rng(0).integers(0, 256, (112, 112, 3), np.uint8)
    assert np.array_equal(warp(image, np.eye(3)[:2], 112), image)
    assert np.array_equal(warp(image, np.array([[1.0, 0, -7], [0, 1, 5]]), 112)[5:, :-7], image[:-5, 7:])


@pytest.mark.parametrize("angle", [0.0, 0.3, 2.0])
def test_without_reduction_pixels_are_those_of_opencv(angle):
    image = cv2.GaussianBlur(np.random.default_rng(1).integers(0, 256, (300, 260, 3), np.uint8), (0, 0), 2)
    c, s = 0.8 * np.cos(angle), 0.8 * np.sin(angle)
    turn = np.array([[c, -s], [s, c]])
    matrix = np.column_stack([turn, [55.8, 55.1] - turn @ [130, 150]])
    other = cv2.warpAffine(image, matrix, (112, 112), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    assert np.abs(warp(image, matrix, 112).astype(int) - other).max() <= 2


def test_a_strong_reduction_takes_means_and_does_not_alias():
    stripes = np.zeros((1120, 1120, 3), np.uint8)
    stripes[:, ::2] = 255
    matrix = np.array([[0.2, 0, -0.4], [0, 0.2, -0.4]])
    assert np.abs(warp(stripes, matrix, 112)[4:-4, 4:-4].astype(int) - 128).max() <= 40
    image = cv2.GaussianBlur(np.random.default_rng(2).integers(0, 256, (1120, 1120, 3), np.uint8), (0, 0), 1.0)
    areas = cv2.resize(image[:560, :560], (112, 112), interpolation=cv2.INTER_AREA)
    assert np.abs(warp(image, matrix, 112).astype(int) - areas)[4:-4, 4:-4].mean() < 2


def test_outside_of_the_photograph_is_black():
    image = np.full((50, 60, 3), 200, np.uint8)
    framed = warp(image, np.array([[1.0, 0, 30], [0, 1, 40]]), 112)
    assert (framed[40:90, 30:90] == 200).all()
    assert framed.sum() == 200 * 3 * 50 * 60
    assert not warp(image, np.array([[1.0, 0, 5000], [0, 1, 40]]), 112).any()


@pytest.mark.parametrize("scale", [0.2, 0.9])
def test_an_exported_frame_shows_the_same(scale):
    class Framed(torch.nn.Module):
        def forward(self, image, matrix):
            return frame(image, matrix, 64)

    free = torch.export.Dim.DYNAMIC
    image = torch.randint(0, 256, (90, 120, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    matrix = torch.tensor([[scale, 0.1, 3.0], [-0.1, scale, 8.0]], dtype=torch.float64)
    exported = torch.export.export(Framed(), (image, matrix), dynamic_shapes=({0: free, 1: free}, {})).module()
    other = torch.randint(0, 256, (200, 70, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    for photo in (image, other):
        assert (exported(photo, matrix).int() - frame(photo, matrix, 64).int()).abs().max() <= 1


def test_a_whole_picture_is_resized_as_a_program_resizes_it():
    from datamodules.preprocess import Preprocess

    image = np.random.default_rng(3).integers(0, 256, (75, 90, 3), np.uint8)
    x = Preprocess(64, fit="squash", mean=(0, 0, 0), std=(1, 1, 1))(torch.from_numpy(image)) * 255
    assert np.array_equal(whole(image, 64), x.round().permute(1, 2, 0).to(torch.uint8).numpy())
