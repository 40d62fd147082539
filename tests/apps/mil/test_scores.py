"""Numbers of a whole split."""

import pytest
import torch
from sklearn.metrics import balanced_accuracy_score, f1_score, roc_auc_score

from apps.mil.scores import auc, balanced_accuracy, c_index, decide, f1, macro_auc, youden


def made(n: int = 60, classes: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(classes)
    probs = torch.rand(n, classes, generator=generator).mul(5).round().add(1)  # with ties
    return probs / probs.sum(1, keepdim=True), torch.randint(classes, (n,), generator=generator)


def test_auc_counts_a_tie_one_half() -> None:
    probs, labels = made()
    assert auc(probs[:, 1], labels == 1).item() == pytest.approx(roc_auc_score(labels, probs[:, 1]))
    assert auc(torch.ones(4), torch.tensor([0, 1, 1, 0])).item() == 0.5


def test_auc_of_one_class_is_no_number() -> None:
    assert auc(torch.rand(3), torch.ones(3)).isnan()
    assert macro_auc(torch.rand(4, 3), torch.tensor([0, 1, 1, 0])).isfinite()  # the missing class is left out


def test_several_classes_are_each_against_the_rest() -> None:
    probs, labels = made(90, 3)
    assert macro_auc(probs, labels).item() == pytest.approx(roc_auc_score(labels, probs, multi_class="ovr"))


@pytest.mark.parametrize("classes", [2, 3])
def test_balanced_accuracy_and_f1_are_what_they_are_elsewhere(classes: int) -> None:
    probs, labels = made(90, classes)
    said = decide(probs, 0.5)
    assert balanced_accuracy(said, labels).item() == pytest.approx(balanced_accuracy_score(labels, said))
    assert f1(said, labels, classes).item() == pytest.approx(f1_score(labels, said, average="binary" if classes == 2 else "macro"))
    assert f1(torch.zeros(4, dtype=torch.int64), torch.tensor([0, 1, 1, 0]), 2) == 0


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
