"""`discern ahan explain`: what is drawn and told is the exported program's own answer with things left out."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from apps.ahan import draw_explained
from apps.ahan.explaining import CELLS, explained, mirrored
from apps.ahan.options import Streams
from apps.ahan.presets import build
from apps.ahan.program import Embed
from apps.base import trust
from apps.base.predict.program_file import ProgramBytes, ProgramFile
from datamodules.ahan.synth import twin_faces
from datamodules.ahan.template import BOXES
from datamodules.whole import sha256
from tests.apps.ahan.tiny_files import calibration, embed_file, write_faces

BOXES_2R4 = torch.tensor([BOXES, BOXES])


@pytest.fixture(scope="module")
def program() -> ProgramFile:
    return ProgramFile(ProgramBytes(embed_file()))


@pytest.fixture(scope="module")
def faces() -> tuple[np.ndarray, np.ndarray]:
    made = twin_faces(1, 2, 64, 1).images
    return made[0], made[2]


def test_leaving_a_region_out_is_the_models_own_leaving_out(program: ProgramFile, faces: tuple) -> None:
    found = explained(program, faces, BOXES_2R4)
    model = build("tiny", seed=0).eval()
    x = (torch.stack([torch.from_numpy(face).permute(2, 0, 1) for face in faces]) / 255 - 0.5) / 0.5
    seen = torch.ones(2, 4, dtype=torch.bool)
    seen[:, 1] = False
    with torch.no_grad():
        whole, left = model(x).embedding.double(), model(x, seen_BR=seen).embedding.double()
    assert found.score == pytest.approx(float(whole[0] @ whole[1]), abs=1e-5)
    assert found.without is not None
    assert found.without["nose"] == pytest.approx(float(left[0] @ left[1] - whole[0] @ whole[1]), abs=1e-5)


def test_a_face_beside_itself_is_wholly_alike(program: ProgramFile, faces: tuple) -> None:
    found = explained(program, (faces[0], faces[0]), BOXES_2R4, occlusion=True)
    assert found.score == pytest.approx(1)
    assert found.alike is not None
    assert all(value == pytest.approx(1) for value in found.alike.values())
    assert found.without is not None
    assert all(abs(value) < 1e-6 for value in found.without.values())
    assert found.covered is not None
    assert found.covered[0].shape == (CELLS, CELLS)
    assert (found.covered[0] < 0).all()  # whatever is covered, it is less alike


def test_of_a_face_beside_itself_no_last_bits_are_drawn_as_changes(
    program: ProgramFile, faces: tuple, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = []
    monkeypatch.setattr(draw_explained, "png", lambda figure: drawn.append(figure) or b"")
    found = explained(program, (faces[0], faces[0]), BOXES_2R4)
    draw_explained.explained_figure((faces[0], faces[0]), BOXES_2R4.numpy(), found, ("A", "B"), ("same",))
    shown = next(axis for axis in drawn[0].axes if "without the region" in axis.get_title())
    low, high = shown.get_xlim()
    assert low <= -0.001
    assert high >= 0.001


@pytest.mark.parametrize(("rows", "columns"), [(8, 4), (7, 4), (2, 1)])
def test_a_half_is_laid_over_both_halves(rows: int, columns: int) -> None:
    half = np.random.default_rng(0).random((rows, columns))
    both = mirrored(half)
    assert both.shape == (rows, rows)
    assert np.array_equal(both[:, :columns], half)
    assert np.array_equal(both, both[:, ::-1])


def test_a_program_without_regions_and_asymmetry_says_what_it_can(faces: tuple) -> None:
    bare = Embed(build("tiny", streams=Streams(use=("global",)), seed=0).eval(), "", [])

    class Opened:
        def __init__(self) -> None:
            self.metadata = {**bare.metadata(), "methods": ["prepare", "forward"]}

        def prepare(self, face: np.ndarray) -> torch.Tensor:
            return bare.prepare(torch.from_numpy(face))

        @torch.no_grad()
        def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
            return bare(x)

    found = explained(Opened(), faces, torch.zeros(2, 0, 4), occlusion=True)  # type: ignore[arg-type]
    assert (found.alike, found.without, found.asymmetry) == (None, None, None)
    assert found.covered is not None


def test_the_verb_draws_and_tells(here, tmp_path: Path) -> None:
    trust.add(sha256(embed_file()))
    names = write_faces(tmp_path / "faces")
    common = ["--model", embed_file(), "--detector", "none"]
    said = here("ahan", "explain", names[0], names[4], "--out", "why.png", "--occlusion", *common)
    assert said.returncode == 0, said.stderr
    told = json.loads(said.stdout)
    assert list(told["regions"]) == list(told["without"]) == ["eyes", "nose", "mouth", "jaw"]
    assert told["decision"] is None
    assert "uncalibrated" in told["reason"]
    compared = json.loads(here("ahan", "compare", names[0], names[4], *common).stdout)
    assert told["score"] == pytest.approx(compared["score"], abs=1e-4)
    assert told["regions"] == pytest.approx(compared["regions"], abs=1e-4)
    drawn = cv2.imread("why.png")
    assert min(drawn.shape[:2]) > 400
    refused = here("ahan", "explain", names[0], names[4], "--out", "why.txt", *common)
    assert (refused.returncode, "ends with .png" in refused.line, Path("why.txt").exists()) == (2, True, False)
    calibration(general=-1.0).save(Path("cal.json"))
    told = json.loads(here("ahan", "explain", names[0], names[4], "--out", "why.png", "--calibration", "cal.json", *common).stdout)
    assert (told["decision"], told["threshold"]) == ("accept", -1.0)


def test_a_photograph_without_a_face_is_not_drawn(here, tmp_path: Path) -> None:
    trust.add(sha256(embed_file()))
    cv2.imwrite("wall.png", np.full((200, 200, 3), 90, np.uint8))
    said = here("ahan", "explain", "wall.png", "wall.png", "--out", "why.png", "--model", embed_file(), "--detector", "haar")
    assert said.returncode == 4
    assert "no_face" in json.loads(said.stdout)["reason"]
    assert not Path("why.png").exists()
    said = here("ahan", "explain", "nowhere.png", "wall.png", "--out", "why.png", "--model", embed_file())
    assert (said.returncode, said.stdout) == (2, "")
    assert "nowhere.png" in said.line
    assert here("ahan", "explain", "wall.png", "wall.png", "--out", "no/why.png", "--model", embed_file()).returncode == 2
