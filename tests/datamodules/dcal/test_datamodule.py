import inspect

import cv2
import numpy as np
import pytest
import torch

from datamodules.base import BaseData
from datamodules.dcal.datamodule import Beetles, Pictures
from datamodules.dcal.reid import BeetleIdentities, Reid
from datamodules.errors import DataError
from datamodules.pictures import decode
from tests.datamodules.dcal.sets import folder, index, picture, plain_rows


@pytest.fixture
def root(tmp_path):
    return folder(tmp_path / "set", {"train/ant": 8, "train/bee": 8, "test/ant": 3, "test/bee": 2})


def ready(*args, **options):
    data = Pictures(*args, **options)
    data.setup()
    return data


def test_batches_are_named_tensors(root):
    batch = next(iter(ready(str(root), batch_size=4, image_size=(16, 24)).train_dataloader()))
    assert {name: (tuple(value.shape), value.dtype) for name, value in batch.items()} == {
        "image": ((4, 3, 16, 24), torch.float32),
        "label": ((4,), torch.int64),
        "index": ((4,), torch.int64),
    }


def test_index_is_the_row_of_the_table(root):
    data = ready(str(root), batch_size=4, image_size=8)
    for loader in (data.train_dataloader(), data.val_dataloader(), data.test_dataloader()):
        for batch in loader:
            assert [data.table.records[row].label for row in batch["index"]] == batch["label"].tolist()


def test_number_of_workers_changes_nothing(root):
    def epoch(workers):
        return list(ready(str(root), batch_size=4, image_size=16, seed=3, workers=workers).train_dataloader())

    for one, other in zip(epoch(0), epoch(2), strict=True):
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_augmentation_differs_by_epoch_and_evaluation_does_not(root):
    data = ready(str(root), batch_size=14, image_size=16)
    loader, test = data.train_dataloader(), data.test_dataloader()
    first, second = next(iter(loader)), next(iter(loader))
    one = first["image"][first["index"].argsort()]
    assert not torch.equal(one, second["image"][second["index"].argsort()])
    assert torch.equal(next(iter(test))["image"], next(iter(test))["image"])


def test_evaluation_is_the_preprocess_of_the_raw_example(root):
    data = ready(str(root), image_size=16, share=0.9)
    image = next(iter(data.test_dataloader()))["image"][0]
    assert torch.equal(image, data.preprocess(data.examples(1)[0]))


def test_training_pictures_have_the_range_of_evaluation_pictures(root):
    data = ready(str(root), image_size=16, jitter=0.0, crop_scale=(1.0, 1.0), flip=False, fit="squash")
    for row, record in enumerate(data.train_set.records):
        raw = torch.from_numpy(decode(data.table.store.read(record.file), record.file))
        assert (data.train_set[0, row]["image"] - data.preprocess(raw)).abs().mean() < 0.1


def test_box_crop_uses_the_box(tmp_path):
    white = np.zeros((20, 30, 3), np.uint8)
    white[5:15, 10:20] = 255
    data = cv2.imencode(".png", white)[1].tobytes()
    rows = [(f"{n}.png", n % 2, "test" if n > 7 else "train", 10, 5, 10, 10) for n in range(10)]
    index(tmp_path, rows, "file,label,split,bbox_x,bbox_y,bbox_w,bbox_h", pictures={row[0]: data for row in rows})
    boxed = ready(str(tmp_path), box_crop=True, image_size=8)
    assert boxed.examples(1)[0].shape == (10, 10, 3)
    assert boxed.examples(1)[0].min() == 255
    assert ready(str(tmp_path), image_size=8).examples(1)[0].shape == (20, 30, 3)


def break_two(root):
    (root / "train/ant/0.jpg").write_bytes(picture(99)[:-40])
    (root / "train/bee/0.jpg").write_bytes(b"not a picture")


def test_broken_pictures_refuse_the_set_with_the_first_and_the_count(root):
    break_two(root)
    with pytest.raises(DataError, match=r"train/ant/0\.jpg: JPEG cut short.*and 1 more") as caught:
        ready(str(root))
    assert caught.value.exit_code == 2


def test_skip_broken_leaves_them_out_and_counts_them(root, capsys):
    break_two(root)
    data = ready(str(root), skip_broken=True)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"discern: {root}: 2 broken pictures or rows left out, the first: ")
    assert data.describe()["skipped"] == 2
    assert len(data.train_set) + len(data.val_set) == 14


def test_class_with_one_training_picture_is_named(tmp_path):
    root = folder(tmp_path, {"train/ant": 5, "train/bee": 5, "train/dodo": 1})
    data, said = Pictures(str(root)), []
    data.say = said.append
    data.setup("fit")
    assert said == [f"{root}: 1 classes have one training picture: dodo"]


def test_one_class_is_an_error(tmp_path):
    with pytest.raises(DataError, match="1 classes with training pictures; classification needs at least two"):
        ready(str(folder(tmp_path, {"train/ant": 5})))


def test_missing_split_is_named_when_it_is_asked_for(tmp_path):
    data = ready(str(folder(tmp_path, {"train/ant": 5, "train/bee": 5})))
    with pytest.raises(DataError, match="no test split"):
        data.test_dataloader()


def test_balanced_draws_classes_equally(tmp_path):
    data = ready(str(folder(tmp_path, {"train/ant": 30, "train/bee": 3})), image_size=4, batch_size=10, balanced=True)
    labels = torch.cat([batch["label"] for _ in range(10) for batch in data.train_dataloader()])
    weights = data.train_weights()
    train = np.array([record.label for record in data.train_set.records])
    assert np.isclose(weights[train == 0].sum(), weights[train == 1].sum())
    assert 0.25 < labels.float().mean() < 0.75


def test_data_card(root):
    card = ready(str(root)).describe()
    assert card["counts"]["test"] == {"ant": 3, "bee": 2}
    assert card["name"] == "set"
    assert len(card["fingerprint"]) == 64


def test_setup_adds_what_a_stage_lacks_and_keeps_the_rest(root):
    data = Pictures(str(root), image_size=8)
    data.setup("test")
    assert data.train_set is None
    test, val = data.test_set, data.val_set
    for stage in ("validate", "fit", "fit", "test"):
        data.setup(stage)
    assert (data.test_set, data.val_set) == (test, val)
    assert [len(part) for part in (data.train_set, val, test)] == [14, 2, 5]


def test_only_training_needs_the_augmentation_library(root):
    import subprocess
    import sys

    code = f"from datamodules.dcal.datamodule import Pictures; data = Pictures({str(root)!r}); data.describe()"
    code += "; data.setup('validate'); data.setup('test'); data.examples(2); import sys; print('albumentations' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "False"


def test_beetles_carry_the_cell_and_have_the_sizes_asked_for(tmp_path):
    data = Beetles(train=24, val=8, test=16, batch_size=8, cache=str(tmp_path))
    data.setup()
    made = data.made("train")
    for batch in data.train_dataloader():
        assert batch["cell"].tolist() == made.cells[batch["index"]].tolist()
        assert batch["label"].tolist() == made.labels[batch["index"]].tolist()
        assert torch.equal(batch["image"][0], data.preprocess(torch.from_numpy(made.images[batch["index"][0]])))
    assert [len(part) for part in (data.train_set, data.val_set, data.test_set)] == [24, 8, 16]
    assert len(list(tmp_path.glob("beetles-*.npz"))) == 3
    assert {split: sum(counts.values()) for split, counts in data.describe()["counts"].items()} == {"train": 24, "val": 8, "test": 16}
    assert len(data.examples(3)) == 3


def test_beetles_splits_share_no_picture_and_the_order_seed_changes_none():
    one, other = Beetles(train=16, val=16, test=16, seed=1), Beetles(train=16, val=16, test=16, seed=2)
    assert one.describe() == other.describe()
    pictures = [image.tobytes() for split in ("train", "val", "test") for image in one.made(split).images]
    assert len(set(pictures)) == 48
    assert Beetles(train=16, val=16, test=16, pictures_seed=1).describe()["fingerprint"] != one.describe()["fingerprint"]


def test_cue_is_for_training_only():
    plain, cued = Beetles(train=16, val=16, test=16), Beetles(train=16, val=16, test=16, cue=1.0)
    assert (plain.made("test").images == cued.made("test").images).all()
    assert (plain.made("train").images != cued.made("train").images).any()


def test_incomplete_last_batch_is_left_out_unless_it_is_the_only_one():
    data = Beetles(train=20, val=4, test=4, batch_size=8)
    data.setup()
    assert [len(batch["label"]) for batch in data.train_dataloader()] == [8, 8]
    data = Beetles(train=20, val=4, test=4, batch_size=64)
    data.setup()
    assert [len(batch["label"]) for batch in data.train_dataloader()] == [20]


def test_negative_workers_are_refused():
    with pytest.raises(DataError, match="workers"):
        BaseData(workers=-1)


def test_embedded_plain_rows_can_be_read(tmp_path):
    assert ready(str(index(tmp_path, plain_rows(), archive="images.zip")), image_size=8).classes == ["ant", "bee"]


@pytest.mark.parametrize("kind", [Beetles, Pictures, BeetleIdentities, Reid])
def test_help_has_a_line_for_every_key(kind):
    said = "\n".join(inspect.getdoc(base) or "" for base in kind.__mro__ if base.__module__.startswith("datamodules.dcal"))
    keys = list(inspect.signature(kind).parameters)
    assert [key for key in keys if f"\n    {key}: " not in said] == []
