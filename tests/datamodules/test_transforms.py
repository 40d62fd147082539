import pickle

import numpy as np
import pytest

from datamodules.order import sample_rng
from datamodules.transforms import Augment, WordAugment

IMAGE = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)


def test_equal_generators_give_equal_pictures_whatever_came_before():
    one, other = Augment((32, 32), erase=0.5), pickle.loads(pickle.dumps(Augment((32, 32), erase=0.5)))
    for turn in range(20):
        one(IMAGE, sample_rng(9, turn, 0))  # only one of them sees these
        assert (one(IMAGE, sample_rng(0, turn, 1)) == other(IMAGE, sample_rng(0, turn, 1))).all()


def test_global_randomness_is_neither_used_nor_touched():
    import random

    augment = Augment((32, 32), erase=0.5)
    random.seed(0)
    np.random.seed(0)
    before = augment(IMAGE, sample_rng(0, 0, 0))
    state = (random.getstate(), np.random.get_state()[1].tolist())
    random.seed(1)
    np.random.seed(1)
    assert (augment(IMAGE, sample_rng(0, 0, 0)) == before).all()
    random.seed(0)
    np.random.seed(0)
    augment(IMAGE, sample_rng(0, 0, 0))
    assert (random.getstate(), np.random.get_state()[1].tolist()) == state


def test_turns_differ_and_size_holds():
    augment = Augment((24, 40))
    views = {augment(IMAGE, sample_rng(0, turn, 0)).tobytes() for turn in range(10)}
    assert len(views) == 10
    assert augment(IMAGE, sample_rng(0, 0, 0)).shape == (24, 40, 3)
    assert augment(IMAGE, sample_rng(0, 0, 0)).dtype == np.uint8


def test_without_flip_left_stays_left():
    image = np.zeros((40, 40, 3), np.uint8)
    image[:, :20] = 200
    kept = [Augment((40, 40), crop_scale=(1, 1), flip=False)(image, sample_rng(0, turn, 0)) for turn in range(20)]
    assert all(view[:, :10].mean() > view[:, 30:].mean() for view in kept)
    turned = [Augment((40, 40), crop_scale=(1, 1), flip=True)(image, sample_rng(0, turn, 0)) for turn in range(20)]
    assert 0 < sum(view[:, :10].mean() > view[:, 30:].mean() for view in turned) < 20


def test_padding_shifts_the_picture_by_that_much_at_most_and_fills_with_black():
    image = np.full((20, 30, 3), 255, np.uint8)
    image[8:12, 13:17] = 100
    augment = Augment((20, 30), crop_scale=(1, 1), pad=3, flip=False, jitter=0)
    shifts = set()
    for turn in range(60):
        view = augment(image, sample_rng(0, turn, 0))
        assert view.shape == (20, 30, 3)
        assert set(np.unique(view)) <= {0, 100, 255}
        rows, columns = np.where(view[:, :, 0] == 100)
        shifts.add((int(rows.min()) - 8, int(columns.min()) - 13))
    assert len(shifts) > 20
    assert {abs(step) for shift in shifts for step in shift} == {0, 1, 2, 3}


def test_nothing_switched_on_only_resizes():
    assert (Augment((60, 80), crop_scale=(1, 1), flip=False, jitter=0)(IMAGE, sample_rng(0, 0, 0)) == IMAGE).all()


@pytest.mark.parametrize("setting", [{"crop_scale": (0, 1)}, {"crop_scale": (0.9, 0.5)}, {"jitter": 2}, {"pad": -1}, {"erase": -1}])
def test_senseless_setting_is_refused(setting):
    with pytest.raises(ValueError, match="must"):
        Augment((8, 8), **setting)


def test_words_keep_their_size_and_equal_generators_give_equal_pictures():
    one, other = WordAugment(), pickle.loads(pickle.dumps(WordAugment()))
    for turn in range(60):
        view, moved = one(IMAGE, sample_rng(0, turn, 1))
        again, again_moved = other(IMAGE, sample_rng(0, turn, 1))
        assert (view == again).all()
        assert moved == again_moved
        assert view.shape == IMAGE.shape
        assert view.dtype == np.uint8


@pytest.mark.parametrize("name", WordAugment.LIMITS)
def test_every_operation_changes_a_word_and_only_moving_ones_say_they_move(name, monkeypatch):
    monkeypatch.setattr(WordAugment, "LIMITS", {name: WordAugment.LIMITS[name]})
    views = [WordAugment(1, chance=1.0)(IMAGE // 2 + 30, sample_rng(0, turn, 0)) for turn in range(4)]
    assert any((view != IMAGE // 2 + 30).any() for view, _ in views)
    assert {moved for _, moved in views} == {name in WordAugment.MOVING}


def test_no_operation_or_no_chance_leaves_the_word():
    for augment in (WordAugment(0), WordAugment(chance=0.0)):
        view, moved = augment(IMAGE, sample_rng(0, 0, 0))
        assert (view == IMAGE).all()
        assert not moved


def test_no_word_is_ever_mirrored():
    image = np.zeros((32, 96, 3), np.uint8)
    image[:, :30] = 200
    image[4:28, 5:25] = 90
    for turn in range(60):
        view = WordAugment(magnitude=2.0, chance=1.0)(image, sample_rng(0, turn, 0))[0].astype(float).mean(2)
        same, mirrored = (abs(np.corrcoef(view.ravel(), other.astype(float).mean(2).ravel())[0, 1]) for other in (image, image[:, ::-1]))
        assert same > mirrored


@pytest.mark.parametrize("options", [{"operations": 17}, {"magnitude": 11.0}, {"chance": 1.5}, {"operations": -1}])
def test_settings_of_word_augmentation_without_meaning_are_refused(options):
    with pytest.raises(ValueError, match="got"):
        WordAugment(**options)
