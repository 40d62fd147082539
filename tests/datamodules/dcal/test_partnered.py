from pathlib import Path

import pytest
import torch

from datamodules.dcal.datamodule import Beetles, Pictures
from datamodules.dcal.partnered import Partnered
from datamodules.errors import DataError
from tests.datamodules.dcal.sets import folder


def beetles(**options) -> Partnered:
    data = Beetles(train=6, val=2, test=2, partners="train", **options)
    data.setup("fit")
    return data.train_set


def test_a_sample_never_comes_with_itself_and_with_everyone_else_in_time() -> None:
    made = beetles()
    images = [made.samples[0, i]["image"] for i in range(6)]
    seen = set()
    for turn in range(40):
        for i in range(6):
            other = made[turn, i]["other"]
            seen.add((i, next(j for j, image in enumerate(images) if torch.equal(image, other))))
    assert seen == {(i, j) for i in range(6) for j in range(6) if i != j}


def test_partners_are_a_function_of_seed_turn_and_index() -> None:
    assert torch.equal(beetles()[3, 1]["other"], beetles()[3, 1]["other"])
    assert any(not torch.equal(beetles()[3, i]["other"], beetles(seed=1)[3, i]["other"]) for i in range(6))


def test_a_folder_of_strangers_gives_the_partners(tmp_path: Path) -> None:
    folder(tmp_path / "set", {"train/ant": 3, "train/bee": 3, "test/ant": 1, "test/bee": 1})
    folder(tmp_path / "others", {"x": 2})
    data = Pictures(str(tmp_path / "set"), image_size=16, partners=str(tmp_path / "others"))
    data.setup("fit")
    batch = next(iter(data.train_dataloader()))
    assert batch["other"].shape == batch["image"].shape
    assert len(data.val_set) > 0
    assert "other" not in data.val_set[0]


def test_broken_strangers_are_refused_or_left_out_as_those_of_the_set_are(tmp_path: Path) -> None:
    folder(tmp_path / "set", {"train/ant": 3, "train/bee": 3, "test/ant": 1, "test/bee": 1})
    folder(tmp_path / "others", {"x": 2})
    (tmp_path / "others" / "README.txt").write_text("whose pictures these are")
    options = {"image_size": 16, "partners": str(tmp_path / "others")}
    with pytest.raises(DataError, match=r"README\.txt.* or set skip_broken"):
        Pictures(str(tmp_path / "set"), **options).setup("fit")
    told: list[str] = []
    data = Pictures(str(tmp_path / "set"), skip_broken=True, **options)
    data.say = told.append
    data.setup("fit")
    assert len(data.train_set.others) == 2
    assert len(told) == 1
    assert "others: 1 broken" in told[0]
    for name in ("0.jpg", "1.jpg"):
        (tmp_path / "others" / "x" / name).unlink()
    with pytest.raises(DataError, match="every picture in it is broken; name another folder"):
        Pictures(str(tmp_path / "set"), skip_broken=True, **options).setup("fit")


@pytest.mark.parametrize("make", [
    lambda path: Beetles(partners="elsewhere"),
    lambda path: Pictures(str(path / "set"), image_size=16, partners=str(path / "nowhere")).setup("fit"),
])  # fmt: skip
def test_partners_from_nowhere_are_refused_by_name(tmp_path: Path, make) -> None:
    folder(tmp_path / "set", {"train/ant": 3, "train/bee": 3, "test/ant": 1, "test/bee": 1})
    with pytest.raises(DataError, match="partners="):
        make(tmp_path)
