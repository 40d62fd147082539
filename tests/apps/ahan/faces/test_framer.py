"""A photograph becomes one aligned face, or one reason of the list, and a picture that can be read never raises."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from apps.ahan.faces import REASONS, Detector, Face, Framer, Thresholds, get_detector
from apps.ahan.faces.quality import judge
from datamodules.ahan.landmarks import region_boxes
from datamodules.ahan.synth import Knobs, twin_faces
from datamodules.ahan.template import BOXES, REGIONS, TEMPLATE_52, template
from datamodules.whole import write_bytes

EASY = Knobs(pose=0, light=0, expression=0, session=0, jitter=0, blur=0, noise=0, occlude=0)


class Planted:
    name = "planted"

    def __init__(self, *faces: Face) -> None:
        self.faces = list(faces)

    def detect(self, image: np.ndarray) -> list[Face]:
        return self.faces


@pytest.fixture(scope="module")
def drawn() -> np.ndarray:
    """A face drawn at 160 pixels in a photograph of 300, at (70, 60)."""
    photo = np.full((300, 300, 3), 128, np.uint8)
    photo[60:220, 70:230] = twin_faces(1, 2, 160, 0, EASY).images[0]
    return photo


def moved(points: np.ndarray, scale: float, angle: float, shift: tuple[float, float]) -> np.ndarray:
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    return points @ np.array([[c, -s], [s, c]]).T + shift


def at(points: np.ndarray, side: float = 100) -> Planted:
    return Planted(Face((*(points.mean(0) - side / 2), side, side), 1.0, points))


def reason(image: np.ndarray, detector: Detector, **options) -> str | None:
    return Framer(detector, 112, **options)(image).quality.reason


def texture(high: int = 300, wide: int = 300) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (high, wide, 3), np.uint8)


POINTS = moved(TEMPLATE_52, 1.3, 0.2, (80, 70))


def test_points_of_a_face_come_to_the_template_whatever_its_place_turn_and_size() -> None:
    for scale, angle in ((1.3, 0.2), (0.9, -2.0), (3.0, 1.6)):
        points = moved(TEMPLATE_52, scale, angle, (400, 300))
        for size in (64, 112):
            framed = Framer(at(points), size)(texture(900, 900))
            assert framed.face is not None
            assert framed.face.shape == (size, size, 3)
            assert framed.points is not None
            assert np.abs(framed.points - template(size)).max() < 1e-3
            assert framed.quality.eye_distance == pytest.approx(35.24 * scale, abs=0.01)


def test_haar_frames_a_drawn_face_near_the_template(drawn: np.ndarray) -> None:
    framed = Framer(get_detector("haar"), 112)(drawn)
    assert framed.quality.reason is None
    assert framed.quality.row()["pose"] == "unknown"  # it tells no nose
    assert framed.points is None
    assert framed.face is not None
    original = cv2.resize(drawn[60:220, 70:230], (112, 112), interpolation=cv2.INTER_AREA)
    assert np.corrcoef(framed.face.ravel(), original.ravel())[0, 1] > 0.8


def test_a_blank_picture_has_no_face() -> None:
    assert reason(np.full((200, 200, 3), 200, np.uint8), get_detector("haar")) == "no_face"


def test_two_faces_are_one_too_many_until_the_largest_is_asked_for(drawn: np.ndarray) -> None:
    both = np.concatenate([drawn, drawn], 1)
    assert reason(both, get_detector("haar")) == "many_faces"
    assert reason(both, get_detector("haar"), largest=True) is None
    small = Planted(Face((0, 0, 100, 100), 1.0), Face((0, 0, 59, 59), 1.0))
    assert reason(texture(), small) is None  # less than 0.6 of the largest


def test_a_face_of_20_pixels_is_too_small() -> None:
    assert reason(texture(), Planted(Face((100, 100, 20, 20), 1.0))) == "too_small"
    assert reason(texture(), at(moved(TEMPLATE_52, 20 / 112, 0, (100, 100)), 20)) == "too_small"


@pytest.mark.parametrize(
    ("image", "detector", "expected"),
    [
        (b"", Planted(), "unreadable"),
        (b"\xff\xd8\xff\xe0 cut", Planted(), "unreadable"),
        (texture(), at(np.full((5, 2), np.nan)), "bad_landmarks"),
        (texture(), at(np.arange(10.0).reshape(5, 2)), "bad_landmarks"),
        (texture(), at(POINTS + np.array([[0, 0], [0, 0], [0, 0], [90, 0], [0, 60]])), "bad_landmarks"),
        (texture(), at(POINTS + np.array([[0, 0], [0, 0], [22, 6], [0, 0], [0, 0]])), "pose"),
        (texture(), at(moved(TEMPLATE_52, 1.3, 0.2, (-40, 70))), "clipped"),
        (texture() // 8, at(POINTS), "dark"),
        (255 - texture() // 8, at(POINTS), "bright"),
        (texture() // 32 + 120, at(POINTS), "flat"),
        (np.repeat(np.arange(40, 190, 0.5)[:, None, None].astype(np.uint8), 300, 1).repeat(3, 2), at(POINTS), "blurred"),
    ],
)
def test_every_failure_has_its_reason(image: np.ndarray | bytes, detector: Planted, expected: str) -> None:
    framed = Framer(detector, 112)(image)
    assert framed.quality.reason == expected
    assert framed.quality.detail
    assert "\n" not in framed.quality.detail
    assert framed.face is None


def test_the_first_reason_of_the_list_is_the_one_told() -> None:
    worst = {"eye_distance": 1.0, "residual": 99.0, "pose": 9.0, "clipped": 1.0, "brightness": 0.0, "contrast": 0.0, "sharpness": 0.0}
    told = []
    while (found := judge(worst, Thresholds())[0]) is not None:
        told.append(found)
        first = {"too_small": "eye_distance", "bad_landmarks": "residual", "dark": "brightness", "flat": "contrast", "blurred": "sharpness"}
        del worst[first.get(found, found)]
    assert told == [name for name in REASONS[3:] if name != "bright"]


def test_force_uses_a_face_in_spite_of_its_reason_and_says_so() -> None:
    framed = Framer(at(POINTS), 112, force=True)(texture() // 8)
    assert framed.face is not None
    assert (framed.quality.reason, framed.quality.forced) == ("dark", True)
    assert Framer(Planted(), 112, force=True)(texture()).face is None  # nothing can be forced out of no face


def test_a_box_alone_is_framed_coarsely_and_says_so() -> None:
    framed = Framer(Planted(Face((100, 80, 98, 98), 1.0)), 112)(texture())
    assert framed.quality.coarse
    assert framed.quality.pose is None
    assert framed.quality.residual is None
    assert any(words.startswith("coarse") for words in framed.quality.warnings)


def test_an_aligned_face_passes_none_as_it_is() -> None:
    for face in twin_faces(2, 2, 64, 0).images:
        framed = Framer(get_detector("none"), 64)(face)
        assert framed.quality.reason is None, framed.quality
        assert np.array_equal(framed.face, face)
        assert "small" in framed.quality.warnings[0]  # 20 pixels between the eyes, told and not refused
    assert reason(texture(112, 96), get_detector("none")) == "bad_landmarks"


def test_a_photograph_taken_sideways_is_framed_upright(tmp_path: Path, drawn: np.ndarray) -> None:
    upright = Framer(get_detector("haar"), 112)(drawn)
    data = cv2.imencode(".jpg", np.rot90(drawn)[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 98])[1].tobytes()
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"  # turn by 90 degrees to the right to see it
    write_bytes(tmp_path / "side.jpg", data[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + data[2:])
    sideways = Framer(get_detector("haar"), 112)(tmp_path / "side.jpg")
    assert upright.face is not None
    assert sideways.face is not None
    assert np.abs(upright.face.astype(int) - sideways.face).mean() < 6


def test_a_picture_of_too_many_pixels_is_refused_before_it_is_decoded() -> None:
    header = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (10_000).to_bytes(4, "big") * 2 + b"\x08\x02\0\0\0" + b"\0" * 8
    quality = Framer(get_detector("none"), 112)(header).quality
    assert quality.reason == "unreadable"
    assert "50,000,000" in quality.detail


@pytest.mark.parametrize("shape", [(1, 1, 3), (3, 500, 3), (500, 3, 3), (24, 24, 3)])
def test_pictures_of_any_shape_never_raise(shape: tuple[int, ...]) -> None:
    for name in ("haar", "none"):
        assert Framer(get_detector(name), 112, force=True)(np.zeros(shape, np.uint8)).quality.reason in REASONS


def test_boxes_follow_the_points_and_a_face_without_points_says_that_it_has_the_template_ones() -> None:
    framed = Framer(at(POINTS), 112, boxed=True)(texture())
    assert framed.points is not None
    assert np.array_equal(framed.boxes, region_boxes(framed.points, 112).boxes)
    assert framed.quality.fallback == ()
    coarse = Framer(Planted(Face((100, 80, 98, 98), 1.0)), 112, boxed=True)(texture())
    assert np.allclose(coarse.boxes, BOXES)
    assert coarse.quality.row()["fallback"] == list(REGIONS)
    assert Framer(at(POINTS), 112)(texture()).boxes is None
