"""From slides to answers, end to end on made slides."""

import json
import re
import shutil
from hashlib import sha256

import numpy as np
import pytest

pytest.importorskip("openslide", reason="needs pip install 'discern[slides]'")

from apps.mil.maps import diagnosis
from datamodules.mil.synth_slides import MadeSlide, make_slide, write_slide
from tests.apps.mil.bag_files import ENCODING, retold
from tests.datamodules.mil.slides_here import small


@pytest.fixture(scope="module")
def wsi(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wsi")
    for i in range(2):
        small(folder / f"made_{i}.svs", seed=i, side=768, tumour=bool(i))
    return folder


@pytest.fixture
def call(here, bag_file):
    def run(*words, model=None, encoder="stats", trust=True):
        more = ["--trust"] if trust else []
        return here("mil", "diagnose", *words, "--encoder", encoder, "--model", model or bag_file, "--jobs", 1, *more)

    return run


def rows(said):
    return {row["slide"]: row for row in map(json.loads, said.stdout.splitlines())}


def test_every_slide_gets_an_answer_with_maps_and_reports_and_all_say_what_they_are_not(call, wsi, tmp_path):
    said = call(wsi)
    assert said.returncode == 0, said.stderr
    answers = rows(said)
    assert {name: row["decision"] for name, row in answers.items()} == {"made_0": "normal", "made_1": "tumour"}
    assert all(row["threshold"] == 0.4 and "no medical device" in row["notice"] for row in answers.values())
    assert "no medical device" in said.stderr
    out = tmp_path / "diagnosis"
    for name, row in answers.items():
        answer = json.loads((out / name / "answer.json").read_text())
        assert answer["probs"] == row["probs"]
        assert answer["compared"] == ["encoder_sha256", "dim", "mpp_target", "tile_px"]
        assert all((out / name / file).exists() for file in answer["files"].values())
        assert (out / name / "pyramid/0/0_0.jpg").exists()
    pages = [*out.rglob("*.html"), *out.glob("*/answer.json"), out / "report.json"]
    assert len([page for page in pages if "work" not in page.parts]) == 8
    for page in pages:
        text = page.read_text()
        assert "work" in page.parts or "no medical device" in text
        assert str(tmp_path) not in text  # pages travel; folders are nobody's business
        assert not re.search(r"(src|href)=.?https?:", text)


@pytest.mark.usefixtures("unseen")
def test_what_is_done_is_left_alone_and_what_is_lost_is_made_again(call, wsi, tmp_path):
    one = wsi / "made_1.svs"
    before = rows(call(one))["made_1"]
    page = tmp_path / "diagnosis/made_1/zoom.html"
    kept = page.stat().st_mtime_ns
    after = rows(call(one))["made_1"]
    assert (before["fresh"], after["fresh"]) == (True, False)
    assert page.stat().st_mtime_ns == kept
    assert before["probs"] == after["probs"]
    page.unlink()
    assert rows(call(one))["made_1"]["fresh"]
    assert page.exists()
    assert rows(call(one, "--class", "normal"))["made_1"]["fresh"]


@pytest.mark.usefixtures("unseen")
def test_a_killed_diagnosis_goes_on_and_ends_in_the_same_files(here, bag_file, wsi, tmp_path, monkeypatch):
    words = ("mil", "diagnose", wsi / "made_1.svs", "--encoder", "stats", "--model", bag_file, "--jobs", 1, "--trust")
    here(*words, "--out", "whole")
    with monkeypatch.context() as patch:
        patch.setattr(diagnosis, "slide_page", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        assert here(*words, "--out", "killed").returncode == 130
    assert not (tmp_path / "killed/made_1/answer.json").exists()
    assert here(*words, "--out", "killed").returncode == 0

    def files(folder):
        return {path.relative_to(folder): path.read_bytes() for path in (folder / "made_1").rglob("*") if path.is_file()}

    assert files(tmp_path / "killed") == files(tmp_path / "whole")


@pytest.mark.usefixtures("unseen")
def test_contours_drawn_by_a_person_are_used(call, wsi, tmp_path):
    one = wsi / "made_1.svs"
    whole = json.loads((_made(call(one), tmp_path)).read_text())
    contours = tmp_path / "diagnosis/work/contours_geojson/made_1.geojson"
    found = json.loads(contours.read_text())
    ring = [[400, 200], [700, 200], [700, 600], [400, 600], [400, 200]]
    found["features"] = [found["features"][0] | {"geometry": {"type": "Polygon", "coordinates": [ring]}}]
    contours.write_text(json.dumps(found))
    edited = json.loads((_made(call(one), tmp_path)).read_text())
    assert edited["edited"]
    assert edited["tiles"] < whole["tiles"]
    assert "drawn by a person" in (tmp_path / "diagnosis/made_1/report.html").read_text()


def _made(said, folder):
    assert said.returncode == 0, said.stderr
    return folder / "diagnosis/made_1/answer.json"


@pytest.mark.usefixtures("unseen")
def test_bad_slides_are_skipped_with_their_reason(call, wsi, tmp_path):
    folder = tmp_path / "bad"
    folder.mkdir()
    shutil.copy(wsi / "made_1.svs", folder)
    (folder / "broken.svs").write_bytes(b"hello")
    (folder / "empty.svs").write_bytes(b"")
    small(folder / "nowhere.svs", seed=7, side=512, resolution=False)
    glass = make_slide(512, 512, seed=8)
    blank = np.full_like(glass.picture, 244)
    write_slide(folder / "white.svs", MadeSlide(blank, glass.tissue, glass.tumour, glass.pen, glass.lumen, 0.5))
    (folder / "again").mkdir()
    shutil.copy(wsi / "made_1.svs", folder / "again")
    said = call(folder)
    assert said.returncode == 1
    found = rows(said)
    reasons = {"broken": "SlideUnreadable", "empty": "SlideUnreadable", "nowhere": "--mpp-csv", "white": "NoTissue"}
    for name, reason in reasons.items():
        assert reason in found[name]["error"]
        assert f"{name}: " in said.stderr
    assert found["made_1"]["decision"] == "tumour"
    assert "second slide of this name" in said.stderr
    page = (tmp_path / "diagnosis/report.html").read_text()
    assert page.index("broken") < page.index("made_1/report.html")
    report = json.loads((tmp_path / "diagnosis/report.json").read_text())
    assert {entry["slide"] for entry in report["failed"]} == {*reasons, "made_1"}
    assert [entry["slide"] for entry in report["slides"]] == ["made_1"]


@pytest.mark.usefixtures("unseen")
def test_label_and_macro_images_are_never_decoded(call, wsi, monkeypatch):
    import openslide

    assert set(openslide.OpenSlide(str(wsi / "made_1.svs")).associated_images) >= {"label", "macro"}

    def refuse(*_):
        raise AssertionError("a label was asked for")

    monkeypatch.setattr(openslide.AbstractSlide, "associated_images", property(refuse), raising=False)
    monkeypatch.setattr(openslide.OpenSlide, "associated_images", property(refuse))
    assert call(wsi / "made_1.svs").returncode == 0


@pytest.fixture(scope="module")
def other_files(bag_file, tmp_path_factory):
    """Models that were trained on something else, or do not say on what."""
    home = tmp_path_factory.mktemp("others")
    return {
        "encoder": retold(bag_file, home / "encoder.ts", ENCODING | {"encoder_sha256": "b" * 64, "encoder": "uni"}),
        "silent": retold(bag_file, home / "silent.ts", None),
    }


@pytest.mark.usefixtures("unseen")
def test_what_does_not_belong_together_is_refused_before_a_slide_is_opened(call, wsi, other_files, tmp_path, monkeypatch):
    monkeypatch.setattr("datamodules.mil.slides.discover.open_slide", lambda _: pytest.fail("a slide was opened"))
    import torch

    class Means(torch.nn.Module):
        def forward(self, x):
            return x.mean((2, 3))

    torch.jit.save(torch.jit.trace(Means(), torch.zeros(1, 3, 64, 64)), str(tmp_path / "means.ts"))
    one = wsi / "made_1.svs"
    for said, words in (
        (call(one, model=other_files["encoder"]), "the encoder's weights"),
        (call(one, encoder="means.ts"), "the number of features: 48 and 3"),
        (call(one, encoder="means.ts", model=other_files["silent"]), "the number of features: 48 and 3"),
        (call(one, "--mpp", 0.5), "um per pixel of a tile: 1 and 0.5"),
        (call(one, "--px", 256), "pixels of a tile: 64 and 256"),
    ):
        assert said.returncode == 2
        assert "FeatureMismatch" in said.line
        assert words in said.line


@pytest.mark.usefixtures("unseen")
def test_a_model_that_does_not_say_its_encoder_is_answered_with_a_warning(call, wsi, other_files, tmp_path):
    said = call(wsi / "made_1.svs", "--px", 64, "--mpp", 1, model=other_files["silent"])
    assert rows(said)["made_1"]["decision"] == "tumour"
    assert json.loads((tmp_path / "diagnosis/made_1/answer.json").read_text())["compared"] == ["dim"]
    (warning,) = json.loads((tmp_path / "diagnosis/made_1/answer.json").read_text())["warnings"]
    assert "does not say with which encoder" in warning
    assert warning in said.stderr
    assert warning in (tmp_path / "diagnosis/made_1/report.html").read_text()


def test_a_program_from_elsewhere_runs_only_when_it_is_trusted(call, wsi):
    assert "not trusted" in call(wsi, trust=False).line


def test_wrong_words_are_one_line(call, wsi, tmp_path):
    (tmp_path / "folder").mkdir()
    for said, words in (
        (call("nothing.svs"), "no such file or folder"),
        (call(tmp_path / "folder"), "no slides in"),
        (call(wsi, "--class", "tumor"), "did you mean 'tumour'"),
        (call(wsi, encoder="stat"), "did you mean 'stats'"),
        (call(wsi, model="nothing.ts"), "no such file"),
        (call(wsi, "--zoom", "x"), "neither none nor um per pixel"),
        (call(wsi, "--zom", "1"), "did you mean '--zoom'"),
    ):
        assert said.returncode == 2, said.stderr
        assert words in said.line


def test_a_name_cannot_write_into_the_pages(call, wsi, tmp_path):
    name = "a<img src=x onerror=alert(1)>&'__DATA__"
    shutil.copy(wsi / "made_1.svs", tmp_path / f"{name}.svs")
    assert call(tmp_path / f"{name}.svs", "--zoom", 4).returncode == 0
    for page in (tmp_path / "diagnosis").rglob("*.html"):
        assert "<img src=x" not in page.read_text()


def test_a_models_encoder_is_known_by_its_transform_in_any_precision(call, bag_file, wsi, tmp_path):
    import torch

    class Means(torch.nn.Module):
        def forward(self, x):
            return x.mean((2, 3)).repeat(1, 16)

    torch.jit.save(torch.jit.trace(Means(), torch.zeros(1, 3, 64, 64)), str(tmp_path / "means.ts"))
    plain = {"size": None, "mean": [0.0, 0.0, 0.0], "std": [1.0, 1.0, 1.0]}
    hashed = {"encoder_sha256": sha256((tmp_path / "means.ts").read_bytes()).hexdigest(), "encoder": "means", "transform": plain}
    model = retold(bag_file, tmp_path / "of_means.ts", ENCODING | hashed)
    words = (wsi / "made_1.svs", "--zoom", "none", "--transform", "told.json")
    (tmp_path / "told.json").write_text(json.dumps(plain | {"mean": [0.5, 0.5, 0.5]}))
    assert "FeatureMismatch" in (line := call(*words, model=model, encoder="means.ts").line)
    assert "the encoder's transform" in line
    (tmp_path / "told.json").write_text(json.dumps(plain))
    said = call(*words, "--bf16", model=model, encoder="means.ts")
    assert said.returncode == 0, said.stderr
    assert "transform" in json.loads((tmp_path / "diagnosis/made_1/answer.json").read_text())["compared"]
