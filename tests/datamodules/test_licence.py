"""What the data's licence is, every datamodule says in one way, and its card carries it."""

import inspect

import pytest

from datamodules.ahan.datamodule import Faces, TwinFaces
from datamodules.base import MADE, NOT_STATED, BaseData
from datamodules.dcal.datamodule import Beetles, Pictures
from datamodules.dcal.reid import BeetleIdentities, Reid
from datamodules.histograph.datamodule import Cycles, Graphs, Motifs
from datamodules.histograph.links import BlockLinks, Links
from datamodules.histograph.nodes import Barbells, Nodes, TwoBlocks
from datamodules.mil.datamodule import HardBags, NpzBags
from datamodules.mil.feature_bags import FeatureBags
from datamodules.mil.survival import NpzSurvival, SurvivalBags
from tests.datamodules.numbers_set import Numbers


class NumberData(BaseData):
    def setup(self, stage=None):
        self.train_set = Numbers(4)

    def describe(self, hash_content=False):
        return {"name": "numbers", "hashed": hash_content}


def test_the_card_carries_the_licence_whoever_describes_the_data():
    data = NumberData()
    assert data.card() == {"name": "numbers", "hashed": False, "licence": NOT_STATED}
    data.licence = "CC BY 4.0"
    assert data.card(hash_content=True) == {"name": "numbers", "hashed": True, "licence": "CC BY 4.0"}


@pytest.mark.parametrize(
    "made", [Beetles, BeetleIdentities, HardBags, SurvivalBags, Cycles, Motifs, TwoBlocks, Barbells, BlockLinks, TwinFaces]
)
def test_embedded_sets_are_free(made):
    assert made().licence == MADE
    assert "licence" not in inspect.signature(made).parameters


@pytest.mark.parametrize("read", [Pictures, Reid, NpzBags, NpzSurvival, FeatureBags, Graphs, Nodes, Links, Faces])
def test_what_lies_on_a_disk_says_nothing_until_it_is_told(read):
    assert read("nowhere").licence == NOT_STATED
    assert read("nowhere", licence="CC0").licence == "CC0"
