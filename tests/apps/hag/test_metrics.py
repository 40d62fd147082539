"""Errors in mm and class metrics: equal to scikit-learn's where those exist, and an answer to everything else."""

import math

import numpy as np
import pytest
import torch
from sklearn import metrics as sk

from apps.hag.metrics import (
    Answers,
    ClassCounts,
    Gathered,
    SizeSums,
    auroc,
    class_metrics,
    classified,
    confusion_matrix,
    draw_polyps,
    measured,
    paired,
    polyps_of,
    tables,
)
from datamodules.hag.classes import SIZE_CLASSES, size_class

MM = (2.0, 3.0, 5.0, 7.0, 9.0, 10.0, 15.0)


def answers(polyps: int = 40, frames: int = 5, seed: int = 0, heads: bool = False, censored: bool = False) -> Answers:
    """As many frames of each; answers that are off by a third."""
    generator = np.random.default_rng(seed)
    mm = generator.choice(MM, polyps)
    polyp = np.repeat(np.arange(polyps), frames)
    given = mm[polyp] * np.exp(0.3 * generator.standard_normal(len(polyp)))
    p = 1 / (1 + np.exp(-np.stack([given - 5, given - 10])))
    return Answers(
        polyp, mm[polyp], None if heads else given, (mm[polyp] == 15) if censored else None, *(p if heads else (None, None))
    )  # fmt: skip


# --- equal to scikit-learn -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("heads", [False, True])
def test_classes_and_areas_are_those_of_scikit_learn(seed: int, heads: bool) -> None:
    given = answers(seed=seed, heads=heads)
    found = measured(given, "frame", draws=1)
    three = size_class(given.mm) if given.mm is not None else (given.p_gt5 > 0.5) * 1 + (given.p_ge10 >= 0.5)
    scores = (given.mm, given.mm) if given.mm is not None else (given.p_gt5, given.p_ge10)
    of = {"tri": (size_class(given.true), three)}
    of |= {name: (size_class(given.true) >= least, three >= least) for name, least in (("bin5", 1), ("bin10", 2))}
    for task, (true, answer) in of.items():
        assert found.values[f"{task}_macro_f1"] == pytest.approx(sk.f1_score(true, answer, average="macro"))
        assert found.values[f"{task}_weighted_f1"] == pytest.approx(sk.f1_score(true, answer, average="weighted"))
        assert found.values[f"{task}_balanced_accuracy"] == pytest.approx(sk.balanced_accuracy_score(true, answer))
        assert found.values[f"{task}_accuracy"] == pytest.approx(sk.accuracy_score(true, answer))
        assert np.array(found.confusions[task])[:, :-1].tolist() == sk.confusion_matrix(true, answer).tolist()
    for task, score in zip(("bin5", "bin10"), scores, strict=True):
        true, answer = of[task]
        assert found.values[f"{task}_sensitivity"] == pytest.approx(sk.recall_score(true, answer))
        assert found.values[f"{task}_specificity"] == pytest.approx(sk.recall_score(~true, ~answer))
        assert found.values[f"{task}_precision"] == pytest.approx(sk.precision_score(true, answer))
        assert found.values[f"{task}_f1"] == pytest.approx(sk.f1_score(true, answer))
        assert found.values[f"{task}_auroc"] == pytest.approx(sk.roc_auc_score(true, score))
    each = sk.precision_recall_fscore_support(*of["tri"], labels=[0, 1, 2], zero_division=0.0)
    for name, row in zip(("precision", "recall", "f1"), each, strict=False):
        assert [found.values[f"tri_{name}_{kind}"] for kind in SIZE_CLASSES] == pytest.approx(row)


@pytest.mark.parametrize("seed", range(3))
def test_errors_are_those_of_scikit_learn(seed: int) -> None:
    given = answers(seed=seed)
    found = measured(given, "frame", draws=1).values
    off = given.mm - given.true
    assert found["mae"] == pytest.approx(sk.mean_absolute_error(given.true, given.mm))
    assert found["medae"] == pytest.approx(sk.median_absolute_error(given.true, given.mm))
    assert found["bias"] == pytest.approx(off.mean())
    assert found["pearson"] == pytest.approx(np.corrcoef(given.true, given.mm)[0, 1])
    assert (found["loa_low"], found["loa_high"]) == pytest.approx(
        (off.mean() - 1.96 * off.std(ddof=1), off.mean() + 1.96 * off.std(ddof=1))
    )
    assert found["within_1mm"] == pytest.approx((abs(off) <= 1).mean())
    assert found["within_20pct"] == pytest.approx((abs(off) <= 0.2 * given.true).mean())


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_classes_that_are_absent_are_in_no_mean_as_scikit_learn_counts_them(classes: int) -> None:
    generator = np.random.default_rng(classes)
    for absent in range(classes):
        true, given = generator.integers(0, classes, (2, 60))
        true = np.where(true == absent, (absent + 1) % classes, true)
        found = class_metrics(confusion_matrix(true, given, classes), [str(i) for i in range(classes)])
        there = np.unique(true)
        assert found["macro_f1"] == pytest.approx(sk.f1_score(true, given, labels=there, average="macro", zero_division=0.0))
        assert found["weighted_f1"] == pytest.approx(sk.f1_score(true, given, average="weighted", zero_division=0.0))
        recalls = sk.recall_score(true, given, labels=there, average=None)
        assert found["balanced_accuracy"] == pytest.approx(np.mean(recalls))


def test_ties_count_half_in_an_area() -> None:
    generator = np.random.default_rng(0)
    score, above = generator.integers(0, 4, 200), generator.random(200) < 0.3
    assert auroc(score, above) == pytest.approx(sk.roc_auc_score(above, score))
    assert auroc(np.ones(5), np.array([1, 0, 0, 1, 0])) == 0.5


# --- every border case has a stated answer ---------------------------------------------------------------------------


def test_the_borders_of_the_label_decide_the_classes_of_answers() -> None:
    edge = np.array([5.0, np.nextafter(5, 6), np.nextafter(10, 0), 10.0])
    found = measured(Answers(np.arange(4), edge, edge), "frame")
    assert found.confusions["tri"] == [[1, 0, 0, 0], [0, 2, 0, 0], [0, 0, 1, 0]]
    assert found.confusions["bin5"] == [[1, 0, 0], [0, 3, 0]]
    assert found.confusions["bin10"] == [[3, 0, 0], [0, 1, 0]]
    heads = Answers(np.arange(4), edge, None, None, np.array([0.5, 0.5001, 0.9, 0.9]), np.array([0.1, 0.1, 0.4999, 0.5]))
    assert measured(heads, "frame").confusions == found.confusions


def test_a_class_that_nobody_has_and_nobody_gets_is_told_and_in_no_mean() -> None:
    found = measured(Answers(np.arange(3), [3, 4, 5], [3, 4, 5]), "frame")
    assert found.values["tri_macro_f1"] == 1.0
    assert (found.values["tri_f1_large"], found.values["tri_recall_large"], found.values["tri_precision_large"]) == (None, 0.0, 0.0)
    assert any("tri: large: neither there nor answered" in words for words in found.remarks)
    assert found.values["bin10_auroc"] is None
    assert any("bin10: the area under the ROC curve needs both sides" in words for words in found.remarks)


def test_a_class_that_is_answered_but_not_there_costs_the_others_only() -> None:
    found = measured(Answers(np.arange(4), [3, 3, 3, 3], [3, 3, 3, 12]), "frame")
    assert found.values["tri_f1_large"] == 0.0
    assert found.values["tri_macro_f1"] == pytest.approx(6 / 7)
    assert found.values["tri_balanced_accuracy"] == 0.75


def test_no_frames_no_values_and_the_reason() -> None:
    for given in (Answers([], [], []), Answers([1, 2], [np.nan, np.nan], [3.0, 4.0])):
        for found in tables(given).values():
            assert set(found.values.values()) == {None}
            assert any("nothing to measure" in words for words in found.remarks)
            assert found.unknown == len(np.unique(given.polyp))


def test_one_polyp_has_errors_and_no_interval() -> None:
    found = measured(Answers([7, 7], [6, 6], [7, 5.5]), "polyp")
    assert found.values["mae"] == 0.75
    assert set(found.intervals.values()) == {None}
    assert any("need 10 polyps, there are 1" in words for words in found.remarks)
    assert measured(answers(polyps=9), "frame").intervals["mae"] is None
    assert measured(answers(polyps=10), "frame").intervals["mae"] is not None


def test_an_answer_that_is_none_is_wrong_and_is_counted_and_not_replaced() -> None:
    true, mm = np.array([3.0, 3.0, 12.0, 12.0]), np.array([3.0, np.nan, 12.0, np.nan])
    found = measured(Answers(np.arange(4), true, mm), "frame")
    assert found.missing == 2
    assert found.values["mae"] == 0.0  # of what was answered
    assert found.values["within_1mm"] == found.values["tri_accuracy"] == 0.5
    assert (found.values["bin10_sensitivity"], found.values["bin10_specificity"]) == (0.5, 0.5)
    assert found.values["bin10_precision"] == 1.0
    assert found.confusions["bin10"] == [[1, 0, 1], [0, 1, 1]]
    assert found.values["bin10_auroc"] == 0.25  # what is none loses every comparison
    for label in (-1, 99):  # scikit-learn with a label of its own for it
        assert found.values["bin10_macro_f1"] == pytest.approx(
            sk.f1_score([0, 0, 1, 1], [0, label, 1, label], labels=[0, 1], average="macro")
        )
    nothing = measured(Answers(np.arange(4), true, np.full(4, np.nan)), "frame").values
    assert nothing["mae"] is None
    assert nothing["tri_accuracy"] == 0.0
    for no_size in (0.0, -3.0, np.inf):
        assert measured(Answers([1], [5], [no_size]), "frame").missing == 1


def test_of_a_censored_size_only_what_is_missing_to_it_is_an_error() -> None:
    given = Answers(np.arange(4), [15, 15, 15, 8], [20, 12, 15, 8], [True, True, True, False])
    found = measured(given, "frame")
    assert found.values["mae"] == pytest.approx(3 / 4)
    assert found.values["mae_censored"] == 1.0
    assert found.values["within_1mm"] == 0.75
    assert found.values["bias"] == 0.0  # of the exact one
    assert found.values["tri_recall_large"] == 1.0


def test_a_censored_size_below_a_border_has_no_side() -> None:
    given = Answers(np.arange(3), [8, 4, 12], [8, 4, 12], [True, True, True])
    found = measured(given, "frame")
    assert np.sum(found.confusions["tri"]) == np.sum(found.confusions["bin10"]) == 1
    assert np.sum(found.confusions["bin5"]) == 2
    assert any("bin10: 2 censored sizes" in words for words in found.remarks)


def test_what_does_not_fit_together_is_refused() -> None:
    for words, make in {
        "one number a frame": lambda: Answers([1, 2], [3.0], [3.0, 4.0]),
        "there is neither": lambda: Answers([1], [3.0], None),
        "belong together": lambda: Answers([1], [3.0], None, p_gt5=[0.5]),
        "above 0 mm": lambda: Answers([1], [0.0], [1.0]),
        "frames of 2 sizes": lambda: polyps_of(Answers([1, 1], [3.0, 4.0], [3.0, 3.0])),
        "no probabilities": lambda: measured(answers(), "frame", by="heads"),
        "no mm": lambda: measured(answers(heads=True), "frame", by="mm"),
        "the same frames": lambda: paired(answers(), answers(seed=1), "frame"),
        "one class a frame": lambda: confusion_matrix([0, 3], [0, 1], 3),
    }.items():
        with pytest.raises(ValueError, match=words):
            make()


# --- two levels, and intervals ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("heads", [False, True])
def test_with_one_frame_a_polyp_both_levels_are_one(heads: bool) -> None:
    both = tables(answers(frames=1, heads=heads, censored=not heads), draws=50)
    frame, polyp = both["frame"], both["polyp"]
    assert frame.confusions == polyp.confusions
    for name, value in frame.values.items():
        assert polyp.values[name] == (value if value is None else pytest.approx(value, abs=1e-9)), name


def test_draws_are_of_polyps_so_that_more_frames_of_one_narrow_nothing() -> None:
    once = answers(frames=3)
    often = once.of(np.tile(np.arange(len(once)), 20))
    one, many = (measured(each, "frame", draws=300) for each in (once, often))
    for name, value in one.values.items():
        if name.startswith("loa_"):  # n - 1 in a standard deviation does know frames
            continue
        assert many.values[name] == (value if value is None else pytest.approx(value)), name
        if (ends := one.intervals[name]) is not None:
            assert many.intervals[name] == pytest.approx(ends), name


def test_an_interval_holds_its_value_and_shrinks_with_polyps() -> None:
    few, many = (measured(answers(polyps=polyps), "frame", draws=400) for polyps in (20, 320))
    for found in (few, many):
        for name, ends in found.intervals.items():
            if ends is not None:
                assert ends[0] - 1e-9 <= found.values[name] <= ends[1] + 1e-9, name
    width = [np.diff(found.intervals["mae"])[0] for found in (few, many)]
    assert width[1] < width[0] / 2


def test_a_constant_answer_has_recalls_without_a_spread() -> None:
    given = answers(polyps=30)
    for mm, sensitivity in ((3.0, 0.0), (20.0, 1.0)):
        found = measured(given.answering(np.full(len(given), mm)), "frame", draws=500)
        for task in ("bin5", "bin10"):
            assert found.values[f"{task}_sensitivity"] == sensitivity
            assert found.intervals[f"{task}_sensitivity"] == (sensitivity, sensitivity)
            assert found.intervals[f"{task}_specificity"] == (1 - sensitivity, 1 - sensitivity)
            assert found.intervals[f"{task}_auroc"] == (0.5, 0.5)
    assert found.values["pearson"] is None


def test_draws_without_a_class_say_nothing_about_its_recall() -> None:
    """One large polyp of twelve is in two thirds of the draws."""
    mm = np.array([12.0] + [4.0] * 11)
    found = measured(Answers(np.arange(12), mm, np.full(12, 20.0)), "polyp", draws=500)
    assert found.intervals["bin10_sensitivity"] == (1.0, 1.0)
    assert found.values["bin10_specificity"] == 0.0


def test_the_constant_answer_on_a_clinical_mix_of_sizes_flatters_by_its_weighted_f1() -> None:
    """Sixty diminutive, twenty small and twenty large polyps, as in SUN."""
    mm = np.repeat([4.0, 7.0, 12.0], [60, 20, 20])
    found = measured(Answers(np.arange(100), mm, np.full(100, 5.0)), "polyp", draws=2).values
    assert found["bin10_weighted_f1"] == pytest.approx(0.711, abs=5e-4)
    assert found["bin10_macro_f1"] == pytest.approx(0.444, abs=5e-4)
    assert found["tri_macro_f1"] == pytest.approx(0.25)
    assert (found["bin10_balanced_accuracy"], found["tri_balanced_accuracy"]) == (0.5, pytest.approx(1 / 3))


def test_a_weighted_draw_is_the_same_as_writing_polyps_down_again() -> None:
    given = answers(polyps=12)
    times = draw_polyps(12, 3, seed=4)
    assert times.sum(1).tolist() == [12, 12, 12]
    from apps.hag.metrics.sums import sums_of
    from apps.hag.metrics.table import _by_group, _values

    drawn = _values(given, "mm", _by_group(sums_of(given, "mm"), given.polyp, 12), given.polyp, times, 0.0)
    for row, count in enumerate(times):
        again = given.of(np.repeat(np.arange(len(given)), count[given.polyp].astype(int)))
        plain = measured(again, "frame", draws=1).values
        for name, value in plain.items():
            assert drawn[name][row] == pytest.approx(math.nan if value is None else value, nan_ok=True), name


def test_a_model_less_itself_is_nothing_and_a_better_one_is_better() -> None:
    good, bad = answers(polyps=60), answers(polyps=60)
    bad = bad.answering(np.full(len(bad), 5.0))
    for level in ("frame", "polyp"):
        same = paired(good, good, level, draws=200)
        assert all(each.value in (0.0, None) and each.interval in ((0.0, 0.0), None) for each in same.values())
        less = paired(good, bad, level, draws=400)["mae"]
        assert less.value < 0
        assert less.interval[1] < 0
        one, other = (measured(each, level, draws=1) if level == "frame" else tables(each, draws=1)["polyp"] for each in (good, bad))
        assert less.value == pytest.approx(one.values["mae"] - other.values["mae"])


# --- while a split goes by -------------------------------------------------------------------------------------------


def batches(given: Answers, size: int) -> list[dict[str, torch.Tensor]]:
    whole = {
        "id": torch.arange(len(given)), "polyp": torch.from_numpy(given.polyp), "true": torch.from_numpy(np.nan_to_num(given.true)),
        "has_mm": torch.from_numpy(np.isfinite(given.true)), "censored": torch.from_numpy(given.censored),
    }  # fmt: skip
    whole |= {name: torch.from_numpy(getattr(given, name)) for name in ("mm", "p_gt5", "p_ge10") if getattr(given, name) is not None}
    return [{name: part[start : start + size] for name, part in whole.items()} for start in range(0, len(given), size)]


@pytest.mark.parametrize("heads", [False, True])
def test_in_batches_the_same_is_found_as_at_once(heads: bool) -> None:
    given = answers(heads=heads, censored=True)
    given.true[given.polyp == 3] = np.nan
    whole = measured(given, "frame", draws=1).values
    sums, gathered = SizeSums(given.by), Gathered()
    for batch in batches(given, 17):
        gathered.update(**batch)
        sums.update(**{name: part for name, part in batch.items() if name not in ("id", "polyp")})
    for name, value in sums.compute().items():
        assert float(value) == pytest.approx(whole[name], rel=1e-5), name
    again, number = gathered.answers()
    assert number.tolist() == list(range(len(given)))
    assert measured(again, "frame", draws=1).values == pytest.approx(whole)
    gathered.update(**batches(given, 17)[0])  # a sampler that fills up its last batch
    assert len(gathered.answers()[0]) == len(given)


def test_classes_that_are_no_sizes_are_counted_in_batches_too() -> None:
    generator = np.random.default_rng(0)
    true, given = generator.integers(0, 4, (2, 90))
    counts = ClassCounts(4)
    for part in np.array_split(np.arange(90), 5):
        counts.update(torch.from_numpy(given[part]), torch.from_numpy(true[part]))
    table = classified(true, given, "abcd", draws=100)
    assert float(counts.compute()["macro_f1"]) == pytest.approx(sk.f1_score(true, given, average="macro"))
    assert table.values["macro_f1"] == pytest.approx(sk.f1_score(true, given, average="macro"))
    low, high = table.intervals["macro_f1"]
    assert low < table.values["macro_f1"] < high
    assert classified(true, given, "abcd", group_N=np.arange(90) % 9).intervals["macro_f1"] is None
