from collections import Counter

import numpy as np
import pytest
import torch

from datamodules.dcal.datamodule import Beetles
from datamodules.dcal.reid import BeetleIdentities, Reid
from datamodules.errors import DataError
from tests.datamodules.dcal.reid_sets import ROWS, market, viper
from tests.datamodules.dcal.sets import index


@pytest.fixture
def root(tmp_path):
    return market(tmp_path / "set")


def ready(*args, **options):
    data = Reid(*args, **{"identities": 3, "pictures": 2, "image_size": (32, 16), "pad": 2} | options)
    data.say = lambda words: None
    data.setup()
    return data


def test_training_batches_are_named_tensors_of_p_identities_with_k_pictures(root):
    for batch in ready(str(root)).train_dataloader():
        assert {name: (tuple(value.shape), value.dtype) for name, value in batch.items()} == {
            "image": ((6, 3, 32, 16), torch.float32),
            "identity": ((6,), torch.int64),
            "camera": ((6,), torch.int64),
            "index": ((6,), torch.int64),
        }
        assert set(Counter(batch["identity"].tolist()).values()) == {2}


def test_training_identities_are_classes_without_holes(root):
    data = ready(str(root))
    seen = {identity for batch in data.train_dataloader() for identity in batch["identity"].tolist()}
    assert seen == set(range(len(data.classes)))
    assert len(data.classes) == 6


def test_evaluation_holds_queries_and_gallery_and_shares_no_identity_with_training(root):
    data = ready(str(root))
    for loader, queries, total in ((data.val_dataloader(), 4, 8), (data.test_dataloader(), 8, 25)):
        batches = list(loader)
        assert batches[0]["is_query"].dtype == torch.bool
        together = {name: torch.cat([batch[name] for batch in batches]) for name in ("identity", "camera", "is_query", "index")}
        assert len(together["index"]) == len(set(together["index"].tolist())) == total
        assert int(together["is_query"].sum()) == queries
        assert int(together["identity"].min()) >= len(data.classes)
        for row, identity, camera in zip(*(together[name].tolist() for name in ("index", "identity", "camera")), strict=True):
            record = data.table.records[row]
            assert data.table.identities[identity] == record.identity
            assert data.table.cameras[camera] == record.camera


def test_a_camera_that_is_not_known_is_minus_one(tmp_path):
    data = ready(str(index(tmp_path, [(*row[:3], "") for row in ROWS], "file,label,split,camera")))
    assert {camera for batch in data.test_dataloader() for camera in batch["camera"].tolist()} == {-1}


def test_number_of_workers_changes_nothing(root):
    one, other = (list(ready(str(root), seed=3, workers=workers).train_dataloader()) for workers in (0, 2))
    for a, b in zip(one, other, strict=True):
        assert all(torch.equal(a[name], b[name]) for name in a)


def test_evaluation_is_the_preprocess_of_the_raw_example_and_training_is_augmented(root):
    data = ready(str(root))
    image = next(iter(data.test_dataloader()))["image"][0]
    assert torch.equal(image, data.preprocess(data.examples(1)[0]))
    views = {data.train_set[turn, 0]["image"].numpy().tobytes() for turn in range(8)}
    assert len(views) > 4
    assert torch.equal(data.train_set[3, 0]["image"], data.train_set[3, 0]["image"])


def test_data_card_counts_and_names_nobody(tmp_path):
    rows = [(row[0], f"Jane Doe {row[1]}", *row[2:]) for row in ROWS]
    data = ready(str(index(tmp_path / "set", rows, "file,label,split,camera")))
    card = data.describe()
    assert card["counts"]["query"] == {"pictures": 6, "identities": 3, "cameras": 2}
    assert "Jane" not in str(card)
    assert "Jane" not in str(data.classes)


def test_broken_pictures_refuse_the_set_or_are_left_out_with_a_count(root):
    (root / "query/0010_c1s1_000000_00.jpg").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"0010_c1s1_000000_00\.jpg: not a picture"):
        ready(str(root))
    data = ready(str(root), skip_broken=True)
    assert data.describe()["skipped"] == 1
    assert len(data.table.of("query")) == 7


def test_trial_chooses_vipers_split(tmp_path):
    viper(tmp_path)
    assert ready(str(tmp_path), trial=1).table.records != ready(str(tmp_path), trial=2).table.records


def test_waiting_pictures_are_said(root):
    data, said = Reid(str(root), identities=3, pictures=3, image_size=16), []
    data.say = said.append
    data.setup("fit")
    data.train_dataloader()
    assert said == ["6 of 24 training pictures wait for another epoch (whole groups only)"]


@pytest.mark.full  # as for pictures in test_datamodule.py: 10 s
def test_only_training_needs_the_augmentation_library(root):
    import subprocess
    import sys

    code = f"from datamodules.dcal.reid import Reid; data = Reid({str(root)!r}, image_size=16); data.describe()"
    code += "; data.setup('test'); data.examples(2); import sys; print('albumentations' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "False"


SMALL = {"identities": 4, "pictures": 2, "train": 8, "val": 4, "test": 4, "each": 3}


def test_beetle_identities_are_split_by_identity_and_carry_cells(tmp_path):
    data = BeetleIdentities(**SMALL, cache=str(tmp_path))
    data.setup()
    sets = [set(data.made(split).identities.tolist()) for split in ("train", "val", "test")]
    assert [len(one) for one in sets] == [8, 4, 4]
    assert len(set.union(*sets)) == 16
    for batch in data.train_dataloader():
        assert set(Counter(batch["identity"].tolist()).values()) == {2}
        assert int(batch["identity"].max()) < 8
        assert batch["cells"].shape == (8, 2)
        for image, row, identity in zip(batch["image"], batch["index"], batch["identity"], strict=True):
            assert torch.equal(image, data.preprocess(torch.from_numpy(data.made("train").images[row])))
            assert identity == data.train_identities()[row]
    assert len(list(tmp_path.glob("beetle-identities-*.npz"))) == 3


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_the_picture_of_a_batchs_index_is_the_one_that_the_model_saw(tmp_path, split):
    made = [BeetleIdentities(**SMALL), Beetles(train=4, val=3, test=3)]
    for data in [*made, Reid(str(market(tmp_path / "set")), image_size=(16, 8))]:
        data.setup("test")
        samples = data.dataset(split)
        sample = samples[len(samples) - 1]
        again = data.preprocess.normalise(torch.from_numpy(data.picture(int(sample["index"]))).permute(2, 0, 1).float())
        assert (again - sample["image"]).abs().max() <= 0.5 / 255 / min(data.preprocess.channels[1]) + 1e-5  # of rounding to 8 bits


def test_beetle_identities_ask_once_an_identity_and_camera():
    data = BeetleIdentities(**SMALL)
    data.setup()
    batches = list(data.test_dataloader())
    together = {name: torch.cat([batch[name] for batch in batches]) for name in ("identity", "camera", "is_query", "index")}
    asking = together["is_query"]
    assert int(asking.sum()) == 8
    assert len(set(zip(together["identity"][asking].tolist(), together["camera"][asking].tolist(), strict=True))) == 8
    assert together["identity"].unique().tolist() == [12, 13, 14, 15]
    assert together["index"].tolist() == list(range(72, 96))


def test_beetle_identities_follow_from_their_own_seed_alone():
    one, other = BeetleIdentities(**SMALL, seed=1), BeetleIdentities(**SMALL, seed=2)
    assert one.describe() == other.describe()
    assert BeetleIdentities(**SMALL, pictures_seed=1).describe()["fingerprint"] != one.describe()["fingerprint"]
    assert np.array_equal(one.made("test").images, other.made("test").images)


@pytest.mark.parametrize("setting", [{"train": 100}, {"val": 1}, {"each": 1}])
def test_beetle_identities_that_cannot_be_made_are_refused(setting):
    with pytest.raises(DataError, match="give"):
        BeetleIdentities(**setting)
