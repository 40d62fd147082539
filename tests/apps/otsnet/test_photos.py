"""Words of whole photographs: found, cut out, and put back where they were."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from apps.base.errors import UserError
from apps.otsnet.photos import How, crops_from_photo, cut, find, from_crop
from apps.otsnet.photos.box_file import read_boxes
from apps.otsnet.photos.found import Found, without_doubles
from apps.otsnet.photos.onnx_detector import map_boxes
from apps.otsnet.photos.order import reading_order
from apps.otsnet.photos.quality import iou, matched, quality
from datamodules.otsnet.generator.pages import KINDS, PageMaker

BOX = np.array([(20, 10), (80, 10), (80, 40), (20, 40)], np.float32)
TURNED = np.array([(30, 20), (90, 35), (84, 60), (24, 45)], np.float32)
PICTURE = np.random.default_rng(0).integers(0, 256, (100, 120, 3), dtype=np.uint8)


def upright(x0: float, y0: float, x1: float, y1: float) -> np.ndarray:
    return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], np.float32)


# --- the built-in detector -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "least"), [("document", 0.8), ("sign", 0.8), ("scene", 0.5)])
def test_the_built_in_detector_finds_most_words_of_made_pages(kind: str, least: float) -> None:
    maker = PageMaker(kind, seed=7)
    pages = [maker.draw(number) for number in range(1 if kind == "document" else 5)]
    found = quality(find, ((page.image, page.quads) for page in pages))
    assert found.recall >= least
    assert found.precision >= least


def test_words_are_read_line_by_line() -> None:
    page = PageMaker("document", seed=7).draw(0)
    found = find(page.image)
    share = [[iou(box, true) for true in page.quads] for box in found.boxes_N42]
    order = [int(np.argmax(row)) for row in share if max(row) >= 0.5]
    assert sum(b > a for a, b in pairwise(order)) >= 0.97 * (len(order) - 1)


@pytest.mark.parametrize("picture", [np.full((200, 300, 3), 128, np.uint8), np.zeros((5, 7, 3), np.uint8), np.zeros((1, 1, 3), np.uint8)])
def test_where_nothing_is_written_nothing_is_found(picture: np.ndarray) -> None:
    found = find(picture)
    assert found.boxes_N42.shape == (0, 4, 2)
    assert found.scores_N.shape == (0,)
    assert crops_from_photo("blank.png", How(find=True), picture) == []


def test_noise_is_no_writing() -> None:
    assert len(find(np.random.default_rng(1).integers(0, 256, (240, 320, 3), dtype=np.uint8)).scores_N) <= 3


def test_light_on_dark_is_found_as_dark_on_light_is() -> None:
    page = PageMaker("document", seed=7).draw(1)
    dark, light = (find(picture) for picture in (page.image, 255 - page.image))
    assert matched(dark.boxes_N42, light.boxes_N42, 0.8) >= 0.9 * len(dark.scores_N)


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_is_made_by_its_number_alone_and_its_words_lie_in_it(kind: str) -> None:
    one, again, other = PageMaker(kind, 3).draw(5), PageMaker(kind, 3).draw(5), PageMaker(kind, 3).draw(6)
    assert np.array_equal(one.image, again.image)
    assert one.words == again.words
    assert not np.array_equal(one.image.shape, other.image.shape) or not np.array_equal(one.image, other.image)
    assert len(one.words) == len(one.quads) > 0
    assert (one.quads >= -3).all()
    assert (one.quads <= np.array([one.image.shape[1], one.image.shape[0]]) + 3).all()


def test_of_two_boxes_on_one_word_the_better_one_stays_and_neighbours_do() -> None:
    boxes = np.stack([upright(0, 0, 50, 20), upright(2, 1, 49, 21), upright(52, 0, 90, 20)])
    kept = without_doubles(Found(boxes, np.array([0.5, 0.9, 0.4], np.float32)))
    assert kept.scores_N.tolist() == pytest.approx([0.9, 0.4])


def test_a_sloping_line_is_one_line() -> None:
    boxes = np.stack([upright(x, y + 0.2 * x, x + 40, y + 20 + 0.2 * x) for y in (0, 50) for x in (0, 60, 120, 180)])
    shuffled = np.random.default_rng(0).permutation(8)
    assert shuffled[reading_order(boxes[shuffled])].tolist() == list(range(8))
    assert reading_order(np.zeros((0, 4, 2))).tolist() == []


# --- crops -----------------------------------------------------------------------------------------------------------


def test_an_upright_box_is_cut_without_touching_a_pixel() -> None:
    (piece,) = cut(PICTURE, BOX[None])
    assert piece.picture is not None
    assert np.array_equal(piece.picture, PICTURE[10:40, 20:80])


@pytest.mark.parametrize("box", [BOX, TURNED, upright(-15, -8, 40, 30)])
@pytest.mark.parametrize("margin", [0.0, 0.2])
def test_a_place_in_a_crop_is_found_again_in_the_photograph(box: np.ndarray, margin: float) -> None:
    black = np.zeros((100, 120, 3), np.uint8)
    spot = np.array([60.0, 38.0]) if box is TURNED else np.array([33.0, 22.0])
    cv2.circle(black, (int(spot[0]), int(spot[1])), 3, (255, 255, 255), -1)
    (piece,) = cut(black, box[None], margin)
    assert piece.picture is not None
    rows, columns = np.nonzero(piece.picture[:, :, 0] > 127)
    high, wide = piece.picture.shape[:2]
    seen = np.array([(columns.mean() + 0.5) / wide, (rows.mean() + 0.5) / high])
    assert np.abs(from_crop(seen, piece.corners_42) - spot).max() <= 1.2


def test_a_turned_word_is_made_straight() -> None:
    high, wide = 26, 62
    (piece,) = cut(PICTURE, TURNED[None])
    assert piece.picture is not None
    assert piece.picture.shape == (high, wide, 3)


def test_a_box_that_shows_nothing_is_a_problem_of_its_own() -> None:
    pieces = cut(PICTURE, np.stack([upright(200, 10, 260, 40), upright(10, 10, 10.5, 40), BOX]))
    assert [piece.picture is None for piece in pieces] == [True, True, False]
    assert "outside the picture of 120 x 100" in str(pieces[0].problem)
    assert pieces[1].problem is not None
    beside, thin = cut(PICTURE, np.stack([upright(121, 10, 180, 40), upright(10, 10, 10.5, 40)]), 0.2)
    assert "outside" in str(beside.problem)  # though its margin reaches into the picture
    assert thin.problem is not None


# --- files of boxes --------------------------------------------------------------------------------------------------

SAME = {
    "sides.csv": "x0,y0,x1,y1,text\n20,10,80,40,AB\n",
    "size.csv": "x,y,width,height,text\n20,10,60,30,AB\n",
    "quad.csv": "x1,y1,x2,y2,x3,y3,x4,y4,text\n20,10,80,10,80,40,20,40,AB\n",
    "gt_icdar.txt": "\ufeff20,10,80,10,80,40,20,40,AB\r\n1,2,30,2,30,20,1,20,###\r\n",
    "upright.txt": "20,10,80,40,AB\n",
    "list.json": '[{"box": [20, 10, 80, 40], "text": "AB"}]',
    "points.json": '{"photo.png": [{"points": [[20, 10], [80, 10], [80, 40], [20, 40]], "text": "AB"}]}',
    "named.csv": "file,left,top,right,bottom,text\nphoto.png,20,10,80,40,AB\nother.png,0,0,9,9,C\n",
}


@pytest.mark.parametrize("name", list(SAME))
def test_every_way_of_writing_a_box_says_the_same(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(SAME[name], encoding="utf-8")
    crops = crops_from_photo("pictures/photo.png", How(boxes=str(tmp_path / name)), PICTURE)
    assert [crop.text for crop in crops] == ["AB"]
    assert np.array_equal(crops[0].box_42, BOX)
    assert crops[0].name == "pictures/photo.png#1"
    assert crops[0].picture is not None
    assert np.array_equal(crops[0].picture, PICTURE[8:42, 18:82])  # with a little ground around, as readers are trained


def test_a_text_may_hold_commas_and_a_photograph_that_is_not_named_has_no_words(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("20,10,80,40,1,5 km\n")
    assert read_boxes(str(tmp_path / "a.txt")).of("any.png")[0].text == "1,5 km"
    (tmp_path / "b.csv").write_text(SAME["named.csv"])
    assert read_boxes(str(tmp_path / "b.csv")).of("third.png") == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "empty file"),
        ("x0,y0,x1,y1\n", "no box in it"),
        ("x0,y0,x1,y1\n1,2,3\n", ":2: 3 cells for 4 columns"),
        ("x0,y0,x1,y1\n1,2,a,9\n", "x1 is 'a'"),
        ("x0,y0,x1,y1\n1,2,nan,9\n", "not finite"),
        ("x0,y0,x1,y1\n50,2,3,9\n", "ends before it begins"),
        ("x0,y0\n1,2\n", "its header has none of"),
        ("1,2,3\n", ":1: neither 4 nor 8 numbers"),
        ("[[1, 2, 3]]", "box 1: not 4 or 8 finite numbers"),
        ('[{"text": "a"}]', "box 1: not 4 or 8 finite numbers"),
        ('{"a.png": 3}', "a.png: no list of boxes"),
        ("[[1, 2, ", "not JSON"),
        ('[{"box": [1, 2, 30, 40], "file": "a.png"}, [1, 2, 30, 40]]', "some boxes name a photograph"),
        ("1,1,1,1,1,1,1,1\n", "corners enclose"),
    ],
)
def test_a_wrong_file_of_boxes_is_one_line_with_its_place(content: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "boxes").write_text(content)
    with pytest.raises(UserError) as caught:
        read_boxes(str(tmp_path / "boxes"))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert str(tmp_path / "boxes") in str(caught.value)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "give one of them"),
        ({"boxes": "a", "find": True}, "give one of them"),
        ({"find": True, "trust": True}, "trust goes with a detector"),
        ({"boxes": "a", "least": 0.5}, "not with --boxes"),
        ({"find": True, "least": 1.5}, "between 0 and 1"),
    ],
)
def test_how_words_are_found_is_said_once(given: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        How(**given)


# --- detectors as ONNX -----------------------------------------------------------------------------------------------


def detector(path: Path, kind: str, shape: tuple[Any, ...] = (1, 3, "h", "w"), metadata: dict[str, str] | None = None) -> str:
    """A program that finds what is white: as a map, or answers the same boxes to everything."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    helper, numbers = onnx.helper, onnx.numpy_helper
    if kind == "map":
        nodes = [helper.make_node("ReduceMean", ["x"], ["m"], axes=[1], keepdims=1), helper.make_node("Sigmoid", ["m"], ["out"])]
        constants, outputs = [], [helper.make_tensor_value_info("out", onnx.TensorProto.FLOAT, None)]
    else:
        rows = {
            "boxes": np.array([[20, 10, 80, 40, 0.9], [22, 11, 79, 41, 0.5], [1, 1, 2, 30, 0.9], [90, 50, 110, 60, 0.1]], np.float32),
            "quads": np.array([[[*TURNED.reshape(-1), 0.8]]], np.float32),
            "nan": np.full((1, 5), np.nan, np.float32),
            "odd": np.zeros((1, 7), np.float32),
        }[kind]
        nodes = [helper.make_node("Identity", ["rows"], ["out"])]
        constants, outputs = [numbers.from_array(rows, "rows")], [helper.make_tensor_value_info("out", onnx.TensorProto.FLOAT, None)]
    inputs = [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, shape)]
    model = helper.make_model(helper.make_graph(nodes, "g", inputs, outputs, constants), opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    if metadata:
        helper.set_model_props(model, metadata)
    path.write_bytes(model.SerializeToString())
    return str(path)


PLAIN = {"mean": "0.5,0.5,0.5", "std": "0.05,0.05,0.05"}


@pytest.mark.parametrize("shape", [(1, 3, "h", "w"), (1, 3, 96, 256)])
def test_a_map_of_probabilities_becomes_boxes_in_the_photographs_pixels(shape: tuple[Any, ...], tmp_path: Path) -> None:
    photograph = np.zeros((200, 300, 3), np.uint8)
    photograph[60:90, 40:200] = 255
    how = How(detector=detector(tmp_path / "d.onnx", "map", shape, PLAIN), trust=True)
    (crop,) = crops_from_photo("a.png", how, photograph)
    grown = 1.5 * 160 * 30 / (2 * 190)
    assert iou(crop.box_42, upright(40 - grown, 60 - grown, 200 + grown, 90 + grown)) > 0.8
    assert crop.score > 0.9


def test_boxes_and_quadrilaterals_of_a_detector_are_taken_as_they_are(tmp_path: Path) -> None:
    photograph = np.zeros((96, 128, 3), np.uint8)
    (crop,) = crops_from_photo("a.png", How(detector=detector(tmp_path / "b.onnx", "boxes"), trust=True), photograph)
    assert np.array_equal(crop.box_42, BOX)
    (crop,) = crops_from_photo("a.png", How(detector=detector(tmp_path / "q.onnx", "quads"), trust=True), photograph)
    assert np.array_equal(crop.box_42, TURNED)
    assert crops_from_photo("a.png", How(detector=str(tmp_path / "q.onnx"), trust=True, least=0.85), photograph) == []


def test_a_turned_region_is_a_turned_box_that_begins_at_its_top_left() -> None:
    probability = np.zeros((120, 160), np.float32)
    cv2.fillPoly(probability, [np.array([(30, 40), (110, 60), (105, 80), (25, 60)])], 1.0)
    (box,) = map_boxes(probability).boxes_N42
    assert box[0, 0] < box[1, 0]
    assert box[0, 1] < box[3, 1]
    assert np.degrees(np.arctan2(*(box[1] - box[0])[::-1])) == pytest.approx(14, abs=2)


@pytest.mark.parametrize(
    ("kind", "options", "said"),
    [
        ("nan", {}, "not a number"),
        ("odd", {}, "a map (1,1,h,w)"),
        ("map", {"shape": (1, 3)}, "a detector takes one float picture"),
        ("map", {"metadata": {"mean": "a"}}, "its metadata mean is 'a'"),
    ],
)
def test_a_detector_that_cannot_be_used_is_named(kind: str, options: dict[str, Any], said: str, tmp_path: Path) -> None:
    path = detector(tmp_path / "d.onnx", kind, **options)
    with pytest.raises(UserError) as caught:
        crops_from_photo("a.png", How(detector=path, trust=True), PICTURE)
    assert said in str(caught.value)
    assert path in str(caught.value)


def test_a_detector_from_elsewhere_is_not_run_untrusted_and_a_broken_one_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    path = detector(tmp_path / "d.onnx", "boxes")
    with pytest.raises(UserError, match="not trusted"):
        crops_from_photo("a.png", How(detector=path), PICTURE)
    (tmp_path / "broken.onnx").write_bytes(b"no program")
    with pytest.raises(UserError, match="no ONNX file that can be loaded"):
        crops_from_photo("a.png", How(detector=str(tmp_path / "broken.onnx"), trust=True), PICTURE)
    with pytest.raises(UserError, match="No such file"):
        crops_from_photo("a.png", How(detector=str(tmp_path / "none.onnx"), trust=True), PICTURE)


def test_without_onnxruntime_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "d.onnx").write_bytes(b"x")
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    with pytest.raises(UserError, match=r"pip install 'discern\[onnx\]'"):
        crops_from_photo("a.png", How(detector=str(tmp_path / "d.onnx"), trust=True), PICTURE)


def test_a_changed_file_of_boxes_is_read_anew(tmp_path: Path) -> None:
    import os

    path = tmp_path / "boxes.json"
    for number, box in enumerate(([20, 10, 80, 40], [1, 2, 30, 40])):
        path.write_text(json.dumps([box]))
        os.utime(path, ns=(number * 10**9, number * 10**9))
        (crop,) = crops_from_photo("a.png", How(boxes=str(path)), PICTURE)
        assert crop.box_42[0].tolist() == box[:2]
