"""Metrics of several targets: hand-computed values, ties, one class only, unknown labels."""

import math

import pytest
import torch
from sklearn.metrics import average_precision_score, roc_auc_score

from apps.base.errors import UserError
from apps.histograph.target_metrics import AveragePrecision, MeanError, RocAuc, RootError, Variance, average_precision, roc_auc

NAN = math.nan


@pytest.mark.parametrize(
    ("scores", "labels", "auc", "ap"),
    [
        ([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1], 3 / 4, 1 / 2 + 1 / 2 * 2 / 3),  # of four pairs one is the wrong way round
        ([0.5, 0.5, 0.5, 0.5], [0, 1, 0, 0], 1 / 2, 1 / 4),  # all tied: one threshold, whose precision is the share of positives
        ([0.9, 0.5, 0.5, 0.1], [1, 1, 0, 0], 7 / 8, 1 / 2 + 1 / 2 * 2 / 3),  # one tie between the classes
        ([0.9, 0.1], [0, 1], 0.0, 1 / 2),
        ([0.2, 0.9, 0.8], [1, NAN, 0], 0.0, 1 / 2),  # what is unknown takes no part, wherever it stands
    ],
)
def test_auc_and_ap_equal_values_computed_by_hand(scores: list[float], labels: list[float], auc: float, ap: float) -> None:
    assert roc_auc(torch.tensor(scores), torch.tensor(labels)) == pytest.approx(auc, abs=1e-12)
    assert average_precision(torch.tensor(scores), torch.tensor(labels)) == pytest.approx(ap, abs=1e-12)


@pytest.mark.parametrize("labels", [[1.0, 1.0, 1.0], [0.0, 0.0, NAN], [NAN, NAN, NAN]])
def test_a_task_of_one_class_has_no_figure(labels: list[float]) -> None:
    scores = torch.tensor([0.3, 0.2, 0.1])
    assert math.isnan(roc_auc(scores, torch.tensor(labels)))
    assert math.isnan(average_precision(scores, torch.tensor(labels)))


def test_auc_and_ap_equal_scikit_learns_with_many_ties() -> None:
    generator = torch.Generator().manual_seed(0)
    for _ in range(30):
        scores = torch.randint(0, 12, (80,), generator=generator) / 12
        labels = torch.randint(0, 2, (80,), generator=generator).float()
        assert roc_auc(scores, labels) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
        assert average_precision(scores, labels) == pytest.approx(average_precision_score(labels, scores), abs=1e-12)


def test_the_mean_is_over_tasks_with_both_classes_and_batches_do_not_matter() -> None:
    scores = torch.tensor([[0.1, 0.1, 0.3], [0.4, 0.2, 0.2], [0.35, 0.3, 0.1], [0.8, 0.4, 0.0]])
    labels = torch.tensor([[0, 1, NAN], [0, 1, 1], [1, 1, 0], [1, NAN, 0]])
    metric = RocAuc(["a", "b", "c"])
    metric.update(scores[:1], labels[:1])
    metric.update(scores[1:], labels[1:])
    each = metric.each()
    assert each["a"] == 0.75
    assert math.isnan(each["b"])
    assert each["c"] == 1.0
    assert float(metric.compute()) == 0.875


@pytest.mark.parametrize("metric", [RocAuc, AveragePrecision])
def test_no_task_with_both_classes_is_an_error_not_a_zero(metric: type) -> None:
    one = metric(["a"])
    one.update(torch.tensor([[0.1], [0.2]]), torch.tensor([[1.0], [NAN]]))
    with pytest.raises(UserError, match="no task has a positive and a negative"):
        one.compute()


def test_errors_are_of_each_target_over_the_graphs_where_it_is_known() -> None:
    out = torch.tensor([[1.0, 0.0], [2.0, 5.0], [3.0, 1.0]])
    y = torch.tensor([[2.0, NAN], [2.0, 1.0], [5.0, 1.0]])
    found = {}
    for kind in (MeanError, RootError, Variance):
        metric = kind(["a", "b"])
        for i in range(3):
            metric.update(out[i : i + 1], y[i : i + 1])
        found[kind] = metric
    assert found[MeanError].each() == pytest.approx({"a": 1.0, "b": 2.0})
    assert float(found[MeanError].compute()) == pytest.approx(1.5)
    assert found[RootError].each() == pytest.approx({"a": (5 / 3) ** 0.5, "b": 8**0.5})
    assert found[Variance].each()["a"] == pytest.approx(1 - 5 / 6)
    assert math.isnan(found[Variance].each()["b"])  # it does not vary
    assert float(found[Variance].compute()) == pytest.approx(1 / 6)
