"""A model whose regions follow landmarks: trained on data that has them, exported so that its file says so, asked by each face's points."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from apps.ahan.faces import Face, Framer
from apps.ahan.options import Streams, Tapwca
from apps.ahan.presets import build
from apps.ahan.program import EmbedRegions
from apps.ahan.verbs.asking import Asked, Asker
from datamodules.ahan.landmarks import region_boxes
from datamodules.ahan.template import template
from tests.datamodules.ahan import sets

SMALL = ("--data.train=6", "--data.val=3", "--data.test=3", "--data.groups=4", "--data.images=2", "--trainer.max_epochs=1")


class Opened:
    """A program asked without being written."""

    def __init__(self, program: EmbedRegions) -> None:
        self.program, self.device = program, torch.device("cpu")
        self.metadata = {**program.metadata(), "methods": ["prepare", "forward", "with_boxes"]}

    def prepare(self, face: np.ndarray) -> torch.Tensor:
        return self.program.prepare(torch.from_numpy(face))

    @torch.no_grad()
    def call(self, method: str, *args: torch.Tensor) -> dict[str, torch.Tensor]:
        return getattr(self.program, method)(*args)


class Planted:
    name = "planted"

    def detect(self, image: np.ndarray) -> list[Face]:
        points = template(64) * 3 + [[20, 30], [24, 30], [22, 34], [25, 26], [20, 26]]
        return [Face((20, 30, 180, 180), 1.0, points)]


def test_a_photograph_is_asked_with_the_boxes_of_its_own_points() -> None:
    model = build("tiny", streams=Streams(boxes="landmarks"), tapwca=Tapwca(), seed=0).eval()
    opened = Opened(EmbedRegions(model, "", []))
    assert opened.metadata["boxes"] == "landmarks"
    photo = np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)
    asker = Asker(opened, Framer(Planted(), 64, boxed=True), 4)  # type: ignore[arg-type]
    framed = asker.framer(photo)
    one = Asked("photo", framed.quality, face=framed.face, boxes=framed.boxes)
    asker.embed([one])
    assert framed.face is not None
    assert framed.points is not None
    x = (torch.from_numpy(framed.face).permute(2, 0, 1)[None] / 255 - 0.5) / 0.5
    with torch.no_grad():
        own = model(x, torch.from_numpy(region_boxes(framed.points, 64).boxes)[None]).embedding[0].numpy()
        by_template = model(x).embedding[0].numpy()
    assert one.vector is not None
    assert np.allclose(one.vector, own, atol=1e-5)
    assert not np.allclose(one.vector, by_template, atol=1e-3)


@pytest.mark.full
def test_it_is_trained_and_its_file_says_so(here) -> None:
    said = here("ahan", "fit", "--model.streams.boxes=landmarks", "--model.hca.regions=[mouth,eyes]", *SMALL)
    assert said.returncode == 0, said.stderr
    said = here("ahan", "test")
    assert said.returncode == 0, said.stderr
    assert "test/twin_accuracy" in json.loads(said.stdout)


@pytest.mark.full
def test_data_without_landmarks_is_refused_in_one_line(here, tmp_path: Path) -> None:
    sets.twins(tmp_path / "set")
    words = ("--data=datamodules.ahan.datamodule.Faces", "--data.path=set", "--data.size=64", "--trainer.max_epochs=1")
    said = here("ahan", "fit", "--model.streams.boxes=landmarks", *words)
    assert said.returncode == 2
    assert "no image of this data has landmarks" in said.line
