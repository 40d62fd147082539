"""Batches of polyps: named tensors, splits, the third split for gates, and one line for what cannot be."""

import json

import numpy as np
import pytest
import torch

from datamodules.base import MADE, NOT_STATED
from datamodules.errors import DataError
from datamodules.hag.areas import AREA_CUTS, area_class
from datamodules.hag.classes import SIZE_CLASSES, size_class
from datamodules.hag.datamodule import Polyps, SynthPolyps
from tests.datamodules.hag import sets

SMALL = {"size": 32, "train": 12, "val": 3, "test": 3, "frames": 2, "batch_size": 6}
TYPES = {
    "images": torch.float32,
    "box": torch.float32,
    "mm": torch.float32,
    "has_box": torch.bool,
    "has_mm": torch.bool,
    "censored": torch.bool,
    "label": torch.int64,
    "polyp": torch.int64,
    "id": torch.int64,
}


def ready(data):
    data.say = lambda words: None
    data.setup()
    return data


def small(**options):
    return ready(SynthPolyps(**SMALL | options))


def disk(path, **options):
    return ready(Polyps(str(path), **{"size": 32, "batch_size": 4} | options))


@pytest.mark.parametrize("make", [lambda root, **o: small(**o), lambda root, **o: disk(sets.polyp_csv(root), **o)])
def test_batches_are_named_tensors_and_say_what_was_asked_for(tmp_path, make):
    data = make(tmp_path)
    for loader in (data.train_dataloader(), data.test_dataloader()):
        batch = next(iter(loader))
        assert {name: value.dtype for name, value in batch.items()} == TYPES
        assert batch["images"].shape[1:] == (3, 32, 32)
        assert ((batch["box"] >= 0) & (batch["box"] <= 1)).all()
        assert batch["has_mm"].all()
        assert (batch["mm"] > 0).all()
        assert (batch["label"] == -1).all()
    batch = next(iter(make(tmp_path / "2", view="crop", planes=["mask", "loc"]).train_dataloader()))
    assert {name: value.dtype for name, value in batch.items()} == TYPES | {"planes": torch.float32, "scale": torch.float32}
    assert batch["planes"].shape[1:] == (4, 32, 32)
    assert batch["scale"].shape[1:] == (4,)


def test_a_batch_says_of_whom_it_is_and_what_is_true_of_it():
    data = small()
    batch = next(iter(data.test_dataloader()))
    scenes = data.made.scenes
    assert batch["polyp"].tolist() == scenes.polyp[batch["id"].numpy()].tolist()
    assert np.allclose(batch["mm"], scenes.mm[batch["id"].numpy()])
    assert np.allclose(batch["box"] * 32, scenes.box[batch["id"].numpy()], atol=1e-3)
    assert np.allclose(data.truth("test"), data.facts("test").mm, atol=1e-4)
    assert np.allclose(data.boxes("test"), scenes.box[data.rows("test")] / 32)
    raw = torch.from_numpy(data.picture(int(batch["id"][0]))).permute(2, 0, 1).float()
    assert torch.allclose(batch["images"][0] * data.framing.std + data.framing.mean, raw, atol=0.01), "evaluation is the frame itself"


def test_splits_share_no_polyp_and_the_gates_are_made_only_when_asked_for():
    plain, held = small(), small(gates=0.25)
    for data, splits in ((plain, ("train", "val", "test")), (held, ("train", "gates", "val", "test"))):
        polyps = [set(data.facts(split).polyp.tolist()) for split in splits]
        assert sum(map(len, polyps)) == len(set.union(*polyps)) == 18
    assert set(plain.facts("train").polyp) == set(held.facts("train").polyp) | set(held.facts("gates").polyp)
    assert len(set(held.facts("gates").polyp)) == 3
    seen = {int(polyp) for batch in held.gate_dataloader() for polyp in batch["polyp"]}
    assert seen == set(held.facts("gates").polyp.tolist())
    with pytest.raises(DataError, match="no third split for the gates"):
        plain.gate_dataloader()
    assert list(plain.counts()) == ["train", "val", "test"]
    assert list(held.counts()) == ["train", "gates", "val", "test"]


def test_workers_change_nothing():
    def batches(workers):
        return list(small(workers=workers, planes=["loc", "noise0"], frames_per_polyp=3).train_dataloader())

    for one, other in zip(batches(0), batches(2), strict=True):
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_planes_are_named_in_their_order():
    data = small(planes=["noise1", "mask", "depth"])
    assert data.planes == ("noise1", "mask0", "mask1", "mask2", "depth")
    batch = next(iter(data.val_dataloader()))
    assert batch["planes"].shape[1] == 5
    again = next(iter(data.val_dataloader()))
    assert torch.equal(batch["planes"], again["planes"]), "a frame's noise is its own"


def test_an_epoch_draws_frames_of_every_polyp():
    data = small(frames_per_polyp=5)
    polyps = torch.cat([batch["polyp"] for batch in data.train_dataloader()]).tolist()
    assert {polyps.count(polyp) for polyp in set(polyps)} == {5}
    assert len(polyps) == 60


def test_the_card_of_the_embedded_set_says_how_it_was_made():
    data = small(cue="forceps", label_noise=0.2)
    card = data.card()
    assert card["licence"] == MADE
    assert card["parameters"]["cue"] == "forceps"
    assert json.dumps(card)
    assert data.classes == list(SIZE_CLASSES)
    assert card["fingerprint"] == small(cue="forceps", label_noise=0.2).describe()["fingerprint"]
    image, box = data.examples(2)[0]
    assert (image.dtype, image.shape, box.shape) == (torch.uint8, (32, 32, 3), (4,))


def test_sizes_classes_have_their_borders_where_clinics_have_them():
    below = np.nextafter(10.0, 0)
    assert [size_class(mm) for mm in (0.1, 5.0, np.nextafter(5.0, 6), below, 10.0, 99)] == [0, 0, 1, 1, 2, 2]
    assert size_class(np.array([5.0, 10.0, np.nan])).tolist() == [0, 2, -1]
    assert size_class(torch.tensor([5.0, 7.0, 10.0])).tolist() == [0, 1, 2]
    assert [area_class(area) for area in (0.0, AREA_CUTS[0], 0.1, AREA_CUTS[1], 0.5)] == [0, 0, 1, 1, 2]


def test_a_frame_without_a_size_says_so_and_has_no_nan(tmp_path):
    data = disk(sets.real_colon(tmp_path), protocol="polyp")
    facts = [data.facts(split) for split in ("train", "val", "test")]
    assert sum(int((~f.has_mm).sum()) for f in facts) == 3
    for f in facts:
        assert np.isfinite(f.mm).all()
        assert (f.mm[~f.has_mm] == 0).all()
        assert (f.size_class[~f.has_mm] == -1).all()


def test_censored_sizes_are_marked(tmp_path):
    data = disk(sets.sun(tmp_path, sizes=dict.fromkeys(range(1, 9), "15mm-")))
    batch = next(iter(data.train_dataloader()))
    assert batch["censored"].all()
    assert (batch["mm"] == 15).all()


def test_areas_and_labels_are_classes(tmp_path):
    area = disk(sets.index_tar(tmp_path), target="area", planes=["loc"])
    assert set(area.facts("train").label.tolist()) <= {0, 1, 2}
    assert not area.facts("train").has_mm.any()
    assert area.classes == ["little", "middling", "much"]
    label = disk(sets.cifar(tmp_path / "cifar"), target="label", limit=12)
    assert label.counts()["train"] == {"frames": 12, "polyps": 12, "airplane": 4, "automobile": 4, "bird": 4}
    batch = next(iter(label.train_dataloader()))
    assert torch.equal(batch["box"], torch.tensor([[0.0, 0, 1, 1]]).expand(4, 4)), "no box: the whole frame"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"target": "area"}, "no training frame has a mask"),
        ({"target": "label"}, "no training frame has a label"),
        ({"depth": "relative"}, "would change nothing"),
        ({"planes": ["depth"]}, "belong together"),
        ({"planes": ["noise0"]}, "'noise0' is not one of loc, mask, depth"),
        ({"planes": ["loc", "loc"]}, "is there twice"),
        ({"growth": 0.3}, "belongs to view='crop'"),
        ({"gates": 0.95}, "must lie in 0..0.9"),
        ({"gates": float("nan")}, "must lie in 0..0.9"),
        ({"frames_per_polyp": -1}, "must not be negative"),
        ({"roots": {"SUN_DATA_PATH": "/"}}, "polyp-csv has none"),
        ({"layout": "sun"}, "needs SUN"),
        ({"limit": 100}, "limit 100"),
        ({"size": 0}, "at least 1 pixel"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
    ],
)
def test_what_cannot_be_is_one_line(tmp_path, options, words):
    with pytest.raises(DataError, match=words) as error:
        disk(sets.polyp_csv(tmp_path), **options).train_dataloader()
    assert "\n" not in str(error.value)
    assert error.value.exit_code == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"train": 0}, "give each split one"),
        ({"gates": 0.01}, "leaves one of the two splits empty"),
        ({"depth": "relative"}, "is of the plane 'depth'"),
        ({"cue": "smell"}, "is not one of"),
        ({"planes": ["heat"]}, "'heat' is not one of"),
    ],
)
def test_an_embedded_set_that_cannot_be_is_one_line(options, words):
    with pytest.raises(DataError, match=words):
        small(**options)


def test_sizes_are_refused_where_there_are_none(tmp_path):
    with pytest.raises(DataError, match="size in mm; target=area"):
        disk(sets.kvasir_seg(tmp_path))


def test_broken_frames_are_refused_or_left_out_and_counted(tmp_path):
    root = sets.polyp_csv(tmp_path)
    (root / "f3_0.jpg").write_bytes(b"")
    with pytest.raises(DataError, match=r"f3_0.jpg: empty file .*, or set skip_broken"):
        disk(root)
    said = []
    data = Polyps(str(root), size=32, skip_broken=True)
    data.say = said.append
    data.setup()
    assert "1 broken pictures or rows left out" in said[0]
    assert sum(len(data.facts(split).mm) for split in ("train", "val", "test")) == 23
    assert data.describe()["skipped"] == 1


def depths(root, folder, rows, kind=".npy"):
    folder.mkdir()
    for row in rows:
        values = np.full((sets.HEIGHT // 2, sets.WIDTH // 2), 2000, np.uint16)
        values[:, :30] = 1000
        if kind == ".npy":
            np.save(folder / f"{row[:-4]}.npy", values / 1000)
        else:
            (folder / f"{row[:-4]}.png").write_bytes(sets.encoded(values, ".png"))


@pytest.mark.parametrize(("kind", "scale"), [(".npy", 1.0), (".png", 0.001)])
def test_depth_files_become_a_plane(tmp_path, kind, scale):
    root = sets.polyp_csv(tmp_path)
    depths(root, tmp_path / "depth", [file.name for file in root.glob("*.jpg")], kind)
    options = {"planes": ["loc", "depth"], "depth_files": str(tmp_path / "depth")}
    metric = next(iter(disk(root, **options, depth_scale=scale).val_dataloader()))["planes"][0, 1]
    assert float(metric.max()) == pytest.approx(2.0, abs=0.01)
    assert float(metric[16, 4]) == pytest.approx(1.0, abs=0.01)
    relative = next(iter(disk(root, **options, depth="relative").val_dataloader()))["planes"][0, 1]
    assert float(relative.max()) == pytest.approx(1.0, abs=0.01)
    assert float(relative[16, 4]) == pytest.approx(0.0, abs=0.01)


def test_a_missing_depth_file_and_one_of_nan_are_named(tmp_path):
    root = sets.polyp_csv(tmp_path)
    depths(root, tmp_path / "depth", [file.name for file in root.glob("*.jpg")])
    data = disk(root, planes=["depth"], depth_files=str(tmp_path / "depth"))
    name = data.table.of("val")[0].file[:-4]
    np.save(tmp_path / "depth" / f"{name}.npy", np.full((4, 4), np.nan))
    with pytest.raises(DataError, match=f"{name}.npy: depth is finite numbers"):
        next(iter(data.val_dataloader()))
    (tmp_path / "depth" / f"{name}.npy").unlink()
    with pytest.raises(DataError, match=f"no depth of {name}.jpg"):
        next(iter(data.val_dataloader()))
    with pytest.raises(DataError, match="no such folder of depth files"):
        disk(root, planes=["depth"], depth_files=str(tmp_path / "gone"))


def test_what_lies_outside_the_field_of_view_can_be_made_black(tmp_path):
    root = sets.polyp_csv(tmp_path)
    plain, black = disk(root), disk(root, blank=True)
    one, other = (data.frames("val").image(0) for data in (plain, black))
    assert np.array_equal(one[20:60, 40:80], other[20:60, 40:80])
    assert other[:, :2].max() == 0
    assert black.picture(0).shape == (sets.HEIGHT, sets.WIDTH, 3)


def test_boxes_of_a_split_are_those_of_its_batches(tmp_path):
    data = disk(sets.polyp_csv(tmp_path))
    batches = torch.cat([batch["box"] for batch in data.test_dataloader()])
    assert np.allclose(data.boxes("test"), batches, atol=0.01)
    assert data.card()["licence"] == NOT_STATED
    assert json.dumps(data.describe(hash_content=True))


def test_very_many_frames_are_opened_when_they_are_needed(tmp_path, monkeypatch):
    monkeypatch.setattr("datamodules.hag.opened.MANY", 10)
    root, said = sets.polyp_csv(tmp_path), []
    broken = Polyps(str(root), size=32).table.of("val")[0].file
    (root / broken).write_bytes(b"")
    data = Polyps(str(root), size=32)
    data.say = said.append
    data.setup()
    assert "24 frames are not opened before they are needed" in said[0]
    with pytest.raises(DataError, match=f"{broken}: empty file"):
        next(iter(data.val_dataloader()))
    (root / "polyps.csv").write_text((root / "polyps.csv").read_text() + "f.jpg,p,v,10-15mm,1,2,3,4\n")
    with pytest.raises(DataError, match="10-15mm"):
        disk(root)


def test_a_frames_size_is_taken_from_its_source_where_that_says_it(tmp_path):
    data = disk(sets.real_colon(tmp_path), protocol="polyp")
    record = data.table.of("train")[0]
    assert record.shape == (sets.WIDTH, sets.HEIGHT)
    pixels = np.array(record.box) + np.array([0, (sets.WIDTH - sets.HEIGHT) / 2] * 2)
    assert np.allclose(data.boxes("train")[0], pixels / sets.WIDTH)
