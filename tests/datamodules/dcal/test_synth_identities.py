import numpy as np
import pytest

from datamodules.dcal.synth import CELL, DECOYS, GLYPHS, GRID
from datamodules.dcal.synth_identities import IDENTITIES, PALETTE, camera_view, identities


def cell_of(image, cell):
    top, left = cell // GRID * CELL, cell % GRID * CELL
    return image[top : top + CELL, left : left + CELL].astype(float).mean(2)


def test_an_identity_is_its_two_marks_in_either_camera():
    made = identities(np.array([0, 50, 111]), each=6, seed=0, noise=0.0)
    assert set(zip(made.identities.tolist(), made.cameras.tolist(), strict=True)) == {(n, c) for n in (0, 50, 111) for c in (0, 1)}
    for image, identity, cells in zip(made.images, made.identities, made.cells, strict=True):
        for cell, glyph in zip(cells, IDENTITIES[identity][0], strict=True):
            dots = cell_of(image, cell).reshape(3, 2, 3, 2).mean((1, 3))
            order = np.argsort(-dots.ravel())[:4]  # every glyph has four dots
            assert set(order.tolist()) == set(np.flatnonzero(GLYPHS[glyph]).tolist())


def test_raw_colour_misleads_between_cameras_and_tells_within_one():
    """What camera 1 shows of a colour lies closer to camera 0's next colour than to its own."""
    for place in range(len(PALETTE) - 1):
        seen = camera_view(PALETTE[place], 1)
        nearest = np.argmin(np.linalg.norm(PALETTE - seen, axis=1))
        assert nearest == place + 1
    gaps = [np.linalg.norm(camera_view(PALETTE[a], c) - camera_view(PALETTE[b], c)) for c in (0, 1) for a in range(4) for b in range(a)]
    assert min(gaps) > 0.08


def test_pictures_follow_from_the_seed_and_all_differ():
    one, same, other = (identities(np.arange(6), 3, seed) for seed in (1, 1, 2))
    assert all((a == b).all() for a, b in zip(one, same, strict=True))
    assert (one.images != other.images).any()
    assert len({image.tobytes() for image in one.images}) == 36


def test_there_are_as_many_identities_as_pairs_and_colours():
    assert len(IDENTITIES) == len(set(IDENTITIES)) == 28 * 4
    assert len(DECOYS) == 4


@pytest.mark.parametrize("setting", [{"each": 0}, {"each": 1, "decoys": 9}, {"each": 1, "noise": -1}])
def test_senseless_setting_is_refused(setting):
    with pytest.raises(ValueError, match="identities need"):
        identities(np.array([1]), seed=0, **setting)
    with pytest.raises(ValueError, match="identities need"):
        identities(np.array([112]), each=1, seed=0)
