from pathlib import Path

import numpy as np
import pytest

from datamodules.errors import DataError
from datamodules.mil.slides.contours import Region
from datamodules.mil.slides.mpp import Resolution
from datamodules.mil.slides.problems import SlideError
from datamodules.mil.slides.slide import Slide, open_slide
from datamodules.mil.slides.thumbnails import thumbnail
from datamodules.mil.slides.tiling import TileRule, magnification, plan_tiles, region_share
from datamodules.mil.slides.tissue import PRESETS, segment
from tests.datamodules.mil.slides_here import CMU, TCGA, real


def blank(width=10_000, height=8_000, downs=(1, 4, 16)):
    return Slide(Path("s.svs"), [(width // down, height // down) for down in downs], {})


def everywhere(slide):
    return [Region(np.array([[0, 0], [slide.size[0], 0], [slide.size[0], slide.size[1]], [0, slide.size[1]]]))]


def plan(slide, own, **rule):
    return plan_tiles(slide, Resolution(own, own, "test"), everywhere(slide), TileRule(**rule))


@pytest.mark.parametrize(
    ("mpp", "target", "px"), [(0.499, 0.5, 256), (0.25, 0.5, 256), (0.2265, 0.5, 224), (0.5, 2.0, 128), (0.5, 0.5, 256)]
)
def test_a_tiles_side_is_true_micrometres(mpp, target, px):
    slide = blank()
    grid = plan(slide, mpp, mpp=target, px=px)
    assert grid.side0 == (round(px * target / mpp),) * 2
    assert grid.side == tuple(round(side / slide.downsamples[grid.level]) for side in grid.side0)


def test_tiles_lie_inside_on_the_grid_row_by_row_without_repeats():
    grid = plan(blank(), 0.499, overlap=32)
    assert grid.coords.dtype == np.int64
    assert (grid.coords >= 0).all()
    assert (grid.coords + grid.side0 <= grid.size).all()
    assert (grid.coords % grid.step0 == 0).all()
    assert len(np.unique(grid.coords, axis=0)) == len(grid)
    keys = grid.coords[:, 1] * 100_000 + grid.coords[:, 0]
    assert (np.diff(keys) > 0).all()
    assert grid.step0[0] == round((256 - 32) * 0.5 / 0.499)


def test_the_level_is_the_coarsest_within_tolerance():
    assert plan(blank(), 0.5, mpp=2.0).level == 1
    assert plan(blank(), 0.5, mpp=1.99).level == 1  # 4 is 0.5 % coarser than asked for
    assert plan(blank(), 0.5, mpp=1.9).level == 0
    assert plan(blank(), 0.5, mpp=1.9, tolerance=0.06).level == 1
    assert plan(blank(), 0.5, mpp=7.0).level == 1
    assert plan(blank(), 0.5, mpp=8.0).level == 2


def test_the_same_slide_stored_finer_has_the_same_tiles_in_micrometres():
    coarse, fine = blank(4000, 4000), blank(8000, 8000)
    one, other = plan(coarse, 0.5), plan(fine, 0.25)
    centres = [(grid.coords + np.array(grid.side0) / 2) * grid.mpp[0] for grid in (one, other)]
    assert np.abs(centres[0] - centres[1]).max() <= 0.5


def test_a_target_finer_than_the_slide_is_refused_unless_allowed():
    with pytest.raises(SlideError, match=r"0\.5 um per pixel, coarser than the 0\.25"):
        plan(blank(), 0.5, mpp=0.25)
    grid = plan(blank(), 0.5, mpp=0.25, allow_upsample=True)
    assert grid.side == (128, 128)


def test_pixels_that_are_not_square_give_tiles_that_are_square_in_micrometres():
    slide = blank()
    grid = plan_tiles(slide, Resolution(0.5, 0.25, "test"), everywhere(slide), TileRule(mpp=0.5))
    assert grid.side0 == (256, 512)


def test_nominal_magnification_counts_as_its_peers_do():
    grid = plan(blank(), 0.265, nominal_mag=20)  # rounded to 40x, so really 0.53 um per pixel
    assert grid.side0 == (512, 512)
    assert grid.target_mpp == pytest.approx(0.53)
    assert [magnification(mpp) for mpp in (0.1, 0.17, 0.25, 0.499, 1.0, 2.0)] == [80, 60, 40, 20, 10, 5]
    with pytest.raises(SlideError):
        magnification(2.4)
    with pytest.raises(DataError, match="not both"):
        TileRule(mpp=0.5, nominal_mag=20)


def test_the_share_of_a_tile_is_exact_between_the_masks_pixels():
    rng = np.random.default_rng(0)
    mask = (rng.random((30, 40)) < 0.5).astype(np.uint8)
    full = mask.repeat(10, 0).repeat(10, 1)  # the slide, 400 x 300
    coords = np.stack([rng.integers(0, 400 - 57, 50), rng.integers(0, 300 - 33, 50)], 1)
    expected = [full[y : y + 33, x : x + 57].mean() for x, y in coords]
    np.testing.assert_allclose(region_share(coords, (57, 33), (400, 300), mask), expected, atol=1e-6)


def test_minimum_tissue_and_pen_decide():
    slide = blank(2048, 2048)
    left = Region(np.array([[0, 0], [900, 0], [900, 2048], [0, 2048]]))
    pen = Region(np.array([[0, 0], [512, 0], [512, 512], [0, 512]]), kind="Pen")
    mpp = Resolution(0.5, 0.5, "test")
    grid = plan_tiles(slide, mpp, [left], TileRule(px=512, mpp=0.5))
    assert set(grid.coords[:, 0]) == {0, 512}
    assert set(plan_tiles(slide, mpp, [left], TileRule(px=512, mpp=0.5, min_tissue=0.9)).coords[:, 0]) == {0}
    marked = plan_tiles(slide, mpp, [left, pen], TileRule(px=512, mpp=0.5))
    assert marked.pen_dropped == 1
    assert len(marked) == len(grid) - 1
    kept = plan_tiles(slide, mpp, [left, pen], TileRule(px=512, mpp=0.5, max_pen=1))
    assert kept.pen.max() == pytest.approx(1, abs=0.05)
    assert len(plan_tiles(slide, mpp, [], TileRule(min_tissue=0))) == 0


@real
def test_tiles_of_the_real_slides():
    for path, whole, fixed, otsu in ((CMU, 88, 44, 35), (TCGA, 221, 160, 160)):
        with open_slide(path) as slide:
            mpp, rgb = Resolution(0.5, 0.5, "test"), thumbnail(slide, 16)
            bare = {"a_t": 0, "close": 0, "a_h": 0, "max_n_holes": 10_000}
            assert len(plan_tiles(slide, mpp, everywhere(slide), TileRule())) == whole
            for preset, count in (("default", fixed), ("auto", otsu)):
                found = segment(rgb, slide.size, PRESETS[preset].changed(**bare))
                assert len(plan_tiles(slide, mpp, found.regions, TileRule())) == pytest.approx(count, abs=2)


def test_requests_that_would_fill_the_memory_are_refused():
    with pytest.raises(SlideError, match="20480 x 20480 pixels"):
        plan(blank(200_000, 200_000, downs=(1,)), 0.25, mpp=20)
    with pytest.raises(SlideError, match="places for tiles"):
        plan(blank(100_000, 100_000), 0.5, mpp=0.5, overlap=255)
