"""The starter model: small enough to ship, the same after packing, never of other than made words."""

import json

import pytest
import torch
import yaml
from safetensors.torch import save_file

from apps.base.errors import UserError
from apps.base.shell import Shell
from apps.otsnet.readers import reader_of
from apps.otsnet.source import open_source
from apps.otsnet.starter.train import CARD, FILE, LARGEST, main, pack, packed
from datamodules.otsnet.charset import NAMED
from datamodules.otsnet.word_data import HALF
from datamodules.preprocess import Preprocess

FACTS = {"charset": NAMED["94"], "slots": 26, "preprocess": Preprocess((32, 128), "squash", 1.0, HALF, HALF).settings(), "licence": "x"}
MADE = {"batch_size": 8, "generated_share": 1.0, "samples": 16, "profile": "easy"}


@pytest.fixture
def checkpoint(tmp_path, monkeypatch):
    """Of a reader that nobody trained, as a run keeps it."""
    monkeypatch.setattr("datamodules.otsnet.datamodule.HELD_OUT", 8)

    def make(data, reader="otsnet", grid="8x16"):
        init = {"reader": reader, "observe": {"size": "nano", "depth": 1, "grid": grid}}
        torch.manual_seed(0)
        model = reader_of(init, FACTS["charset"], 26)
        recipe = {"model": {"init_args": init}, "data": {"init_args": data}, "seed_everything": 3}
        about = {"schema": 1, "app": "otsnet", "recipe": yaml.safe_dump(recipe), "facts": FACTS, "shadow": None}
        weights = {f"model.{name}": value for name, value in model.state_dict().items()}
        torch.save({"discern": about, "state_dict": weights, "global_step": 7}, tmp_path / "best.ckpt")
        return tmp_path / "best.ckpt", model.eval()

    return make


@pytest.mark.parametrize(("reader", "grid"), [("otsnet", "8x16"), ("ctc", "4x32")])
def test_what_is_packed_reads_as_what_was_trained(checkpoint, tmp_path, reader, grid):
    path, model = checkpoint(MADE, reader, grid)
    card = pack(path, tmp_path / "out" / "starter.safetensors", None, ["--trainer.max_epochs", "2"])
    starter = open_source(Shell(quiet=True), str(tmp_path / "out" / "starter.safetensors"))
    images = torch.randn(4, 3, 32, 128, generator=torch.Generator().manual_seed(0))
    ours, theirs = starter.reader.read(images), model.read(images)
    assert (ours.probs - theirs.probs).abs().max() < 1e-2
    for name, value in model.named_parameters():
        assert torch.equal(dict(starter.reader.named_parameters())[name], value.half().float())
    assert card == json.loads((tmp_path / "out" / CARD.name).read_text())
    assert card["steps"] == 7
    assert card["made_by"] == "python -m apps.otsnet.starter.train -- --trainer.max_epochs 2"
    assert card["words_read_right"]["real words"] == "not measured"
    assert starter.charset.characters == NAMED["94"]


@pytest.mark.parametrize(("name", "grid"), [("otsnet", "8x16"), ("ctc", "4x32"), ("parseq", "8x16")])
def test_nano_of_every_reader_is_small_enough_to_ship(tmp_path, name, grid):
    model = reader_of({"reader": name, "observe": {"size": "nano", "grid": grid}}, FACTS["charset"], 26)
    save_file(packed(model), tmp_path / "x.safetensors")
    assert (tmp_path / "x.safetensors").stat().st_size < 0.95 * LARGEST


def test_real_words_may_not_be_in_the_starter(checkpoint, tmp_path):
    for data in (MADE | {"path": "somewhere"}, MADE | {"generated_share": 0.7}):
        path, _ = checkpoint(data)
        with pytest.raises(UserError, match="trained on more than made words"):
            pack(path, tmp_path / "out.safetensors", None)
    assert not (tmp_path / "out.safetensors").exists()


def test_a_mistake_is_one_line_and_exit_2(tmp_path, capsys):
    for words in (["--pack-only", "--home", str(tmp_path)], ["--data", str(tmp_path / "nowhere")]):
        assert main(words) == 2
        assert len(capsys.readouterr().err.strip().splitlines()) == 1


@pytest.mark.skipif(not FILE.is_file(), reason="no starter was trained yet")
def test_the_shipped_starter_reads_and_says_how_well():
    assert FILE.stat().st_size <= LARGEST
    assert open_source(Shell(quiet=True), None).reader.read(torch.zeros(1, 3, 32, 128)).tokens.shape == (1, 26)
    card = json.loads(CARD.read_text())
    assert {"trained_on", "licence", "words_read_right"} <= card.keys()
    assert f"`{card['made_by']}`" in (CARD.parent.parent / "README.md").read_text()
