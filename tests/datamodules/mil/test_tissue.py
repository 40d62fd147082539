import cv2
import numpy as np
import pytest

from datamodules.errors import DataError
from datamodules.mil.slides.contours import rasterise
from datamodules.mil.slides.pen import pen_mask
from datamodules.mil.slides.slide import open_slide
from datamodules.mil.slides.thumbnails import thumbnail
from datamodules.mil.slides.tissue import PRESETS, segment
from datamodules.mil.synth_slides import make_slide, write_slide
from tests.datamodules.mil.slides_here import CMU, REAL, TCGA, real

FACTOR = 16


def shrunk(mask):
    return cv2.resize(mask.astype(np.uint8) * 255, (mask.shape[1] // FACTOR, mask.shape[0] // FACTOR), interpolation=cv2.INTER_AREA) > 127


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """A made slide, and its thumbnail at factor 16."""
    made = make_slide(4096, 3072, seed=0)
    with open_slide(write_slide(tmp_path_factory.mktemp("slides") / "a.svs", made)) as slide:
        return made, thumbnail(slide, FACTOR), slide.size


def kept(found, size, shape):
    return rasterise(found.regions, size, shape) > 0


def test_tissue_is_found_to_98_percent_and_the_lumen_is_a_hole(seen):
    made, rgb, size = seen
    truth = shrunk(made.tissue & ~made.pen)
    mask = kept(segment(rgb, size), size, rgb.shape[:2])
    assert (mask & truth).sum() / (mask | truth).sum() >= 0.98
    assert mask[shrunk(made.lumen)].mean() < 0.05


def test_the_mask_is_not_moved(seen):
    made, rgb, size = seen
    truth = shrunk(made.tissue & ~made.pen)
    mask = kept(segment(rgb, size), size, rgb.shape[:2])
    wrong = {(dy, dx): (np.roll(mask, (dy, dx), (0, 1)) != truth).sum() for dy in (-1, 0, 1) for dx in (-1, 0, 1)}
    assert min(wrong, key=wrong.__getitem__) == (0, 0)


def test_pen_is_left_out_when_asked(seen):
    made, rgb, size = seen
    pen = shrunk(made.pen)
    assert kept(segment(rgb, size, PRESETS["auto"].changed(a_t=0)), size, rgb.shape[:2])[pen].mean() <= 0.02
    assert kept(segment(rgb, size, PRESETS["auto"].changed(a_t=0), pen=False), size, rgb.shape[:2])[pen].mean() > 0.5
    assert rasterise(segment(rgb, size).regions, size, rgb.shape[:2], "Pen")[pen].mean() > 0.95


def test_an_empty_slide_has_no_tissue():
    rng = np.random.default_rng(0)
    glass = np.clip(rng.normal(244, 2, (200, 300, 3)), 0, 255).astype(np.uint8)
    for name in ("auto", "bwh_biopsy", "tcga"):
        assert segment(glass, (4800, 3200), PRESETS[name]).regions == []


def test_grey_dirt_is_no_tissue_unless_it_is_told_to_stay():
    picture = np.full((200, 300, 3), 244, np.uint8)
    picture[50:150, 50:150] = (120, 118, 112)
    strict = PRESETS["auto"].changed(use_otsu=False, sthresh=8)
    assert segment(picture, (4800, 3200), strict).regions == []
    assert segment(picture, (4800, 3200), strict, grey=False).regions != []


def test_small_pieces_small_holes_and_too_many_holes_are_left_out():
    picture = np.full((400, 400, 3), 244, np.uint8)
    picture[20:380, 20:380] = (210, 120, 170)
    for i in range(4):
        picture[60 + 80 * i : 60 + 80 * i + 20 + 10 * i, 100:130] = 244  # holes of 20 to 50 rows
    picture[0:12, 0:12] = (210, 120, 170)  # a piece of its own
    size = (6400, 6400)  # 1024 pixels of the picture are a patch
    preset = PRESETS["auto"].changed(mthresh=1, close=0)
    assert len(segment(picture, size, preset.changed(a_t=0, a_h=0)).regions) == 2
    (one,) = segment(picture, size, preset.changed(a_t=0.5, a_h=0)).regions
    assert len(one.holes) == 4
    (one,) = segment(picture, size, preset.changed(a_t=0.5, a_h=1)).regions
    assert len(one.holes) == 2  # 40 and 50 rows of 30 are more than 1024 pixels
    (one,) = segment(picture, size, preset.changed(a_t=0.5, a_h=0, max_n_holes=1)).regions
    assert np.ptp(one.holes[0][:, 1]) > 45 * 16  # the largest


def test_a_mask_goes_through_polygons_unchanged(seen):
    _, rgb, size = seen
    found = segment(rgb, size)
    assert kept(found, size, rgb.shape[:2]).mean() == pytest.approx(found.tissue_share, abs=1e-3)


def test_wrong_settings_are_named():
    with pytest.raises(DataError, match="no setting 'stresh'"):
        PRESETS["auto"].changed(stresh=3)
    with pytest.raises(DataError, match="odd"):
        PRESETS["auto"].changed(mthresh=4)


def test_a_slide_of_one_level_is_shrunk_in_strips_to_the_same_picture(tmp_path, monkeypatch):
    made = make_slide(1000, 777, seed=1)
    with open_slide(write_slide(tmp_path / "a.svs", made, levels=(), compression=None)) as slide:
        whole = thumbnail(slide, 8)
        monkeypatch.setattr("datamodules.mil.slides.thumbnails.STRIP", 1000 * 100)
        for workers in (1, 3):
            parts = thumbnail(slide, 8, workers)
            assert parts.shape == whole.shape
            assert np.abs(parts.astype(int) - whole).mean() < 1.5


@real
def test_shares_of_the_real_slides():
    for path, fixed, otsu in ((CMU, 0.386, 0.329), (TCGA, 0.639, 0.620)):
        with open_slide(path) as slide:
            rgb = thumbnail(slide, FACTOR)
            bare = {"a_t": 0, "close": 0, "a_h": 0, "max_n_holes": 10_000}
            assert segment(rgb, slide.size, PRESETS["default"].changed(**bare)).tissue_share == pytest.approx(fixed, abs=0.01)
            assert segment(rgb, slide.size, PRESETS["auto"].changed(**bare)).tissue_share == pytest.approx(otsu, abs=0.01)


@real
@pytest.mark.parametrize(
    ("name", "least", "most"), [("tcga-green-pen", 0.10, 0.18), ("tcga-red-pen", 0.17, 0.25), ("tcga-lung-rgb", 0, 0.005)]
)
def test_real_strokes_are_found_and_clean_tissue_is_not(name, least, most):
    with open_slide(REAL / f"{name}.jpg") as slide:
        assert least <= pen_mask(slide.read(0, 0, 0, *slide.size)).mean() <= most
