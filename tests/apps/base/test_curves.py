"""Learning curves as SVG: every value is where it belongs, and what is no number is a gap."""

import math
import re
from xml.etree import ElementTree

import pytest

from apps.base.curves import MOST, STAGES, curve

NAN = math.nan


def parts(svg: str, tag: str) -> list[dict[str, str]]:
    return [dict(one.attrib) for one in ElementTree.fromstring(svg).iter(f"{{http://www.w3.org/2000/svg}}{tag}")]


def lines(svg: str, stage: str) -> list[list[tuple[float, float]]]:
    found = [part["d"] for part in parts(svg, "path") if part["stroke"] == STAGES[stage]]
    return [[tuple(map(float, point.split())) for point in re.findall(r"[\d.]+ [\d.]+", d)] for d in found]


def test_higher_values_are_drawn_higher_and_later_ones_further_right():
    (points,) = lines(curve("loss", {"train": [(0, 3.0), (10, 1.0), (20, 2.0)]}, "step"), "train")
    (x0, y0), (x1, y1), (x2, y2) = points
    assert x0 < x1 < x2
    assert y0 < y2 < y1
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.02)


def test_stages_share_their_axes_and_keep_their_colours():
    svg = curve("loss", {"val": [(0, 1.0), (9, 1.0)], "train": [(0, 1.0), (9, 0.0)]}, "step")
    assert lines(svg, "val")[0][0] == lines(svg, "train")[0][0]
    assert all(f">{word}</text>" in svg for word in ("loss", "step", "train", "val"))


def test_what_is_not_finite_is_a_gap():
    svg = curve("loss", {"train": [(0, 1.0), (1, 2.0), (2, NAN), (3, math.inf), (4, 2.0), (5, 1.0), (6, NAN), (7, 1.5)]}, "step")
    assert [len(piece) for piece in lines(svg, "train")] == [2, 2]
    assert len(parts(svg, "circle")) == 5  # the lonely last one is seen too
    assert "nan" not in svg
    assert "inf" not in svg


def test_a_quantity_without_a_finite_value_says_so():
    assert "no finite value" in curve("loss", {"train": [(0, NAN), (1, NAN)]}, "step")


@pytest.mark.parametrize("value", [0.0, 5.0, -1e-9, 1e12])
def test_a_line_that_stays_where_it_is_runs_through_the_middle(value: float):
    (points,) = lines(curve("lr", {"": [(0, value), (1, value)]}, "step").replace("#0072B2", STAGES["train"]), "train")
    assert points[0][1] == points[1][1]
    frame = [float(part["y1"]) for part in parts(curve("lr", {"": [(0, value), (1, value)]}, "step"), "line")]
    assert min(frame) < points[0][1] < max(frame)


def test_a_long_line_keeps_its_peaks():
    points = [(float(i), math.sin(i / 500)) for i in range(20_000)]
    points[7_777] = (7_777.0, 9.0)
    (drawn,) = lines(curve("loss", {"train": points}, "step"), "train")
    assert len(drawn) <= MOST + 2
    high = min(drawn, key=lambda point: point[1])
    whole = [x for x, _ in drawn]
    assert (high[0] - whole[0]) / (whole[-1] - whole[0]) == pytest.approx(7_777 / 20_000, abs=0.002)


def test_a_name_cannot_break_the_picture():
    assert parts(curve("<b>&\x00", {"train": [(0, 1.0), (1, 2.0)]}, "step"), "text")
