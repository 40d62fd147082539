"""What is decided, by which threshold; and what is not decided."""

import itertools

import numpy as np
import pytest

from apps.ahan.decision import ENROL_MIN, Calibration, Threshold, calibrate, decide, decide_pair, margin_of
from apps.base.errors import UserError


def at(value: float, far: float = 0.01) -> Threshold:
    return Threshold(value, far, 0.0, 0.02, 0.9, 1000, 40)


FULL = Calibration(at(0.4), at(0.6), 0.1)
GRID = [round(value, 2) for value in np.linspace(-1, 1, 21)]


def test_without_a_calibration_nothing_is_ever_accepted() -> None:
    for score, twin in itertools.product(GRID, (False, True)):
        answer = decide(score, None, twin)
        assert answer.accept is None
        assert "uncalibrated" in answer.reason


def test_a_higher_score_to_the_twin_never_turns_a_refusal_into_an_acceptance() -> None:
    for score in GRID:
        accepted = [decide(score, FULL, True, twin_score).accept for twin_score in GRID]
        assert accepted == sorted(accepted, reverse=True)
    assert decide(0.8, FULL, True, 0.5).accept
    assert not decide(0.8, FULL, True, 0.75).accept


def test_a_twin_needs_its_own_threshold_and_never_meets_the_one_of_strangers() -> None:
    assert decide(0.5, FULL).accept
    assert not decide(0.5, FULL, True, -1.0).accept
    alone = decide(0.7, FULL, True)
    assert (alone.accept, alone.rule) == (True, "twin, not enrolled")
    assert "not enrolled" in alone.reason
    below = decide(0.5, FULL, True)
    assert (below.accept, below.rule, below.reason) == (
        False,
        "twin, not enrolled",
        "score below 0.6000; the twin is not enrolled: judged by the twin threshold alone",
    )
    unknown = decide(0.9, Calibration(at(0.4)), True, 0.0)
    assert (unknown.accept, unknown.far) == (None, None)
    assert "twin error unknown" in unknown.reason
    assert decide(0.9, Calibration(at(0.4), at(0.6)), True, 0.0).accept is None


def test_of_two_images_that_may_be_of_twins_nobody_is_said_to_be_enrolled_or_not() -> None:
    for score, accept, below in ((0.7, True, ""), (0.5, False, "score below 0.6000; ")):
        found = decide_pair(score, FULL, twins=True)
        assert (found.accept, found.rule, found.threshold) == (accept, "twin, no gallery", 0.6)
        assert found.reason == f"{below}two images: judged by the twin threshold alone"
    assert decide_pair(0.5, FULL) == decide(0.5, FULL)
    assert decide_pair(0.9, FULL, twins=True, coarse=True).accept is None


def test_nothing_is_decided_about_twins_from_a_face_without_eyes() -> None:
    for near in (None, -1.0):
        answer = decide(0.9, FULL, True, near, coarse=True)
        assert (answer.accept, answer.far) == (None, None)
        assert "coarse" in answer.reason
    assert decide(0.5, FULL, coarse=True).accept


def test_one_honest_enrolment_of_two_images_in_a_hundred_may_be_refused() -> None:
    generator = np.random.default_rng(0)
    genuine, other = generator.normal(0.6, 0.1, 1000), generator.normal(0, 0.1, 1000)
    family = np.concatenate([np.repeat(np.arange(1000), 2), np.arange(2000)]).reshape(2000, 2)
    found = calibrate(np.concatenate([genuine, other]), np.arange(2000) < 1000, family, 0.01)
    assert found.enrol_min is not None
    assert (genuine < found.enrol_min).sum() == 10


def test_what_one_in_a_hundred_is_is_not_said_by_fewer_than_a_hundred() -> None:
    scores, same, family = pairs()
    assert (margin_of(np.ones(99)), margin_of(np.ones(100))) == (None, 1.0)
    few = np.flatnonzero(same)[99:]
    keep = np.setdiff1d(np.arange(len(same)), few)
    found = calibrate(scores[keep], same[keep], family[keep], 0.05, np.ones(99))
    assert (found.enrol_min, found.delta) == (None, None)
    whole = calibrate(scores, same, family, 0.05, np.ones(100))
    assert whole.enrol_min is not None
    assert whole.delta == 1.0


def test_an_enrolment_never_needs_less_than_the_least_agreement() -> None:
    scores, same, family = pairs()
    scores[same] -= 0.9
    assert calibrate(scores, same, family, 0.05).enrol_min == ENROL_MIN


def test_a_threshold_is_met_by_the_score_that_equals_it() -> None:
    assert decide(0.4, FULL).accept
    assert not decide(np.nextafter(0.4, 0), FULL).accept


def test_a_rule_that_could_not_act_or_a_score_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="without a twin"):
        decide(0.5, FULL, twin_score=0.1)
    with pytest.raises(ValueError, match="finite"):
        decide(float("nan"), FULL)
    with pytest.raises(ValueError, match="twin threshold"):
        Calibration(at(0.4), delta=0.1)


def pairs(twins: bool = True) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    own = np.repeat(np.arange(40), 5)[:, None].repeat(2, 1)
    strangers = generator.permuted(np.tile(np.arange(40), (400, 1)), axis=1)[:, :2]
    parts = [(0.8, True, own), (0.1, False, strangers), *([(0.6, False, own)] if twins else [])]
    scores = np.concatenate([generator.normal(mean, 0.1, len(family)) for mean, _, family in parts])
    return scores, np.concatenate([[kind] * len(family) for _, kind, family in parts]), np.concatenate([family for *_, family in parts])


def test_each_threshold_lets_in_no_more_than_the_rate_of_its_own_impostors() -> None:
    scores, same, family = pairs()
    found = calibrate(scores, same, family, 0.05, np.linspace(-0.01, 0.5, 200))
    within = family[:, 0] == family[:, 1]
    assert found.twin is not None
    assert (scores[~same & ~within] >= found.general.value).mean() <= 0.05
    assert (scores[~same & within] >= found.twin.value).mean() <= 0.05
    assert found.twin.value > found.general.value
    assert found.general.low <= 0.05
    assert (found.general.impostors, found.twin.impostors, found.twin.families) == (400, 200, 40)
    assert calibrate(scores, same, family, 0.05).delta is None


def test_pairs_that_cannot_support_a_rate_calibrate_nothing() -> None:
    with pytest.raises(UserError, match=r"general pairs: FAR 0.001 needs >= 1000 impostors; there are 400"):
        calibrate(*pairs(), 0.001)
    with pytest.raises(UserError, match=r"twin pairs: FAR 0.004 needs >= 250"):
        calibrate(*pairs(), 0.004)
    assert calibrate(*pairs(twins=False), 0.05).twin is None
    with pytest.raises(UserError, match="no pair of twins"):
        calibrate(*pairs(twins=False), 0.05, np.ones(3))


def test_a_threshold_that_nobody_could_reach_is_refused() -> None:
    scores, same, family = pairs()
    scores[np.flatnonzero(~same & (family[:, 0] != family[:, 1]))[:30]] = 2.0
    with pytest.raises(UserError, match=r"general pairs: 30 impostors tie at the highest score, 2.0000.*copies.*correct the list"):
        calibrate(scores, same, family, 0.05)
    assert calibrate(scores, same, family, 0.1).general.value < 2


def test_the_margin_costs_one_genuine_image_in_a_hundred_and_is_never_negative() -> None:
    gaps = np.arange(1, 201) / 200
    margin = margin_of(gaps)
    assert margin is not None
    assert (gaps < margin).mean() == 0.01
    assert margin_of(gaps - 2) == 0
    for none in ([], [0.1, np.nan]):
        with pytest.raises(UserError, match="gaps to the twin"):
            margin_of(np.array(none))
