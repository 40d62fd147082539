"""The drawings of verification are pictures, whatever the scores."""

import cv2
import numpy as np
import pytest

from apps.ahan.draw_curves import det_figure, roc_figure, scores_figure


def scores(apart: float, n: int = 50) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    return np.concatenate([generator.normal(apart, 1, n), generator.normal(0, 1, n)]), np.arange(2 * n) < n


SETS = {"general": scores(3), "twin": scores(1), "apart": scores(50), "all equal": (np.zeros(4), np.arange(4) < 2)}


@pytest.mark.parametrize("draw", [roc_figure, det_figure, scores_figure])
def test_each_set_is_drawn_also_where_it_is_perfect_or_tells_nothing(draw) -> None:
    several = cv2.imdecode(np.frombuffer(draw(SETS), np.uint8), cv2.IMREAD_COLOR)
    assert several.shape[2] == 3
    one = cv2.imdecode(np.frombuffer(draw({"all equal": SETS["all equal"]}), np.uint8), cv2.IMREAD_COLOR)
    assert one.std() > 1
