"""Faces are found by name or by file, and what is not there is said in one line."""

import sys
import types
from pathlib import Path

import cv2
import numpy as np
import pytest

from apps.ahan.faces import DetectorUnavailableError, get_detector
from apps.ahan.faces.haar import eye_pair
from apps.ahan.faces.overlap import surest
from apps.base.errors import UserError
from tests.apps.ahan.faces import tiny_detectors
from tests.apps.ahan.faces.tiny_detectors import BOX, POINTS, SIZE

RED = np.zeros((SIZE, SIZE, 3), np.uint8) + np.array([255, 0, 0], np.uint8)
BLUE = np.ascontiguousarray(RED[:, :, ::-1])


@pytest.mark.parametrize("kind", ["scrfd", "retinaface", "yunet"])
def test_a_file_tells_what_it_is_and_its_face_is_found_where_it_was_planted(tmp_path: Path, kind: str) -> None:
    pytest.importorskip("onnx")
    picture = BLUE if kind == "yunet" else RED  # OpenCV gives YuNet blue first, as it was trained
    detector = get_detector(str(getattr(tiny_detectors, kind)(tmp_path / "detector.onnx")), trusting=True)
    assert detector.name == f"{kind} (detector.onnx)"
    (face,) = detector.detect(picture)
    x, y, width, height = face.box
    assert np.allclose([x, y, x + width, y + height], BOX, atol=1.0)
    assert np.allclose(face.points, POINTS, atol=1.0)
    assert 0.5 < face.score <= 1


@pytest.mark.parametrize(("kind", "picture"), [("scrfd", BLUE), ("yunet", RED)])
def test_colours_reach_a_network_in_its_own_order(tmp_path: Path, kind: str, picture: np.ndarray) -> None:
    pytest.importorskip("onnx")
    detector = get_detector(str(getattr(tiny_detectors, kind)(tmp_path / "detector.onnx")), trusting=True)
    assert detector.detect(picture) == []


def test_a_photograph_of_another_size_is_scaled_and_boxes_come_back_in_its_pixels(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    detector = get_detector(str(tiny_detectors.scrfd(tmp_path / "detector.onnx")), trusting=True)
    (face,) = detector.detect(cv2.resize(RED, (5 * SIZE, 5 * SIZE)))
    assert np.allclose(face.points, (POINTS + 0.5) * 5 - 0.5, atol=0.1)


def test_files_without_points_or_before_the_softmax_are_read(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    (bare,) = get_detector(str(tiny_detectors.scrfd(tmp_path / "a.onnx", points=False)), trusting=True).detect(RED)
    assert bare.points is None
    (face,) = get_detector(str(tiny_detectors.retinaface(tmp_path / "b.onnx", logits=True)), trusting=True).detect(RED)
    assert face.score > 0.99


def test_a_file_runs_only_when_it_is_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnx")
    monkeypatch.setenv("HOME", str(tmp_path))
    file = str(tiny_detectors.scrfd(tmp_path / "detector.onnx"))
    with pytest.raises(UserError, match="is not trusted"):
        get_detector(file)


@pytest.mark.parametrize("content", [b"", b"no model at all", b"cls_8 obj_8 bbox_8 kps_8 kps_32"])
def test_a_file_that_is_no_detector_is_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.onnx").write_bytes(content)
    with pytest.raises(UserError) as refused:
        get_detector(str(tmp_path / "x.onnx"), trusting=True)
    assert "x.onnx" in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["harr", "nowhere.onnx"])
def test_a_wrong_name_and_a_missing_file_are_one_line(name: str) -> None:
    with pytest.raises(UserError, match=r"did you mean 'haar'|No such file"):
        get_detector(name)


def test_without_cascades_auto_takes_lbp_and_warns_once_naming_opencv_5(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(cv2, "CascadeClassifier")
    skimage, data, feature = (types.ModuleType(name) for name in ("skimage", "skimage.data", "skimage.feature"))
    data.lbp_frontal_face_cascade_filename = lambda: ""  # type: ignore[attr-defined]
    feature.Cascade = lambda file: types.SimpleNamespace(detect_multi_scale=lambda **_: [{"r": 2, "c": 3, "width": 60, "height": 60}])  # type: ignore[attr-defined]
    for module in (skimage, data, feature):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    said: list[str] = []
    detector = get_detector("auto", say=said.append)
    assert detector.name == "lbp"
    (warning,) = said
    assert "OpenCV 5" in warning
    assert "\n" not in warning
    (face,) = detector.detect(np.zeros((100, 100, 3), np.uint8))
    assert face.box == (3, 2, 60, 60)


def test_without_any_detector_the_pin_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(cv2, "CascadeClassifier")
    monkeypatch.setitem(sys.modules, "skimage.data", None)
    with pytest.raises(DetectorUnavailableError, match=r"opencv-python-headless>=4\.14,<5"):
        get_detector("auto")
    with pytest.raises(DetectorUnavailableError, match="OpenCV 5 dropped it"):
        get_detector("haar")


def test_the_astronaut_is_one_face_where_it_was_measured() -> None:
    data = pytest.importorskip("skimage.data", reason="the picture comes with scikit-image")
    (face,) = get_detector("haar").detect(data.astronaut())
    assert np.allclose(face.box, (177, 66, 95, 95), atol=4)
    assert face.points is not None
    (face,) = get_detector("lbp").detect(data.astronaut())
    assert np.allclose(face.box, (175, 70, 93, 93), atol=4)


def test_of_many_eyes_the_surest_pair_that_lies_like_eyes_is_taken() -> None:
    centres = np.array([[50.0, 60], [110, 62], [80, 20], [52, 95], [20, 60]])
    pair = eye_pair(centres, np.array([1.0, 2, 9, 5, 0.5]), 160)
    assert pair is not None
    assert pair.tolist() == [[50, 60], [110, 62]]
    assert eye_pair(centres[[0, 2, 3]], np.ones(3), 160) is None


def test_of_boxes_over_each_other_the_surest_stays_and_broken_ones_go() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [30, 30, 60, 60], [0, 0, np.nan, 5], [5, 5, 5, 9]], float)
    faces = surest(boxes, np.array([0.6, 0.9, 0.7, 0.9, 0.9]), None)
    assert [face.box for face in faces] == [(30, 30, 30, 30), (1, 0, 10, 10)]


def test_yunet_is_read_as_opencv_reads_it(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    file = str(tiny_detectors.yunet(tmp_path / "detector.onnx"))
    _, rows = cv2.FaceDetectorYN.create(file, "", (SIZE, SIZE), 0.5, 0.4).detect(np.ascontiguousarray(BLUE[:, :, ::-1]))
    (face,) = get_detector(file, trusting=True).detect(BLUE)
    assert np.allclose(rows[0, :4], face.box, atol=1e-3)
    assert face.points is not None
    assert np.allclose(rows[0, 4:14].reshape(5, 2), face.points, atol=1e-3)
    assert abs(float(rows[0, 14]) - face.score) < 1e-5


def test_a_file_that_answers_another_size_is_one_line(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    detector = get_detector(str(tiny_detectors.yunet(tmp_path / "detector.onnx")), trusting=True)
    with pytest.raises(UserError, match="128 x 128 pixels"):
        detector.detect(np.zeros((128, 128, 3), np.uint8))
