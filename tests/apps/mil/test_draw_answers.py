"""The pictures of a tested split: their numbers, and that they can be drawn of anything."""

import numpy as np
import pytest

from apps.mil.draw_answers import answers_figure, kaplan_meier, survival_figure

PNG = b"\x89PNG"


def test_kaplan_meier_by_hand() -> None:
    """Five bags: an event at 1 (5 in sight), one lost at 2, events at 3 (3 in sight) and 4 (2 in sight), one lost at 5."""
    times, alive = kaplan_meier(np.array([1.0, 2, 3, 4, 5]), np.array([1, 0, 1, 1, 0]))
    assert times.tolist() == [0, 1, 3, 4]
    assert alive == pytest.approx([1, 4 / 5, 4 / 5 * 2 / 3, 4 / 5 * 2 / 3 / 2])


def test_without_an_event_everybody_stays() -> None:
    times, alive = kaplan_meier(np.array([3.0, 4]), np.array([0, 0]))
    assert (times.tolist(), alive.tolist()) == ([0], [1])


@pytest.mark.parametrize("labels", [[0, 1, 1, 0], [1, 1, 1, 1], [0, 0, 0, 0]])
def test_two_classes_are_drawn_also_where_one_is_missing(labels: list[int]) -> None:
    probs = np.array([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5], [0.5, 0.5]])
    assert answers_figure(probs, np.array(labels), ["benign", "tumour"], 0.4).startswith(PNG)


def test_more_classes_are_a_confusion_matrix_and_times_are_curves() -> None:
    probs = np.eye(3)[[0, 1, 2, 1]]
    assert answers_figure(probs, np.array([0, 1, 2, 2]), ["a", "b", "c"], 0.5).startswith(PNG)
    assert survival_figure(np.arange(6.0), np.array([5.0, 4, 3, 3, 2, 1]), np.array([1, 0, 1, 0, 1, 1])).startswith(PNG)
