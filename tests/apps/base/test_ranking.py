"""How well scores rank: values computed by hand, ties, one class only, and another library's figures."""

import math

import pytest
import torch
from sklearn.metrics import average_precision_score, roc_auc_score

from apps.base.ranking import auc, average_precision


@pytest.mark.parametrize(
    ("scores", "labels", "area", "precision"),
    [
        ([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1], 3 / 4, 1 / 2 + 1 / 2 * 2 / 3),  # of four pairs one is the wrong way round
        ([0.5, 0.5, 0.5, 0.5], [0, 1, 0, 0], 1 / 2, 1 / 4),  # all tied: one threshold, whose precision is the share of positives
        ([0.9, 0.5, 0.5, 0.1], [1, 1, 0, 0], 7 / 8, 1 / 2 + 1 / 2 * 2 / 3),  # one tie between the classes
        ([0.9, 0.1], [0, 1], 0.0, 1 / 2),
    ],
)
def test_auc_and_ap_equal_values_computed_by_hand(scores: list[float], labels: list[float], area: float, precision: float) -> None:
    assert auc(torch.tensor(scores), torch.tensor(labels)) == pytest.approx(area, abs=1e-12)
    assert average_precision(torch.tensor(scores), torch.tensor(labels)) == pytest.approx(precision, abs=1e-12)


@pytest.mark.parametrize("labels", [[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]])
def test_of_one_class_there_is_no_figure(labels: list[float]) -> None:
    scores = torch.tensor([0.3, 0.2, 0.1])
    assert math.isnan(auc(scores, torch.tensor(labels)))
    assert math.isnan(average_precision(scores, torch.tensor(labels)))


def test_auc_and_ap_equal_scikit_learns_with_many_ties() -> None:
    generator = torch.Generator().manual_seed(0)
    for _ in range(30):
        scores = torch.randint(0, 12, (80,), generator=generator) / 12
        labels = torch.randint(0, 2, (80,), generator=generator).float()
        assert auc(scores, labels) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
        assert average_precision(scores, labels) == pytest.approx(average_precision_score(labels, scores), abs=1e-12)
