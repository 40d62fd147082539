import json
import math
import tracemalloc

import cv2
import numpy as np
import pytest

from datamodules.errors import DataError
from datamodules.mil.slides import pyramid as module
from datamodules.mil.slides.problems import SlideUnreadableError
from datamodules.mil.slides.pyramid import Pyramid, plan_pyramid, write_pyramid
from datamodules.mil.slides.scaled import read_scaled
from datamodules.mil.slides.slide import Slide, open_slide
from tests.datamodules.mil.slides_here import small


class Ramp(Slide):
    """A slide without a file: red grows to the right, green to the bottom."""

    def __init__(self, size, levels=(1,)):
        self.path, self.levels, self.size = None, [(size[0] // down, size[1] // down) for down in levels], size
        self.downsamples, self.properties, self.largest, self.reads = list(levels), {}, 0, 0

    def read(self, x, y, level, width, height):
        self.largest, self.reads = max(self.largest, width * height), self.reads + 1
        down = self.downsamples[level]
        xs, ys = np.arange(width) * down + x, np.arange(height) * down + y
        made = np.zeros((height, width, 3), np.uint8)
        made[..., 0], made[..., 1] = np.clip(255 * xs / self.size[0], 0, 255)[None], np.clip(255 * ys / self.size[1], 0, 255)[:, None]
        return made

    def close(self):
        pass


def whole(folder, plan, level):
    wide, high = plan.levels[level]
    rows = []
    for j in range(math.ceil(high / plan.side)):
        paths = [folder / str(level) / f"{i}_{j}.jpg" for i in range(math.ceil(wide / plan.side))]
        rows.append(np.concatenate([cv2.imread(str(path), cv2.IMREAD_COLOR_RGB) for path in paths], 1))
    return np.concatenate(rows)


def test_every_level_shows_the_whole_slide(tmp_path):
    with open_slide(small(tmp_path / "a.svs", side=1536)) as slide:
        plan = plan_pyramid(slide.size, 0.5, 0.5)
        assert write_pyramid(slide, plan, tmp_path / "p", "a") == 0
        expected = read_scaled(slide, (0, 0, 1536, 1536), (1536, 1536)).astype(int)
        assert plan.levels == [(1536, 1536), (768, 768), (384, 384)]
        for level, (wide, high) in enumerate(plan.levels):
            made = whole(tmp_path / "p", plan, level)
            assert made.shape == (high, wide, 3)
            shrunk = cv2.resize(expected.astype(np.uint8), (wide, high), interpolation=cv2.INTER_AREA)
            assert np.abs(made.astype(int) - shrunk).mean() < 4


@pytest.mark.parametrize("size", [(1500, 700), (513, 1), (1025, 1023), (512, 512), (7, 3)])
def test_odd_sizes_lose_no_pixel(tmp_path, size):
    slide = Ramp(size)
    plan = plan_pyramid(size, 1.0, 1.0)
    write_pyramid(slide, plan, tmp_path / "p", "a")
    for level, (wide, high) in enumerate(plan.levels):
        made = whole(tmp_path / "p", plan, level)
        assert made.shape == (high, wide, 3)
        if wide > 100:  # on fewer JPEG blurs colours
            assert abs(int(made[0, -1, 0]) - 255) < 8 + 260 * 2**level / size[0]
    assert max(plan.levels[-1]) <= plan.side
    assert sum(1 for _ in (tmp_path / "p").rglob("*.jpg")) == plan.files


def test_memory_does_not_grow_with_the_slide(tmp_path):
    slide = Ramp((60_000, 40_000), levels=(1, 16))  # 7 GB of pixels, and the page wants a size between the levels
    plan = plan_pyramid(slide.size, 0.25, 8.0 / 2)
    tracemalloc.start()
    try:
        write_pyramid(slide, plan, tmp_path / "p", "a", workers=1)
        assert tracemalloc.get_traced_memory()[1] < 300 << 20
    finally:
        tracemalloc.stop()
    assert slide.largest <= 1 << 24


def test_a_part_too_large_to_be_read_at_once_is_the_same_in_parts(monkeypatch):
    from datamodules.mil.slides import scaled

    slide = Ramp((4096, 2048))
    at_once = read_scaled(slide, (0, 0, 4096, 2048), (256, 128)).astype(int)
    monkeypatch.setattr(scaled, "MOST", 1 << 16)
    assert np.abs(read_scaled(slide, (0, 0, 4096, 2048), (256, 128)).astype(int) - at_once).max() <= 1


def test_a_broken_off_pyramid_goes_on_and_a_finished_one_is_left_alone(tmp_path, monkeypatch):
    slide = Ramp((2048, 2048))
    plan = plan_pyramid(slide.size, 1.0, 1.0)
    write_pyramid(slide, plan, tmp_path / "whole", "a", workers=1)
    reads = slide.reads
    encode, count = module.encode_jpeg, iter(range(7))

    def dying(*words):
        if next(count, None) is None:
            raise KeyboardInterrupt
        return encode(*words)

    monkeypatch.setattr(module, "encode_jpeg", dying)
    with pytest.raises(KeyboardInterrupt):
        write_pyramid(slide, plan, tmp_path / "p", "a", workers=1)
    monkeypatch.undo()
    before = slide.reads
    write_pyramid(slide, plan, tmp_path / "p", "a", workers=1)
    assert 0 < slide.reads - before < reads

    def files(folder):
        return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    assert files(tmp_path / "p") == files(tmp_path / "whole")
    before = slide.reads
    write_pyramid(slide, plan, tmp_path / "p", "a")
    assert slide.reads == before
    write_pyramid(slide, plan, tmp_path / "p", "another slide")
    assert slide.reads > before


def test_a_damaged_part_is_counted_and_the_rest_is_shown(tmp_path, monkeypatch):
    slide = Ramp((1024, 1024))
    read = slide.read

    def damaged(x, y, *words):
        if x == 512 and y == 0:
            raise SlideUnreadableError("damaged")
        return read(x, y, *words)

    monkeypatch.setattr(slide, "read", damaged)
    plan = plan_pyramid(slide.size, 1.0, 1.0)
    assert write_pyramid(slide, plan, tmp_path / "p", "a") == 1
    assert json.loads((tmp_path / "p/about.json").read_text())["bad"] == 1
    assert (cv2.imread(str(tmp_path / "p/1/0_0.jpg"))[20:200, 300:500] > 250).all()


def test_a_slide_coarser_than_asked_for_is_shown_as_it_is():
    assert plan_pyramid((1000, 800), 2.0, 1.0) == Pyramid((1000, 800), [(1000, 800), (500, 400)])


def test_too_many_files_are_refused_before_the_first():
    with pytest.raises(DataError, match="files, more than"):
        plan_pyramid((400_000, 400_000), 0.25, 0.25)
