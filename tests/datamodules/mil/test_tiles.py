import numpy as np
import pytest

from datamodules.mil.slides import tiles as tiles_module
from datamodules.mil.slides.contours import Region
from datamodules.mil.slides.mpp import Resolution
from datamodules.mil.slides.problems import SlideUnreadableError
from datamodules.mil.slides.slide import open_slide
from datamodules.mil.slides.tiles import TileReader
from datamodules.mil.slides.tiling import TileRule, plan_tiles
from datamodules.mil.synth_slides import make_slide, write_slide
from tests.datamodules.mil.slides_here import small

import tifffile  # isort: skip  (slides_here has skipped this file where it is missing)


def whole_grid(path, **rule):
    with open_slide(path) as slide:
        width, height = slide.size
        everywhere = [Region(np.array([[0, 0], [width, 0], [width, height], [0, height]]))]
        return plan_tiles(slide, Resolution(0.5, 0.5, "test"), everywhere, TileRule(**rule))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    slide = make_slide(1000, 900, seed=5)
    return slide, write_slide(tmp_path_factory.mktemp("slides") / "a.svs", slide, compression=None, levels=(4,))


def test_tiles_are_the_slides_pixels_in_the_grids_order(made):
    slide, path = made
    grid = whole_grid(path, px=64, mpp=0.5)
    read = np.concatenate(list(TileReader(path, grid, batch=7)))
    for tile, (x, y) in zip(read, grid.coords, strict=True):
        assert (tile == slide.picture[y : y + 64, x : x + 64]).all()


@pytest.mark.parametrize(
    "rule", [{"px": 64, "mpp": 0.5}, {"px": 48, "mpp": 0.8}, {"px": 30, "mpp": 2.3}, {"px": 64, "mpp": 0.3, "allow_upsample": True}]
)
def test_every_number_of_threads_and_batch_gives_the_same_bits(made, rule):
    grid = whole_grid(made[1], **rule)
    first = np.concatenate(list(TileReader(made[1], grid, batch=4, workers=1)))
    assert first.shape == (len(grid), rule["px"], rule["px"], 3)
    for batch, workers in ((1, 3), (64, 2), (1000, 5)):
        batches = list(TileReader(made[1], grid, batch=batch, workers=workers))
        assert all(len(tiles) == batch for tiles in batches[:-1])
        assert (np.concatenate(batches) == first).all()


def test_reading_ahead_is_bounded(made, monkeypatch):
    grid = whole_grid(made[1], px=16, mpp=0.5)
    done = []
    task = TileReader._task
    monkeypatch.setattr(TileReader, "_task", lambda self, out, start: done.append(start) or task(self, out, start))
    with TileReader(made[1], grid, batch=32, workers=2) as reader:
        tiles = iter(reader)
        next(tiles)
        assert len(done) <= (32 + 2 * 32) // tiles_module.TASK + 1
        tiles.close()


def damage(path, which):
    with tifffile.TiffFile(path) as file:
        page = file.pages[0]
        places = [(page.dataoffsets[i], page.databytecounts[i]) for i in which]
    data = bytearray(path.read_bytes())
    for start, count in places:
        data[start : start + count] = bytes(count)
    path.write_bytes(data)


def test_a_damaged_tile_is_white_and_counted(tmp_path, monkeypatch):
    path = small(tmp_path / "a.svs", levels=())
    damage(path, [5])
    monkeypatch.setattr(tiles_module, "MAX_BAD", 0.1)
    grid = whole_grid(path, px=256, mpp=0.5)
    with TileReader(path, grid) as reader:
        read = np.concatenate(list(reader))
    assert reader.bad == [5]
    assert (read[5] == 255).all()
    assert (read[6] < 255).any()


def test_too_many_damaged_tiles_end_the_slide(tmp_path):
    path = small(tmp_path / "a.svs", levels=())
    damage(path, [5])
    with (
        pytest.raises(SlideUnreadableError, match="1 of 16 tiles are damaged"),
        TileReader(path, whole_grid(path, px=256, mpp=0.5)) as reader,
    ):
        list(reader)


def test_an_empty_grid_has_no_batches(made):
    grid = whole_grid(made[1], px=64, mpp=0.5)
    grid.coords = grid.coords[:0]
    assert list(TileReader(made[1], grid)) == []
