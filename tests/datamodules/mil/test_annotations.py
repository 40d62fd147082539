import json

import numpy as np
import pytest

from datamodules.errors import DataError
from datamodules.mil.slides.annotations import find_annotation, read_annotations, tile_truth
from datamodules.mil.slides.contours import Region, write_geojson
from datamodules.mil.slides.tiling import TileGrid

SQUARE = np.array([[100, 100], [612, 100], [612, 612], [100, 612]])
INNER = np.array([[228, 228], [356, 228], [356, 356], [228, 356]])


def asap(path, *parts):
    text = "".join(
        f'<Annotation Name="{i}" Type="Polygon" PartOfGroup="{group}"><Coordinates>'
        + "".join(f'<Coordinate Order="{j}" X="{x}" Y="{y}"/>' for j, (x, y) in reversed(list(enumerate(ring.tolist()))))
        + "</Coordinates></Annotation>"
        for i, (group, ring) in enumerate(parts)
    )
    path.write_text(f'<?xml version="1.0"?><ASAP_Annotations><Annotations>{text}</Annotations></ASAP_Annotations>')
    return path


def camelyon(path):
    data = {"positive": [{"name": "0", "vertices": SQUARE.tolist()}], "negative": [{"name": "1", "vertices": INNER.tolist()}]}
    path.write_text(json.dumps(data))
    return path


def geojson(path):
    write_geojson(path, [Region(SQUARE, kind="Tumor"), Region(INNER, kind="Ignore*")])
    return path


def grid():
    coords = np.stack(np.meshgrid(np.arange(0, 1024, 128), np.arange(0, 1024, 128)), -1).reshape(-1, 2)
    share = np.ones(len(coords), np.float32)
    return TileGrid(coords, share, share, (128, 128), (128, 128), 0, (128, 128), 128, 0, (0.5, 0.5), 0.5, (1024, 1024))


@pytest.mark.parametrize("kind", ["xml", "json", "geojson"])
def test_every_format_gives_the_same_truth_of_tiles(tmp_path, kind):
    write = {"xml": lambda path: asap(path, ("_0", SQUARE), ("_2", INNER)), "json": camelyon, "geojson": geojson}[kind]
    write(tmp_path / f"a.{kind}")
    path = find_annotation(tmp_path, "a")
    truth = tile_truth(grid(), read_annotations(path))
    full = np.zeros((1024, 1024))
    full[100:612, 100:612] = 1
    full[228:356, 228:356] = 0
    expected = [full[y : y + 128, x : x + 128].mean() for x, y in grid().coords]
    np.testing.assert_allclose(truth, expected, atol=0.08)  # a raster of 16 pixels a tile


def test_a_comma_as_decimal_point_is_read(tmp_path):
    path = asap(tmp_path / "a.xml", ("Tumor", SQUARE))
    path.write_text(path.read_text().replace('X="100"', 'X="100,0"'))
    assert (read_annotations(path)[0].outer == SQUARE).all()


@pytest.mark.parametrize(
    "text", ["<a", '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>', '<A><Annotation><Coordinate X="x" Y="1"/></Annotation></A>']
)
def test_broken_and_dangerous_xml_is_one_line(tmp_path, text):
    (tmp_path / "a.xml").write_text(text)
    with pytest.raises(DataError, match=r"a\.xml"):
        read_annotations(tmp_path / "a.xml")


def test_a_slide_without_annotation_has_none(tmp_path):
    assert find_annotation(tmp_path, "a") is None
