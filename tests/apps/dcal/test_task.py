import json
from pathlib import Path
from typing import Any

import pytest
import torch

from apps.dcal.task import Classification
from datamodules.dcal.datamodule import Beetles, Pictures
from tests.datamodules.dcal.sets import folder


def pictures(tmp_path: Path, **options: Any) -> Pictures:
    root = tmp_path / "set"
    if not root.exists():
        folder(root, {"train/ant": 6, "train/bee": 4, "test/ant": 2, "test/bee": 1})
    return Pictures(str(root), image_size=(48, 48), mean=(0.5, 0.5, 0.5), **options)


def beetles(tmp_path: Path) -> Beetles:
    return Beetles(train=16, val=8, test=8)


@pytest.mark.parametrize("make", [pictures, beetles])
def test_facts_out_of_a_checkpoint_equal_those_gathered_anew(tmp_path: Path, make: Any) -> None:
    torch.save(Classification().gather(make(tmp_path)), tmp_path / "facts")
    kept = torch.load(tmp_path / "facts", weights_only=True)
    anew = Classification().gather(make(tmp_path))
    assert kept == anew
    assert json.loads(json.dumps(anew)) == anew


@pytest.mark.parametrize("boxes", [False, True])
def test_an_exported_file_carries_the_licence_and_says_whether_to_cut_boxes_out(tmp_path: Path, boxes: bool) -> None:
    task = Classification(trunk_options={"depth": 1})
    task.build(task.gather(pictures(tmp_path, licence="CC BY-NC 4.0", box_crop=boxes)))
    metadata = task.program("classify", []).metadata()
    assert metadata["licence"] == "CC BY-NC 4.0"
    assert metadata.get("box_crop") == ("the model was trained on boxes; give cut-out pictures" if boxes else None)


def test_positions_and_extra_tokens_do_not_decay(tmp_path: Path) -> None:
    task = Classification(trunk_options={"depth": 1, "registers": 2})
    task.build(task.gather(beetles(tmp_path)))
    optimizer = task.optim.optimizer(task.model, task.layers(), task.no_decay())
    decaying = {id(parameter) for group in optimizer.param_groups if group["weight_decay"] for parameter in group["params"]}
    assert decaying
    tokens = (task.model.trunk.cls_token, task.model.trunk.reg_token, task.model.trunk.pos_embed)
    assert not [token.shape for token in tokens if id(token) in decaying]


def test_baselines_are_chance_and_the_commonest_class_of_training(tmp_path: Path) -> None:
    assert Classification().baselines(pictures(tmp_path)) == {"chance": 1 / 2, "constant": 2 / 3}
