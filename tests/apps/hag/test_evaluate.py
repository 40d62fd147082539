"""calibrate and evaluate: on polyps that were not trained on, beside what needs no picture, refused where they are too few."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from apps.base import trust
from apps.hag.calibration_file import CalibrationFile, Spread
from apps.hag.conformal import Offset
from apps.hag.evaluation import coverage, decided, differences, rows_of
from apps.hag.evaluation_page import evaluation_page
from apps.hag.floors import FLOORS, fit_floors
from apps.hag.metrics import Answers, polyps_of
from datamodules.whole import sha256
from tests.apps.hag.test_conformal import answers
from tests.apps.hag.tiny_files import size_file, write_set
from tests.system.command import Here, Said

DRAWS = ("--draws", 30)


@pytest.fixture
def ask(here: Here) -> Callable[..., Said]:
    for kind in ("both", "regress", "classes3"):
        trust.add(sha256(size_file(kind)))
    write_set(Path("set"))

    def call(verb: str, *words: Any, kind: str = "both") -> Said:
        return here("hag", verb, *words, "--model", size_file(kind))

    return call


# --- floors ----------------------------------------------------------------------------------------------------------


def boxes(apparent: np.ndarray, seed: int = 0) -> np.ndarray:
    corner = np.random.default_rng(seed).uniform(0.1, 0.3, (len(apparent), 2))
    return np.column_stack([corner, corner + apparent[:, None]])


def test_the_constant_is_the_median_of_polyps_and_not_of_frames() -> None:
    polyp = np.array([0] * 50 + [1, 2])
    mm = np.array([15.0] * 50 + [3.0, 5.0])
    assert fit_floors(polyp, mm, boxes(np.full(52, 0.2))).constant == 5.0


def test_apparent_size_is_a_line_that_finds_a_power_law_again() -> None:
    apparent = np.random.default_rng(1).uniform(0.05, 0.5, 80)
    mm = 20 * apparent**0.7
    floors = fit_floors(np.arange(80), mm, boxes(apparent))
    rows = floors.rows(Answers(np.arange(80), mm, mm), boxes(apparent, 2))
    assert tuple(rows) == FLOORS
    assert rows["apparent size"].mm == pytest.approx(mm)
    assert np.corrcoef(rows["box only"].mm, mm)[0, 1] > 0.95


def test_floors_that_read_boxes_are_left_out_where_there_is_none() -> None:
    whole = np.tile([0.0, 0.0, 1.0, 1.0], (9, 1))
    mm = np.arange(1.0, 10.0)
    given = Answers(np.arange(9), mm, mm)
    some = boxes(np.linspace(0.1, 0.4, 9))
    assert tuple(fit_floors(np.arange(9), mm, whole).rows(given, some)) == FLOORS[:1]
    assert tuple(fit_floors(np.arange(9), mm, some).rows(given, whole)) == FLOORS[:1]
    with pytest.raises(ValueError, match="nothing to stand on"):
        fit_floors(np.arange(9), np.full(9, np.nan), some)


# --- what is told ----------------------------------------------------------------------------------------------------


def file(width: float, offset: Offset | None = None) -> CalibrationFile:
    spread = Spread(width, (-0.1, 0.0, 0.1))
    return CalibrationFile("m", 0.9, 40, spread, spread, offset)


def test_coverage_counts_polyps_of_exact_size_and_one_without_an_answer_is_outside() -> None:
    polyps = Answers(np.arange(4), [5, 5, 15, 5], [5.2, np.nan, 9, 20], [False, False, True, False])
    found = coverage(polyps, file(0.1), 20, 0)
    assert found is not None
    assert (found["inside"], found["polyps"], found["interval"]) == (1, 3, None)
    assert coverage(Answers([1], [15], [15], [True]), file(0.1), 20, 0) is None


def test_the_decision_is_judged_on_polyps_whose_side_is_known() -> None:
    polyps = Answers(np.arange(5), [12, 12, 6, 6, 8], [9, 7, 9, 3, 12], [False, True, False, False, True])
    found = decided(polyps, file(0.1, Offset(0.9, 2.0, None, 1.0, 0.5, 20, 20)))
    assert found is not None
    assert (found["sensitivity"], found["sensitivity_polyps"]) == (0.5, 2)
    assert (found["specificity"], found["specificity_polyps"]) == (0.5, 2)
    assert decided(polyps, file(0.1)) is None


def test_a_page_says_what_is_missing_and_shows_no_floor_that_is_not_there() -> None:
    given = answers(12, frames=3)
    rows = rows_of(given, polyps_of(given), {}, 20, 0)
    told = {
        "data": "<set>", "model": "abc", "split": "all", "seed": 0, "draws": 20, "notes": ["by <patient>"], "statuses": {"ok": 36},
        "rows": {name: {level: table.plain() for level, table in row.items()} for name, row in rows.items()},
        "differences": differences(given, {}, 20, 0), "coverage": None, "decision": None,
    }  # fmt: skip
    page = evaluation_page(told, {})
    assert "No rows stand beside" in page
    assert "No calibration was given" in page
    assert "&lt;set&gt;" in page
    assert "by &lt;patient&gt;" in page
    assert page.count("no medical device") == 1


# --- calibrate -------------------------------------------------------------------------------------------------------


def test_what_calibrate_writes_holds_on_the_polyps_that_it_saw(ask: Any) -> None:
    said = ask("calibrate", "set", "--level", 0.9, "-o", "c.json", kind="regress")
    assert said.returncode == 0, said.stderr
    told = json.loads(said.stdout)
    assert (told["polyps"], told["level"], told["about"]["frames"]) == (32, 0.9, 64)
    assert "90 % interval" in said.stderr
    assert said.stderr.count("no medical device") == 1
    said = ask("evaluate", "set", "--split", "val", "-o", "report", "--calibration", "c.json", *DRAWS, kind="regress")
    assert said.returncode == 0, said.stderr
    report = json.loads(Path("report/report.json").read_text())
    assert report["coverage"]["share"] >= 0.9
    assert report["coverage"]["polyps"] == 32
    assert report["decision"] is None


def test_a_sensitivity_is_reached_or_refused_with_the_number(ask: Any) -> None:
    said = ask("calibrate", "set", "--level", 0.5, "--sensitivity", 0.99)
    assert said.returncode == 2
    assert "needs 99 polyps or more of 10 mm and above" in said.line
    said = ask("calibrate", "set", "--level", 0.5, "--sensitivity", 0.6)
    assert said.returncode == 0, said.stderr
    assert json.loads(Path("hag-calibration.json").read_text())["offset"]["sensitivity"] >= 0.6
    said = ask("calibrate", "set", "--sensitivity", 0.6, kind="classes3")
    assert said.returncode == 0, said.stderr
    assert json.loads(said.stdout)["offset"]["tau"] > 0


# --- evaluate --------------------------------------------------------------------------------------------------------


def test_a_report_stands_beside_what_needs_no_picture(ask: Any) -> None:
    said = ask("evaluate", "set", "-o", "report", *DRAWS)
    assert said.returncode == 0, said.stderr
    report = json.loads(Path("report/report.json").read_text())
    assert tuple(report["rows"]) == ("this model", *FLOORS)
    assert tuple(report["differences"]) == FLOORS
    for row in report["rows"].values():
        assert (row["polyp"]["polyps"], row["frame"]["frames"]) == (16, 32)
        low, high = row["polyp"]["intervals"]["mae"]
        assert low <= row["polyp"]["values"]["mae"] <= high
    brief = json.loads(said.stdout)
    assert brief["polyp"]["mae"] == report["rows"]["this model"]["polyp"]["values"]["mae"]
    assert {path.name for path in Path("report").iterdir()} == {
        "report.html", "report.json", "scatter.png", "agreement.png", "calibration.png", "confusion_frame.png", "confusion_polyp.png",
    }  # fmt: skip
    page = Path("report/report.html").read_text()
    assert page.count("<img") == 5
    assert "frame-1" not in page  # nobody is named
    assert page.count("no medical device") == 1


def test_two_models_are_compared_on_the_same_frames_and_draws(ask: Any) -> None:
    other = size_file("both", 1)
    trust.add(sha256(other))
    assert ask("evaluate", "set", "-o", "report", "--against", size_file("both"), *DRAWS).returncode == 0
    report = json.loads(Path("report/report.json").read_text())
    mae = report["differences"]["other model"]["polyp"]["mae"]
    assert (mae["value"], mae["interval"]) == (0, [0, 0])  # a model less itself
    said = ask("evaluate", "set", "-o", "report", "--against", other, *DRAWS)
    assert said.returncode == 0, said.stderr
    report = json.loads(Path("report/report.json").read_text())
    ours, theirs = (report["rows"][name]["polyp"]["values"]["mae"] for name in ("this model", "other model"))
    assert report["differences"]["other model"]["polyp"]["mae"]["value"] == pytest.approx(ours - theirs)
    assert "and less another model" in Path("report/report.html").read_text()
    held = size_file(learned={**learned(), "held": {"val": "x", "test": "x"}})
    trust.add(sha256(held))
    assert "learned from frames" in ask("evaluate", "set", "-o", "report", "--against", held, *DRAWS).line


def test_heads_for_classes_alone_have_no_millimetres_in_their_report(ask: Any) -> None:
    said = ask("evaluate", "set", "-o", "report", *DRAWS, kind="classes3")
    assert said.returncode == 0, said.stderr
    report = json.loads(Path("report/report.json").read_text())
    assert "mae" not in report["rows"]["this model"]["polyp"]["values"]
    assert report["rows"]["constant"]["polyp"]["values"]["mae"] > 0
    assert report["differences"] == {}
    assert not Path("report/scatter.png").exists()


def test_a_set_that_nobody_trained_on_is_taken_whole_and_without_floors(ask: Any) -> None:
    said = ask("evaluate", "set", "--split", "all", "-o", "report", *DRAWS)
    assert said.returncode == 0, said.stderr
    report = json.loads(Path("report/report.json").read_text())
    assert tuple(report["rows"]) == ("this model",)
    assert report["rows"]["this model"]["polyp"]["polyps"] == 64


def learned(**options: Any) -> dict[str, Any]:
    from datamodules.hag.datamodule import Polyps

    return Polyps("set", size=48, **options).learned()


def test_polyps_that_the_model_learned_from_are_not_judged_in_silence(ask: Any, here: Here) -> None:
    lines = Path("set/frames.csv").read_text().splitlines()
    folds = [line.rpartition(",")[0] + f",{int(line.split(',')[1][1:]) % 4}" for line in lines[1:]]
    Path("set/frames.csv").write_text("\n".join([lines[0].rpartition(",")[0] + ",fold", *folds]))
    model = size_file(learned=learned(fold=1))
    trust.add(sha256(model))

    def call(verb: str, *words: Any) -> Said:
        return here("hag", verb, "set", *words, "--model", model, *(("-o", "report", *DRAWS) if verb == "evaluate" else ("--level", 0.5)))

    assert call("evaluate").returncode == 0
    report = json.loads(Path("report/report.json").read_text())
    assert "split as in the model's training: --protocol auto --fold 1" in report["notes"]
    assert call("evaluate", "--fold", 1).returncode == 0
    for verb in ("evaluate", "calibrate"):
        said = call(verb, "--fold", 2)
        assert said.returncode == 2
        assert "take --protocol auto --fold 1" in said.line
    assert call("evaluate", "--split", "all").returncode == 0
    report = json.loads(Path("report/report.json").read_text())
    assert "the set that the model learned from" in " ".join(report["notes"])
    assert "learned from" in call("calibrate", "--split", "all").line
    assert ask("evaluate", "set", "--fold", 2, "-o", "report", *DRAWS).returncode == 0  # a file of before this was told
    assert "does not say which frames it learned from" in Path("report/report.html").read_text()


def test_made_frames_are_those_that_the_model_learned_from(here: Here) -> None:
    made = {"train": 5, "val": 20, "test": 3, "frames": 2, "cue": "none", "label_noise": 0.0, "pictures_seed": 3}
    model = size_file(sight={"depth": "relative"}, learned={"made": made})
    trust.add(sha256(model))
    said = here("hag", "evaluate", "embedded", "-o", "report", "--model", model, *DRAWS)
    assert said.returncode == 0, said.stderr
    assert json.loads(Path("report/report.json").read_text())["rows"]["this model"]["polyp"]["polyps"] == 3
    assert "take val or test" in here("hag", "calibrate", "embedded", "--split", "all", "--model", model).line


@pytest.mark.parametrize("depth", ["metric", "relative"])
def test_planes_are_given_as_they_were_learned(depth: str) -> None:
    from apps.hag.learned import made_as

    data, _ = made_as({"sight": {"depth": depth}, "learned": {"made": {"train": 1, "val": 1, "test": 1}}}, 48, ["depth"])
    planes = data.frames("test").planes(0, ("depth",), (48, 48))
    assert (planes.min() == 0) == (depth == "relative")


def test_broken_frames_are_refused_or_left_out_with_their_count_and_dark_ones_count_as_wrong(ask: Any) -> None:
    cv2.imwrite("set/frame-127.png", np.zeros((48, 48, 3), np.uint8))
    data = Path("set/frame-126.png").read_bytes()
    Path("set/frame-126.png").write_bytes(data[: len(data) // 2])
    said = ask("evaluate", "set", "-o", "report", *DRAWS)
    assert said.returncode == 2
    assert "set/frame-126.png: PNG cut short" in said.line
    said = ask("evaluate", "set", "-o", "report", "--skip-broken", "--show-frames", *DRAWS)
    assert said.returncode == 0, said.stderr
    report = json.loads(Path("report/report.json").read_text())
    assert report["statuses"] == {"ok": 30, "dark": 1}
    assert report["rows"]["this model"]["frame"]["missing"] == 1
    assert report["rows"]["this model"]["polyp"]["missing"] == 1  # it had no other frame
    assert "1" in " ".join(report["notes"])
    assert Path("report/worst.png").exists()


def test_mistakes_are_one_line_and_exit_2(ask: Any) -> None:
    Path("taken").touch()
    lines = Path("set/frames.csv").read_text().splitlines()
    Path("other").mkdir()
    for name in Path("set").glob("*.png"):
        Path("other", name.name).symlink_to(name.absolute())
    Path("other/frames.csv").write_text("\n".join(line.replace(",test", ",train") if "," in line else line for line in lines))
    for words, part in (
        (("evaluate", "set", "-o", "taken"), "is a file"),
        (("evaluate", "set"), "-o"),
        (("evaluate", "nowhere", "-o", "r"), "nowhere"),
        (("evaluate", "embedded", "-o", "r", "--fold", 1), "--fold is of a set on disk"),
        (("evaluate", "other", "-o", "r"), "no frames in the split test"),
        (("evaluate", "set", "-o", "r", "--root", "REAL"), "NAME=DIR"),
        (("evaluate", "set", "-o", "r", "--draws", 0), "not a count"),
        (("calibrate", "set", "--split", "train"), "trained on these polyps"),
        (("calibrate", "set", "--level", 1.5), "no probability"),
        (("calibrate", "set", "--level", 0.99), "needs 99 polyps or more of exactly known size; there are 32"),
        (("calibrate", "set", "-o", "no/where/c.json"), "no file in an existing folder"),
    ):
        said = ask(*words)
        assert (said.returncode, said.stdout) == (2, ""), words
        assert part in said.line, words
    said = ask("calibrate", "set", kind="classes3")
    assert "--sensitivity" in said.line
