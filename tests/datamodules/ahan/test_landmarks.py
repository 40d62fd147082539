"""Boxes follow a face's own points, and fall back to the template's where there are none."""

import numpy as np
import pytest

from datamodules.ahan.landmarks import COUNTS, IBUG, MESH, OF_MESH, five_of, region_boxes, template_boxes
from datamodules.ahan.template import BOXES, REGIONS, template
from datamodules.errors import DataError

MIRRORED = [1, 0, 2, 4, 3]


def cloud(count: int, size: int = 112) -> np.ndarray:
    """Points of each region spread over the template's box of it, symmetric about the middle."""
    points = np.full((count, 2), np.nan)
    for region, places in (IBUG if count == 68 else OF_MESH).items():
        x0, y0, x1, y1 = BOXES[REGIONS.index(region)]
        turns = np.linspace(0, 2 * np.pi, len(places), endpoint=False)
        points[list(places)] = np.stack([(x0 + x1) / 2 + (x1 - x0) / 2 * np.cos(turns), (y0 + y1) / 2 + (y1 - y0) / 2 * np.sin(turns)], 1)
    return points * size - 0.5


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    both = np.clip(high - low, 0, None).prod()
    return both / ((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - both)


@pytest.mark.parametrize("size", [64, 112])
def test_boxes_of_the_template_points_are_near_the_template_boxes(size: int) -> None:
    found = region_boxes(template(size), size)
    assert not found.fallback
    for box, expected in zip(found.boxes, BOXES, strict=True):
        assert overlap(box, np.array(expected)) > 0.5


def test_five_points_give_the_stated_boxes() -> None:
    points = np.array([[30, 40], [70, 40], [50, 60], [38, 80], [62, 80]]) - 0.5  # D is 40 of a frame of 112
    eyes, nose, mouth, jaw = region_boxes(points, 112).boxes * 112
    assert np.allclose(eyes, [50 - 38 * 1.25, 40 - 18 * 1.25, 50 + 38 * 1.25, 40 + 18 * 1.25], atol=1e-4)
    assert np.allclose(nose, [50 - 18 * 1.25, 50 - 22 * 1.25, 50 + 18 * 1.25, 50 + 22 * 1.25], atol=1e-4)
    assert np.allclose(mouth, [50 - 12 * 1.25, 80 - 14 * 1.25, 50 + 12 * 1.25, 80 + 14 * 1.25], atol=1e-4)
    assert np.allclose(jaw, [0, 104 - 24 * 1.25, 50 + 44 * 1.25, 112], atol=1e-4)


@pytest.mark.parametrize("count", [68, 468])
def test_regions_of_many_points_are_their_grown_bounds(count: int) -> None:
    found = region_boxes(cloud(count), 112)
    assert not found.fallback
    for region, box in zip(REGIONS, found.boxes, strict=True):
        places = (IBUG if count == 68 else OF_MESH)[region]
        own = (cloud(count)[list(places)] + 0.5) / 112
        assert (box[:2] <= own[own[:, 1] > own[:, 1].mean()].min(0) + 1e-6).all()
        assert min(box[2] - box[0], 1) >= 0.2 - 1e-6


def test_the_outline_counts_for_the_jaw_below_the_mouth_alone() -> None:
    points = cloud(68)
    points[0] = points[16] = [5, 3]  # ears
    assert region_boxes(points, 112).boxes[3][1] > 0.5


def test_a_region_without_points_has_the_template_box_and_is_named() -> None:
    points = cloud(68)
    points[50] = np.nan
    found = region_boxes(points, 112)
    assert found.fallback == ("mouth", "jaw")  # the jaw is what lies below the mouth
    assert np.allclose(found.boxes[2], BOXES[2])
    five = template(112)
    five[2] = np.nan
    assert region_boxes(five, 112).fallback == ("nose",)
    assert region_boxes(template(112) + 500, 112).fallback == REGIONS
    assert template_boxes().fallback == REGIONS


@pytest.mark.parametrize("count", COUNTS)
def test_mirroring_a_face_mirrors_its_boxes(count: int) -> None:
    points = (template(112) if count == 5 else cloud(count)) + np.random.default_rng(0).normal(0, 1, (count, 2))
    boxes, mirrored = (region_boxes(p, 112).boxes for p in (points, [111, 0] + points * [-1, 1]))
    assert np.allclose(boxes[:, [0, 2]], 1 - mirrored[:, [2, 0]], atol=1e-5)
    assert np.allclose(boxes[:, [1, 3]], mirrored[:, [1, 3]], atol=1e-5)


def test_the_table_of_the_mesh_names_vertices_of_468_each_in_one_part() -> None:
    places = [at for part in MESH.values() for at in part]
    assert len(places) == len(set(places)) == 152
    assert 0 <= min(places) <= max(places) < 468
    assert (len(MESH["eye_left"]), len(MESH["brow_left"])) == (len(MESH["eye_right"]), len(MESH["brow_right"])) == (16, 10)
    assert {1, 4, 168} <= set(MESH["nose"])
    assert {61, 291, 0, 17} <= set(MESH["lips_outer"])
    assert {10, 152, 234, 454} <= set(MESH["oval"])
    assert {33, 133} <= set(MESH["eye_right"])
    assert {263, 362} <= set(MESH["eye_left"])


def test_five_points_are_found_in_68_and_468() -> None:
    ibug = np.zeros((68, 2))
    ibug[36:42], ibug[42:48], ibug[30], ibug[48], ibug[54] = (30, 40), (70, 40), (50, 60), (38, 80), (62, 80)
    mesh = np.zeros((468, 2))
    mesh[list(MESH["eye_right"])], mesh[list(MESH["eye_left"])] = (30, 40), (70, 40)
    mesh[1], mesh[61], mesh[291] = (50, 60), (38, 80), (62, 80)
    assert five_of(ibug).tolist() == five_of(mesh).tolist() == [[30, 40], [70, 40], [50, 60], [38, 80], [62, 80]]


@pytest.mark.parametrize("shape", [(4, 2), (5, 3), (5,), (106, 2)])
def test_other_numbers_of_points_are_refused_in_one_line(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match="5, 68, 468 points"):
        region_boxes(np.zeros(shape), 112)
