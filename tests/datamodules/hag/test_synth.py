"""The embedded colonoscopies: the same bytes for everybody, exact geometry, cues that can be turned off, planes that can be told apart."""

import numpy as np
import pytest

from datamodules.errors import DataError
from datamodules.hag.drawing import EXPOSED, draw_forceps, draw_frame
from datamodules.hag.scenes import FIELD, FOCAL, FORCEPS_MM, HABITS, SUN_SIZES, draw_scenes
from datamodules.hag.synth import hash_polyps, synth_polyps, write_examples
from datamodules.hag.synth_planes import PLANE_NAMES, depth_map, make_planes, useful

SIZE = 64


@pytest.fixture(scope="module")
def made():
    return synth_polyps(20, 4, SIZE, seed=3)


def test_same_seed_same_bytes_for_any_number_of_threads(made):
    assert (
        hash_polyps(synth_polyps(20, 4, SIZE, seed=3, threads=1))
        == hash_polyps(synth_polyps(20, 4, SIZE, seed=3, threads=5))
        == hash_polyps(made)
    )
    assert hash_polyps(synth_polyps(20, 4, SIZE, seed=4)) != hash_polyps(made)


def test_a_polyp_is_the_same_however_many_there_are(made):
    few = synth_polyps(3, 4, SIZE, seed=3)
    assert np.array_equal(few.images, made.images[:12])
    assert np.array_equal(few.scenes.mm, made.scenes.mm[:12])


def test_kept_pictures_are_those_that_were_made_and_damaged_ones_are_made_again(tmp_path):
    one = synth_polyps(2, 2, SIZE, cache=str(tmp_path))
    (file,) = tmp_path.glob("polyps-*.npz")
    assert hash_polyps(synth_polyps(2, 2, SIZE, cache=str(tmp_path))) == hash_polyps(one)
    assert len(list(tmp_path.glob("polyps-*.npz"))) == 1
    synth_polyps(2, 2, SIZE, label_noise=0.3, cache=str(tmp_path))
    assert len(list(tmp_path.glob("polyps-*.npz"))) == 1, "what is read of a polyp changes no picture"
    synth_polyps(2, 2, SIZE, cue="none", cache=str(tmp_path))
    assert len(list(tmp_path.glob("polyps-*.npz"))) == 2
    file.write_bytes(file.read_bytes()[:100])
    assert hash_polyps(synth_polyps(2, 2, SIZE, cache=str(tmp_path))) == hash_polyps(one)


def test_apparent_diameter_times_distance_over_focal_length_is_the_size(made):
    assert np.allclose(made.estimate(), made.scenes.mm, atol=1e-4)
    s = made.scenes
    half = (s.box[:, 2:] - s.box[:, :2]) / 2
    assert np.allclose(half.max(1) * 2, s.apparent, rtol=0.25)
    assert (half.max(1) * 2 <= s.apparent + 1e-3).all()
    assert (np.hypot(*(np.abs(s.centre - SIZE / 2) + half).T) <= FIELD * SIZE + 1e-3).all(), "the box lies in the field of view"
    assert ((s.apparent >= 3) & (s.apparent <= 0.6 * SIZE)).all()
    assert ((s.distance_mm >= 8) & (s.distance_mm <= 80)).all()


def test_sizes_are_those_of_real_polyps():
    mm = draw_scenes(4000, 1, SIZE, 0, "none", 0.0).mm
    real = np.repeat(list(SUN_SIZES), list(SUN_SIZES.values()))
    assert len(real) == 100
    assert abs(mm.mean() - real.mean()) < 0.15
    assert abs((mm > 9.5).mean() - (real >= 10).mean()) < 0.03
    for first in (0, 37, 204):
        part = draw_scenes(240, 1, SIZE, first, "none", 0.0).mm[first : first + 36]
        assert abs((part > 9.5).mean() - 0.2) < 0.06, "any stretch of polyps has the real shares, so every split has"


def test_forceps_are_as_wide_as_the_pinhole_says():
    size = 192
    s, checked = draw_scenes(60, 2, size, 1, "forceps", 0.0), 0
    expected = FOCAL * size * FORCEPS_MM / s.distance_mm
    assert np.array_equal(s.forceps_width > 0, s.forceps)
    assert (np.abs(s.forceps_width[s.forceps] / expected[s.forceps] - 1) <= 0.0501).all()
    assert 0.55 < s.forceps.mean() < 0.85
    at = np.arange(size, dtype=np.float32) + 0.5
    for row in np.flatnonzero(s.forceps):
        black, white = np.zeros((3, size, size), np.float32), np.ones((3, size, size), np.float32)
        for picture in (black, white):
            draw_forceps(np.random.default_rng(0), picture, s, row, at[None], at[:, None], np.ones((size, size), np.float32))
        covered = 1 - (white - black)[0]
        cos, sin = np.cos(s.forceps_angle[row]), np.sin(s.forceps_angle[row])
        along = (at[None] - s.centre[row, 0]) * cos + (at[:, None] - s.centre[row, 1]) * sin
        far = s.apparent[row] / 2 + 3 + s.forceps_width[row]
        end = s.centre[row] + (far + 12 + s.forceps_width[row]) * np.array([cos, sin])
        if not (s.forceps_width[row] < end).all() or not (end < size - s.forceps_width[row]).all():
            continue  # too little of it lies in the picture
        checked += 1
        width = covered[(along > far) & (along < far + 12)].sum() / 12
        assert abs(width - FOCAL * size * FORCEPS_MM / s.distance_mm[row]) <= 1.0 + 0.05 * s.forceps_width[row]
        assert abs(width - s.forceps_width[row]) <= 1.0
    assert checked >= 20


def test_cues_are_there_when_asked_for_and_tell_nothing_when_not():
    scenes = {cue: draw_scenes(200, 4, SIZE, 0, cue, 0.0) for cue in ("none", "texture", "forceps", "both")}
    for cue, s in scenes.items():
        alike = np.corrcoef(np.log(s.texture_mm), np.log(s.distance_mm))[0, 1]
        assert alike == pytest.approx(1) if cue in ("texture", "both") else abs(alike) < 0.1
        assert s.forceps.any() == (cue in ("forceps", "both"))
        assert np.array_equal(s.mm, scenes["none"].mm)
        assert np.array_equal(s.box, scenes["none"].box)


def test_without_cues_scaling_polyp_and_distance_together_changes_no_pixel():
    """The negative control: what has the same apparent size cannot be told apart."""
    scenes = draw_scenes(4, 2, SIZE, 0, "none", 0.0)
    twice = scenes._replace(mm=scenes.mm * 2, distance_mm=scenes.distance_mm * 2)
    for row in range(8):
        assert np.array_equal(draw_frame(scenes, row, SIZE, 0), draw_frame(twice, row, SIZE, 0))
        one, other = (make_planes(s, row, SIZE, 0, ("depth",), "relative") for s in (scenes, twice))
        assert np.allclose(one, other, atol=1e-5), "relative depth"
        one, other = (make_planes(s, row, SIZE, 0, ("depth",), "metric") for s in (scenes, twice))
        assert np.allclose(one, 2 * other, rtol=1e-4), "metric depth tells it"


def test_brightness_does_not_tell_the_distance(made):
    at = np.arange(SIZE) + 0.5
    field = np.hypot(at[None] - SIZE / 2, at[:, None] - SIZE / 2) < FIELD * SIZE - 1
    mean = made.images[:, field].mean((1, 2)) / 255
    assert np.abs(mean - EXPOSED).max() < 0.05, "highlights come on top"
    assert made.images[:, ~(np.hypot(at[None] - SIZE / 2, at[:, None] - SIZE / 2) < FIELD * SIZE + 2)].mean() < 40


def test_depth_is_nearest_on_the_polyp_and_off_by_a_tenth_a_frame(made):
    s = made.scenes
    for row in range(12):
        depth = depth_map(s, row, SIZE)
        x, y = s.centre[row].astype(int)
        assert depth[y, x] < s.distance_mm[row] * 1.001
        assert np.median(depth) > s.distance_mm[row]
    assert 0.06 < s.depth_error.std() < 0.15
    relative = make_planes(s, 0, SIZE, 3, ("depth",), "relative")
    assert (relative.min(), relative.max()) == (0, 1)


def test_a_decoys_mean_is_its_polyps_and_noise_is_new_on_every_frame(made):
    names = ("decoy0", "decoy1", "noise0", "noise5")
    planes = np.stack([make_planes(made.scenes, row, SIZE, 3, names) for row in range(80)])
    means = planes.mean((2, 3)).reshape(20, 4, 4)  # polyp, frame, plane
    assert np.allclose(means[:, :, :2], means[:, :1, :2], atol=1e-5)
    assert means[:, 0, :2].std(0).min() > 0.4
    assert abs(np.corrcoef(means[:, 0, 0], made.scenes.mm[::4])[0, 1]) < 0.5, "and says nothing of its size"
    assert not np.allclose(planes[0, 2], planes[1, 2], atol=0.1)
    assert 0.7 < planes[:, 2:].std() < 1.4
    assert [name for name in PLANE_NAMES if useful(name)] == ["depth"]


def test_label_noise_is_one_reading_a_polyp_that_people_say():
    scenes = draw_scenes(200, 3, SIZE, 0, "both", 0.2)
    assert set(scenes.read_mm.tolist()) <= set(HABITS)
    assert (scenes.read_mm.reshape(200, 3) == scenes.read_mm.reshape(200, 3)[:, :1]).all()
    assert 0.1 < np.std(np.log(scenes.read_mm / scenes.mm)) < 0.35
    exact = draw_scenes(200, 3, SIZE, 0, "both", 0.0)
    assert np.array_equal(exact.read_mm, exact.mm)
    assert np.array_equal(exact.mm, scenes.mm)


@pytest.mark.parametrize(
    "options", [{"n_polyps": 0}, {"frames": 0}, {"size": 16}, {"seed": -1}, {"cue": "smell"}, {"label_noise": float("nan")}]
)
def test_a_set_that_cannot_be_is_refused(options):
    with pytest.raises(DataError):
        synth_polyps(**{"n_polyps": 1, "frames": 1, "size": SIZE} | options)


def test_an_unknown_plane_is_refused(made):
    with pytest.raises(DataError, match="no plane 'heat'"):
        make_planes(made.scenes, 0, SIZE, 0, ("heat",))


def test_examples_are_files_with_their_boxes(tmp_path):
    from datamodules.hag.boxes import read_boxes

    paths = write_examples(tmp_path, 5)
    assert [path.name for path in paths] == ["polyp-0-0.png", "polyp-0-1.png", "polyp-0-2.png", "polyp-0-3.png", "polyp-1-0.png"]
    boxes, problems = read_boxes(tmp_path / "boxes.csv")
    assert problems == []
    assert set(boxes.marks) == {(path.stem,) for path in paths}
