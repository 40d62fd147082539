from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from apps.base.errors import UserError
from apps.base.export.weights import read
from apps.base.shell import Shell
from apps.otsnet import source as sources
from apps.otsnet.crops import Crop, crops_of
from apps.otsnet.pattern import compile_pattern
from apps.otsnet.reading import Asks, _turned, read_crops
from apps.otsnet.source import open_source
from datamodules.otsnet.lmdb_write import write_lmdb
from tests.apps.otsnet.tiny import pictures, reader
from tests.apps.otsnet.tiny_files import weights_file, write_pictures

QUIET = Shell(quiet=True)


def crop(seed: int, height: int = 20, width: int = 50) -> Crop:
    return Crop(f"{seed}", np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


def test_a_file_of_weights_is_the_reader_that_it_was_written_of(tmp_path: Path) -> None:
    for name in ("otsnet", "ctc", "parseq"):
        opened = open_source(QUIET, str(weights_file(tmp_path, name)))
        assert torch.equal(opened.reader.read(pictures()).probs, reader(name).read(pictures()).probs)


def test_weights_of_half_precision_are_read_too(tmp_path: Path) -> None:
    path = weights_file(tmp_path)
    weights, about = read(str(path))
    from json import dumps

    half = {name: value.half() if value.is_floating_point() else value for name, value in weights.items()}
    save_file(half, tmp_path / "half.safetensors", metadata={"discern.json": dumps(about)})
    assert (tmp_path / "half.safetensors").stat().st_size < 0.7 * path.stat().st_size
    opened = open_source(QUIET, str(tmp_path / "half.safetensors"))
    assert opened.reader.position_head.weight.dtype == torch.float32


def test_weights_that_say_nothing_of_themselves_are_refused(tmp_path: Path) -> None:
    save_file(load_file(weights_file(tmp_path)), tmp_path / "bare.safetensors")
    with pytest.raises(UserError, match="does not say what reader"):
        open_source(QUIET, str(tmp_path / "bare.safetensors"))
    (tmp_path / "broken.safetensors").write_bytes(b"nothing")
    with pytest.raises(UserError, match="not a readable safetensors file"):
        open_source(QUIET, str(tmp_path / "broken.safetensors"))


def test_without_a_starter_it_is_said_how_to_get_a_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "STARTER", tmp_path)
    with pytest.raises(UserError, match=r"no starter model .* train a reader with"):
        open_source(QUIET, None)
    weights_file(tmp_path)
    assert open_source(QUIET, None).about["charset"] == "abcdef"


def test_alone_or_in_a_batch_a_word_is_read_alike_and_in_its_place(tmp_path: Path) -> None:
    opened = open_source(QUIET, str(weights_file(tmp_path)))
    crops = [crop(seed) for seed in range(7)]
    together = list(read_crops(opened, crops, Asks(), 7))
    assert [one.path for one in together] == [f"{seed}" for seed in range(7)]
    for alone, one in zip([next(read_crops(opened, [each], Asks(), 1)) for each in crops], together, strict=True):
        assert alone.text == one.text
        assert alone.confidence == pytest.approx(one.confidence, abs=1e-5)


def test_what_cannot_be_read_is_a_row_with_its_reason(tmp_path: Path) -> None:
    opened = open_source(QUIET, str(weights_file(tmp_path)))
    first, second = read_crops(opened, [Crop("gone", None, "no such file"), crop(0)], Asks(), 4)
    assert (first.path, first.error) == ("gone", "no such file")
    assert second.error is None


@pytest.mark.parametrize("quarters", range(4))
def test_boxes_of_a_turned_picture_are_told_in_the_one_that_was_given(quarters: int) -> None:
    picture = np.zeros((30, 12, 3), np.uint8)
    picture[4:9, 2:5] = 1
    rows, columns = np.nonzero(np.rot90(picture, quarters)[..., 0])
    height, width = np.rot90(picture, quarters).shape[:2]
    box = (columns.min() / width, rows.min() / height, (columns.max() + 1) / width, (rows.max() + 1) / height)
    assert _turned(box, quarters, picture) == pytest.approx((2, 4, 5, 9))


def test_a_tall_picture_is_read_in_the_direction_that_is_surest(tmp_path: Path) -> None:
    opened = open_source(QUIET, str(weights_file(tmp_path)))
    tall = crop(3, 60, 20)
    assert tall.picture is not None
    ways = [next(read_crops(opened, [Crop("a", np.ascontiguousarray(np.rot90(tall.picture, k)))], Asks(), 1)) for k in range(4)]
    best = max(range(4), key=lambda k: ways[k].mean_confidence)
    found = next(read_crops(opened, [tall], Asks(rotate="auto"), 8))
    assert (found.text, found.turned) == (ways[best].text, (360 - 90 * best) % 360)
    assert "tall" not in found.warnings
    assert "tall" in next(read_crops(opened, [tall], Asks(), 8)).warnings
    assert next(read_crops(opened, [crop(3)], Asks(rotate="auto"), 8)).turned == 0


@pytest.mark.parametrize("name", ["otsnet", "ctc"])
def test_a_pattern_is_kept_and_the_free_reading_told_beside_it(tmp_path: Path, name: Any) -> None:
    opened = open_source(QUIET, str(weights_file(tmp_path, name)))
    pattern = compile_pattern("[ab][cd]", opened.charset, 5)
    (free,), (kept,) = (list(read_crops(opened, [crop(1)], asks, 1)) for asks in (Asks(), Asks(pattern=pattern)))
    assert kept.text[0] in "ab"
    assert kept.text[1] in "cd"
    assert kept.unconstrained == free.text
    assert len(kept.char_boxes) == len(kept.char_probs) == 2
    assert kept.fits is not None
    assert 0 < kept.fits < 1
    every = next(read_crops(opened, [crop(1)], Asks(pattern=compile_pattern(".*", opened.charset, 5)), 1))
    assert every.fits == pytest.approx(1, abs=1e-4 if name == "ctc" else 1)


def test_what_was_told_of_the_free_word_is_not_told_of_another(tmp_path: Path) -> None:
    opened = open_source(QUIET, str(weights_file(tmp_path)))
    free = next(read_crops(opened, [crop(1)], Asks(), 1))
    other = "f" if free.text != "f" else "e"
    kept = next(read_crops(opened, [crop(1)], Asks(pattern=compile_pattern(other, opened.charset, 5)), 1))
    assert (kept.text, kept.codes, kept.verified, kept.changed_by_refinement) == (other, [], [], False)
    assert kept.warnings == ["misfit"]


def test_an_empty_word_that_a_pattern_lets_through_is_called_empty(tmp_path: Path) -> None:
    opened = open_source(QUIET, str(weights_file(tmp_path)))
    pattern = compile_pattern("(aaaaa)?", opened.charset, 5)
    found = list(read_crops(opened, [crop(seed) for seed in range(6)], Asks(pattern=pattern), 6))
    assert "" in [one.text for one in found]
    assert all(("empty" in one.warnings) == (one.text == "") for one in found)


def test_case_and_doubt_are_told(tmp_path: Path) -> None:
    opened = open_source(QUIET, str(weights_file(tmp_path)))
    found = next(read_crops(opened, [crop(0)], Asks(case="upper", min_confidence=1.0), 1))
    assert found.text == found.text.upper()
    assert "unsure" in found.warnings


def test_archives_databases_and_folders_give_their_pictures(tmp_path: Path) -> None:
    import zipfile

    paths = write_pictures(tmp_path / "set")
    (tmp_path / "set" / "notes.txt").write_text("no picture")
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as packed:
        for path in [*paths, tmp_path / "set" / "notes.txt"]:
            packed.write(path, path.name)
    items = [(b"image-%09d" % number, path.read_bytes()) for number, path in enumerate(paths, 1)]
    write_lmdb(tmp_path / "base", [*items, (b"num-samples", b"3")])
    for word in ("set", "set.zip", "base", "set/*.png"):
        crops = crops_of([str(tmp_path / word)])
        found = list(crops)
        assert [one.error for one in found] == [None] * 3
        assert all(one.picture is not None and one.picture.shape == (20, 50, 3) for one in found)
        assert crops.skipped == (word in ("set", "set.zip"))
    crops = crops_of([str(tmp_path / "none*")])
    assert list(crops) == []
    assert len(crops.unmatched) == 1
