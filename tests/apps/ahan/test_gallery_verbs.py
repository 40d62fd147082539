"""compare, enroll, twins, verify, identify, forget and gallery, asked with an exported file in this process."""

import base64
import json
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from apps.ahan.enrolment import Agreement
from apps.ahan.faces import Face
from apps.ahan.faces import options as framing
from apps.ahan.far_curve import FarCurve
from apps.ahan.gallery import GalleryFolder, People
from apps.ahan.gallery import seal as seal_module
from apps.ahan.verbs import enroll as enroll_module
from apps.base import trust
from datamodules.whole import sha256
from tests.apps.ahan.tiny_files import calibration, embed_file, write_faces, write_table
from tests.system.command import Here, Said

ACCEPT, REJECT, NO_FACE, NO_DECISION = 0, 3, 4, 5


class World:
    """The command, a model, faces, and a gallery of ann and bea, who are twins by birth and not yet by declaration."""

    def __init__(self, here: Here) -> None:
        self.here = here
        self.common = ["--model", str(embed_file()), "--detector", "none"]

    def said(self, *words: Any) -> Said:
        asks = words[0] in ("compare", "enroll", "verify", "identify", "explain")
        return self.here("ahan", words[0], *(self.common if asks else []), *words[1:])

    def __call__(self, *words: Any, code: int = 0) -> dict[str, Any]:
        said = self.said(*words)
        assert said.returncode == code, said.stderr + said.stdout
        return json.loads(said.stdout)

    def refused(self, *words: Any) -> str:
        said = self.said(*words)
        assert (said.returncode, said.stdout) == (2, ""), said.stderr + said.stdout
        return said.line

    def calibrate(self, **more: Any) -> None:
        calibration(**more).save(Path("gallery/calibration.json"))

    def run_out(self, who: str, day: str) -> None:
        """As if the day had come."""

        def later(people: People) -> People:
            return replace(people, entries=tuple(replace(each, expires=day) if each.id == who else each for each in people.entries))

        GalleryFolder(Path("gallery")).change(later, print)

    def people(self) -> Any:
        return GalleryFolder(Path("gallery")).read()


@pytest.fixture
def world(here: Here, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(seal_module, "COST", {"n": 1 << 4, "r": 8, "p": 1})
    trust.add(sha256(embed_file()))
    write_faces(Path.cwd() / "faces")
    return World(here)


@pytest.fixture
def enrolled(world: World) -> World:
    for who, face in (("ann", "0a"), ("bea", "0b"), ("cat", "1a")):
        world("enroll", who, f"faces/face-{face}-0.png", f"faces/face-{face}-1.png", "--consent", f"form of {who}", "--enrol-min", -1)
    return world


# --- compare ---------------------------------------------------------------------------------------------------------


def test_two_images_have_a_score_by_region_and_no_decision_until_it_is_calibrated(world: World) -> None:
    answer = world("compare", "faces/face-0a-0.png", "faces/face-0a-0.png", code=NO_DECISION)
    assert answer["score"] == pytest.approx(1, abs=1e-6)
    assert answer["regions"] == pytest.approx(dict.fromkeys(("eyes", "nose", "mouth", "jaw"), 1), abs=1e-6)
    assert (answer["decision"], answer["far"]) == (None, None)
    assert "uncalibrated" in answer["reason"]
    assert {"schema", "model", "aligner", "detector"} <= set(answer)


def test_the_calibrated_threshold_decides_and_twins_have_their_own(world: World) -> None:
    pair = ("faces/face-0a-0.png", "faces/face-0b-0.png")
    calibration(general=-1, twin=0.9999999).save(Path("c.json"))
    yes = world("compare", *pair, "--calibration", "c.json", code=ACCEPT)
    no = world("compare", *pair, "--calibration", "c.json", "--twins", code=REJECT)
    assert (yes["decision"], yes["rule"], no["decision"], no["far"]) == ("accept", "general", "reject", 0.01)
    assert (no["rule"], "enrolled" in no["reason"]) == ("twin, no gallery", False)
    assert no["far_at_score"] is None
    calibration(twin=None, delta=None).save(Path("c.json"))
    assert "twin error unknown" in world("compare", *pair, "--calibration", "c.json", "--twins", code=NO_DECISION)["reason"]


def test_a_calibration_of_faces_framed_otherwise_is_told(world: World) -> None:
    made = calibration()
    made.about["detector"] = "haar"
    made.save(Path("c.json"))
    said = world.said("compare", "faces/face-0a-0.png", "faces/face-0a-1.png", "--calibration", "c.json")
    assert (said.returncode, "calibrated on faces by haar, these are by none" in said.stderr) == (ACCEPT, True)


def test_an_image_without_a_usable_face_is_an_answer_of_its_own(world: World) -> None:
    for value, reason in ((0, "dark"), (128, "flat"), (255, "bright")):
        cv2.imwrite("blank.png", np.full((64, 64, 3), value, np.uint8))
        answer = world("compare", "faces/face-0a-0.png", "blank.png", code=NO_FACE)
        assert (answer["score"], answer["b"]["failure"]) == (None, reason)
    Path("text.png").write_text("no picture")
    text = world("compare", "text.png", "faces/face-0a-0.png", code=NO_FACE)["a"]
    assert (text["failure"], text["quality"]["detail"].partition(":")[0]) == ("unreadable", "text.png")
    assert "No such file" in world.refused("compare", "none.png", "faces/face-0a-0.png")


def test_the_score_says_how_many_impostors_reach_it(world: World) -> None:
    made = replace(calibration(general=0.5), far_at={"general": FarCurve((-1.0, 0.2, 0.9), (1.0, 0.1, 0.001))})
    made.save(Path("c.json"))
    face = "faces/face-0a-0.png"
    assert world("compare", face, face, "--calibration", "c.json")["far_at_score"] == 0.001
    assert world("compare", face, face, code=NO_DECISION)["far_at_score"] is None


def test_the_galleries_calibration_of_another_model_costs_the_decision_and_not_the_score(enrolled: World) -> None:
    enrolled.calibrate()
    trust.add(sha256(embed_file(1)))
    face, other = "faces/face-0a-0.png", ("--model", embed_file(1))
    answer = enrolled("compare", face, face, *other, code=NO_DECISION)
    assert (answer["decision"], "calibrate anew" in answer["reason"]) == (None, True)
    calibrated = calibration()
    replace(calibrated, model="b" * 64).save(Path("gallery/calibration.json"))
    for words in (("verify", "ann"), ("identify",)):
        told = enrolled(*words, face, code=NO_DECISION)
        assert (told["decision"], "calibrate anew" in told["reason"]) == (None, True)
        assert "calibrate anew" in enrolled.refused(*words, face, "--calibration", "gallery/calibration.json")
    calibrated.save(Path("gallery/calibration.json"))
    drawn = enrolled("explain", face, face, *other, "--out", "why.png")
    assert (drawn["decision"], "calibrate anew" in drawn["reason"]) == (None, True)


def test_two_images_can_be_asked_with_the_calibration_of_any_gallery(enrolled: World) -> None:
    enrolled.calibrate()
    Path("gallery").rename("elsewhere")
    pair = ["faces/face-0a-0.png"] * 2
    for verb, words in (("compare", ()), ("explain", ("--out", "why.png"))):
        assert enrolled(verb, *pair, *words, "--gallery", "elsewhere")["decision"] == "accept"
        Path("elsewhere").chmod(0o755)
        assert "--insecure-permissions" in enrolled.refused(verb, *pair, *words, "--gallery", "elsewhere")
        assert enrolled(verb, *pair, *words, "--gallery", "elsewhere", "--insecure-permissions")["decision"] == "accept"
        Path("elsewhere").chmod(0o700)


# --- faces without eyes, and other detectors -------------------------------------------------------------------------


class Boxes:
    """Finds a face everywhere, and no eyes."""

    name = "boxes"

    def detect(self, image: np.ndarray) -> list[Face]:
        return [Face((0.0, 0.0, float(image.shape[1]), float(image.shape[0])), 1.0)]


@pytest.fixture
def boxes(monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """Words that find faces so."""
    found = framing.get_detector
    monkeypatch.setattr(framing, "get_detector", lambda name, **more: Boxes() if name == "haar" else found(name, **more))
    return ("--detector", "haar", "--limit", "small=1", "--limit", "clipped=1")


def test_a_face_without_eyes_is_told_and_nothing_is_decided_about_twins(enrolled: World, boxes: tuple[str, ...]) -> None:
    enrolled.calibrate()
    face = "faces/face-0a-0.png"
    said = enrolled.said("compare", face, face, *boxes)
    assert (said.returncode, said.stderr.count("no pair of eyes")) == (ACCEPT, 2)
    assert "coarse" in json.loads(said.stdout)["a"]["quality"]["warnings"][-1]
    assert "coarse" in enrolled("compare", face, face, "--twins", *boxes, code=NO_DECISION)["reason"]
    assert enrolled("verify", "ann", face, *boxes)["rule"] == "general"
    enrolled("twins", "ann", "bea")
    assert "coarse" in enrolled("verify", "ann", face, *boxes, code=NO_DECISION)["reason"]
    assert "coarse" in enrolled("identify", face, *boxes, code=NO_DECISION)["reason"]
    enrolled("enroll", "ann", face, "--consent", "x", "--replace", *boxes)
    assert "coarse" in enrolled("verify", "ann", face, code=NO_DECISION)["reason"]
    findings = [json.loads(line) for line in enrolled.said("gallery", "audit").stdout.splitlines()]
    assert ["ann"] in [found["who"] for found in findings if found["what"] == "coarse"]


def test_every_verb_tells_faces_by_another_detector(enrolled: World, boxes: tuple[str, ...]) -> None:
    made = calibration()
    made.about["detector"] = "none"
    made.save(Path("gallery/calibration.json"))
    face = "faces/face-0a-0.png"
    for words in (("explain", face, face, "--out", "why.png"), ("enroll", "dan", face, "--consent", "x")):
        assert "calibrated on faces by none, these are by boxes" in enrolled.said(*words, *boxes).stderr
    assert "'ann' was enrolled from faces by none, these are by boxes" in enrolled.said("verify", "ann", face, *boxes).stderr
    write_table(Path("set"))
    given = ("--model", embed_file(), "--calibration", "gallery/calibration.json", "--split", "val", "--draws", 20)
    said = enrolled.here("ahan", "evaluate", "set", *given, "-o", "report", *boxes)
    told = "calibrated on faces by none, these are by boxes"
    assert (said.returncode, told in said.stderr, told in Path("report/report.html").read_text()) == (0, True, True)
    assert "some were enrolled from faces by none" in enrolled.said("identify", face, *boxes).stderr


# --- enroll ----------------------------------------------------------------------------------------------------------


def test_a_template_is_the_mean_of_the_images_and_no_image_is_kept(enrolled: World) -> None:
    people = enrolled.people()
    assert [entry.id for entry in people.entries] == ["ann", "bea", "cat"]
    assert people.entries[0].images == 2
    assert (people.entries[0].consent, people.pictures) == ("form of ann", {})
    assert stat.S_IMODE(Path("gallery").stat().st_mode) == 0o700
    one, other = (enrolled("compare", f"faces/face-0a-{i}.png", "faces/face-3a-0.png", code=NO_DECISION)["score"] for i in (0, 1))
    enrolled.calibrate()
    mean = enrolled("verify", "ann", "faces/face-3a-0.png")["score"]
    pair = enrolled("compare", "faces/face-0a-0.png", "faces/face-0a-1.png")["score"]
    assert mean == pytest.approx((one + other) / np.sqrt(2 + 2 * pair), abs=1e-5)


def test_consent_is_needed_and_a_name_is_enrolled_once_unless_it_is_replaced(enrolled: World) -> None:
    face = "faces/face-0a-2.png"
    assert "--consent" in enrolled.refused("enroll", "dan", face)
    assert "consent is a note" in enrolled.refused("enroll", "dan", face, "--consent", " ")
    assert "--replace" in enrolled.refused("enroll", "ann", face, "--consent", "x")
    enrolled("twins", "ann", "bea")
    enrolled("enroll", "ann", face, "--consent", "new", "--replace")
    people = enrolled.people()
    assert [entry.id for entry in people.entries] == ["ann", "bea", "cat"]
    assert (people.entries[0].consent, people.entries[0].images, people.twins("ann").enrolled) == ("new", 1, ("bea",))


def test_how_alike_images_of_one_person_are_is_calibrated_and_not_the_threshold(enrolled: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enroll_module, "agreement", lambda vectors: Agreement(0.5, 0, 0.5))
    enroll = ("enroll", "dan", "faces/face-2a-0.png", "faces/face-2a-1.png", "--consent", "x", "--replace")
    made = calibration(general=0.9999999)
    replace(made, calibration=replace(made.calibration, enrol_min=0.4)).save(Path("gallery/calibration.json"))
    assert enrolled(*enroll)["enrolled"]
    replace(made, calibration=replace(made.calibration, enrol_min=0.6)).save(Path("gallery/calibration.json"))
    assert "not one person?" in enrolled(*enroll, code=NO_FACE)["reason"]


def test_a_calibration_of_before_with_a_lower_agreement_opens_no_door(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enroll_module, "agreement", lambda vectors: Agreement(0.1, 0, 0.1))
    made = calibration()
    replace(made, calibration=replace(made.calibration, enrol_min=-0.1)).save(Path("c.json"))
    words = ("enroll", "dan", "faces/face-2a-0.png", "faces/face-2a-1.png", "--consent", "x")
    assert "0.200 is needed" in world(*words, "--calibration", "c.json", code=NO_FACE)["reason"]
    assert world(*words, "--calibration", "c.json", "--enrol-min", 0.1)["enrolled"]


def test_images_that_do_not_look_like_one_person_are_refused(world: World) -> None:
    images = ["faces/face-0a-0.png", "faces/face-0a-1.png", "faces/face-4b-0.png"]
    answer = world("enroll", "ann", *images, "--consent", "x", "--enrol-min", 1, code=NO_FACE)
    assert (answer["enrolled"], answer["reason"].startswith("not one person?")) == (False, True)
    assert answer["agreement"]["least_like"] in images
    assert not Path("gallery").exists()
    assert "no cosine" in world.refused("enroll", "ann", *images, "--consent", "x", "--enrol-min", 2)


def test_an_image_without_a_face_is_left_out_and_if_none_is_left_nobody_is_enrolled(world: World) -> None:
    cv2.imwrite("blank.png", np.zeros((64, 64, 3), np.uint8))
    said = world.said("enroll", "ann", "faces/face-0a-0.png", "blank.png", "--consent", "x")
    assert said.returncode == 1
    assert "blank.png: dark" in said.stderr
    assert world.people().entries[0].images == 1
    assert world("enroll", "bea", "blank.png", "--consent", "x", code=NO_FACE)["reason"] == "no usable face"
    forced = world("enroll", "dan", "blank.png", "--consent", "x", "--force")
    assert forced["enrolled"]
    assert world.people().entries[1].forced == ("dark",)


def test_who_looks_like_somebody_enrolled_is_told_unless_they_are_declared_twins(enrolled: World) -> None:
    enrolled.calibrate(general=0.9999)
    twin = ("enroll", "dan", "faces/face-0a-0.png", "faces/face-0a-1.png", "--consent", "x", "--enrol-min", -1, "--replace")
    said = enrolled.said(*twin)
    assert "looks like 'ann'" in said.stderr
    assert json.loads(said.stdout)["alike"][0]["id"] == "ann"
    enrolled("twins", "ann", "dan")
    assert json.loads(enrolled.said(*twin).stdout)["alike"] == []


def test_images_of_one_day_are_told(world: World) -> None:
    exif = b"Exif\0\0II*\0" + b"\0" * 30 + b"2026:11:02 10:00:00\0"
    for number in (0, 1):
        data = cv2.imencode(".jpg", cv2.imread(f"faces/face-0a-{number}.png"))[1].tobytes()
        segment = b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif
        Path(f"{number}.jpg").write_bytes(data[:2] + segment + data[2:])
    said = world.said("enroll", "ann", "0.jpg", "1.jpg", "--consent", "x", "--enrol-min", -1)
    assert said.returncode == 0
    assert "taken on 2026-11-02" in said.stderr
    assert world.people().entries[0].captured == ("2026-11-02", "2026-11-02")


def test_pictures_are_kept_when_asked_and_go_with_the_person(world: World) -> None:
    world("enroll", "ann", "faces/face-0a-0.png", "--consent", "x", "--keep-images")
    (picture,) = world.people().pictures["ann"]
    np.testing.assert_array_equal(cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR), cv2.imread("faces/face-0a-0.png"))
    world("gallery", "export", "-o", "all.json")
    (found,) = json.loads(Path("all.json").read_text())["people"]
    assert [base64.b64decode(file) for file in found["png"]] == [picture]
    assert any("1 picture" in words for words in world("forget", "ann")["searched"])


# --- verify ----------------------------------------------------------------------------------------------------------


def test_nobody_is_accepted_before_calibration(enrolled: World) -> None:
    answer = enrolled("verify", "ann", "faces/face-0a-0.png", code=NO_DECISION)
    assert (answer["decision"], answer["far"], answer["threshold"]) == (None, None, None)
    assert enrolled("identify", "faces/face-0a-0.png", code=NO_DECISION)["decision"] is None


def test_a_declared_twin_must_be_further_away_than_the_person(enrolled: World) -> None:
    enrolled.calibrate()
    for face in ("0a", "0b"):
        assert enrolled("verify", "ann", f"faces/face-{face}-0.png")["rule"] == "general"
    enrolled("twins", "ann", "bea")
    own = enrolled("verify", "ann", "faces/face-0a-0.png", code=ACCEPT)
    twins = enrolled("verify", "ann", "faces/face-0b-0.png", code=REJECT)
    assert own["rule"] == twins["rule"] == "twin"
    assert own["score"] > own["twin_score"]
    assert twins["score"] < twins["twin_score"]
    enrolled("forget", "bea")
    alone = enrolled("verify", "ann", "faces/face-0b-0.png")
    assert (alone["rule"], alone["twins_not_enrolled"]) == ("twin, not enrolled", 1)
    assert "not enrolled" in alone["reason"]
    enrolled.calibrate(twin=None, delta=None)
    assert "twin error unknown" in enrolled("verify", "ann", "faces/face-0a-0.png", code=NO_DECISION)["reason"]


def test_a_mistyped_twin_is_taken_back_also_after_it_was_forgotten(enrolled: World) -> None:
    enrolled.calibrate()
    enrolled("twins", "ann", "bea")
    assert enrolled("twins", "--undo", "bea", "ann")["undone"]
    assert not enrolled.people().twins("ann")
    enrolled("twins", "ann", "bae")
    enrolled("forget", "bae")
    enrolled("enroll", "ann", "faces/face-0a-2.png", "--consent", "new", "--replace")
    assert enrolled.people().twins("ann").absent == 1
    enrolled("twins", "--undo", "ann", "bae")
    assert enrolled("verify", "ann", "faces/face-0a-0.png")["rule"] == "general"
    for pair in (("ann", "bae"), ("ann", "cat"), ("x", "y")):
        assert "not declared twins" in enrolled.refused("twins", "--undo", *pair)


def test_quietly_no_score_is_told(enrolled: World) -> None:
    enrolled.calibrate()
    for words in (("verify", "ann", "faces/face-0a-0.png"), ("identify", "faces/face-0a-0.png"), ("compare", *["faces/face-0a-0.png"] * 2)):
        assert set(enrolled(*words, "--quiet")) == {"schema", "decision"}


def test_consent_that_ran_out_is_honoured_and_said(enrolled: World) -> None:
    enrolled.calibrate()
    enrolled("enroll", "dan", "faces/face-2a-0.png", "--consent", "x", "--expires", "2999-01-01")
    enrolled.run_out("dan", "2001-01-01")
    assert "ran out on 2001-01-01" in enrolled.refused("verify", "dan", "faces/face-2a-0.png")
    said = enrolled.said("identify", "faces/face-2a-0.png", "--top", 9)
    assert "1 of 4 people are left out" in said.stderr
    assert "dan" not in said.stdout
    enrolled("twins", "dan", "ann")
    assert enrolled("verify", "ann", "faces/face-0a-0.png")["rule"] == "twin, not enrolled"
    assert "dan" in enrolled.said("gallery", "audit").stdout
    assert enrolled("forget", "--expired")["forgotten"] == ["dan"]
    assert enrolled("forget", "--expired")["forgotten"] == []


def test_another_model_is_refused(enrolled: World) -> None:
    trust.add(sha256(embed_file(1)))
    for words in (("verify", "ann"), ("identify",), ("enroll", "dan", "--consent", "x")):
        line = enrolled.refused(*words, "faces/face-0a-0.png", "--model", embed_file(1))
        assert "enrol anew" in line
    calibration().save(Path("c.json"))
    face = "faces/face-0a-0.png"
    assert "calibrate anew" in enrolled.refused("compare", face, face, "--model", embed_file(1), "--calibration", "c.json")


def test_what_verifying_does_not_stop_is_said_where_it_is_asked(here: Here) -> None:
    for verb in ("verify", "identify"):
        text = " ".join(here("ahan", verb, "--help").stdout.split())
        assert "stops no presentation attack" in text
        assert "biometric personal data" in text


# --- identify --------------------------------------------------------------------------------------------------------


def test_the_nearest_has_a_name_above_the_threshold_and_is_unknown_below(enrolled: World) -> None:
    enrolled.calibrate()
    answer = enrolled("identify", "faces/face-1a-0.png", "--top", 2)
    assert (answer["decision"], answer["ranked"][0]["id"], len(answer["ranked"])) == ("cat", "cat", 2)
    enrolled.calibrate(identify=0.99999999)
    assert enrolled("identify", "faces/face-5a-0.png", code=REJECT)["decision"] == "unknown"


def test_twins_in_the_gallery_are_told_apart_by_their_rule(enrolled: World) -> None:
    enrolled("twins", "ann", "bea")
    enrolled.calibrate(delta=2.0)
    answer = enrolled("identify", "faces/face-0a-0.png", code=REJECT)
    assert answer["decision"] == "unknown"
    assert "a twin" in answer["reason"]
    enrolled.calibrate()
    assert enrolled("identify", "faces/face-0a-0.png")["decision"] == "ann"


# --- the life of a gallery -------------------------------------------------------------------------------------------


def test_a_gallery_is_listed_shown_and_exported(enrolled: World) -> None:
    enrolled("twins", "ann", "bea")
    text = enrolled.said("gallery", "list").stdout.splitlines()
    assert [line.split()[0] for line in text] == ["id", "ann", "bea", "cat"]
    entry = enrolled("gallery", "show", "ann")
    assert (entry["consent"], entry["twins"], entry["images"]) == ("form of ann", ["bea"], 2)
    assert "template" not in entry
    enrolled("gallery", "export", "ann", "-o", "ann.json")
    found = json.loads(Path("ann.json").read_text())
    np.testing.assert_allclose(found["people"][0]["template"], enrolled.people().vectors[0], atol=1e-7)
    assert stat.S_IMODE(Path("ann.json").stat().st_mode) == 0o600
    assert "nobody is enrolled as" in enrolled.refused("gallery", "show", "zoe")


def test_a_gallery_is_sealed_from_its_first_template_and_resealed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", "one word")
    monkeypatch.setenv("OTHER", "another")
    sealed = ("--key", "env:KEY")
    world("enroll", "annabel", "faces/face-0a-0.png", "--consent", "x", *sealed)
    assert b"annabel" not in Path("gallery/templates.safetensors").read_bytes()
    for words in (("gallery", "list"), ("forget", "annabel"), ("verify", "annabel", "faces/face-0a-0.png")):
        assert "--key" in world.refused(*words)
        assert "another key" in world.refused(*words, "--key", "env:OTHER")
    assert world("gallery", "reseal", *sealed, "--new-key", "env:OTHER")["sealed"]
    assert world("gallery", "show", "annabel", "--key", "env:OTHER")["id"] == "annabel"
    assert not world("gallery", "reseal", "--open", "--key", "env:OTHER")["sealed"]
    assert "not sealed" in world.refused("gallery", "list", *sealed)
    assert "one of the two" in world.refused("gallery", "reseal")


def test_an_audit_names_what_is_wrong(enrolled: World) -> None:
    assert enrolled.said("gallery", "audit").returncode == 0
    enrolled.calibrate(general=-1)
    enrolled("twins", "ann", "bea")
    enrolled("twins", "cat", "nobody")
    said = enrolled.said("gallery", "audit")
    findings = [json.loads(line) for line in said.stdout.splitlines()]
    assert said.returncode == 1
    assert {tuple(found["who"]) for found in findings if found["what"] == "alike"} == {("ann", "cat"), ("bea", "cat")}
    assert [found["who"] for found in findings if found["what"] == "twin_alone"] == [["cat"]]


def test_who_was_forgotten_is_not_verified_any_more(enrolled: World) -> None:
    answer = enrolled("forget", "ann", "bea")
    assert (answer["forgotten"], answer["people"], answer["named_by"]) == (["ann", "bea"], 1, [])
    assert not [path for path in Path("gallery").iterdir() if b'"ann"' in path.read_bytes()]
    assert "nobody is enrolled as 'ann'" in enrolled.refused("verify", "ann", "faces/face-0a-0.png")
    assert "nothing was forgotten" in enrolled.refused("forget", "cat", "zoe")
    assert "needs an ID" in enrolled.refused("forget")
    assert "cat" in enrolled.people()


def test_a_gallery_that_others_can_read_is_refused(enrolled: World) -> None:
    Path("gallery").chmod(0o755)
    for words in (("gallery", "list"), ("verify", "ann", "faces/face-0a-0.png"), ("forget", "ann")):
        assert "chmod 700" in enrolled.refused(*words)
    assert enrolled.said("gallery", "list", "--insecure-permissions").returncode == 0


def test_what_cannot_be_asked_is_one_line(enrolled: World) -> None:
    face = "faces/face-0a-0.png"
    for words, part in (
        (("verify", "ann"), "IMG"),
        (("verify", "zoe", face), "nobody is enrolled"),
        (("verify", "ann", face, "--gallery", "none"), "no such folder"),
        (("verify", "ann", face, "--calibration", "none.json"), "no such calibration"),
        (("verify", "ann", face, "--calibration", face), "not a readable calibration"),
        (("verify", "ann", face, "--model", face), "no exported program"),
        (("twins", "ann", "ann"), "named twice"),
        (("twins", "x", "y"), "neither"),
        (("enroll", " ", face, "--consent", "x"), "an ID is"),
        (("enroll", "dan", face, "--consent", "x", "--expires", "soon"), "no day"),
        (("enroll", "dan", face, "--consent", "x", "--expires", "2001-01-01"), "that day is past"),
        (("identify", face, "--top", "0"), "not a count"),
        (("identify", face, "--batch", "2"), "--batch"),
        (("verify", "ann", face, "--batch", "2"), "--batch"),
        (("compare", face, face, "--largest"), "leave it out"),
    ):
        assert part in enrolled.refused(*words)
    Path("gallery/calibration.json").write_text("{}")
    Path("gallery/calibration.json").chmod(0o600)
    assert "calibrate anew" in enrolled.refused("verify", "ann", face)
