"""What a test keeps beside its figures: intervals of classes over groups, sequences, and floors that look at no picture."""

from types import SimpleNamespace

import numpy as np

from apps.hag.metrics import Answers, class_metrics, confusion_matrix
from apps.hag.summaries import TOLD, class_values, constant_f1, floors
from datamodules.hag.areas import AREA_CLASSES


def answered(frames: int = 4, polyps: int = 30) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """polyp, true, given of each frame"""
    draw = np.random.default_rng(0)
    polyp = np.repeat(np.arange(polyps), frames)
    true = draw.integers(0, 3, polyps)[polyp]
    given = np.where(draw.random(len(true)) < 0.7, true, draw.integers(0, 3, len(true)))
    return polyp, true, given


def test_classes_have_intervals_over_groups_that_are_wider_than_over_frames() -> None:
    answers = tuple(np.repeat(part[::4], 4) for part in answered())  # all frames of a group are answered alike
    of_frames = class_values(*answers, np.arange(120), ["a", "b", "c"])
    of_groups = class_values(*answers, answers[0], ["a", "b", "c"])
    assert set(of_frames) == {"macro_f1_low", "macro_f1_high", "accuracy_low", "accuracy_high"}
    widths = [found["accuracy_high"] - found["accuracy_low"] for found in (of_frames, of_groups)]
    assert 0 < widths[0] < widths[1]
    assert class_values(*answered(polyps=4), np.arange(16) // 4, ["a", "b", "c"]) == {}  # fewer than ten groups: no interval


def test_a_sequence_has_the_median_of_its_frames_where_classes_are_in_an_order() -> None:
    polyp, true, given = answered()
    found = class_values(polyp, true, given, polyp, AREA_CLASSES)
    assert found["polyp_accuracy"] > (given == true).mean()  # several frames are surer than one
    assert found["polyp_accuracy_low"] <= found["polyp_accuracy"] <= found["polyp_accuracy_high"]


def test_the_constant_class_has_a_macro_f1() -> None:
    labels = {"train": np.array([1, 1, 0, 2]), "test": np.array([0, 1, 1, 2])}
    data = SimpleNamespace(facts=lambda split: SimpleNamespace(label=labels[split]), classes=["a", "b", "c"])
    wanted = class_metrics(confusion_matrix(labels["test"], np.ones(4, int), 3), ["a", "b", "c"])["macro_f1"]
    assert constant_f1(data) == wanted


def test_the_constant_stands_beside_every_figure() -> None:
    draw = np.random.default_rng(1)
    polyp, mm = np.repeat(np.arange(20), 2), np.repeat(draw.uniform(2, 20, 20), 2)
    corner = draw.uniform(0.1, 0.3, (40, 2))
    boxes = np.column_stack([corner, corner + mm[:, None] / 40])
    train = SimpleNamespace(polyp=polyp, has_mm=np.ones(40, bool), mm=mm)
    found = floors(train, boxes, Answers(polyp, mm, mm), boxes)
    for name in TOLD:
        assert f"constant_{name}" in found
        assert f"constant_polyp_{name}" in found
    assert {"apparent_size_bin5_macro_f1", "box_only_bin10_weighted_f1"} <= set(found)
