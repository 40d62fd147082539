"""Whether a set's background gives people away."""

import numpy as np

from datamodules.ahan.leak import CELLS, LIMIT, OUTSIDE, background, leak


def world(told: float, families: int = 30, each: int = 4) -> tuple[np.ndarray, ...]:
    """Backgrounds of two people a family. told: how much of a background is the person's own, and not the day's."""
    generator = np.random.default_rng(0)
    person = np.repeat(np.arange(2 * families), each)
    own = generator.random((2 * families, OUTSIDE.sum() * 3))
    features = told * own[person] + (1 - told) * generator.random((len(person), OUTSIDE.sum() * 3))
    i, j = np.triu_indices(len(person), 1)
    family = person // 2
    keep = family[i] == family[j]
    i, j = i[keep], j[keep]
    return features, i, j, person[i] == person[j], np.stack([family[i], family[j]], 1)


def test_a_background_that_says_nothing_is_no_leak_and_one_that_says_who_is() -> None:
    silent, loud = leak(*world(0.0)), leak(*world(0.7))
    assert silent is not None
    assert loud is not None
    assert not silent.warns
    assert loud.accuracy > 0.9 > LIMIT
    assert loud.warns


def test_no_pixel_of_the_face_counts() -> None:
    face = np.random.default_rng(0).integers(0, 256, (CELLS * 8, CELLS * 8, 3), np.uint8)
    other = face.copy()
    other[16:80, 16:80] = 0
    inside = np.kron(~OUTSIDE, np.ones((8, 8), bool))
    other[~inside] = face[~inside]
    np.testing.assert_array_equal(background(face), background(other))
    assert not OUTSIDE[CELLS // 2, CELLS // 2]
    assert OUTSIDE[0, 0]
    assert (OUTSIDE[:, ::-1] == OUTSIDE).all()


def test_too_few_families_or_pairs_tell_nothing() -> None:
    assert leak(*world(0.7, families=4)) is None
    assert leak(*world(0.7, families=8, each=2)) is None
