"""Metrics of several targets: hand-computed values, ties, one class only, unknown labels."""

import math

import pytest
import torch

from apps.base.errors import UserError
from apps.histograph.target_metrics import AveragePrecision, MeanError, RocAuc, RootError, Variance

NAN = math.nan


def test_what_is_unknown_takes_no_part_wherever_it_stands() -> None:
    for metric, wanted in ((RocAuc(["a"]), 0.0), (AveragePrecision(["a"]), 1 / 2)):
        metric.update(torch.tensor([[0.2], [0.9], [0.8]]), torch.tensor([[1], [NAN], [0]]))
        assert metric.compute().item() == pytest.approx(wanted)


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
