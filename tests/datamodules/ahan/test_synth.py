import hashlib

import numpy as np
import pytest

from datamodules.ahan import drawing
from datamodules.ahan.conditions import neutral
from datamodules.ahan.people import born
from datamodules.ahan.synth import Knobs, clean, twin_faces
from datamodules.ahan.template import template
from datamodules.errors import DataError

STILL = {"pose": 0, "light": 0, "expression": 0, "session": 0, "jitter": 0, "blur": 0, "noise": 0, "occlude": 0}


def sha(made):
    return hashlib.sha256(made.images.tobytes()).hexdigest()


def test_the_seed_fixes_every_byte_and_another_seed_other_ones():
    assert sha(twin_faces(3, 4, seed=5)) == sha(twin_faces(3, 4, seed=5))
    assert sha(twin_faces(3, 4, seed=5)) != sha(twin_faces(3, 4, seed=6))


def test_how_many_are_drawn_at_a_time_changes_no_byte(monkeypatch):
    before = sha(twin_faces(3, 4))
    monkeypatch.setattr(drawing, "CHUNK", 5)
    assert sha(twin_faces(3, 4)) == before


def test_a_set_has_two_people_of_a_family_and_half_of_the_images_of_either_visit():
    made = twin_faces(3, 4)
    assert made.images.shape == (24, 64, 64, 3)
    assert made.images.dtype == np.uint8
    assert made.person.tolist() == [n // 4 for n in range(24)]
    assert (made.family == made.person // 2).all()
    assert made.visit.tolist() == [0, 0, 1, 1] * 6


def test_identical_twins_share_genes_and_nothing_else():
    people = twin_faces(5, 2).people
    assert (people.genes[::2] == people.genes[1::2]).all()
    assert (people.marks[::2] != people.marks[1::2]).any((1, 2)).all()
    assert (people.asym[::2] != people.asym[1::2]).all()


def test_kinship_is_the_correlation_of_genes():
    for kinship in (0.0, 0.7):
        own = {"marks": 0, "mark_size": 0, "mark_contrast": 0, "asym": 0, "lines": 0, "mirror": 0}
        people = born(np.random.default_rng(0), 300, **own, kinship=kinship)
        genes = np.arctanh(np.clip(people.genes.astype(float), -0.9999, 0.9999))
        assert abs(np.corrcoef(genes[::2].ravel(), genes[1::2].ravel())[0, 1] - kinship) < 0.05


def test_without_marks_and_asymmetry_twins_are_the_same_clean_picture():
    faces = clean(twin_faces(4, 2, knobs=Knobs(marks=0, asym=0)).people)
    assert (faces[::2] == faces[1::2]).all()
    assert (faces[0] != faces[2]).any()


def test_without_nuisance_all_images_of_a_person_are_the_clean_picture():
    made = twin_faces(2, 4, knobs=Knobs(**STILL))
    assert (made.images == clean(made.people)[made.person]).all()


def test_a_mirror_twin_is_the_mirrored_picture():
    faces = clean(twin_faces(8, 2, knobs=Knobs(mirror=1, lines=2)).people).astype(int)
    assert np.abs(faces[1::2] - faces[::2, :, ::-1]).max() <= 1
    assert (np.abs(faces[1::2] - faces[::2]).max((1, 2, 3)) > 20).all(), "the mirrored one looks different"


def test_a_face_without_marks_and_asymmetry_is_symmetric():
    faces = clean(twin_faces(4, 2, knobs=Knobs(marks=0, asym=0)).people).astype(int)
    assert np.abs(faces - faces[:, :, ::-1]).max() <= 1


def test_a_knob_leaves_the_draws_of_the_others_alone():
    one, other = twin_faces(4, 2), twin_faces(4, 2, knobs=Knobs(asym=0.5, occlude=0.0, pose=3.0))
    assert np.array_equal(one.people.marks, other.people.marks)
    assert np.allclose(one.people.asym, 2 * other.people.asym)
    for name in ("gain", "smile", "hair", "noise", "backdrop"):
        assert np.array_equal(getattr(one.conditions, name), getattr(other.conditions, name))
    assert np.allclose(one.conditions.yaw, 5 * other.conditions.yaw)


def test_twins_share_about_half_of_their_sessions_and_a_session_lasts_a_visit():
    made = twin_faces(60, 4, 16)
    hair = made.conditions.hair.reshape(60, 2, 2, 2)  # family, twin, visit, image
    assert (hair[..., 0] == hair[..., 1]).all()
    shared = (hair[:, 0, :, 0] == hair[:, 1, :, 0]).mean()
    assert 0.35 < shared < 0.65
    assert (hair[:, :, 0, 0] != hair[:, :, 1, 0]).all(), "two visits are two sessions"


def test_marks_lie_on_the_face_and_are_as_many_and_as_large_as_allowed():
    marks = twin_faces(100, 2, 16, knobs=Knobs(marks=5, mark_size=0.02)).people.marks
    count = (marks[:, :, 2] > 0).sum(1)
    assert set(count.tolist()) == {3, 4, 5}
    there = marks[marks[:, :, 2] > 0]
    assert (np.abs(there[:, 0] - 0.5) < 0.32).all()
    assert there[:, 2].min() >= 0.014
    assert there[:, 2].max() <= 0.02 + 1e-6


def test_points_of_an_average_neutral_face_are_near_the_template():
    people = twin_faces(200, 2, 16, knobs=Knobs(**STILL)).people
    count = len(people.genes)
    points = drawing.landmarks(people, np.arange(count), neutral(count), 112)
    assert np.abs(points.mean(0) - template(112)).max() < 1.5


def test_points_follow_the_picture_when_it_is_turned_and_moved():
    """A dark pupil is where the points say the eye is."""
    made = twin_faces(20, 2, 96, knobs=Knobs(marks=0, occlude=0, noise=0, blur=0, light=0, session=0, jitter=3))
    grey = made.images.mean(3)
    for image, points in zip(grey, made.points, strict=True):
        for x, y in points[:2]:
            column, row = round(float(x)), round(float(y))
            here = image[row - 2 : row + 3, column - 2 : column + 3].min()
            around = image[row - 2 : row + 3, max(0, column - 9) : column + 10].max()
            assert here < 0.6 * around


@pytest.mark.parametrize(
    ("options", "knobs"),
    [
        ({"families": 0}, {}),
        ({"each": 1}, {}),
        ({"size": 8}, {}),
        ({"seed": -1}, {}),
        ({}, {"mirror": 1.5}),
        ({}, {"noise": float("nan")}),
        ({}, {"marks": -1}),
        ({}, {"kinship": 2}),
    ],
)
def test_impossible_sets_are_refused_in_one_line(options, knobs):
    with pytest.raises(DataError) as refused:
        twin_faces(**{"families": 2, "each": 2, **options}, knobs=Knobs(**knobs))
    assert "\n" not in str(refused.value)
