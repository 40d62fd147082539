import inspect

import numpy as np
import pytest
import torch

from datamodules.base import BaseData
from datamodules.errors import DataError
from datamodules.otsnet import dataset
from datamodules.otsnet.charset import CharsetError
from datamodules.otsnet.datamodule import EmbeddedWords, Words
from datamodules.otsnet.dataset import Made, at_size
from tests.datamodules.otsnet import sets
from tests.datamodules.otsnet.sets import picture, put
from tests.datamodules.otsnet.stub import Generator

DIFFICULTIES: list[float | None] = []  # of the pictures in the order in which they were drawn


@pytest.fixture(autouse=True)
def stub(monkeypatch):
    def draw(self, index, difficulty=None):
        self._generator = self._generator or Generator(**self.settings)
        DIFFICULTIES.append(difficulty)
        return self._generator.draw(index)

    monkeypatch.setattr(Made, "draw", draw)
    return dataset


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """60 training words of two sets, 7 test words."""
    root = tmp_path_factory.mktemp("words")
    for name, count, split in (("street", 45, "train"), ("shop", 15, "train"), ("street", 7, "test")):
        rows = []
        for number in range(count):
            seed = 1000 * (split == "test") + 100 * (name == "shop") + number
            put(root / name / split / f"{number}.png", picture(seed, 20 + number % 5, 40 + number))
            rows.append(f"{number}.png\t{name.title()}{'x' * (number % 3)}{number}")
        put(root / name / split / "labels.tsv", "\n".join(rows))
    return root


def ready(path=None, **options):
    data = Words(None if path is None else str(path), **options)
    data.setup()
    return data


def test_a_batch_is_what_was_agreed(root):
    data = ready(root, batch_size=8, generated_share=0.5)
    for loader in (data.train_dataloader(), data.val_dataloader(), data.test_dataloader()):
        batch = next(iter(loader))
        count = len(batch["id"])
        assert {name: (tuple(value.shape), value.dtype) for name, value in batch.items()} == {
            "images": ((count, 3, 32, 128), torch.float32),
            "tokens": ((count, 26), torch.int64),
            "boxes": ((count, 25, 4), torch.float32),
            "id": ((count,), torch.int64),
        }
        assert batch["images"].min() >= -1
        assert batch["images"].max() <= 1


def test_an_id_leads_to_truth_set_and_picture(root):
    data = ready(root, batch_size=8, generated_share=0.5, augment=False)
    made = 0
    for loader in (data.train_dataloader(), data.val_dataloader(), data.test_dataloader()):
        for batch in loader:
            for row, number in enumerate(batch["id"].tolist()):
                assert data.charset.decode(batch["tokens"][row]) == data.truth(number)
                assert torch.equal(batch["images"][row], data.preprocess(torch.from_numpy(data.picture(number))))
                assert data.set_of(number) == ("made" if number < 0 else data.table.records[number].set)
                made += number < 0
    assert made > 10


def test_made_words_have_boxes_and_words_on_disk_have_none(root):
    for batch in ready(root, batch_size=16, generated_share=0.5).train_dataloader():
        for boxes, tokens, number in zip(batch["boxes"], batch["tokens"], batch["id"], strict=True):
            letters = int((tokens == 0).nonzero()[0])
            known = ~boxes.isnan().any(1)
            assert known[:letters].all() if number < 0 else not known.any()
            assert not known[letters:].any()


def test_letters_of_iiit5k_are_in_the_batch_until_augmentation_moves_them(tmp_path):
    sets.iiit5k(tmp_path)
    data = ready(tmp_path, batch_size=1, charset="94", augment=False, layout="iiit5k")
    row = next(row for row, text in enumerate(data.train_set.words.texts) if text == "247")
    boxes = data.train_set[0, row]["boxes"][:3]
    torch.testing.assert_close(boxes, torch.tensor([[0, 0, 1 / 3, 1], [1 / 3, 0, 2 / 3, 1], [2 / 3, 0, 1, 1]]))
    moved = ready(tmp_path, batch_size=1, layout="iiit5k", magnitude=5.0)
    turns = [bool(moved.train_set[turn, row]["boxes"][:3].isnan().any()) for turn in range(40)]
    assert 0 < sum(turns) < 40


def test_slots_are_shared_between_sources_by_their_share(root):
    data = ready(root, batch_size=50, samples=1000, generated_share=0.7, weights={"street": 1.0, "shop": 3.0}, augment=False)
    ids = torch.cat([batch["id"] for batch in data.train_dataloader()])
    names = [data.set_of(int(number)) for number in ids]
    assert len(names) == 1000
    assert 0.65 < names.count("made") / 1000 < 0.75
    assert 0.15 < names.count("street") / (names.count("street") + names.count("shop")) < 0.35


def test_without_sources_to_mix_an_epoch_shows_every_word_once(root):
    data = ready(root, batch_size=1)
    ids = torch.cat([batch["id"] for batch in data.train_dataloader()])
    assert sorted(ids.tolist()) == data.rows("train")


def test_no_made_picture_comes_twice_in_any_epoch(root):
    data = ready(root, batch_size=10, samples=60, generated_share=0.5)
    loader = data.train_dataloader()
    seen = [number for _ in range(3) for batch in loader for number in batch["id"].tolist() if number < 0]
    assert len(seen) == len(set(seen)) > 60


def test_balanced_lengths_make_rare_lengths_more_frequent(tmp_path):
    rows = []
    for number in range(110):
        put(tmp_path / f"train/{number}.png", picture(number, 10, 20))
        rows.append(f"{number}.png\t{'ab' if number < 100 else 'abcdefgh'}{number:03d}")
    put(tmp_path / "train/labels.tsv", "\n".join(rows))

    def share(**options):
        data = ready(tmp_path / "train", batch_size=10, samples=1000, augment=False, **options)
        return np.mean([len(data.truth(int(n))) > 6 for batch in data.train_dataloader() for n in batch["id"]])

    assert share() < 0.13
    assert share(balance_lengths=True) > 0.18


def test_training_is_taken_up_where_it_stopped_and_workers_change_nothing(root):
    def batches(workers=0, after=0):
        data = ready(root, batch_size=8, seed=3, generated_share=0.4, workers=workers)
        loader = data.train_dataloader()
        loader.load_state_dict({"epoch": 2, "finished": after})
        return list(loader)

    whole = batches()
    for other in (batches(after=0), [*whole[:4], *batches(after=4)]):
        assert len(whole) == len(other)
        assert all(
            torch.equal(one[name].nan_to_num(-9), two[name].nan_to_num(-9)) for one, two in zip(whole, other, strict=True) for name in one
        )


def test_workers_give_the_same_words(root):
    """Of words on disk, which processes of their own read and augment."""
    one, two = (list(ready(root, batch_size=8, seed=3, workers=workers).train_dataloader()) for workers in (0, 1))
    assert all(torch.equal(a[name].nan_to_num(-9), b[name].nan_to_num(-9)) for a, b in zip(one, two, strict=True) for name in a)


def test_two_ranks_see_together_what_one_sees(root):
    data = ready(root, batch_size=8, generated_share=0.4)
    whole = [batch["id"].tolist() for batch in data.train_dataloader()]
    parts = []
    for rank in range(2):
        data._place = lambda rank=rank: (rank, 2)
        parts.append([batch["id"].tolist() for batch in data.train_dataloader()])
    assert [one + two for one, two in zip(*parts, strict=True)] == whole


def test_labels_are_counted_where_they_are_left_out_or_changed(tmp_path, capsys):
    rows = ["a.png\tgood!", "b.png\t" + "x" * 30, "c.png\t??", "d.png\tother", "e.png\tßäß"]
    for row in rows:
        put(tmp_path / f"train/{row[:5]}", picture(ord(row[0])))
    put(tmp_path / "train/labels.tsv", "\n".join(rows))
    data = ready(tmp_path / "train", charset="36", batch_size=1)
    said = capsys.readouterr().err
    assert "1 labels of more than 25 characters, left out: " in said
    assert "1 labels empty in this charset, left out: '??' (" in said
    assert "characters outside the charset dropped from labels: 'ß' 2, '!' 1" in said
    assert sorted(data.texts) == ["a", "good", "other"]
    assert data.truth(0) == "good!"  # as its source writes it
    with pytest.raises(CharsetError, match=r"labels\.tsv:1: '!' in 'good!'"):
        ready(tmp_path / "train", charset="36", strict=True)


def test_a_charset_that_most_labels_do_not_fit_is_warned_of(root, capsys):
    data = ready(root, charset="+x")
    assert f"of 67 labels {67 - len(data.texts)} fall out and {len(data.texts)} lose characters, more than half" in capsys.readouterr().err
    ready(root, charset="62")
    assert "WARNING" not in capsys.readouterr().err


def test_broken_pictures_refuse_the_set_or_are_left_out_and_counted(root, tmp_path, capsys):
    sets.lmdb(tmp_path / "train", labels=["a", "b", "c", "d", "e"], images=[*sets.PICTURES[:3], b"", sets.PICTURES[3][:-30]])
    with pytest.raises(DataError, match=r"data\.mdb:image-000000004: empty file.*and 1 more") as caught:
        ready(tmp_path / "train")
    assert caught.value.exit_code == 2
    data = ready(tmp_path / "train", skip_broken=True, batch_size=1)
    assert "2 broken pictures" in capsys.readouterr().err
    assert len(data.table.records) == 3
    assert data.describe()["skipped"] == 2


def test_small_pictures_are_really_left_out(root):
    data = ready(root, min_side=22)
    assert 0 < len(data.table.records) < len(ready(root).table.records)
    assert min(min(data.picture(row).shape[:2]) for row in range(len(data.table.records))) >= 22
    assert any("side below 22 pixels" in note for note in data.describe()["notes"])


def test_made_words_alone_are_tested_on_what_training_never_draws():
    data = ready(generated_share=1.0, samples=40, batch_size=10)
    train = {image.numpy().tobytes() for batch in data.train_dataloader() for image in batch["images"]}
    val, test = (next(iter(loader)) for loader in (data.val_dataloader(), data.test_dataloader()))
    assert len(train) == 40
    for batch in (val, test):
        assert not train & {image.numpy().tobytes() for image in batch["images"]}
        number = int(batch["id"][0])
        assert data.charset.decode(batch["tokens"][0]) == data.truth(number)
    assert not set(val["id"].tolist()) & set(test["id"].tolist())
    assert torch.equal(data.preprocess(data.examples(1)[0]), test["images"][0])


def test_difficulty_rises_with_the_pictures_and_a_resume_finds_it_where_it_was(root):
    def drawn(start=(0, 0), epochs=3):
        data = ready(root, batch_size=10, samples=100, generated_share=0.5, curriculum=2, difficulty=0.8)
        loader = data.train_dataloader()
        loader.load_state_dict({"epoch": start[0], "finished": start[1]})
        DIFFICULTIES.clear()
        ids = [number for _ in range(start[0], epochs) for batch in loader for number in batch["id"].tolist() if number < 0]
        return list(DIFFICULTIES), dict(zip(ids, DIFFICULTIES, strict=True)), data

    found, by_number, data = drawn()
    assert found == sorted(found)
    assert found[0] == pytest.approx(0.8 * 0.3)
    assert 0.2 < found.index(max(found)) / len(found) < 0.75  # two of three epochs
    assert max(found) == pytest.approx(0.8)
    _, again, _ = drawn(start=(1, 4))
    assert again.items() <= by_number.items()
    assert len(again) > 50
    number = min(by_number)
    DIFFICULTIES.clear()
    data.picture(number)
    assert [by_number[number]] == DIFFICULTIES
    next(iter(data.val_dataloader()))
    assert [by_number[number]] == DIFFICULTIES  # validation is on words on disk


def test_validation_on_made_words_is_as_hard_as_ever(root):
    data = ready(generated_share=1.0, samples=40, batch_size=10, curriculum=2)
    DIFFICULTIES.clear()
    next(iter(data.val_dataloader()))
    assert set(DIFFICULTIES) == {None}


def test_one_generator_answers_for_all_made_words_of_a_kind():
    data = ready(generated_share=1.0, samples=32, batch_size=8)
    numbers = next(iter(data.val_dataloader()))["id"].tolist()
    before = Generator.built
    assert [len(data.truth(number)) > 0 for number in numbers] == [True] * 8
    assert data.picture(numbers[0]).shape == (32, 128, 3)
    assert Generator.built == before


def test_a_picture_of_the_right_size_is_the_same_without_resizing():
    data = ready(generated_share=1.0, samples=8)
    for seed, shape in enumerate([(32, 128, 3), (20, 61, 3)]):
        picture = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
        assert torch.equal(at_size(picture, data.preprocess), data.preprocess(torch.from_numpy(picture)))


def test_long_made_words_are_drawn_again():
    data = ready(generated_share=1.0, samples=30, batch_size=10, max_length=3)
    for batch in data.train_dataloader():
        assert all(0 < len(data.charset.decode(tokens)) <= 3 for tokens in batch["tokens"])


def test_several_paths_are_one_set(root, tmp_path):
    sets.lmdb(tmp_path / "train")
    data = ready(root)
    both = Words([str(root), str(tmp_path / "train")], batch_size=4)
    both.setup()
    assert len(both.rows("train")) + len(both.rows("val")) == len(data.rows("train")) + len(data.rows("val")) + 5
    assert next(iter(both.train_dataloader()))["images"].shape == (4, 3, 32, 128)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"path": None}, "no path: .* such as ctc, goes behind it: --config embedded --config ctc"),
        ({"generated_share": 1.5}, "a share lies in 0 to 1"),
        ({"generated_share": 1.0}, "say with samples"),
        ({"generated_share": 1.0, "samples": 5, "weights": {"a": 1}}, "weights: belongs to training words on disk"),
        ({"difficulty": 0.5}, "belong to made words"),
        ({"curriculum": 1.0}, "belong to made words"),
        ({"curriculum": -1.0}, "epochs, 0 or more"),
        ({"weights": {"street": 1.0}, "balance_lengths": True}, "leave one out"),
        ({"weights": {"street": 1.0}}, "'shop'; give a weight to each of the training sets shop, street"),
        ({"weights": {"street": 0.0, "shop": 0.0}}, "not all 0"),
        ({"augment": False, "magnitude": 3.0}, "augment, which is off"),
        ({"charset": "aab"}, "'a' is twice"),
        ({"max_length": 0}, "at least 1"),
        ({"layout": "svt"}, "needs SVT"),
    ],
)
def test_a_setting_that_cannot_act_is_one_line(options, words, root):
    with pytest.raises(DataError, match=words):
        ready(**({"path": root} | options)).train_dataloader()


def test_the_card_names_counts_and_a_fingerprint(root):
    card = ready(root, generated_share=0.25).describe()
    assert card["sets"]["test"] == {"street": 7}
    assert card["counts"]["train"] + card["counts"]["val"] == 60
    assert card["made"]["share"] == 0.25
    assert len(card["fingerprint"]) == 64


def test_the_embedded_set_is_small_and_known_by_number(tmp_path):
    data = EmbeddedWords(batch_size=8, train=24, val=5, test=6, cache=str(tmp_path / "kept"))
    pytest.importorskip("datamodules.otsnet.generator", reason="the word generator is not here yet")
    data.setup()
    batch = next(iter(data.train_dataloader()))
    assert batch["images"].shape == (8, 3, 32, 64)
    assert batch["tokens"].shape == (8, 6)
    for loader in (data.train_dataloader(), data.val_dataloader(), data.test_dataloader()):
        for batch in loader:
            for row, number in enumerate(batch["id"].tolist()):
                assert data.charset.decode(batch["tokens"][row]) == data.truth(number)
                assert torch.equal(batch["images"][row], data.preprocess(torch.from_numpy(data.picture(number))))
                assert data.set_of(number) in ("lexicon", "random")
    again = EmbeddedWords(train=24, val=5, test=6, cache=str(tmp_path / "kept"))
    assert again.describe() == data.describe()


@pytest.mark.parametrize("kind", [Words, EmbeddedWords])
def test_every_argument_is_explained(kind):
    said = "".join(inspect.getdoc(part) or "" for part in kind.__mro__ if issubclass(part, BaseData))
    for name in list(inspect.signature(kind).parameters):
        assert f"{name}: " in said, name


def test_pictures_that_keep_their_shape_end_where_they_end_and_boxes_are_of_all_that_is_shown(root):
    data = ready(root, keep_ratio=True, generated_share=0.5, augment=False)
    assert data.preprocess.settings()["fit"] == "pad"
    for row in (data.val_set[0], data.test_set[0]):
        picture = data.picture(row["id"])
        wide = dataset.shown_columns(row["images"])
        assert wide == min(128, -(-32 * picture.shape[1] // picture.shape[0])) < 128
    made = data.train_set.made.numbered(3)
    letters = int(made["boxes"].isfinite().all(1).sum())
    wide = dataset.shown_columns(made["images"])
    assert wide == 16 * letters
    assert float(made["boxes"][letters - 1, 2]) == pytest.approx(wide / 128)
    assert float(made["boxes"][0, 3]) == 1.0
    drawn = np.random.default_rng(0).integers(0, 256, (32, 40, 3), dtype=np.uint8)
    torch.testing.assert_close(at_size(drawn, data.preprocess), data.preprocess(torch.from_numpy(drawn)), equal_nan=True, rtol=0, atol=1e-5)
