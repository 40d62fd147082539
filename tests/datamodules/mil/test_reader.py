import pickle

import cv2
import numpy as np
import pytest

from datamodules.mil.slide_name import slide_name
from datamodules.mil.slides.openslide_slide import OpenSlideSlide
from datamodules.mil.slides.problems import SlideUnreadableError
from datamodules.mil.slides.slide import open_slide
from datamodules.mil.synth_slides import make_slide, write_slide
from tests.datamodules.mil.slides_here import BROKEN, CMU, TCGA, real, small

import tifffile  # isort: skip  (slides_here has skipped this file where it is missing)


@pytest.fixture(scope="module")
def made():
    return make_slide(640, 512, seed=3)


def test_a_made_slide_is_an_aperio_file_with_its_levels_mpp_and_power(tmp_path):
    with open_slide(small(tmp_path / "a.svs")) as slide:
        assert slide.vendor == "aperio"
        assert slide.levels == [(1024, 1024), (256, 256), (64, 64)]
        assert slide.downsamples == [1.0, 4.0, 16.0]
        assert float(slide.properties["openslide.mpp-x"]) == 0.5
        assert slide.properties["openslide.objective-power"] == "20"


@pytest.mark.parametrize("tile", [240, 256])
@pytest.mark.parametrize("levels", [(), (2, 4, 8, 16)])
@pytest.mark.parametrize("compression", [None, "zlib", "lzw"])
@pytest.mark.parametrize("bigtiff", [False, True])
def test_every_made_variant_is_read_back_exactly(tmp_path, made, tile, levels, compression, bigtiff):
    if (tile, compression) == (240, None):
        pytest.skip("tifffile rounds the byte count of plain 240-pixel tiles up, which libtiff refuses")
    path = write_slide(tmp_path / "a.svs", made, tile=tile, levels=levels, compression=compression, bigtiff=bigtiff)
    with open_slide(path) as slide:
        assert slide.vendor == "aperio"
        assert len(slide.levels) == 1 + len(levels)
        assert (slide.read(0, 0, 0, 640, 512) == made.picture).all()


def test_jpeg_slides_differ_by_a_few_grey_levels(tmp_path, made):
    with open_slide(write_slide(tmp_path / "a.svs", made)) as slide:
        assert np.abs(slide.read(0, 0, 0, 640, 512).astype(int) - made.picture).mean() < 5


def test_regions_are_placed_in_level_0_pixels_and_sized_in_the_levels(tmp_path, made):
    with open_slide(write_slide(tmp_path / "a.svs", made, compression=None, levels=(4,))) as slide:
        whole = slide.read(0, 0, 1, 160, 128)
        assert (slide.read(400, 200, 1, 40, 30) == whole[50:80, 100:140]).all()


@pytest.mark.parametrize("name", ["a.svs", "a.ome.tif", "a.png"])
def test_outside_the_slide_everything_is_white(tmp_path, made, name):
    path = tmp_path / name
    if name.endswith("svs"):
        write_slide(path, made)
    elif name.endswith("tif"):
        tifffile.imwrite(path, made.picture, tile=(256, 256), photometric="rgb", ome=True)
    else:
        cv2.imwrite(str(path), made.picture[:, :, ::-1])
    with open_slide(path) as slide:
        corner = slide.read(-20, -30, 0, 60, 60)
        assert (corner[:30] == 255).all()
        assert (corner[:, :20] == 255).all()
        assert (corner[30:, 20:] < 255).any()
        assert (slide.read(5000, 5000, 0, 8, 8) == 255).all()


@pytest.mark.parametrize("planes", ["YXS", "CYX", "SYX"])
@pytest.mark.parametrize("tile", [None, (128, 128)])
def test_ome_tiffs_are_read_by_tifffile_in_every_order_of_axes(tmp_path, made, planes, tile):
    picture = made.picture if planes == "YXS" else np.ascontiguousarray(made.picture.transpose(2, 0, 1))
    options = {"photometric": "minisblack"} if planes == "CYX" else {"photometric": "rgb"}
    if planes == "SYX":
        options["planarconfig"] = "separate"
    if tile:
        options["tile"] = tile
    else:
        options["rowsperstrip"] = 50
    about = {"axes": planes, "PhysicalSizeX": 250.0, "PhysicalSizeXUnit": "nm", "PhysicalSizeY": 0.25}
    tifffile.imwrite(tmp_path / "a.ome.tif", picture, ome=True, metadata=about, compression="zlib", **options)
    with open_slide(tmp_path / "a.ome.tif") as slide:
        assert slide.vendor == "ome"
        assert slide.name == "a"
        assert (slide.read(100, 60, 0, 300, 200) == made.picture[60:260, 100:400]).all()
        assert float(slide.properties["ome.PhysicalSizeX"]) == pytest.approx(0.25)


def test_ome_pyramids_have_levels(tmp_path, made):
    with tifffile.TiffWriter(tmp_path / "a.ome.tif", ome=True) as file:
        options = {"photometric": "rgb", "tile": (128, 128), "compression": "jpeg"}
        file.write(made.picture, subifds=1, **options)
        file.write(made.picture[::2, ::2], subfiletype=1, **options)
    with open_slide(tmp_path / "a.ome.tif") as slide:
        assert slide.levels == [(640, 512), (320, 256)]
        assert np.abs(slide.read(64, 32, 1, 100, 100).astype(int) - made.picture[::2, ::2][16:116, 32:132]).mean() < 10


def test_plain_tiffs_are_read_too_grey_and_deep(tmp_path, made):
    grey = made.picture[:, :, 0]
    tifffile.imwrite(tmp_path / "a.tif", grey.astype(np.uint16) * 257)
    with open_slide(tmp_path / "a.tif") as slide:
        assert (slide.read(0, 0, 0, 640, 512) == grey[:, :, None]).all()


def test_label_and_macro_are_never_decoded(tmp_path, monkeypatch):
    import openslide

    def refuse(*_):
        raise AssertionError("an associated image was asked for")

    for name in ("read_associated_image", "read_associated_image_icc_profile"):
        monkeypatch.setattr(openslide.lowlevel, name, refuse)
    path = small(tmp_path / "a.svs")
    with openslide.OpenSlide(path) as direct:
        assert {"label", "macro", "thumbnail"} <= set(direct.associated_images)
        with pytest.raises(AssertionError):
            direct.associated_images["label"]
    with open_slide(path) as slide:
        for level, (width, height) in enumerate(slide.levels):
            slide.read(0, 0, level, width, height)


def test_what_is_no_slide_is_one_line_that_names_it(tmp_path):
    for data in (b"", b"hello", b"II*\0\x08\0\0\0\xff\xff", b"MM\0*"):
        (tmp_path / "a.svs").write_bytes(data)
        with pytest.raises(SlideUnreadableError, match=r"a\.svs") as caught:
            open_slide(tmp_path / "a.svs")
        assert "\n" not in str(caught.value)
    with pytest.raises(SlideUnreadableError, match="No such file"):
        open_slide(tmp_path / "gone.svs")


def test_a_slide_travels_as_its_path(tmp_path):
    with open_slide(small(tmp_path / "a.svs")) as slide, pickle.loads(pickle.dumps(slide)) as other:
        assert (slide.read(0, 0, 2, 64, 64) == other.read(0, 0, 2, 64, 64)).all()


def test_a_damaged_tile_is_named_and_the_rest_is_still_read(tmp_path, made):
    path = write_slide(tmp_path / "a.svs", made, levels=())
    with tifffile.TiffFile(path) as file:
        start, count = file.pages[0].dataoffsets[4], file.pages[0].databytecounts[4]
    data = bytearray(path.read_bytes())
    data[start : start + count] = bytes(count)
    path.write_bytes(data)
    with open_slide(path) as slide:
        assert isinstance(slide, OpenSlideSlide)
        with pytest.raises(SlideUnreadableError, match="damaged at x=256, y=256"):
            slide.read(256, 256, 0, 256, 256)
        assert slide.read(0, 0, 0, 256, 256).shape == (256, 256, 3)


def test_names_lose_what_tells_the_kind():
    assert slide_name("x/TCGA-A1-01Z-00-DX1.2f3a.svs") == "TCGA-A1-01Z-00-DX1.2f3a"
    assert slide_name("a.ome.tiff") == "a"


@real
def test_the_real_slides():
    with open_slide(CMU) as slide:
        assert slide.levels == [(2220, 2967)]
    with open_slide(TCGA) as slide:
        assert slide.levels[1] == (2221, 1783)
        assert slide.read(2000, 1500, 1, 64, 64).std() > 5  # JPEG 2000
    with pytest.raises(SlideUnreadableError, match=r"broken\.svs"):
        open_slide(BROKEN)
