import math
import random

import pytest
import torch

from apps.otsnet.by_set import as_metrics, as_table, score_sets
from apps.otsnet.metrics import (
    Accuracy,
    accuracy,
    cer,
    confidence,
    edit_distance,
    ledger,
    mean_of_sets,
    one_minus_ned,
    pooled,
    scores,
    seen_unseen,
    wilson,
)
from apps.otsnet.metrics.confidence import risk_coverage


@pytest.mark.parametrize(
    ("one", "other", "percent"),
    [("cat", "cat", 100.0), ("", "", 100.0), ("", "a", 0.0), ("a", "", 0.0), ("kitten", "sitting", 100 * (1 - 3 / 7))],
)
def test_one_minus_ned_of_known_pairs(one, other, percent):
    assert one_minus_ned([one], [other]) == pytest.approx(percent)


def test_distance_is_a_metric_and_never_above_the_longer_length():
    rng = random.Random(0)
    words = ["".join(rng.choices("abc", k=rng.randrange(7))) for _ in range(12)]
    for a in words:
        assert edit_distance(a, a) == 0
        for b in words:
            assert edit_distance(a, b) == edit_distance(b, a) <= max(len(a), len(b))
            assert edit_distance(a, b) >= abs(len(a) - len(b))
            assert all(edit_distance(a, c) <= edit_distance(a, b) + edit_distance(b, c) for c in words)


def test_cer_is_over_all_characters_and_can_exceed_a_hundred():
    assert cer(["cat", "do"], ["cat", "dog"]) == pytest.approx(100 / 6)
    assert cer(["aaaa"], ["b"]) == 400
    assert math.isnan(cer(["a"], [""]))
    assert math.isnan(one_minus_ned([], []))


def test_accuracy_counts_exact_words_and_carries_its_interval():
    found = accuracy(["a", "b", "c", "d"], ["a", "b", "x", "d"])
    assert (found.right, found.count, found.percent) == (3, 4, 75.0)
    low, high = found.interval
    assert 0 < low < 75 < high < 100
    assert math.isnan(Accuracy(0, 0).percent)


def test_wilson_has_the_stated_widths_and_never_leaves_0_to_100():
    low, high = wilson(1500, 3000)
    assert (high - low) / 2 == pytest.approx(1.8, abs=0.05)
    low, high = wilson(144, 288)
    assert (high - low) / 2 == pytest.approx(5.7, abs=0.1)
    assert wilson(0, 10)[0] == 0
    assert wilson(10, 10)[1] == 100
    assert wilson(0, 0) == (0, 100)
    with pytest.raises(ValueError, match="11 of 10"):
        wilson(11, 10)


def test_wilson_ends_are_where_the_score_test_turns():
    for right, count in ((1, 7), (30, 100), (99, 100)):
        for end in wilson(right, count):
            share = end / 100
            assert abs(right / count - share) == pytest.approx(1.959963984540054 * math.sqrt(share * (1 - share) / count), rel=1e-9)


def test_both_averages_are_told():
    sets = [Accuracy(90, 100), Accuracy(1, 10), Accuracy(0, 0)]
    assert mean_of_sets(sets) == 50
    assert pooled(sets) == Accuracy(91, 110)


def test_a_word_was_seen_whatever_its_case():
    found = seen_unseen(["open", "cat", "shut"], ["open", "dog", "shut"], ["OPEN", "Dog"])
    assert found.seen == Accuracy(1, 2)
    assert found.unseen == Accuracy(1, 1)


def test_the_ledger_counts_every_word_once_and_says_whether_refinement_pays():
    found = ledger(["x", "b", "x", "d", "x"], ["a", "x", "y", "d", "e"], list("abcde"))
    assert found == (2, 1, 1, 1)
    assert found.pays
    assert not ledger(["a"], ["x"], ["a"]).pays
    assert ledger(["a"], ["a"], ["a"]).pays


def test_confidence_that_orders_perfectly_is_perfect_and_reversed_is_worst():
    right = torch.tensor([1, 1, 1, 0, 0], dtype=torch.bool)
    sure = torch.tensor([0.9, 0.8, 0.7, 0.3, 0.1])
    assert confidence(sure, right).auroc == 1
    assert confidence(1 - sure, right).auroc == 0
    best, worst = risk_coverage(sure, right), risk_coverage(1 - sure, right)
    assert best.item() == pytest.approx((0 + 0 + 0 + 1 / 4 + 2 / 5) / 5)
    assert worst.item() == pytest.approx((1 + 1 + 2 / 3 + 2 / 4 + 2 / 5) / 5)


def test_equal_confidence_says_nothing_whatever_the_order():
    right = torch.arange(10) < 6
    for order in (right, right.flip(0)):
        assert risk_coverage(torch.full((10,), 0.5), order).item() == pytest.approx(0.4)
        assert confidence(torch.full((10,), 0.6), order).auroc == 0.5


def test_certainty_that_comes_true_is_calibrated():
    right = torch.arange(300) % 2 == 0
    assert confidence(right.double(), right).calibration_error == 0
    assert confidence((~right).double(), right).calibration_error > 0.9  # the middle bin holds of both
    assert math.isnan(confidence(torch.zeros(0), torch.zeros(0, dtype=torch.bool)).calibration_error)
    with pytest.raises(ValueError, match="one confidence for every answer"):
        confidence(torch.zeros(3), torch.zeros(2))


def test_scores_tell_every_set_by_every_charset():
    answers = ["Open", "cafe", "it's", "DOG"]
    truths = ["OPEN", "café", "its", "dog"]
    found = scores(answers, truths, ["a", "a", "b", "b"], training=["open"], charsets=("36", "62", "94"))
    assert list(found) == ["a", "b"]
    assert {name: one.right for name, one in found["a"].by_charset.items()} == {"36": 2, "62": 1, "94": 1}
    assert {name: one.right for name, one in found["b"].by_charset.items()} == {"36": 2, "62": 1, "94": 0}
    assert found["a"].seen.seen == Accuracy(1, 1)
    assert found["a"].one_minus_ned == 100
    assert scores(answers, truths, ["a"] * 4, protocol="openocr")["a"].by_charset["36"].right == 3
    with pytest.raises(ValueError, match="openocr compares 36"):
        scores(answers, truths, ["a"] * 4, charsets=("94",), protocol="openocr")


def test_a_test_tells_both_protocols() -> None:
    found = score_sets(["cafe", "caf", "its", "no"], ["café", "café", "It´s", "yes"], ["a", "a", "b", "b"], {"café"})
    assert [found[name].by_charset[kind].right for name in "ab" for kind in ("36", "openocr")] == [1, 1, 1, 1]
    metrics = as_metrics(score_sets(["cafe"], ["café"], ["a"], set()))
    assert (metrics["a/words_36"], metrics["a/words_openocr"], metrics["pooled_openocr"]) == (1.0, 0.0, 0.0)
    assert "openocr" in as_table(found).splitlines()[0]
