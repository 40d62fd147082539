"""Intervals that hold for polyps never seen, refusals that name the number, and the file that they are kept in."""

import json
from pathlib import Path

import numpy as np
import pytest

from apps.base.errors import UserError
from apps.hag.calibration_file import CalibrationFile, Spread
from apps.hag.conformal import Residuals, fewest, half_width, offset_for, probability, residuals_of, summary
from apps.hag.metrics import Answers, polyps_of


def answers(polyps: int, frames: int = 1, seed: int = 0, between: float = 0.3, within: float = 0.2) -> Answers:
    generator = np.random.default_rng(seed)
    mm = generator.choice([2.0, 3.0, 5.0, 7.0, 10.0, 15.0], polyps)
    polyp = np.repeat(np.arange(polyps), frames)
    off = between * generator.standard_normal(polyps)[polyp] + within * generator.standard_normal(len(polyp))
    return Answers(polyp, mm[polyp], mm[polyp] * np.exp(off))


def test_nineteen_polyps_are_needed_for_95_percent_and_fewer_are_refused_with_both_numbers() -> None:
    assert [fewest(level) for level in (0.5, 0.8, 0.9, 0.95, 0.99)] == [1, 4, 9, 19, 99]
    found = residuals_of(answers(19))
    assert half_width(found, 0.95) == found.magnitude.max()
    with pytest.raises(UserError, match=r"needs 19 polyps or more of exactly known size; there are 18; .*--level 0.94"):
        half_width(residuals_of(answers(18)), 0.95)
    assert half_width(residuals_of(answers(18)), 0.94) > 0
    with pytest.raises(UserError, match="there are 3"):
        half_width(residuals_of(answers(3, frames=400)), 0.95)  # many frames are not many polyps


@pytest.mark.parametrize("polyps", [19, 25, 40, 99])
def test_the_width_is_the_rank_that_a_new_polyp_would_have_among_all(polyps: int) -> None:
    off = np.arange(1, polyps + 1) / 100
    found = residuals_of(Answers(np.arange(polyps), np.full(polyps, 5.0), 5.0 * np.exp(off)))
    for level in (0.5, 0.8, 0.95):
        assert half_width(found, level) == pytest.approx(off[int(np.ceil(level * (polyps + 1) - 1e-9)) - 1])


@pytest.mark.parametrize("frames", [1, 6])
def test_a_new_polyp_is_inside_as_often_as_the_level_says(frames: int) -> None:
    for level in (0.8, 0.95):
        inside = []
        for seed in range(300):
            both = answers(41, frames, seed)
            known, new = both.of(both.polyp < 40), both.of(both.polyp == 40)
            q = half_width(residuals_of(known), level)
            inside.append(abs(np.log(new.true[0] / new.mm[0])) <= q)
        assert np.mean(inside) > level - 3 * np.sqrt(level * (1 - level) / 300)


def test_polyps_weigh_alike_however_many_frames_they_have() -> None:
    given = answers(30, frames=4)
    longer = given.of(np.concatenate([np.arange(len(given)), np.tile(np.flatnonzero(given.polyp == 3), 50)]))
    for level in (0.5, 0.9):
        assert half_width(residuals_of(longer), level) == half_width(residuals_of(given), level)


def test_censored_polyps_and_frames_without_an_answer_are_left_out_and_counted() -> None:
    given = Answers(np.arange(4), [5, 15, 6, np.nan], [5, 12, np.nan, 5], [False, True, False, False])
    found = residuals_of(given)
    assert found[2:] == (1, 1, 1)
    assert found.value_N.tolist() == [0.0]
    with pytest.raises(UserError, match="answers no mm"):
        residuals_of(Answers([1], [5], None, p_gt5=np.array([0.5]), p_ge10=np.array([0.1])))


def test_a_probability_is_the_share_of_residuals_that_reach_the_border() -> None:
    known = np.log([0.5, 0.8, 1.0, 1.25, 2.0])
    assert probability(np.array([10.0]), known, 10.0).tolist() == [3.5 / 6]
    assert probability(np.array([4.0, 5.0, 100.0, np.nan]), known, 10.0) == pytest.approx([0.5 / 6, 1.5 / 6, 5.5 / 6, np.nan], nan_ok=True)
    mm = np.geomspace(0.5, 50, 200)
    low, high = Spread(0.5, tuple(known)).shares(mm)
    assert (np.diff(low) >= 0).all()
    assert (np.diff(high) >= 0).all()
    assert (low >= high).all()
    assert ((high > 0) & (low < 1)).all()


def test_a_long_distribution_is_kept_short_and_keeps_its_shape() -> None:
    value = np.sort(np.random.default_rng(0).normal(size=5000))
    short = np.array(summary(Residuals(value, np.full(5000, 1 / 5000), 5000, 0, 0)))
    assert len(short) == 199
    for share in (0.05, 0.5, 0.95):
        assert np.quantile(short, share) == pytest.approx(np.quantile(value, share), abs=0.03)
    few = residuals_of(answers(25))
    assert summary(few) == few.value_N.tolist()


# --- from where on a polyp is called large ---------------------------------------------------------------------------


def test_the_offset_finds_as_many_as_asked_here_and_among_new_ones() -> None:
    found = []
    for seed in range(200):
        both = answers(240, seed=seed)
        known, new = both.of(both.polyp < 120), both.of(both.polyp >= 120)
        offset = offset_for(known, 0.9)
        assert offset.sensitivity >= 0.9
        assert offset.delta is not None
        found.append((new.mm[new.true >= 10] >= 10 - offset.delta).mean())
    assert np.mean(found) > 0.9 - 0.01


def test_an_offset_never_raises_the_clinical_border() -> None:
    mm = np.linspace(11, 20, 40)
    offset = offset_for(Answers(np.arange(40), mm, mm * 2), 0.9)
    assert (offset.delta, offset.sensitivity, offset.specificity) == (0.0, 1.0, None)


def test_a_sensitivity_that_the_polyps_do_not_support_is_refused_with_the_number() -> None:
    few = Answers(np.arange(30), np.where(np.arange(30) < 18, 12.0, 4.0), np.full(30, 8.0))
    with pytest.raises(UserError, match="needs 19 polyps or more of 10 mm and above; there are 18"):
        offset_for(few, 0.95)
    lost = Answers(np.arange(30), np.full(30, 12.0), np.where(np.arange(30) < 9, np.nan, 12.0))
    with pytest.raises(UserError, match="9 of 30 large polyps have no answer"):
        offset_for(lost, 0.9)


def test_heads_without_mm_get_a_threshold_on_their_probability() -> None:
    p = np.linspace(0.05, 0.95, 60)
    given = Answers(np.arange(60), np.where(np.arange(60) >= 20, 12.0, 4.0), None, None, p, p * 0.9)
    offset = offset_for(given, 0.9)
    assert offset.delta is None
    assert 0 < offset.tau < 0.5
    file = CalibrationFile("m", 0.95, 60, None, None, offset)
    assert [file.decision(None, value) for value in (offset.tau, offset.tau - 1e-6, None, float("nan"))] == [
        "large",
        "not large",
        None,
        None,
    ]


# --- the file --------------------------------------------------------------------------------------------------------


def made() -> CalibrationFile:
    given = answers(60, frames=3)
    whole = polyps_of(given)
    levels = [residuals_of(each) for each in (given, whole)]
    frame, polyp = (Spread(half_width(each, 0.95), tuple(summary(each))) for each in levels)
    return CalibrationFile("abc", 0.95, 60, frame, polyp, offset_for(whole, 0.8), {"frames": 180})


def test_a_file_gives_back_what_was_written(tmp_path: Path) -> None:
    file = made()
    file.save(tmp_path / "c.json")
    assert CalibrationFile.load(tmp_path / "c.json", "abc") == file


def test_broken_files_and_those_of_another_model_are_one_line(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    with pytest.raises(UserError, match="no such calibration"):
        CalibrationFile.load(path, "abc")
    made().save(path)
    with pytest.raises(UserError, match="is of model abc, this program of xyz"):
        CalibrationFile.load(path, "xyz")
    good = json.loads(path.read_text())
    for change, words in (
        ({"schema": "other"}, "not a calibration of this version"),
        ({"level": "high"}, "'high' is no number"),
        ({"polyp": {"width": -1, "residuals": [0.0]}}, "0 or more"),
        ({"polyp": {"width": 1, "residuals": []}}, "a width and residuals"),
        ({"offset": {**good["offset"], "tau": 0.5}}, "either delta or tau"),
    ):
        path.write_text(json.dumps({**good, **change}))
        with pytest.raises(UserError, match=words):
            CalibrationFile.load(path, "abc")
    for text in ("", "{", "[1]", "null"):
        path.write_text(text)
        with pytest.raises(UserError, match="calibrate anew"):
            CalibrationFile.load(path, "abc")
