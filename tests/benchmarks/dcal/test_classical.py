import numpy as np
import pytest

from benchmarks.dcal.classical import colour, colours_by_stripe, hog


def picture(seed=0, side=64):
    return np.random.default_rng(seed).integers(0, 128, (side, side, 3), dtype=np.uint8)


def test_gradients_of_one_colour_are_none_and_their_number_is_that_of_the_blocks():
    assert hog(np.full((64, 48, 3), 90, np.uint8)).tolist() == [0.0] * (3 * 2 * 4 * 9)


def test_a_brighter_picture_has_the_same_gradients():
    # square roots of values, so a factor stays one; rounding is not there: values are doubled
    assert np.allclose(hog(picture()), hog(picture() * 2), atol=1e-4)


def test_a_picture_turned_by_a_right_angle_has_other_gradients():
    assert np.abs(hog(picture()) - hog(np.rot90(picture()).copy())).max() > 0.05


@pytest.mark.parametrize(("side", "fields"), [((1, 1), 1), ((3, 3), 9), ((8, 1), 8)])
def test_colours_of_each_field_are_a_histogram_of_sum_one(side, fields):
    assert np.isclose((colour(picture(), side) ** 2).sum(), fields)


def test_stripes_tell_head_from_foot():
    upper, lower = np.full((8, 8, 3), 200, np.uint8), np.full((8, 8, 3), (200, 0, 0), np.uint8)
    one, other = np.concatenate([upper, lower]), np.concatenate([lower, upper])
    assert np.isclose(colour(one) @ colour(other), 1)
    assert np.isclose(colours_by_stripe(one) @ colours_by_stripe(other), 0)
