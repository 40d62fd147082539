"""The exported embedding: it answers as the model, and holds nothing of the training."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from apps.ahan.model import Ahan
from apps.ahan.options import Streams, Tapwca
from apps.ahan.presets import build
from apps.ahan.program import Embed, EmbedRegions, fingerprint
from apps.base import trust
from apps.base.export import export_program
from apps.base.export.pt2 import exported
from apps.base.program import quiet_jit, with_traces
from apps.base.shell import Shell
from datamodules.ahan.template import BOXES, similarity, template, warp
from datamodules.whole import sha256
from kernels.dispatch import use_backend
from tests.apps.ahan.tiny_files import embed_file
from tests.system.command import Here


def model(seed: int = 0) -> Ahan:
    return build("tiny", tapwca=Tapwca(), seed=seed).eval()


def faces(n: int = 3) -> Tensor:
    return torch.rand(n, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def test_the_scripted_program_answers_as_the_model_at_any_batch() -> None:
    made = model()
    with quiet_jit(), torch.no_grad():
        scripted = torch.jit.script(with_traces(EmbedRegions(made, "made from a seed", [])))
        for n in (1, 3, 6):
            x = faces(n)
            answer, expected = scripted(x), made((x - 0.5) / 0.5)
            torch.testing.assert_close(answer["embedding"], expected.embedding, rtol=0, atol=1e-5)
            torch.testing.assert_close(answer["regions"].flatten(1), expected.regions, rtol=0, atol=1e-5)
            torch.testing.assert_close(answer["asymmetry"], expected.asymmetry, rtol=0, atol=1e-5)
            moved = torch.tensor([[[0.1, 0.1, 0.5, 0.4]] * 4] * n)
            torch.testing.assert_close(
                scripted.with_boxes(x, moved)["embedding"], made((x - 0.5) / 0.5, moved).embedding, rtol=0, atol=1e-5
            )
        template = scripted.with_boxes(faces(), torch.tensor([BOXES] * 3))["embedding"]
        torch.testing.assert_close(template, scripted(faces())["embedding"], rtol=0, atol=1e-6)
        with pytest.raises((RuntimeError, torch.jit.Error), match="faces of 64x64 pixels"):
            scripted(torch.rand(1, 3, 48, 48))


def test_what_is_no_face_and_no_box_is_refused_by_the_file_too() -> None:
    with quiet_jit(), torch.no_grad():
        scripted = torch.jit.script(with_traces(EmbedRegions(model(), "made from a seed", [])))
    for x in (faces() * 255, (faces() * 255).to(torch.uint8), faces()[0]):
        with pytest.raises((RuntimeError, torch.jit.Error), match="in float from 0 to 1"):
            scripted(x)
    for box in ((0.5, 0.1, 0.4, 0.6), (0.1, 0.5, 0.4, 0.5), (float("nan"), 0.0, 1.0, 1.0)):
        boxes = torch.tensor([BOXES] * 3)
        boxes[2, 1] = torch.tensor(box)
        with pytest.raises((RuntimeError, torch.jit.Error), match="box of nose in row 2"):
            scripted.with_boxes(faces(), boxes)
    with pytest.raises((RuntimeError, torch.jit.Error), match=r"\(B, 4, 4\)"):
        scripted.with_boxes(faces(), torch.tensor([BOXES[:3]] * 3))


def test_regions_are_compared_one_by_one() -> None:
    made = EmbedRegions(model(), "", [])
    with torch.no_grad():
        a = made(faces())["regions"]
        torch.testing.assert_close(made.compare_regions(a, a * 2), torch.ones(3, 4, dtype=torch.float64))
        one = made.compare_regions(a, a.flip(0))
        for region in range(4):
            torch.testing.assert_close(one[:, region], made.compare(a[:, region], a.flip(0)[:, region]))


def test_the_graph_takes_images_and_boxes_and_no_partner() -> None:
    with quiet_jit(), torch.no_grad():
        scripted = torch.jit.script(with_traces(EmbedRegions(model(), "made from a seed", [])))
    assert [argument.name for argument in scripted.forward.schema.arguments] == ["self", "x"]
    assert [argument.name for argument in scripted.with_boxes.schema.arguments] == ["self", "x", "boxes"]
    assert not [name for name in scripted.state_dict() if "partner" in name or "arc" in name]


def test_comparing_is_the_cosine_in_float64() -> None:
    made = Embed(model(), "", [])
    a, b = made(faces())["embedding"], made(faces().flip(0))["embedding"]
    score = made.compare(a, b)
    assert score.dtype == torch.float64
    torch.testing.assert_close(score, (a.double() * b.double()).sum(1), rtol=0, atol=1e-6)


def test_a_face_of_bytes_is_made_ready_at_0_to_1() -> None:
    made = Embed(model(), "", [])
    face = torch.randint(0, 256, (64, 64, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(made.prepare(face), face.permute(2, 0, 1) / 255, rtol=0, atol=1e-6)


def test_a_picture_that_is_not_square_is_no_aligned_face() -> None:
    with quiet_jit(), torch.no_grad():
        scripted = torch.jit.script(with_traces(Embed(model(), "", [])))
    wide = torch.zeros(30, 90, 3, dtype=torch.uint8)
    for made in (scripted, Embed(model(), "", [])):
        with pytest.raises((RuntimeError, torch.jit.Error), match="an aligned face is square"):
            made.prepare(wide)


def test_predict_refuses_a_photograph_that_is_not_square_and_answers_for_an_aligned_face(here: Here) -> None:
    trust.add(sha256(embed_file()))
    for name, shape in (("wide", (90, 300, 3)), ("face", (90, 90, 3))):
        cv2.imwrite(f"{name}.png", np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8))
    said = here("predict", embed_file(), "wide.png", "face.png")
    assert said.returncode == 1, said.stderr
    wide, face = (json.loads(line) for line in said.stdout.splitlines())
    assert "300 x 90 pixels: this program takes square pictures" in wide["error"]
    assert "error" not in face


def test_a_file_is_of_the_weights_and_says_how_faces_are_aligned() -> None:
    assert fingerprint(model()) == fingerprint(model())
    assert fingerprint(model()) != fingerprint(model(seed=1))
    told = Embed(model(), "made from a seed", []).metadata()
    assert (told["size"], told["aligner"], told["labels"]) == (64, "arcface-112", [])
    assert told["regions"] == ["eyes", "nose", "mouth", "jaw"]


def test_five_points_are_aligned_inside_as_python_aligns_them() -> None:
    with quiet_jit(), torch.no_grad():
        scripted = torch.jit.script(with_traces(EmbedRegions(model(), "made from a seed", [])))
    generator = torch.Generator().manual_seed(0)
    for scale, turn in ((0.6, 0.0), (1.0, 0.4), (2.5, -2.0), (6.0, 1.0)):
        photo = torch.randint(0, 256, (420, 560, 3), dtype=torch.uint8, generator=generator)
        c, s = scale * np.cos(turn), scale * np.sin(turn)
        points = (template(64) - 32) @ np.array([[c, -s], [s, c]]).T + (280, 210) + torch.rand(5, 2, generator=generator).numpy()
        expected = warp(photo.numpy(), similarity(points, 64), 64)
        assert np.abs(scripted.align(photo, torch.from_numpy(points)).numpy().astype(int) - expected).max() <= 1
        assert scripted(scripted.prepare(scripted.align(photo, torch.from_numpy(points)))[None])["embedding"].isfinite().all()
    with pytest.raises((RuntimeError, torch.jit.Error), match="detect the face again"):
        scripted.align(photo, torch.zeros(5, 2))


@pytest.mark.parametrize("streams", [Streams(use=("global",)), Streams(boxes="full")])
def test_a_model_of_no_boxes_has_the_program_without(streams: Streams) -> None:
    made = build("tiny", streams=streams).eval()
    with pytest.raises(ValueError, match="export Embed"):
        EmbedRegions(made, "", [])
    with torch.no_grad():
        torch.testing.assert_close(Embed(made, "", [])(faces())["embedding"], made((faces() - 0.5) / 0.5).embedding)


@pytest.mark.full
def test_the_torchscript_file_answers_as_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    report = export_program(EmbedRegions(model(), "made from a seed", []), tmp_path / "model.ts", None, Shell(quiet=True))
    assert report["passed"]


@pytest.mark.parametrize("use", [("global",), ("global", "hca", "faam")])
def test_the_graph_of_pt2_takes_a_batch_of_one_and_of_many(use: tuple[Any, ...]) -> None:
    made = Embed(build("tiny", streams=Streams(use=use)).eval(), "", [])
    if "hca" in use:
        boxed = EmbedRegions(made.streams.model, "", [])
        with use_backend("reference"):
            exported(boxed, "compare_regions", boxed.calls(torch.Generator().manual_seed(0)), "pt2")
            exported(boxed, "with_boxes", boxed.calls(torch.Generator().manual_seed(0)), "pt2")
    with use_backend("reference"):
        graph = exported(made, "forward", made.calls(torch.Generator().manual_seed(0)), "pt2").module()
    with torch.no_grad():
        for n in (1, 5):
            torch.testing.assert_close(graph(faces(n))["embedding"], made(faces(n))["embedding"], rtol=0, atol=1e-5)


@pytest.mark.full
@pytest.mark.parametrize("form", ["pt2", "onnx"])
def test_files_of_other_formats_answer_as_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    if form == "onnx":
        pytest.importorskip("onnxruntime", reason="needs pip install 'discern[onnx]'")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert export_program(EmbedRegions(model(), "made from a seed", []), tmp_path / f"model.{form}", None, Shell(quiet=True))["passed"]
