"""What the network sees of a frame and a box, the same in training's evaluation and in a script."""

import numpy as np
import pytest
import torch

from datamodules.errors import DataError
from datamodules.hag.augment import FrameAugment
from datamodules.hag.dataset import shrunk
from datamodules.hag.field_of_view import blanked, field_of_view
from datamodules.hag.framing import Framing, plane_names

NONE = torch.zeros(0)


def frame(height, width, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


def given(count, height, width):
    return torch.arange(count, dtype=torch.float32).view(-1, 1, 1).expand(count, height, width)


def pixels(framing, x):
    return x * framing.std + framing.mean


@pytest.mark.parametrize(("height", "width"), [(60, 90), (90, 60), (64, 64), (33, 200)])
def test_a_frame_keeps_its_shape_and_the_box_its_place(height, width):
    framing = Framing(48, planes=["loc"])
    image = torch.zeros(height, width, 3, dtype=torch.uint8)
    image[20:30, 15:35] = 255
    seen = framing(image, torch.tensor([15.0, 20, 35, 30]), given(0, height, width))
    bright = pixels(framing, seen.image)[0] / 255
    assert torch.allclose(bright.sum(), seen.planes[0].sum(), rtol=0.1)
    rows, columns = torch.where(bright > 0.5)
    box = seen.box * 48
    if len(rows) > 4:
        assert abs(float(columns.float().mean() + 0.5 - (box[0] + box[2]) / 2)) < 0.6
        assert abs(float(rows.float().mean() + 0.5 - (box[1] + box[3]) / 2)) < 0.6
    assert float((box[2] - box[0]) / (box[3] - box[1])) == pytest.approx(2.0, rel=0.06)
    assert torch.equal(seen.scale, torch.zeros(4))


def test_without_a_box_the_whole_frame_counts():
    framing = Framing(32, planes=["loc", "mask"])
    seen = framing(frame(32, 64), NONE, given(0, 32, 64))
    assert torch.allclose(seen.box, torch.tensor([0.0, 0.25, 1.0, 0.75]))
    assert float(seen.planes[0].sum()) == 32 * 16
    assert torch.equal(seen.planes[1:, 8:24], seen.image[:, 8:24])


def test_the_masked_frame_is_the_frame_in_the_box_and_black_elsewhere():
    framing = Framing(40, planes=["mask", "loc"])
    seen = framing(frame(40, 40), torch.tensor([10.0, 5, 30, 25]), given(0, 40, 40))
    assert plane_names(["mask", "loc"]) == ("mask0", "mask1", "mask2", "loc")
    assert torch.equal(seen.planes[:3, 5:25, 10:30], seen.image[:, 5:25, 10:30])
    outside = pixels(framing, seen.planes[:3])
    outside[:, 5:25, 10:30] = 0
    assert outside.abs().max() < 1e-3


def test_planes_come_in_their_order():
    framing = Framing(16, planes=["noise0", "loc", "depth"])
    seen = framing(frame(16, 16), torch.tensor([0.0, 0, 8, 16]), torch.stack([torch.full((16, 16), 3.0), torch.full((16, 16), 5.0)]))
    assert seen.planes[:, 0, 0].tolist() == [3.0, 1.0, 5.0]


def test_a_crop_is_the_grown_box_stretched_and_tells_what_it_lost():
    framing = Framing(40, view="crop", planes=["loc"])
    seen = framing(frame(100, 200), torch.tensor([80.0, 40, 120, 60]), given(0, 100, 200))
    assert torch.allclose(seen.box, torch.tensor([0.25, 0.25, 0.75, 0.75])), "grown by half its sides on each side"
    width, height, growth, lit = seen.scale.tolist()
    assert np.exp(width) == pytest.approx(40 / 200)
    assert np.exp(height) == pytest.approx(20 / 200)
    assert np.exp(growth) == pytest.approx(2.0)
    assert lit > 0.99
    assert float(seen.planes[0].mean()) == pytest.approx(40 * 20 / 200**2, rel=0.05), "the loc plane keeps the apparent size"
    corner = framing(frame(100, 200), torch.tensor([0.0, 0, 40, 20]), given(0, 100, 200))
    assert corner.scale[3] == pytest.approx(60 * 30 / (80 * 40), rel=0.01), "what lies beyond the frame is not seen"


def test_two_polyps_of_one_picture_differ_in_a_crop_by_their_numbers_alone():
    image = frame(50, 50)
    larger = image.repeat_interleave(2, 0).repeat_interleave(2, 1)
    framing = Framing(32, view="crop")
    small, large = (
        framing(image, torch.tensor([20.0, 20, 30, 30]), given(0, 50, 50)),
        framing(larger, torch.tensor([40.0, 40, 60, 60]), given(0, 100, 100)),
    )
    assert torch.allclose(small.scale, large.scale, atol=1e-5), "the share of the frame is the same"
    other = framing(image, torch.tensor([15.0, 15, 35, 35]), given(0, 50, 50))
    assert other.scale[0] > small.scale[0] + 0.6


@pytest.mark.parametrize("view", ["frame", "crop"])
@pytest.mark.parametrize("planes", [[], ["loc", "depth", "mask"]])
@pytest.mark.parametrize("box", [[], [3, 4, 20, 30], [-5, -5, 300, 300], [10, 10, 10, 10], [500, 500, 600, 600]])
def test_the_script_sees_what_python_sees_whatever_the_box(view, planes, box):
    framing = Framing(32, view=view, planes=planes)
    scripted = torch.jit.script(framing)
    for height, width in ((32, 32), (40, 77)):
        args = frame(height, width), torch.tensor(box, dtype=torch.float32), given(len(framing.given), height, width)
        one, other = framing(*args), scripted(*args)
        for mine, theirs in zip(one, other, strict=True):
            assert torch.equal(mine, theirs)
            assert torch.isfinite(mine).all()
        assert one.image.shape == (3, 32, 32)
        assert one.planes.shape == (len(plane_names(planes)), 32, 32)


def test_settings_make_the_same_one_again():
    framing = Framing(24, "crop", ["loc", "mask"], 0.25, (0.5, 0.4, 0.3), (0.2, 0.2, 0.2))
    again = Framing(**framing.settings())
    args = frame(40, 50), torch.tensor([5.0, 5, 20, 30]), given(0, 40, 50)
    assert all(torch.equal(one, other) for one, other in zip(framing(*args), again(*args), strict=True))


@pytest.mark.parametrize("options", [{"size": 0}, {"view": "zoom"}, {"planes": ["loc", "loc"]}, {"growth": 0.2}, {"std": (0, 1, 1)}])
def test_a_framing_that_cannot_be_is_refused(options):
    with pytest.raises(ValueError):
        Framing(**{"size": 32} | options)


# augmentation


def spot(height=60, width=80, box=(20, 15, 40, 30)):
    image = np.full((height, width, 3), 60, np.uint8)
    left, top, right, lower = box
    y, x = np.mgrid[:height, :width] + 0.5
    inside = ((x - (left + right) / 2) / (right - left) * 2) ** 2 + ((y - (top + lower) / 2) / (lower - top) * 2) ** 2 <= 1
    image[inside] = 250
    return image, np.array(box, float), inside[None].astype(np.float32)


def test_boxes_and_planes_move_with_the_frame_and_nothing_is_rescaled():
    image, box, planes = spot()
    augment = FrameAugment(turn=60, flip=0.5, jitter=0.0, noise=0.0)
    seen = set()
    for seed in range(40):
        moved, where, plane = augment(image, box, planes, np.random.default_rng(seed))
        assert moved.shape in (image.shape, (80, 60, 3))  # a quarter turn
        ys, xs = np.where(moved[:, :, 0] > 150)
        assert abs(len(ys) - planes.sum()) <= 0.06 * planes.sum(), "as large as it was"
        assert np.abs(np.array([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]) - where).max() <= 1.6
        assert abs((plane[0] > 0.5).sum() - len(ys)) <= 12
        seen.add(tuple(where.round().tolist()))
    assert len(seen) > 20


def test_without_turns_there_are_eight_views_and_no_pixel_is_mixed_with_another():
    rng = np.random.default_rng(0)
    image, planes = rng.integers(4, 256, (24, 24, 3), np.uint8), rng.random((2, 24, 24), np.float32)
    augment = FrameAugment(turn=0, flip=0.5, jitter=0.0, noise=0.0)
    seen = {}
    for seed in range(80):
        moved, where, plane = augment(image, np.array([2.0, 5, 11, 9]), planes, np.random.default_rng(seed))
        left, top, right, lower = where.astype(int)
        assert np.array_equal(np.sort(moved[top:lower, left:right].reshape(-1)), np.sort(image[5:9, 2:11].reshape(-1)))
        seen[moved.tobytes()] = plane.tobytes()
    squares = [np.rot90(side, turns) for side in (image, image[:, ::-1]) for turns in range(4)]
    assert set(seen) == {square.tobytes() for square in squares}
    assert len(set(seen.values())) == 8


def test_a_turn_that_would_push_the_polyp_out_is_left_out():
    image, _, planes = spot(box=(2, 2, 22, 17))
    box = np.array([2.0, 2, 22, 17])
    for seed in range(30):
        _, where, _ = FrameAugment(turn=90, flip=0.0, jitter=0.0, noise=0.0)(image, box, planes, np.random.default_rng(seed))
        assert where.min() >= 0
        assert where[2] <= 80
        assert where[3] <= 60


def test_black_beside_the_field_of_view_stays_black_and_the_same_generator_does_the_same():
    image, box, planes = spot()
    image[:, :10] = 0
    augment = FrameAugment(turn=0, flip=0.0, jitter=0.5, blur=0.0, noise=0.1)
    one, other = (augment(image, box, planes, np.random.default_rng(5)) for _ in range(2))
    assert one[0][:, :10].max() == 0
    assert not np.array_equal(one[0], image)
    assert all(np.array_equal(mine, theirs) for mine, theirs in zip(one, other, strict=True))


def test_photographs_are_moved_and_never_stood_on_their_heads():
    image, _, planes = spot()
    image[:20], planes[:, :20] = 200, 0.5
    moved = [FrameAugment(0, 0.1, 0.5, False, 0.0, 0.0, 0.0)(image, None, planes, np.random.default_rng(seed))[0] for seed in range(20)]
    assert all(picture[40:].mean() < picture[10:20].mean() for picture in moved)
    assert len({picture.tobytes() for picture in moved}) > 10
    still, where, _ = FrameAugment(0, 0.5, 0.0, False, 0.0, 0.0, 0.0)(image, np.array([0.0, 0, 80, 60]), planes, np.random.default_rng(0))
    assert np.array_equal(still, image), "a box that would leave the frame stays where it is"
    assert where.tolist() == [0, 0, 80, 60]


@pytest.mark.parametrize("options", [{"shift": 0.7}, {"turn": 200}, {"flip": 2}, {"jitter": -1}, {"blur": float("nan")}, {"noise": 3}])
def test_an_augmentation_that_cannot_be_is_refused(options):
    with pytest.raises(DataError, match="augmentation"):
        FrameAugment(**options)


def test_large_frames_are_shrunk_for_training_to_what_will_be_seen():
    image, box, planes = spot(600, 800, (200, 150, 400, 300))
    small, where, plane = shrunk(image, box, planes, Framing(96))
    assert small.shape == (72, 96, 3)
    assert plane.shape == (1, 72, 96)
    assert where.tolist() == [24, 18, 48, 36]
    near, _, _ = shrunk(image, box, planes, Framing(96, view="crop"))
    assert near.shape[0] > 150, "a crop needs more of it"


def test_the_field_of_view_leaves_text_and_position_pictures_out():
    rng = np.random.default_rng(0)
    image = np.zeros((160, 200, 3), np.uint8)
    y, x = np.mgrid[:160, :200]
    view = np.hypot(x - 120, y - 80) < 70
    image[view] = rng.integers(90, 200, (int(view.sum()), 3))
    image[70:90, 110:130] = 0  # the lumen
    image[10:14, 4:30] = 255  # a date
    image[120:155, 5:40] = (20, 200, 40)  # the scope's position
    found = field_of_view(image)
    assert (found == view).mean() > 0.98
    assert found[80, 120], "what is dark inside stays"
    black = blanked(image)
    assert black[:, :41].max() == 0
    assert field_of_view(np.zeros((40, 40, 3), np.uint8)).all(), "a black frame has none, and is left as it is"


@pytest.mark.parametrize("view", ["frame", "crop"])
@pytest.mark.parametrize("box", [[], [3, 4, 20, 30], [-5, -5, 300, 300], [10, 10, 10, 10], [500, 500, 600, 600]])
def test_what_is_exported_sees_the_same_by_matrices(view, box, monkeypatch):
    """Enlarged, as they are, and reduced, landscape and portrait."""
    framing = Framing(32, view=view, planes=["loc", "depth", "mask"])
    for height, width in ((32, 32), (40, 77), (201, 33), (16, 24)):
        args = frame(height, width), torch.tensor(box, dtype=torch.float32), given(1, height, width)
        wanted = framing(*args)
        with monkeypatch.context() as exporting:
            exporting.setattr(torch.compiler, "is_exporting", lambda: True)
            found = framing(*args)
        for mine, theirs in zip(found, wanted, strict=True):
            assert torch.allclose(mine, theirs, rtol=1e-5, atol=5e-6)
