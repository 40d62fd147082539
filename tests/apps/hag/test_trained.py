"""What the embedded recipe must have learned: to read the scale, and from nothing else (properties 18 and 19 of the brief)."""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
import pytest
import torch

from apps.hag.summaries import floors
from apps.hag.task import Sizing
from benchmarks.hag.embedded import EPOCHS, ROWS
from benchmarks.hag.fitting import answered, fit
from datamodules.hag.datamodule import SynthPolyps
from datamodules.hag.drawing import draw_frame

pytestmark = pytest.mark.full

ZOOM = 1.5


class Trained(NamedTuple):
    task: Sizing
    data: SynthPolyps

    def errors(self) -> dict[str, float]:
        """Of the test frames: the model's and those of what looks at no picture."""
        answers = answered(self.task, self.data.test_dataloader())
        found = floors(self.data.facts("train"), self.data.boxes("train"), answers, self.data.boxes("test"))
        assert answers.mm is not None
        return found | {"mae": float(np.abs(answers.mm - answers.true).mean())}

    @torch.no_grad()
    def mm(self, frames: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
        """Of frames with their boxes in pixels."""
        none = torch.zeros(0, 1, 1)
        framed = [
            self.data.framing(torch.from_numpy(np.ascontiguousarray(image)), torch.from_numpy(box).float(), none) for image, box in frames
        ]
        outputs = self.task.model(torch.stack([each.image for each in framed]), torch.stack([each.planes for each in framed]))
        assert outputs.mm is not None
        return outputs.mm.numpy()


def train(name: str) -> Trained:
    task, data = ROWS[name].task(), ROWS[name].data(0, smoke=False)
    fit(task, data, EPOCHS, 0, half=True)
    return Trained(task, data)


@pytest.fixture(scope="module")
def trained() -> Trained:
    return train("val")


@pytest.fixture(scope="module")
def tested(trained: Trained) -> list[tuple[np.ndarray, np.ndarray]]:
    """Frames of the test split and their boxes."""
    frames = trained.data.frames("test")
    return [(frames.image(at), frames.box(at)) for at in range(len(frames))]


def changes(now: np.ndarray, before: np.ndarray) -> float:
    """How far a size moves, in the middle of the frames."""
    return float(np.median(np.abs(np.log(now / before))))


def test_where_something_tells_the_scale_the_apparent_size_is_beaten(trained: Trained) -> None:
    errors = trained.errors()
    assert errors["mae"] <= errors["apparent_size_mae"] - 0.3, errors


def test_where_nothing_tells_the_scale_it_is_not() -> None:
    errors = train("no cue").errors()
    assert errors["mae"] >= errors["apparent_size_mae"] - 0.3, errors


@pytest.mark.parametrize(("turns", "mirrored"), [(0, True), (1, False), (2, False), (3, False), (1, True)])
def test_a_polyp_seen_from_another_side_is_as_large(trained: Trained, tested, turns: int, mirrored: bool) -> None:
    side = trained.data.size

    def turned(image: np.ndarray, box: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        left, top, right, lower = box
        if mirrored:
            image, left, right = image[:, ::-1], side - right, side - left
        for _ in range(turns):
            image = np.rot90(image)
            left, top, right, lower = top, side - right, lower, side - left
        return image, np.array([left, top, right, lower])

    assert changes(trained.mm([turned(*frame) for frame in tested]), trained.mm(tested)) < 0.1


def test_an_enlarged_part_of_a_frame_is_no_frame(trained: Trained, tested) -> None:
    """Nothing rescales on the way to the network: it is of one camera."""
    side = trained.data.size
    part = side / ZOOM

    def enlarged(image: np.ndarray, box: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        if max(box[2:] - box[:2]) > part:
            return None
        corner = np.clip((box[:2] + box[2:] - part) / 2, 0, side - part).round()
        matrix = np.array([[ZOOM, 0, -ZOOM * corner[0] + (ZOOM - 1) / 2], [0, ZOOM, -ZOOM * corner[1] + (ZOOM - 1) / 2]])
        return cv2.warpAffine(image, matrix, (side, side), flags=cv2.INTER_LINEAR), (box - np.tile(corner, 2)) * ZOOM

    pairs = [(frame, large) for frame in tested if (large := enlarged(*frame)) is not None]
    before, now = (trained.mm(frames) for frames in zip(*pairs, strict=True))
    assert changes(now, before) > 0.1


def test_the_same_polyp_on_a_wall_of_finer_texture_is_taken_for_larger(trained: Trained) -> None:
    """The scale is read from the picture: as fine as twice as far away, while box and polyp stay."""
    made, rows = trained.data.made, trained.data.rows("test")
    bare = made.scenes._replace(forceps=np.zeros_like(made.scenes.forceps))
    finer = bare._replace(texture_mm=2 * bare.texture_mm)
    near = [row for row in rows if bare.distance_mm[row] < 40]  # twice that is still among the distances learned
    side, seed = trained.data.size, trained.data.pictures_seed
    before, now = (trained.mm([(draw_frame(scenes, row, side, seed), bare.box[row]) for row in near]) for scenes in (bare, finer))
    assert np.median(now / before) > 1.1
