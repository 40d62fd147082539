"""`discern.load`: the same answers in Python."""

import numpy as np
import pytest
import torch

import discern
from apps.base.errors import UserError
from apps.base.predict.program_file import ProgramFile, take
from apps.base.predict.run import run
from apps.base.shell import Shell
from datamodules.pictures import read_picture
from tests.apps.base.tiny_program import LABELS

QUIET = Shell(quiet=True)

pytestmark = pytest.mark.usefixtures("home")


def test_load_answers_for_paths_arrays_and_lists(file, folder):
    birds = discern.load(file)
    path = str(folder / "a.png")
    array = read_picture(path)
    alone, pair = birds(path), birds([path, array])
    assert birds(array) == alone
    assert len(pair) == 2
    for answer in pair:  # a batch may add up in another order
        assert [row["label"] for row in answer["probs"]] == [row["label"] for row in alone["probs"]]
        np.testing.assert_allclose(answer["features"], alone["features"], rtol=1e-5)
    assert birds([]) == []
    assert birds(path).keys() == {"probs", "sure", "best", "features", "heat"}
    assert birds.metadata["labels"] == birds.labels == LABELS


def test_load_gives_raw_tensors(file, folder):
    birds = discern.load(file)
    raw = birds.raw([folder / f"{name}.png" for name in "abcdefg"] * 2)
    assert raw["features"].shape == (14, 6)
    assert raw["best"].dtype == torch.int64
    torch.testing.assert_close(birds.raw(folder / "c.png")["probs"], raw["probs"][2:3])


def test_load_names_what_it_cannot_read(file, folder):
    birds = discern.load(file)
    with pytest.raises(UserError, match=r"nowhere\.png"):
        birds(folder / "nowhere.png")
    with pytest.raises(UserError, match=r"image 0: .*uint8 array of shape"):
        birds(np.zeros((4, 4, 3), dtype=np.float32))
    with pytest.raises(UserError, match="not a NoneType"):
        birds(None)


def test_ragged_items_go_through_together_and_come_back_apart(tmp_path):
    from apps.base.export import export_program
    from tests.apps.base.test_export_shapes import Bags

    class Attentive(Bags):
        def forward(self, flat: torch.Tensor, offsets: torch.Tensor) -> dict[str, torch.Tensor]:
            weight = self.score(flat).sigmoid().squeeze(1)
            index = torch.bucketize(torch.arange(flat.shape[0], device=flat.device), offsets[1:], right=True)
            total = torch.zeros(offsets.shape[0] - 1, dtype=flat.dtype, device=flat.device).index_add(0, index, weight)
            return {"mean": total, "weight": weight}

        def metadata(self):
            return {**super().metadata(), "batching": "ragged", "along": ["weight"]}

    program = Attentive()
    export_program(program, tmp_path / "bags.ts", None, QUIET)
    bags = [torch.rand(n, 5) for n in (3, 1, 7, 2)]
    results = list(run(ProgramFile(take(tmp_path / "bags.ts", False)), [(i, bag, None) for i, bag in enumerate(bags)], batch=3))
    for bag, result in zip(bags, results, strict=True):
        alone = program(bag, torch.tensor([0, len(bag)]))
        torch.testing.assert_close(result.outputs["mean"], alone["mean"])
        torch.testing.assert_close(result.outputs["weight"][0], alone["weight"])
