import json

import numpy as np
import pytest

from datamodules.errors import DataError
from datamodules.mil.slides.contours import Region, rasterise, read_geojson, write_geojson

SQUARE = np.array([[0, 0], [800, 0], [800, 800], [0, 800]])
HOLE = np.array([[200, 200], [400, 200], [400, 400], [200, 400]])


def test_what_is_written_is_read_back(tmp_path):
    regions = [Region(SQUARE, [HOLE]), Region(SQUARE + 900, kind="Pen")]
    write_geojson(tmp_path / "a.geojson", regions)
    back = read_geojson(tmp_path / "a.geojson")
    assert [region.kind for region in back] == ["Tissue", "Pen"]
    assert (back[0].outer == SQUARE).all()
    assert (back[0].holes[0] == HOLE).all()


def test_the_file_is_what_qupath_opens(tmp_path):
    write_geojson(tmp_path / "a.geojson", [Region(SQUARE, [HOLE])])
    data = json.loads((tmp_path / "a.geojson").read_text())
    assert data["type"] == "FeatureCollection"
    (feature,) = data["features"]
    assert feature["type"] == "Feature"
    assert feature["properties"]["objectType"] == "annotation"
    assert feature["properties"]["classification"] == {"name": "Tissue", "color": [0, 160, 60]}
    assert all(ring[0] == ring[-1] for ring in feature["geometry"]["coordinates"])
    assert len(feature["geometry"]["coordinates"]) == 2


def test_an_edited_file_of_qupath_is_read(tmp_path):
    multi = {"type": "MultiPolygon", "coordinates": [[SQUARE.tolist()], [(SQUARE + 900).tolist(), (HOLE + 900).tolist()]]}
    features = [
        {"type": "Feature", "id": "x", "geometry": multi, "properties": {"objectType": "annotation"}},
        {"type": "Feature", "geometry": {"type": "Point", "coordinates": [1, 2]}, "properties": None},
        {
            "type": "Feature",
            "geometry": {"type": "Polygon", "coordinates": [HOLE.tolist()]},
            "properties": {"classification": {"name": "Ignore*"}},
        },
    ]
    (tmp_path / "a.geojson").write_text(json.dumps(features))  # QuPath also writes a bare list
    regions = read_geojson(tmp_path / "a.geojson")
    assert [region.kind for region in regions] == ["Tissue", "Tissue", "Ignore*"]
    mask = rasterise(regions, (1800, 1800), (180, 180))
    assert mask[10, 10] == 1
    assert mask[30, 30] == 0  # ignored
    assert mask[120, 120] == 0  # a hole
    assert mask[100, 95] == 1


def test_the_raster_has_the_polygons_area():
    mask = rasterise([Region(SQUARE + 100, [HOLE + 100])], (1000, 1000), (500, 500))
    assert mask.mean() == pytest.approx((800**2 - 200**2) / 1000**2, rel=0.01)


@pytest.mark.parametrize(
    "text",
    ["", "[1", "3",
     '{"features": [{"geometry": {"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]}}]}', '[{"geometry": {"type": "Blob"}}]',
     '[{"geometry": {"type": "Polygon", "coordinates": [[[0, 0], [1, NaN], [3, 3]]]}}]', "[" * 100_000],
)  # fmt: skip
def test_what_is_no_geojson_is_one_line(tmp_path, text):
    (tmp_path / "a.geojson").write_text(text)
    with pytest.raises(DataError, match=r"a\.geojson") as caught:
        read_geojson(tmp_path / "a.geojson")
    assert "\n" not in str(caught.value)
