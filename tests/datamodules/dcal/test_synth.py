import itertools

import numpy as np
import pytest

from datamodules.dcal.synth import CELL, CLASSES, DECOYS, GLYPHS, SIDE, beetles

CLEAN = beetles(64, seed=3, decoys=5, noise=0.0)


def cell_of(image, cell):
    top, left = cell // (SIDE // CELL) * CELL, cell % (SIDE // CELL) * CELL
    return image[top : top + CELL, left : left + CELL]


def glyph_in(patch):
    """The 3 x 3 dots of a cell without noise: brighter than the middle of its range; None where the cell is not a mark."""
    dots = patch.astype(int).sum(2)
    if np.ptp(dots) < 200 or any(np.ptp(dots[y : y + 2, x : x + 2]) for y in (0, 2, 4) for x in (0, 2, 4)):
        return None
    return dots[::2, ::2] > (dots.max() + dots.min()) / 2


def test_named_cell_holds_the_classes_mark():
    for image, label, cell in zip(*CLEAN, strict=True):
        assert (glyph_in(cell_of(image, cell)) == GLYPHS[label]).all()


def test_no_other_cell_holds_any_classes_mark_and_the_decoys_are_there():
    for image, _, cell in zip(*CLEAN, strict=True):
        others = [glyph_in(cell_of(image, other)) for other in range(64) if other != cell]
        marks = [mark for mark in others if mark is not None]
        assert sum(any((mark == decoy).all() for decoy in DECOYS) for mark in marks) == 5
        assert not any((mark == glyph).all() for mark in marks for glyph in GLYPHS)


def test_glyphs_are_distinct_and_equally_bright():
    glyphs = [*GLYPHS, *DECOYS]
    assert len(GLYPHS) == len(CLASSES) == 8
    assert len(DECOYS) == 4
    assert all((one != other).sum() >= 2 for one, other in itertools.combinations(glyphs, 2))
    assert {int(glyph.sum()) for glyph in glyphs} == {4}


def test_nothing_but_the_mark_depends_on_the_class():
    """Colour and contrast outside the marked cell, overall brightness, the cell's place: no class stands out beyond sampling error."""
    many = beetles(1600, seed=0)
    outside = many.images.astype(float).copy()
    for row, cell in enumerate(many.cells):
        cell_of(outside[row], cell)[:] = np.nan
    features = np.stack(
        [np.nanmean(outside, (1, 2)).mean(1), np.nanstd(outside, (1, 2)).mean(1), many.images.mean((1, 2, 3)), many.cells], 1
    )
    features = (features - features.mean(0)) / features.std(0)
    means = np.stack([features[many.labels == label].mean(0) for label in range(8)])
    assert np.abs(means).max() < 4 / np.sqrt(200)


def test_same_seed_same_pictures_and_another_seed_others():
    one, same, other = beetles(16, 1), beetles(16, 1), beetles(16, 2)
    assert all((a == b).all() for a, b in zip(one, same, strict=True))
    assert (one.images != other.images).any()


def test_classes_are_equally_frequent_and_in_no_order():
    labels = beetles(80, 0).labels
    assert np.bincount(labels).tolist() == [10] * 8
    assert (labels[:8] != np.arange(8)).any()


def hue_error(made):
    """How far the corner's dominant colour lies from the class's hue, 0 to 0.5."""
    import colorsys

    hues = [colorsys.rgb_to_hsv(*(image[[0, 0, -1, -1], [0, -1, 0, -1]].mean(0) / 255))[0] for image in made.images]
    return np.abs((np.array(hues) - made.labels / 8 + 0.5) % 1 - 0.5)


def test_cue_ties_the_backgrounds_hue_to_the_class():
    assert (hue_error(beetles(200, 0, noise=0, cue=1.0)) < 0.05).mean() > 0.95
    assert 0.05 < (hue_error(beetles(400, 0, noise=0, cue=0.0)) < 0.05).mean() < 0.25
    assert 0.4 < (hue_error(beetles(400, 0, noise=0, cue=0.5)) < 0.05).mean() < 0.7


@pytest.mark.parametrize("setting", [{"decoys": 6}, {"decoys": -1}, {"noise": -1}, {"cue": 2}])
def test_senseless_setting_is_refused(setting):
    with pytest.raises(ValueError, match="beetles need"):
        beetles(1, 0, **setting)
