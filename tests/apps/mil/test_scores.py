"""Numbers of a whole split."""

import pytest
import torch
from sklearn import metrics as theirs

from apps.mil.metrics import OfSplit
from apps.mil.scores import (
    balanced_accuracy,
    c_index,
    calibration_error,
    decide,
    f1,
    kappa,
    macro_auc,
    macro_average_precision,
    precision,
    recall,
    youden,
)  # fmt: skip


def made(n: int = 60, classes: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(classes)
    probs = torch.rand(n, classes, generator=generator).mul(5).round().add(1)  # with ties
    return probs / probs.sum(1, keepdim=True), torch.randint(classes, (n,), generator=generator)


def test_auc_counts_a_tie_one_half() -> None:
    probs, labels = made()
    assert macro_auc(probs, labels).item() == pytest.approx(theirs.roc_auc_score(labels, probs[:, 1]))
    assert macro_auc(torch.full((4, 2), 0.5), torch.tensor([0, 1, 1, 0])).item() == 0.5


def test_auc_of_one_class_is_no_number() -> None:
    assert macro_auc(torch.rand(3, 2), torch.ones(3, dtype=torch.int64)).isnan()
    assert macro_auc(torch.rand(4, 3), torch.tensor([0, 1, 1, 0])).isfinite()  # the missing class is left out


def test_several_classes_are_each_against_the_rest() -> None:
    probs, labels = made(90, 3)
    assert macro_auc(probs, labels).item() == pytest.approx(theirs.roc_auc_score(labels, probs, multi_class="ovr"))


@pytest.mark.parametrize("classes", [2, 3])
def test_balanced_accuracy_and_f1_are_what_they_are_elsewhere(classes: int) -> None:
    probs, labels = made(90, classes)
    said = decide(probs, 0.5)
    assert balanced_accuracy(said, labels).item() == pytest.approx(theirs.balanced_accuracy_score(labels, said))
    assert f1(said, labels, classes).item() == pytest.approx(theirs.f1_score(labels, said, average="binary" if classes == 2 else "macro"))
    assert f1(torch.zeros(4, dtype=torch.int64), torch.tensor([0, 1, 1, 0]), 2) == 0


@pytest.mark.parametrize("classes", [2, 3])
def test_precision_and_recall_are_what_they_are_elsewhere(classes: int) -> None:
    probs, labels = made(90, classes)
    said, average = decide(probs, 0.5), "binary" if classes == 2 else "macro"
    assert precision(said, labels, classes).item() == pytest.approx(theirs.precision_score(labels, said, average=average))
    assert recall(said, labels, classes).item() == pytest.approx(theirs.recall_score(labels, said, average=average))


def test_precision_is_0_where_nothing_is_answered_and_recall_no_number_where_nothing_is_to_be_found() -> None:
    none, some = torch.zeros(4, dtype=torch.int64), torch.tensor([0, 1, 1, 0])
    assert precision(none, some, 2) == recall(none, some, 2) == 0
    assert precision(some, none, 2) == 0
    assert recall(some, none, 2).isnan()
    assert recall(some, some, 3) == precision(some, some, 3) == 1  # of three classes, one is missing


def test_average_precision_takes_equal_scores_together() -> None:
    probs, labels = made()
    assert macro_average_precision(probs, labels).item() == pytest.approx(theirs.average_precision_score(labels, probs[:, 1]))
    many, kinds = made(90, 3)
    each = [theirs.average_precision_score(kinds == c, many[:, c]) for c in range(3)]
    assert macro_average_precision(many, kinds).item() == pytest.approx(sum(each) / 3)


def test_average_precision_leaves_missing_classes_out() -> None:
    assert macro_average_precision(torch.rand(4, 3), torch.tensor([0, 1, 1, 0])).isfinite()


def test_the_calibration_error_is_the_gap_within_bins_of_equal_mass() -> None:
    said = torch.arange(100).double() / 100 + 0.001
    labels = (torch.rand(100, generator=torch.Generator().manual_seed(0)) < said).long()
    slow = sum(abs(said[i : i + 10].mean() - labels[i : i + 10].double().mean()) for i in range(0, 100, 10)) / 10
    probs = torch.stack([1 - said, said], 1)
    assert calibration_error(probs, labels).item() == pytest.approx(float(slow))
    assert calibration_error(torch.eye(2)[torch.tensor([0, 1])], torch.tensor([0, 1])) == 0
    assert calibration_error(torch.eye(3)[torch.tensor([0, 1, 2])], torch.tensor([1, 2, 0])) == 1


def test_the_calibration_error_does_not_depend_on_the_order_of_bags_with_equal_answers() -> None:
    probs, labels = made(57)
    found = calibration_error(probs, labels)
    for seed in range(5):
        order = torch.randperm(57, generator=torch.Generator().manual_seed(seed))
        assert calibration_error(probs[order], labels[order]).item() == pytest.approx(found.item(), abs=1e-12)
    assert calibration_error(torch.full((8, 2), 0.5), torch.arange(8) % 2).item() == pytest.approx(0)


def test_kappa_weighs_mistakes_by_the_square_of_their_distance() -> None:
    probs, labels = made(90, 4)
    said = decide(probs, 0.5)
    assert kappa(said, labels, 4).item() == pytest.approx(theirs.cohen_kappa_score(labels, said, weights="quadratic"))
    assert kappa(labels, labels, 5) == 1  # a class that nobody has
    assert kappa(torch.ones(4, dtype=torch.int64), torch.ones(4, dtype=torch.int64), 3).isnan()


def test_the_threshold_lies_half_way_between_scores_where_the_gain_is_largest() -> None:
    scores, positive = torch.tensor([0.1, 0.3, 0.4, 0.8]), torch.tensor([False, False, True, True])
    assert youden(scores, positive) == pytest.approx(0.35)
    assert youden(scores, torch.ones(4)) == 0.5


def test_the_c_index_counts_pairs_whose_order_is_known() -> None:
    risk, time, event = torch.tensor([3.0, 2.0, 1.0]), torch.tensor([1.0, 2.0, 3.0]), torch.tensor([1, 1, 1])
    assert c_index(risk, time, event) == 1
    assert c_index(-risk, time, event) == 0
    assert c_index(torch.ones(3), time, event) == 0.5
    assert c_index(risk, time, torch.zeros(3)).isnan()


def test_a_number_of_a_split_is_of_the_answers_of_all_processes() -> None:
    """The threshold as well: one process sees a part of validation only."""
    probs, labels = made()
    metric = OfSplit(lambda probs, labels: youden(probs[:, 1], labels == 1))
    metric.distributed_available_fn = lambda: True
    metric.dist_sync_fn = lambda here, group: [here, {"f": probs, "l": labels}["f" if here.is_floating_point() else "l"][30:]]
    metric.update(probs[:30], labels[:30])
    assert metric.compute().item() == youden(probs[:, 1], labels == 1)
