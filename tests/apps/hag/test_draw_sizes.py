"""Pictures of sizes: drawn for every kind of answer, and what is drawn lies where it should."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from apps.hag.calibration_file import Spread
from apps.hag.draw_calibration import calibration_figure
from apps.hag.draw_frame import Drawn, framed, worst_sheet
from apps.hag.draw_sizes import CLASS_COLOURS, agreement_figure, scatter_figure, trace_figure
from apps.hag.draw_tested import size_figures, worst_figure, worst_rows
from apps.hag.metrics import Answers, polyps_of, tables
from tests.apps.hag.test_conformal import answers

GREY = np.full((100, 160, 3), 128, np.uint8)


def is_picture(png: bytes) -> bool:
    image = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    return image is not None and min(image.shape[:2]) > 150 and len(np.unique(image)) > 10


def test_every_figure_is_drawn_with_and_without_what_may_lack() -> None:
    frames = answers(30, frames=4)
    polyps = polyps_of(frames)
    spread = Spread(0.4, (-0.2, 0.0, 0.3))
    assert is_picture(scatter_figure(polyps, frames, spread.ends(polyps.mm)))
    assert is_picture(scatter_figure(replace(polyps, censored=polyps.true == 15)))
    assert is_picture(agreement_figure(polyps))
    assert is_picture(agreement_figure(polyps.of(np.arange(1))))
    low, high = spread.shares(polyps.mm)
    assert is_picture(calibration_figure(replace(polyps, p_gt5=low, p_ge10=high), spread))
    assert is_picture(calibration_figure(polyps, spread))
    assert is_picture(trace_figure([0, 0.1, 0.2], [5.0, np.nan, 6.0], [1, 0, 0.5], (5.5, 4.0, 8.0), "seconds"))
    assert is_picture(trace_figure([0], [np.nan], [0], (float("nan"), None, None)))
    for nothing in (lambda: calibration_figure(polyps, None), lambda: agreement_figure(Answers([1], [5], None, None, [0.1], [0.1]))):
        with pytest.raises(ValueError, match="nothing to draw"):
            nothing()


def test_a_test_shows_sizes_only_where_there_are_some() -> None:
    given = answers(12, frames=2)
    assert set(size_figures(given, tables(given, draws=2))) == {"scatter", "agreement", "confusion_frame", "confusion_polyp"}
    heads = replace(given, mm=None, p_gt5=np.full(24, 0.3), p_ge10=np.full(24, 0.1))
    assert set(size_figures(heads, tables(heads, draws=2))) == {"confusion_frame", "confusion_polyp"}
    assert worst_figure(heads, lambda row: (GREY, None)) is None
    lost = given.answering(np.full(24, np.nan))
    assert set(size_figures(lost, tables(lost, draws=2))) == {"confusion_frame", "confusion_polyp"}


def test_the_worst_are_one_frame_a_polyp_by_their_logarithm_and_too_much_of_a_censored_size_is_no_error() -> None:
    given = Answers([0, 0, 1, 2, 3], [2, 2, 10, 15, 5], [4, 5, 14, 60, np.nan], [False, False, False, True, False])
    assert worst_rows(given).tolist() == [1, 2, 3]
    assert is_picture(worst_sheet([GREY] * 2, [Drawn(4.0, box=(10, 10, 40, 60), true=2.0), Drawn(None, true=3.0)]))


def colour_at(image: np.ndarray, wanted: str) -> np.ndarray:
    return (image == [int(wanted[i : i + 2], 16) for i in (1, 3, 5)]).all(2)


@pytest.mark.parametrize(("mm", "kind"), [(4.0, 0), (7.0, 1), (12.0, 2)])
def test_a_box_has_the_colour_of_its_class_and_a_ruler_as_long_as_its_longer_side(mm: float, kind: int) -> None:
    for box in ((20, 20, 100, 60), (20, 10, 60, 90)):
        drawn = framed(GREY, Drawn(mm, 3.0, 9.0, box))
        found = colour_at(drawn[:400], CLASS_COLOURS[kind])
        assert not colour_at(drawn[:400], CLASS_COLOURS[(kind + 1) % 3]).any()
        x0, y0, x1, y1 = (round(value * 4) for value in box)
        outside = found.copy()
        outside[y0 - 3 : y1 + 4, x0 - 3 : x1 + 4] = False
        rows, columns = np.flatnonzero(outside.any(1)), np.flatnonzero(outside.any(0))
        across = x1 - x0 > y1 - y0
        long, start = (columns, x0) if across else (rows, y0)
        assert abs(long.min() - start) <= 3
        assert abs(long.max() - long.min() - max(x1 - x0, y1 - y0)) <= 5


def test_a_frame_without_a_box_or_a_size_is_drawn_bare() -> None:
    for drawn in (Drawn(7.0), Drawn(None, words="no size: dark"), Drawn(None, box=(5, 5, 50, 50))):
        shown = framed(GREY, drawn)
        assert shown.shape == (400 + 32, 640, 3)
        assert drawn.box is not None or (shown[:400] == 128).all()
    assert framed(np.zeros((900, 300, 3), np.uint8), Drawn(7.0, box=(-5, -5, 400, 1000))).shape[:2] == (640 + 32, 213)
