"""Re-identification as a task: what it refuses before it trains, and what it draws."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from apps.base.errors import UserError
from apps.dcal.draw_ranking import Ranked
from apps.dcal.ranking import Gathered
from apps.dcal.reid import Reidentification
from apps.dcal.verbs import eval_reid
from datamodules.dcal.reid import Reid
from tests.datamodules.dcal.sets import index


@pytest.mark.parametrize("protocol", ["market", "cross"])
def test_a_set_without_cameras_is_refused_before_training_by_the_key_that_helps(tmp_path: Path, protocol: Any) -> None:
    splits = {0: "train", 1: "train", 2: "val", 3: "val"}
    table = [(f"{who}_{k}.jpg", f"p{who}", split) for who, split in splits.items() for k in range(2)]
    data = Reid(str(index(tmp_path / "set", table, "file,identity,split")), image_size=16)
    with pytest.raises(UserError, match=r"^4 of the 4 pictures .* give --model\.protocol=same-camera-allowed$"):
        Reidentification(protocol=protocol).gather(data)
    assert Reidentification(protocol="same-camera-allowed").gather(data)["identities"] == 2


def test_where_all_ask_unmarked_pictures_are_drawn_and_none_finds_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = torch.eye(4)[[0, 1, 0, 1]] + 0.1 * torch.eye(4)
    gathered = Gathered(vectors, torch.tensor([0, 1, 0, 1]), torch.tensor([0, 0, 1, 1]), torch.zeros(4, dtype=torch.bool))
    drawn: list[Ranked] = []
    monkeypatch.setattr(eval_reid, "ranking_sheet", lambda rankings: drawn.extend(rankings) or b"")
    pictures = [np.full((2, 2, 3), row, np.uint8) for row in range(4)]
    data: Any = SimpleNamespace(picture=lambda row: pictures[row])
    eval_reid._sheet(gathered, torch.arange(4), "same-camera-allowed", "all", data)
    assert [int(ranking.query.picture[0, 0, 0]) for ranking in drawn] == [0, 1, 2, 3]
    assert [int(ranking.found[0].picture[0, 0, 0]) for ranking in drawn] == [2, 3, 0, 1]
    assert all(len(ranking.found) == 3 for ranking in drawn)
