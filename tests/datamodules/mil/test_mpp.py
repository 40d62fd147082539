from pathlib import Path

import pytest

from datamodules.errors import DataError
from datamodules.mil.slides.mpp import find_mpp, read_mpp_csv
from datamodules.mil.slides.problems import NoResolutionError
from datamodules.mil.slides.slide import Slide, open_slide
from tests.datamodules.mil.slides_here import CMU, TCGA, real, small


def test_sources_are_asked_in_the_stated_order():
    everything = {
        "openslide.mpp-x": "0.25", "openslide.mpp-y": "0.26", "aperio.MPP": "0.3", "hamamatsu.XResolution": "25000",
        "tiff.XResolution": "20000", "tiff.ResolutionUnit": "centimeter", "ome.PhysicalSizeX": "0.6", "openslide.objective-power": "10",
    }  # fmt: skip
    expected = [(0.25, 0.26), (0.3, 0.3), (0.4, 0.4), (0.5, 0.5), (0.6, 0.6), (1.0, 1.0)]
    gone = [["openslide.mpp-x", "openslide.mpp-y"], ["aperio.MPP"], ["hamamatsu.XResolution"], ["tiff.XResolution"], ["ome.PhysicalSizeX"]]
    for (x, y), names in zip(expected, [*gone, []], strict=True):
        found = find_mpp(Slide(Path("s.svs"), [(9, 9)], everything))
        assert (found.x, found.y) == pytest.approx((x, y))
        assert found.approximate == (found.source == "objective power")
        everything = {key: value for key, value in everything.items() if key not in names}
    assert find_mpp(Slide(Path("s.svs"), [(9, 9)], {"aperio.MPP": "0.3"}), {"s": (0.7, 0.7)}).source == "csv"


@pytest.mark.parametrize("value", ["0", "-1", "nan", "many", "", "352.8", "0.01"])
def test_what_is_no_resolution_counts_as_missing(value):
    with pytest.raises(NoResolutionError, match=r"s\.svs.*slide,mpp.*row for s"):
        find_mpp(Slide(Path("s.svs"), [(9, 9)], {"aperio.MPP": value, "openslide.mpp-x": value}))


def test_a_decimal_comma_is_read():
    assert find_mpp(Slide(Path("s.svs"), [(9, 9)], {"aperio.MPP": "0,5"})).x == 0.5


@pytest.mark.parametrize(
    ("value", "unit"), [("72", "inch"), ("96", "inch"), ("1", "inch"), ("1", "centimeter"), ("28.3464567", "centimeter")]
)
def test_placeholders_of_a_tiff_are_no_resolution(value, unit):
    with pytest.raises(NoResolutionError):
        find_mpp(Slide(Path("s.tif"), [(9, 9)], {"tiff.XResolution": value, "tiff.ResolutionUnit": unit}))


def test_inches_are_converted():
    found = find_mpp(
        Slide(Path("s.tif"), [(9, 9)], {"tiff.XResolution": "50800", "tiff.YResolution": "25400", "tiff.ResolutionUnit": "inch"})
    )
    assert (found.x, found.y) == (0.5, 1.0)
    assert "not square" in found.warning


def test_the_users_table_wins_and_its_mistakes_are_named(tmp_path):
    path = tmp_path / "mpp.csv"
    path.write_text('slide,mpp\na,0.5\nb.svs,"0,25"\n')
    assert read_mpp_csv(path) == {"a": (0.5, 0.5), "b.svs": (0.25, 0.25)}
    path.write_text("slide,mpp_x,mpp_y\na,0.5,0.4\n")
    assert read_mpp_csv(path) == {"a": (0.5, 0.4)}
    for text, said in (("slide,mpp\na,0\n", "line 2"), ("a,b\n1,2\n", "names no slide"), ("slide,mpp\na,.5\na,.6\n", "line 3")):
        path.write_text(text)
        with pytest.raises(DataError, match=said):
            read_mpp_csv(path)


def test_a_made_slide_without_resolution_has_none(tmp_path):
    with open_slide(small(tmp_path / "a.svs", side=300, resolution=False)) as made, pytest.raises(NoResolutionError):
        find_mpp(made)


@real
def test_the_real_slides():
    with open_slide(CMU) as cmu, open_slide(TCGA) as tcga:
        assert find_mpp(cmu).x == 0.499
        with pytest.raises(NoResolutionError):
            find_mpp(tcga)
        assert find_mpp(tcga, {tcga.name: (0.5, 0.5)}).x == 0.5
