"""Drawings come out as pictures of what they were told, and say None where there is nothing to draw."""

import cv2
import numpy as np
import pytest

from apps.dcal.draw import confused_figure, worst_pairs
from apps.dcal.draw_looks import Look, layers_figure, looks_figure
from apps.dcal.draw_ranking import Ranked, Shown, ranking_sheet
from apps.dcal.draw_training import branches_figure

RANDOM = np.random.default_rng(0)
PICTURE = RANDOM.integers(0, 256, (48, 32, 3), dtype=np.uint8)


def decoded(png: bytes | None) -> np.ndarray:
    assert png is not None
    return cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)


def test_an_outlined_patch_changes_the_picture_and_a_token_that_is_no_patch_does_not() -> None:
    heat = RANDOM.random((6, 4))
    plain = decoded(looks_figure([Look(PICTURE, heat)], ["a"]))
    assert np.array_equal(plain, decoded(looks_figure([Look(PICTURE, heat, np.array([-1]))], ["a"])))
    marked = decoded(looks_figure([Look(PICTURE, heat, np.array([5]))], ["a"]))
    assert not np.array_equal(plain, marked)


def test_looks_and_layers_of_any_number_are_drawn() -> None:
    heat = RANDOM.random((6, 4))
    assert decoded(looks_figure([Look(PICTURE, heat), Look(PICTURE, np.zeros((6, 4)))], ["a", "b"], "two")).size
    for layers in (1, 7):
        assert decoded(layers_figure(PICTURE, RANDOM.random((layers, 6, 4)), np.array([0, 23]))).size


def test_a_ranking_sheet_says_right_and_wrong_in_different_frames() -> None:
    def sheet(same: bool | None) -> np.ndarray:
        return decoded(ranking_sheet([Ranked(Shown(PICTURE, "asked"), [Shown(PICTURE, "found", same), Shown(None, "gone")])]))

    right, wrong, unknown = sheet(True), sheet(False), sheet(None)
    green, red = np.array([0x73, 0x9E, 0x00]), np.array([0x00, 0x5E, 0xD5])  # as OpenCV orders them
    for image, colour in ((right, green), (wrong, red)):
        assert (np.abs(image.astype(int) - colour).max(-1) < 8).any()
    for colour in (green, red):
        assert not (np.abs(unknown.astype(int) - colour).max(-1) < 8).any()


def test_rows_of_unequal_length_and_queries_without_matches_are_drawn() -> None:
    rows = [Ranked(Shown(PICTURE, "a"), []), Ranked(Shown(PICTURE, "b"), [Shown(PICTURE, "c")] * 3)]
    assert decoded(ranking_sheet(rows)).size


def test_the_worst_pair_is_shown_by_a_mistaken_picture_and_two_right_ones() -> None:
    labels, answers = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 1, 1, 1, 0, 2])
    shown: list[int] = []

    def picture(place: int) -> np.ndarray:
        shown.append(place)
        return PICTURE

    assert decoded(confused_figure(labels, answers, ["ant", "bee", "fly"], picture)).size
    assert shown == [1, 0, 3, 4, 3, 0]
    assert worst_pairs(np.array([[1, 2, 0], [1, 1, 0], [0, 0, 1]]), ["ant", "bee", "fly"])[0][:3] == ("ant", "bee", 2)


def test_a_class_that_is_never_right_has_no_picture_to_compare_with() -> None:
    shown: list[int] = []
    labels, answers = np.array([0, 0, 1]), np.array([1, 1, 1])
    assert decoded(confused_figure(labels, answers, ["ant", "bee"], lambda place: shown.append(place) or PICTURE)).size
    assert shown == [0, 2]
    assert confused_figure(labels, labels, ["ant", "bee"], lambda place: PICTURE) is None


@pytest.mark.parametrize("kept", [("leakage",), ("w",), ("leakage", "w")])
def test_the_branches_are_drawn_from_what_a_run_logged(kept: tuple[str, ...]) -> None:
    history = {f"train/leakage_{i}": [(0, 0.5), (20, 0.4)] for i in range(12)} | {f"train/w_{name}": [(0, 0.0)] for name in ("sa", "pwca")}
    chosen = {key: value for key, value in history.items() if key.split("/")[1].startswith(kept)}
    assert decoded(branches_figure({**chosen, "train/loss": [(0, 1.0)]})).size
    assert branches_figure({"train/loss": [(0, 1.0)], "train/leakage": [(0, 0.5)]}) is None
