import numpy as np
import pytest

from datamodules.accord.distances import LAYOUTS, entries, fill, matrix, nint, rounded
from datamodules.accord.errors import InvalidInstanceError, ParseError, UnsupportedError


def one(metric, dx, dy, scale=1):
    return int(matrix([[0, 0], [dx, dy]], metric, scale)[0, 1])


@pytest.mark.parametrize(
    ("metric", "dx", "dy", "distance"),
    [
        ("EUC_2D", 3, 4, 5),
        ("EUC_2D", 2.5, 0, 3),  # half up; Python's round(2.5) is 2
        ("EUC_2D", 0.5, 0, 1),
        ("EUC_2D", 1, 1, 1),
        ("CEIL_2D", 3, 4, 5),
        ("CEIL_2D", 1, 1, 2),
        ("MAN_2D", 1.25, 1.25, 3),
        ("MAX_2D", 1.4, 2.5, 3),
        ("MAX_2D", 7, -2, 7),
        ("ATT", 10, 0, 4),  # sqrt(10) = 3.16: rounded down to 3, which is less, so one more
        ("ATT", 0, 0, 0),
        ("trunc1", 1, 1, 14),
    ],
)
def test_every_weight_type_rounds_as_tsplib_says(metric, dx, dy, distance):
    scale = 10 if metric == "trunc1" else 1
    assert one(metric, dx, dy, scale) == one(metric, -dx, -dy, scale) == distance


def test_geographical_distances_take_degrees_and_minutes_cut_toward_zero():
    """burma14's first two places are 153 apart; minutes of western longitudes count to the west, too."""
    assert matrix([[16.47, 96.10], [16.47, 94.44]], "GEO")[0, 1] == 153
    east, west = matrix([[0, 10.3], [0, 11.3]], "GEO"), matrix([[0, -10.3], [0, -11.3]], "GEO")
    assert east[0, 1] == west[0, 1] == 112  # a degree of the equator: 111.3, and TSPLIB always adds one before cutting
    assert matrix([[0, -0.3], [0, 0.3]], "GEO")[0, 1] == 112  # -0.3 is half a degree west, 0.3 half a degree east


def test_a_place_is_no_way_from_itself_under_any_rule():
    xy = np.random.default_rng(0).uniform(-80, 80, (9, 2))
    for metric, scale in (
        ("EUC_2D", 1),
        ("CEIL_2D", 1),
        ("MAN_2D", 1),
        ("MAX_2D", 1),
        ("ATT", 1),
        ("GEO", 1),
        ("real", 100),
        ("trunc1", 10),
    ):
        distances = matrix(xy, metric, scale)
        assert distances.dtype == np.int64
        assert not distances.diagonal().any()
        assert (distances == distances.T).all()


def test_real_distances_are_the_rounded_multiple():
    assert one("real", 1, 1, 10**6) == 1414214
    assert nint(np.array([0.5, 1.5, 2.5])).tolist() == [1, 2, 3]


def test_the_rounding_of_euclidean_files_is_an_option_and_of_no_other():
    assert rounded("EUC_2D", None) == ("EUC_2D", 1) == rounded("EUC_2D", "nint")
    assert rounded("EUC_2D", "none") == ("real", 10**6)
    assert rounded("EUC_2D", "trunc1") == ("trunc1", 10)
    assert rounded("GEO", "nint") == ("GEO", 1)
    with pytest.raises(InvalidInstanceError, match="rounding none is for EUC_2D"):
        rounded("GEO", "none")
    with pytest.raises(InvalidInstanceError, match="rounding 'up' is not known; there are nint, none, trunc1"):
        rounded("EUC_2D", "up")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_matrix(layout):
    """Written out by hand, with the loops of TSPLIB's text."""
    full = np.array([[0, 1, 2, 3], [1, 0, 4, 5], [2, 4, 0, 6], [3, 5, 6, 0]])
    n = 4
    inside = {
        "FULL_MATRIX": lambda i, j: True,
        "UPPER_ROW": lambda i, j: j > i,
        "LOWER_ROW": lambda i, j: j < i,
        "UPPER_DIAG_ROW": lambda i, j: j >= i,
        "LOWER_DIAG_ROW": lambda i, j: j <= i,
    }
    if layout.endswith("COL"):
        row = layout.replace("COL", "ROW")
        numbers = [int(full[i, j]) for j in range(n) for i in range(n) if inside[row](i, j)]
    else:
        numbers = [int(full[i, j]) for i in range(n) for j in range(n) if inside[layout](i, j)]
    assert len(numbers) == entries(n, layout)
    assert (fill(numbers, n, layout) == full).all()
    with pytest.raises(ParseError, match=f"{layout} of 4 nodes has {len(numbers)}"):
        fill(numbers[:-1], n, layout)


def test_a_one_way_matrix_is_kept_and_its_diagonal_is_not():
    assert fill([9999, 1, 2, 9999], 2, "FULL_MATRIX").tolist() == [[0, 1], [2, 0]]


@pytest.mark.parametrize("layout", ["UPPER", "full_matrix"])
def test_unknown_layouts_and_metrics_are_named(layout):
    with pytest.raises(ParseError, match=f"EDGE_WEIGHT_FORMAT {layout!r} is not known; there are FULL_MATRIX"):
        entries(3, layout)
    with pytest.raises(ParseError, match="distances 'EUC' are not known"):
        matrix([[0, 0]], "EUC")


def test_a_scale_that_does_nothing_and_a_matrix_too_large_are_refused():
    with pytest.raises(InvalidInstanceError, match="EUC_2D have scale 1, not 10"):
        matrix([[0, 0]], "EUC_2D", 10)
    with pytest.raises(UnsupportedError, match="6,000 nodes; at most 5,000"):
        matrix(np.zeros((6000, 2)), "EUC_2D")
