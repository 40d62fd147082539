import math

import numpy as np
import pytest
import torch

from datamodules.ahan.augment import FaceAugment
from datamodules.ahan.datamodule import Faces, TwinFaces
from datamodules.ahan.synth import clean
from datamodules.base import MADE, NOT_STATED
from datamodules.errors import DataError
from tests.datamodules.ahan import sets

SMALL = {"train": 6, "val": 2, "test": 2, "each": 4, "size": 32, "groups": 4, "images": 2}


def small(**options):
    data = TwinFaces(**SMALL | options)
    data.say = lambda words: None
    data.setup()
    return data


def disk(path, **options):
    data = Faces(str(path), **{"size": 32, "groups": 4, "images": 2} | options)
    data.say = lambda words: None
    data.setup()
    return data


@pytest.mark.parametrize("make", [lambda root: small(), lambda root: disk(sets.twins(root, 10, 4))])
def test_batches_are_named_tensors_on_the_agreed_scale(tmp_path, make):
    data = make(tmp_path)
    for loader in (data.train_dataloader(), data.test_dataloader()):
        batch = next(iter(loader))
        assert {name: value.dtype for name, value in batch.items()} == {
            "images": torch.float32,
            "person": torch.int64,
            "family": torch.int64,
            "visit": torch.int64,
            "id": torch.int64,
        }
        assert batch["images"].shape[1:] == (3, 32, 32)
        assert -1 <= float(batch["images"].min()) < float(batch["images"].max()) <= 1
        raw = data.picture(int(batch["id"][0]))
        assert raw.shape == (32, 32, 3)
    expected = (torch.from_numpy(raw).permute(2, 0, 1).float() / 255 - 0.5) / 0.5
    assert torch.allclose(batch["images"][0], expected, atol=1e-5), "evaluation is the aligned face itself"


def test_training_people_are_classes_without_holes_and_splits_share_no_family():
    data = small()
    seen = {int(p) for batch in data.train_dataloader() for p in batch["person"]}
    assert seen <= set(range(12))
    assert len(data.classes) == data.people == 12
    families = [set(data.numbers(split)[:, 1].tolist()) for split in ("train", "val", "test")]
    assert sum(map(len, families)) == len(set.union(*families)) == 10


def test_pairs_of_a_split_are_places_in_its_loader():
    data = small()
    pairs = data.pairs("test")
    batch = torch.cat([batch["person"] for batch in data.test_dataloader()]).numpy()
    assert ((batch[pairs.first] == batch[pairs.second]) == pairs.same).all()
    assert set(pairs.kind.tolist()) == {"genuine", "twin", "general"}


def test_training_is_augmented_anew_each_turn_and_reproducibly():
    data = small()
    assert torch.equal(data.train_set[3, 0]["images"], data.train_set[3, 0]["images"])
    assert len({data.train_set[turn, 0]["images"].numpy().tobytes() for turn in range(6)}) == 6


def test_number_of_workers_changes_nothing(tmp_path):
    sets.twins(tmp_path, 8, 4)
    one, other = (list(disk(tmp_path, workers=workers, seed=3).train_dataloader()) for workers in (0, 2))
    for a, b in zip(one, other, strict=True):
        assert all(torch.equal(a[name], b[name]) for name in a)


def test_a_mirrored_person_can_be_another_one():
    data = small(hflip="identity", jitter=0, turn=0, shift=0)
    plain = small(jitter=0, turn=0, shift=0)
    assert len(data.classes) == 2 * data.people
    found = set()
    for turn in range(12):
        sample, raw = data.train_set[turn, 0], plain.train_set[turn, 0]["images"]
        found.add(sample["person"])
        assert torch.equal(sample["images"], raw if sample["person"] == 0 else raw.flip(2))
        assert sample["person"] == sample["family"] == 0 or sample["person"] == sample["family"] == 12
    assert found == {0, 12}


def test_mirroring_keeps_the_person_where_a_chance_is_given():
    data = small(hflip=1.0, jitter=0, turn=0, shift=0)
    sample = data.train_set[0, 0]
    assert sample["person"] == 0
    assert torch.equal(sample["images"].flip(2), small(jitter=0, turn=0, shift=0).train_set[0, 0]["images"])


@pytest.mark.parametrize("options", [{"hflip": 2}, {"jitter": -1}, {"turn": 90}, {"shift": float("nan")}])
def test_impossible_augmentation_is_refused(options):
    with pytest.raises(DataError):
        FaceAugment(**options)
    with pytest.raises(DataError, match="identity"):
        small(hflip="person")


def test_latents_are_there_for_oracles():
    data = small()
    assert data.made.people.genes.shape == (20, 12)
    assert clean(data.made.people, 32).shape == (20, 32, 32, 3)
    assert data.made.points.shape == (80, 5, 2)


def test_made_faces_are_kept_when_a_cache_is_named(tmp_path):
    one, other = small(cache=str(tmp_path)), small(cache=str(tmp_path))
    assert len(list(tmp_path.iterdir())) == 1
    assert np.array_equal(one.made.images, other.made.images)
    assert np.array_equal(one.made.images, small().made.images)
    assert not np.array_equal(one.made.images, small(cache=str(tmp_path), asym=2.0).made.images)


def test_cards_count_and_name_nobody(tmp_path):
    card = small().card()
    assert card["licence"] == MADE
    assert card["counts"]["train"] == {"images": 48, "people": 12, "families": 6, "with twins": 6}
    sets.twins(tmp_path / "set", 10, 4)
    card = disk(tmp_path / "set").card()
    assert card["licence"] == NOT_STATED
    assert sum(split["images"] for split in card["counts"].values()) == 24 * 4
    assert "a1" not in str({key: value for key, value in card.items() if key not in ("source", "fingerprint")})


def test_other_kin_are_other_people_to_the_training_and_a_kind_of_their_own_to_the_test(tmp_path):
    split = ["train"] * 4 + ["val"] * 2 + ["test"] * 2
    rows = [
        f"{person}{k}.jpg,{person},f{family},{'MZ' if family % 2 else 'DZ'},day{k},{split[family]}"
        for family in range(8)
        for person in (f"a{family}", f"b{family}")
        for k in range(2)
    ]
    data = disk(sets.csv_set(tmp_path, rows, "image,person,family,kind,session,split"), twin_ratio=1, groups=2)
    assert data.counts()["train"]["with twins"] == 2
    assert data.counts()["train"]["families"] == 4
    batch = next(iter(data.train_dataloader()))
    assert len(set(batch["family"].tolist())) == 2
    pairs = data.pairs("test")
    assert [int((pairs.kind == name).sum()) for name in ("genuine", "twin", "kin", "general")] == [4, 2, 2, 4]


def test_broken_images_refuse_the_set_or_are_left_out_with_a_count(tmp_path):
    sets.twins(tmp_path, 10, 4)
    (tmp_path / "a0/2009/0.jpg").write_bytes(b"")
    with pytest.raises(DataError, match=r"a0/2009/0\.jpg: empty file"):
        disk(tmp_path)
    assert disk(tmp_path, skip_broken=True).describe()["skipped"] == 1


def test_points_that_are_no_faces_refuse_the_set_or_are_left_out_with_a_count(tmp_path):
    sets.csv_set(tmp_path)
    table = tmp_path / "faces.csv"
    wrong = "41.5,92.4,70.7,92.2,56.0,71.7,38.3,51.7,73.5,51.5"  # eyes and mouth changed places
    rows = table.read_text().splitlines()
    rows[2] = ",".join([*rows[2].split(",")[:6], wrong, "left"])
    table.write_text("\n".join(rows) + "\n")
    with pytest.raises(DataError, match=r"faces\.csv:3: bad_landmarks"):
        disk(tmp_path, twin_ratio=1, groups=2)
    assert disk(tmp_path, twin_ratio=1, groups=2, skip_broken=True).describe()["skipped"] == 1


def test_lfw_is_trained_on_nine_folds_and_evaluated_on_its_own_pairs(tmp_path):
    data = disk(sets.lfw(tmp_path, folds=4), twin_ratio=0, fold=2)
    assert len(data.numbers("train")) == 16
    images, pairs = data.named_pairs()
    assert len(pairs.first) == 16
    assert images[int(pairs.first[0])].shape == (32, 32, 3)
    with pytest.raises(DataError, match="twin_ratio=0"):
        disk(tmp_path).train_dataloader()


def test_only_twins_make_batches_of_pairs():
    batch = next(iter(small(twin_ratio=math.inf).train_dataloader()))
    assert batch["person"].tolist() == [p for p in batch["person"].tolist()[::2] for _ in range(2)]
    assert (batch["family"] == batch["person"] // 2).all()
    assert len(batch["person"]) == 4 * 2 * 2


def test_a_list_says_which_pairs_of_a_split_are_asked(tmp_path):
    data = disk(sets.lfw(tmp_path, folds=4), twin_ratio=0, fold=2)
    whole = data.named_pairs()[1]
    rows = {name: np.array(data.table.rows(name)) for name in ("val", "test")}
    for split, fold in (("val", 3), ("test", 2)):
        pairs = data.pairs(split)
        assert len(pairs.first) == (whole.fold == fold).sum() > 0
        assert set(pairs.fold) == {fold}
        np.testing.assert_array_equal(rows[split][pairs.first], whole.first[whole.fold == fold])
        np.testing.assert_array_equal(rows[split][pairs.second], whole.second[whole.fold == fold])
    people = {name: set(data.numbers(name)[:, 0].tolist()) for name in ("train", "val", "test")}
    assert not (people["train"] & people["val"] | people["train"] & people["test"] | people["val"] & people["test"])
    with pytest.raises(DataError, match="leave them out"):
        data.pairs("test", general=5)
    assert set(data.pairs("train").kind) >= {"genuine"}
