"""No name of a person or place leaves with what is sent."""

import pytest

from apps.base.tracking.discreet import discreet


@pytest.mark.parametrize("suffix", ["heic", "avif", "jp2", "ppm", "pgm", "dcm", "svs", "ndpi", "JPG", "tif"])
def test_no_kind_of_picture_is_named(suffix):
    for text in (f"/data/Mrs Smith/7.{suffix}", f"Smith/scan 1.{suffix}", f"C:\\Smith\\scan.{suffix}", f"Smith.{suffix}"):
        assert "Smith" not in discreet(f"cannot read: {text}")
        assert "[picture]" in discreet(text)


@pytest.mark.parametrize("text", ["train/loss", "3 / 4 / 5", "https://example.org/a/b", "apps.dcal.task.Classification", "1/2"])
def test_what_is_no_path_stays(text):
    assert discreet(text) == text
