import numpy as np
import pytest

from apps.mil.draw import map_figure, round_length
from apps.mil.maps.heat import Score, colour_table, coloured, heat, percentile

SIZE, SHAPE = (400, 200), (100, 200)  # width, height; then height, width


def test_the_percentile_is_the_share_of_tiles_that_are_not_above():
    assert percentile(np.array([0.3, 0.1, 0.2, 0.9])).tolist() == [75, 25, 50, 100]


def test_equal_values_share_a_percentile_and_order_is_all_that_counts():
    assert percentile(np.array([5.0, 5.0, 5.0, 9.0])).tolist() == [50, 50, 50, 100]
    values = np.random.default_rng(0).normal(size=50)
    assert (percentile(values) == percentile(np.exp(values))).all()


def test_a_tile_colours_its_own_place_and_nothing_else():
    made = heat(np.array([7.0]), np.array([[100, 40]]), (80, 60), SIZE, SHAPE)
    assert (made[20:50, 50:90] == 7).all()
    assert np.isfinite(made).sum() == 30 * 40


def test_where_tiles_overlap_their_mean_is_shown():
    made = heat(np.array([1.0, 3.0]), np.array([[0, 0], [50, 0]]), (100, 100), SIZE, SHAPE)
    assert made[0, 10] == 1
    assert made[0, 40] == 2
    assert made[0, 60] == 3


def test_many_overlapping_tiles_equal_a_plain_loop():
    rng = np.random.default_rng(1)
    coords, values = rng.integers(0, (300, 120), (60, 2)) // 2 * 2, rng.normal(size=60)
    total, count = np.zeros(SHAPE), np.zeros(SHAPE)
    for (x, y), value in zip(coords // 2, values, strict=True):
        total[y : y + 20, x : x + 30] += value
        count[y : y + 20, x : x + 30] += 1
    made = heat(values, coords, (60, 40), SIZE, SHAPE)
    assert (np.isnan(made) == (count == 0)).all()
    assert np.allclose(made[count > 0], (total / np.maximum(count, 1))[count > 0], atol=1e-5)


def test_nothing_is_shown_outside_the_tissue():
    tissue = np.zeros(SHAPE, np.uint8)
    tissue[:, :60] = 1
    made = heat(np.array([1.0]), np.array([[100, 0]]), (100, 100), SIZE, SHAPE, tissue)
    assert np.isfinite(made[:50, 50:60]).all()
    assert np.isnan(made[:, 60:]).all()


def test_a_tile_smaller_than_a_pixel_still_shows():
    assert np.isfinite(heat(np.array([1.0]), np.array([[200, 100]]), (1, 1), SIZE, SHAPE)).sum() == 1


def test_the_first_and_the_last_colour_are_the_limits_and_nothing_is_transparent():
    layer = coloured(np.array([[0.0, 1.0, np.nan]], np.float32), (0.0, 1.0))
    assert layer[0, :2, :3].tolist() == colour_table()[[0, 255]].tolist()
    assert layer[0, :, 3].tolist() == [255, 255, 0]


def test_colours_grow_lighter_to_eyes_of_any_colour_vision():
    grey = colour_table().astype(float) @ [0.299, 0.587, 0.114]
    assert (np.diff(grey) > -0.5).all()
    assert grey[-1] - grey[0] > 150


@pytest.mark.parametrize(("scale", "limits"), [("percentile", (0, 100)), ("value", (0, 1))])
def test_limits_of_a_probability_do_not_depend_on_the_slide(scale, limits):
    assert Score("instance", "", np.array([0.2, 0.3]), scale).limits == limits


def test_equal_scores_still_have_two_limits():
    low, high = Score("leave-one-out", "", np.array([0.2, 0.2]), "value").limits
    assert low < high


@pytest.mark.parametrize(("most", "length"), [(0.034, 0.02), (1.0, 1.0), (205.0, 200.0), (499.0, 200.0), (5200.0, 5000.0)])
def test_a_ruler_has_a_round_length(most: float, length: float):
    assert round_length(most) == pytest.approx(length)


def test_a_map_has_a_ruler_where_its_resolution_is_known():
    rgb, score = np.full((40, 60, 3), 240, np.uint8), Score("instance", "instance", np.array([0.3]), "value")
    layers = [(score, np.full((40, 60), 0.3, np.float32))]
    assert map_figure(rgb, layers, "a slide", 0.5) != map_figure(rgb, layers, "a slide")
