"""Training frames enlarged and shrunk: the polyp stays whole, its area is known, and nothing but an area is learned from them."""

import numpy as np
import pytest
import torch

from datamodules.errors import DataError
from datamodules.hag.areas import area_class
from datamodules.hag.datamodule import Polyps
from datamodules.hag.zoom import AreaZoom
from tests.datamodules.hag import sets
from tests.datamodules.hag.test_framing import spot


def disk(root, **options):
    data = Polyps(str(root), size=96, batch_size=4, **options)
    data.say = lambda words: None
    data.setup()
    return data


def test_the_polyp_stays_whole_and_its_class_is_that_of_the_area_it_then_has():
    image, box, planes = spot()
    area = planes.mean()
    seen, factors = set(), []
    for seed in range(60):
        moved, where, plane, label = AreaZoom(3.0, np.array([area]))(0, image, box, planes, np.random.default_rng(seed))
        assert moved.shape == image.shape
        assert where.min() >= -1e-9
        assert (where[2:] <= [80 + 1e-9, 60 + 1e-9]).all()
        ys, xs = np.where(moved[:, :, 0] > 150)
        assert np.abs(np.array([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]) - where).max() <= 1.6
        factor = (where[2] - where[0]) / 20
        assert plane.mean() == pytest.approx(area * factor**2, rel=0.08, abs=0.002)
        assert label == area_class(area * factor**2)
        seen.add(label)
        factors.append(factor)
    assert seen == {0, 1, 2}
    assert 1 / 3 <= min(factors) < 0.5 < 2 < max(factors) <= 3
    assert 15 < sum(factor < 1 for factor in factors) < 45


def test_a_polyp_as_large_as_its_frame_and_one_whose_place_nobody_knows_are_shrunk_alone():
    image, _, planes = spot()
    whole = np.array([0.0, 0.0, 80.0, 60.0])
    for box in (whole, None):
        moved = [AreaZoom(2.0, np.array([0.4]))(0, image, box, planes, np.random.default_rng(seed)) for seed in range(30)]
        assert any(np.array_equal(picture, image) for picture, *_ in moved)
        assert any(label == 1 for *_, label in moved)
        assert all(picture.sum() <= image.sum() for picture, *_ in moved)


def test_an_epoch_zooms_its_training_frames_and_no_others(tmp_path):
    sets.kvasir_seg(tmp_path, count=16)
    plain, zoomed = disk(tmp_path, target="area", gates=0.2), disk(tmp_path, target="area", gates=0.2, zoom=2.0)
    for loader in ("train_dataloader", "gate_dataloader"):
        one, other = (torch.cat([batch["images"] for batch in getattr(data, loader)()]) for data in (plain, zoomed))
        assert not torch.equal(one, other)
    again = disk(tmp_path, target="area", gates=0.2, zoom=2.0)
    first, second = (next(iter(data.train_dataloader())) for data in (zoomed, again))
    assert torch.equal(first["images"], second["images"])
    assert torch.equal(first["label"], second["label"])
    still, other = (next(iter(data.val_dataloader())) for data in (plain, zoomed))
    assert torch.equal(still["images"], other["images"])
    assert torch.equal(still["label"], other["label"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"zoom": 0.5}, "must lie in 1..4"),
        ({"zoom": float("nan")}, "must lie in 1..4"),
        ({"zoom": 1.5, "target": "size"}, "of nothing else is it known"),
        ({"zoom": 1.5, "target": "label"}, "of nothing else is it known"),
        ({"zoom": 1.5, "view": "crop"}, "a crop is cut by its box"),
    ],
)
def test_a_zoom_that_could_not_be_is_refused(tmp_path, options, words):
    with pytest.raises(DataError, match=words):
        disk(sets.kvasir_seg(tmp_path), **{"target": "area", **options})
