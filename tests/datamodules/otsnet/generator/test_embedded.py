import numpy as np

from datamodules.otsnet.generator import Generator, embedded_lexicon
from datamodules.otsnet.generator.embedded import ALPHABET


def test_half_of_the_words_are_of_the_lexicon_that_all_seeds_share() -> None:
    lexicon = set(embedded_lexicon())
    assert len(embedded_lexicon()) == len(lexicon) == 200
    for seed in (0, 1):
        labels = [Generator("embedded", seed=seed).draw(i).label for i in range(600)]
        assert 0.42 < np.mean([label in lexicon for label in labels]) < 0.58
        assert set("".join(labels)) == set(ALPHABET)
        assert {len(label) for label in labels} == {2, 3, 4, 5}


def test_held_out_strings_and_pictures_are_not_those_of_training() -> None:
    training, held = ([Generator("embedded", seed=1, heldout=out).draw(i) for i in range(800)] for out in (False, True))
    lexicon = set(embedded_lexicon())
    strings = [{drawn.label for drawn in part if drawn.label not in lexicon and len(drawn.label) > 2} for part in (training, held)]
    assert not strings[0] & strings[1]
    assert not {drawn.image.tobytes() for drawn in training} & {drawn.image.tobytes() for drawn in held}


def test_ink_is_in_its_letters_boxes_and_differs_from_the_rest() -> None:
    """The letters' boxes are far from the mean grey of the picture's border, the border is near it."""
    generator = Generator("embedded", seed=3)
    away = []
    for i in range(200):
        image, _, boxes = generator.draw(i)
        grey = image[:, :, 0].astype(float)
        x0, y0, x1, y1 = (boxes * [64, 32, 64, 32]).round().astype(int).T
        inside = np.zeros((32, 64), bool)
        for a, b, c, d in zip(x0, y0, x1, y1, strict=True):
            inside[b:d, a:c] = True
        away.append(grey[inside].std() / grey[~inside].std())
    assert np.median(away) > 1.3
