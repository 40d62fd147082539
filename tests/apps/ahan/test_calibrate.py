"""calibrate: thresholds from pairs, refused where the pairs cannot support them."""

import json
import stat
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from apps.ahan.calibration_file import CalibrationFile
from apps.ahan.decision import decide
from apps.ahan.faces import Face
from apps.ahan.faces import options as framing
from apps.ahan.gallery import TemplateMismatch
from apps.ahan.identification import Searcher, far_of, identify
from apps.ahan.judged import gaps_to_twin
from apps.base import trust
from apps.base.errors import UserError
from datamodules.ahan.template import TEMPLATE_52
from datamodules.ahan.trials import open_trials
from datamodules.errors import DataError
from datamodules.whole import sha256
from tests.apps.ahan.test_gallery import filled
from tests.apps.ahan.tiny_files import calibration, embed_file, made_by, write_table
from tests.system.command import Here, Said


@pytest.fixture
def ask(here: Here) -> Any:
    trust.add(sha256(embed_file()))
    write_table(Path.cwd() / "faces")

    def call(*words: Any) -> Said:
        return here("ahan", "calibrate", "faces", "--model", embed_file(), *words)

    return call


def test_thresholds_of_strangers_and_twins_and_the_margin_lie_with_the_gallery(ask: Any) -> None:
    said = ask("--far", 0.05, "--fpir", 0.2, "--n", 3)
    assert said.returncode == 0, said.stderr
    file = Path("gallery/calibration.json")
    assert (stat.S_IMODE(file.stat().st_mode), stat.S_IMODE(file.parent.stat().st_mode)) == (0o600, 0o700)
    assert [path.name for path in file.parent.iterdir()] == [file.name]  # whether templates will be sealed is not decided yet
    made = CalibrationFile.load(file, *made_by())
    assert made.calibration.twin is not None
    assert (made.calibration.delta, made.calibration.enrol_min) == (None, None)
    assert "margin to the twin: not known: 48 images of people with twins, 100 are needed" in said.stderr
    assert "enroll: how alike images of one person are is not known: 48 genuine pairs, 100 are needed; 0.2 stands" in said.stderr
    assert made.identify is not None
    assert (made.identify.people, made.identify.fpir) == (3, 0.2)
    assert made.about["pairs"]["genuine"] == 12 * 4
    assert made.about["pairs"]["twin"] == 6 * 8
    assert set(made.llr) == set(made.far_at) == {"general", "twin"}
    assert made.far_at["general"](made.calibration.general.value) <= 0.05
    answer = json.loads(said.stdout)
    assert answer["calibration"]["general"]["far"] == 0.05
    assert answer["calibration"]["general"]["low"] <= answer["calibration"]["general"]["high"]
    assert decide(1.1, made.calibration).accept
    assert "95 % of draws of 6 families" in said.stderr


def test_what_the_pairs_cannot_support_is_refused_and_nothing_is_written(ask: Any) -> None:
    for words, part in (
        (("--far", 1e-5), "general pairs: FAR 1e-05 needs >= 100000 impostors"),
        (("--far", 0.01), "twin pairs: FAR 0.01 needs >= 100 impostors; there are 48"),
        (("--far", 0.05, "--fpir", 0.001, "--n", 100), "--fpir 0.001 --n 100"),
        (("--far", 0.05, "--fpir", 0.1), "belong together"),
        (("--far", 0), "no rate"),
        (("--far", 0.05, "--twin-far", 0.1, "--no-twins"), "one of the two"),
        (("--far", 0.05, "--split", "train"), "no genuine pair"),
        (("--far", 0.05, "--folds", "1"), "folds"),
        (("--far", 0.05, "-o", "none/c.json"), "-o none/c.json"),
        (("--far", 0.05, "--seed", -1), "is no seed"),
    ):
        said = ask(*words)
        assert (said.returncode, said.stdout) == (2, ""), said.stderr
        assert part in said.line
    assert not Path("gallery").exists()


def test_other_kin_set_no_threshold(ask: Any) -> None:
    ask("--far", 0.05, "-o", "twins.json")
    table = Path("faces/faces.csv")
    table.write_text(table.read_text().replace(",0,MZ,", ",0,sibling,"))
    said = ask("--far", 0.05, "-o", "c.json")
    assert "8 pairs of other kin are left out" in said.stderr
    before, made = (CalibrationFile.load(Path(name), *made_by()) for name in ("twins.json", "c.json"))
    assert made.calibration.general == before.calibration.general
    assert (before.about["pairs"]["twin"], made.about["pairs"]["twin"]) == (48, 40)
    table.write_text(table.read_text().replace(",MZ,", ",DZ,"))
    ask("--far", 0.05, "-o", "c.json")
    made = CalibrationFile.load(Path("c.json"), *made_by())
    assert (made.calibration.twin, made.calibration.delta) == (None, None)


def test_twins_may_have_another_rate_or_stay_unknown(ask: Any) -> None:
    assert ask("--far", 0.01, "--twin-far", 0.1, "-o", "c.json", "--llr", "pav").returncode == 0
    made = CalibrationFile.load(Path("c.json"), *made_by())
    assert made.calibration.twin is not None
    assert (made.calibration.general.far, made.calibration.twin.far) == (0.01, 0.1)
    said = ask("--far", 0.01, "--no-twins", "-o", "c.json")
    assert "twin: error unknown" in said.stderr
    made = CalibrationFile.load(Path("c.json"), *made_by())
    assert (made.calibration.twin, made.calibration.delta, set(made.llr)) == (None, None, {"general"})
    assert not Path("gallery").exists()


def test_every_image_without_a_face_is_counted_and_its_pairs_are_left_out(ask: Any) -> None:
    cv2.imwrite("faces/face-0a-0.png", np.zeros((64, 64, 3), np.uint8))
    Path("faces/face-1a-0.png").write_bytes(b"\x89PNG broken")
    said = ask("--far", 0.05, "-o", "c.json")
    assert said.returncode == 0, said.stderr
    about = json.loads(said.stdout)["about"]
    assert about["failed"] == {"dark": 1, "unreadable": 1}
    assert about["pairs"]["genuine"] == 12 * 4 - 2 * 2
    assert "2 of 48 images have no usable face" in said.stderr


class SomeEyes:
    """Finds a face everywhere, and its eyes unless the first pixel is blue."""

    name = "eyes"

    def detect(self, image: np.ndarray) -> list[Face]:
        box = (0.0, 0.0, float(image.shape[1]), float(image.shape[0]))
        blue = image[0, 0, 2] == 255 and image[0, 0, 0] == 0
        return [Face(box, 1.0, None if blue else eyes_of(image.shape[0]))]


def eyes_of(side: int) -> np.ndarray | None:
    return ((TEMPLATE_52[:2] + 0.5) * side / 112 - 0.5).astype(np.float64)


def test_faces_without_eyes_are_behind_no_threshold_and_no_margin_of_twins(ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(framing, "get_detector", lambda name, **more: SomeEyes())
    words = ("--far", 0.1, "--limit", "small=1", "--limit", "clipped=1", "-o", "c.json")
    coarse = sorted(Path("faces").glob("face-*-3.png"))
    for file in coarse:
        image = cv2.imread(str(file))
        image[0, 0] = (255, 0, 0)
        cv2.imwrite(str(file), image)
    said = ask(*words)
    assert said.returncode == 0, said.stderr
    assert "12 of 48 images are coarse" in said.stderr
    with_coarse = CalibrationFile.load(Path("c.json"), *made_by())
    for file in coarse:
        file.write_bytes(b"\x89PNG broken")
    assert ask(*words).returncode == 0
    without = CalibrationFile.load(Path("c.json"), *made_by())
    assert with_coarse.calibration.general != without.calibration.general
    assert with_coarse.calibration.twin == without.calibration.twin
    assert with_coarse.calibration.delta == without.calibration.delta
    assert with_coarse.llr["twin"] == without.llr["twin"]
    assert with_coarse.far_at["twin"] == without.far_at["twin"]
    assert with_coarse.about["pairs"]["twin"] == without.about["pairs"]["twin"] == 6 * 4


def test_where_no_face_shows_eyes_the_error_of_twins_is_unknown(ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(framing, "get_detector", lambda name, **more: SomeEyes())
    monkeypatch.setattr(sys.modules[__name__], "eyes_of", lambda side: None)
    said = ask("--far", 0.05, "--limit", "small=1", "--limit", "clipped=1", "-o", "c.json")
    assert (said.returncode, "twin: error unknown" in said.stderr) == (0, True)
    assert CalibrationFile.load(Path("c.json"), *made_by()).calibration.twin is None


def test_points_that_are_no_faces_are_a_failure_of_the_image(ask: Any) -> None:
    points = "eye_left_x,eye_left_y,eye_right_x,eye_right_y,nose_x,nose_y,mouth_left_x,mouth_left_y,mouth_right_x,mouth_right_y"
    table = Path("faces/faces.csv")
    head, first, *rows = table.read_text().splitlines()
    table.write_text("\n".join([f"{head},{points}", f"{first},23,52,40,52,32,40,22,29,42,29", *(row + "," * 10 for row in rows)]) + "\n")
    assert json.loads(ask("--far", 0.05, "-o", "c.json").stdout)["about"]["failed"] == {"bad_landmarks": 1}


def test_a_list_of_pairs_with_relations_has_twins_too(here: Here, ask: Any) -> None:
    faces = [f"face-{family}{letter}-{number}.png" for family in range(6) for letter in "ab" for number in range(2)]
    lines = ["image1,image2,same,relation"]
    lines += [f"{faces[i]},{faces[i + 1]},1," for i in range(0, len(faces), 2)]
    lines += [f"{faces[i]},{faces[i + 2]},0,MZ" for i in range(0, len(faces), 4)]
    lines += [f"{faces[i]},{faces[(i + 4) % len(faces)]},0," for i in range(len(faces))]
    Path("faces/faces.csv").unlink()
    Path("faces/pairs.csv").write_text("\n".join(lines) + "\n")
    trials = open_trials("faces", 64, "val")
    assert sorted(set(trials.pairs.kind)) == ["general", "genuine", "twin"]
    family = trials.numbers[:, 1]
    twin = trials.pairs.kind == "twin"
    assert (family[trials.pairs.first[twin]] == family[trials.pairs.second[twin]]).all()
    strangers = trials.pairs.kind == "general"
    assert (family[trials.pairs.first[strangers]] != family[trials.pairs.second[strangers]]).all()
    assert ask("--far", 0.2, "-o", "c.json").returncode == 0


def test_pairs_without_strangers_are_refused_in_one_line(ask: Any) -> None:
    Path("faces/faces.csv").unlink()
    faces = [f"face-0{letter}-{number}.png" for letter in "ab" for number in range(4)]
    lines = [f"{faces[i]},{faces[j]},{int(i // 4 == j // 4)},{'MZ' if i // 4 != j // 4 else ''}" for i in range(8) for j in range(i)]
    Path("faces/pairs.csv").write_text("\n".join(["image1,image2,same,relation", *lines]) + "\n")
    said = ask("--far", 0.2, "-o", "c.json")
    assert (said.returncode, said.stdout) == (2, "")
    assert "no pair of strangers" in said.line


def test_copies_of_an_image_that_are_said_to_be_two_people_calibrate_nothing(ask: Any) -> None:
    Path("faces/faces.csv").unlink()
    lines = ["image1,image2,same"]
    for at in range(6):
        Path(f"faces/copy-{at}.png").write_bytes(Path(f"faces/face-{at}a-0.png").read_bytes())
        lines += [f"face-{at}a-0.png,copy-{at}.png,0", f"face-{at}b-0.png,face-{at}b-1.png,1"]
    Path("faces/pairs.csv").write_text("\n".join(lines) + "\n")
    for words in (("--far", 0.2), ("--far", 0.9, "--fpir", 0.2, "--n", 1)):
        said = ask(*words, "-o", "c.json")
        assert (said.returncode, said.stdout, Path("c.json").exists()) == (2, "", False)
        assert "copies of an image" in said.line


def test_a_set_with_mistakes_is_refused_by_name(ask: Any) -> None:
    with Path("faces/faces.csv").open("a") as file:
        file.write("none.png,x,x,none,0,val,day\n")
    with pytest.raises(DataError, match=r"none\.png"):
        open_trials("faces", 64, "val")
    assert "none.png" in ask("--far", 0.1).line


def test_the_margin_is_how_much_nearer_people_are_to_themselves() -> None:
    vectors = np.eye(4)[[0, 0, 1, 1, 2, 3]]
    numbers = np.array([[0, 0, 0, 0], [0, 0, 1, 1], [1, 0, 0, 2], [1, 0, 1, 3], [2, 1, 0, 4], [3, 2, 0, 5]])
    np.testing.assert_allclose(gaps_to_twin(vectors, numbers), 1)
    vectors[0] = np.nan
    assert len(gaps_to_twin(vectors, numbers)) == 2  # of the first person one image is left, which is no template for itself


def test_ones_own_template_is_of_other_images_and_of_other_visits() -> None:
    vectors = np.eye(4)[[0, 0, 1, 2, 3]]  # two images of one visit that are alike, one of another visit that is not, and the twin
    numbers = np.array([[0, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 2], [1, 0, 0, 3], [1, 0, 1, 4]])
    np.testing.assert_allclose(gaps_to_twin(vectors, numbers), 0)
    unknown = numbers.copy()
    unknown[:, 2] = -1
    np.testing.assert_allclose(gaps_to_twin(vectors[2:], unknown[2:]), 0)


# --- the file --------------------------------------------------------------------------------------------------------


def test_a_calibration_is_of_its_model_and_of_whole_numbers(tmp_path: Path) -> None:
    file, (model, aligner) = tmp_path / "c.json", made_by()
    calibration().save(file)
    assert CalibrationFile.load(file, model, aligner) == calibration()
    with pytest.raises(TemplateMismatch, match="calibrate anew"):
        CalibrationFile.load(file, "b" * 64, aligner)
    with pytest.raises(TemplateMismatch, match="calibrate anew"):
        CalibrationFile.load(file, model, "other")
    whole = json.loads(file.read_text())
    before = {**whole, "calibration": {name: part for name, part in whole["calibration"].items() if name != "enrol_min"}}
    file.write_text(json.dumps({name: part for name, part in before.items() if name != "far_at"}))
    assert CalibrationFile.load(file, model, aligner) == calibration()  # a file from before these were kept
    general = whole["calibration"]["general"]
    lame: list[Any] = [
        {**whole, "schema": "other"},
        {**whole, "calibration": {**whole["calibration"], "general": None}},
        {**whole, "calibration": {**whole["calibration"], "general": {**general, "value": "0.5"}}},
        {**whole, "calibration": {**whole["calibration"], "general": {**general, "value": None}}},
        {**whole, "calibration": {**whole["calibration"], "twin": None}},
        {**whole, "calibration": {**whole["calibration"], "delta": -1}},
        {**whole, "calibration": {**whole["calibration"], "enrol_min": "0.5"}},
        {**whole, "far_at": {"general": {"score": [1, 0], "far": [1, 0.5]}}},
        {**whole, "identify": {"value": 1}},
        {**whole, "llr": {"general": {"kind": "pav", "score": [0, 1], "llr": [1, 0]}}},
        {name: value for name, value in whole.items() if name != "llr"},
        [],
    ]
    for found in lame:
        file.write_text(json.dumps(found))
        with pytest.raises(UserError, match="calibrate anew"):
            CalibrationFile.load(file, model, aligner)


# --- one of many -----------------------------------------------------------------------------------------------------


def test_so_many_comparisons_take_a_stranger_in_as_often_as_it_says() -> None:
    for fpir, people in ((0.1, 10), (0.01, 1000), (0.5, 1)):
        assert 1 - (1 - far_of(fpir, people)) ** people == pytest.approx(fpir)


def test_a_gallery_larger_than_calibrated_for_gets_no_decision() -> None:
    searcher = Searcher(filled("ann", "bea"))
    query = searcher.vectors_NE[0]
    (hits,) = searcher.search(query[None], 5)
    assert [hit.id for hit in hits] == ["ann", "bea"]
    found = identify(searcher, query, hits, calibration(identify=0.5))
    assert (found.who, found.decided) == ("ann", True)
    rule = calibration(identify=0.5)
    object.__setattr__(rule.identify, "people", 1)
    assert not identify(searcher, query, hits, rule).decided
    assert "calibrated for 1 people, there are 2" in identify(searcher, query, hits, rule).reason
    assert identify(searcher, query, [], calibration()).who is None
