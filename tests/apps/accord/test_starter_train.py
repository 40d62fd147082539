"""The script of the starter model: what it packs is small, in half precision, and says what it is."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from apps.accord.model import build
from apps.accord.parts import GREEDY
from apps.accord.starter import train
from apps.base.errors import FailureError
from apps.base.export.weights import read
from apps.base.shell import Shell
from datamodules.accord.instances import KINDS
from tests.apps.accord.tiny import WORDS
from tests.system.command import Here


def test_a_checkpoint_is_packed_with_what_its_file_answers(tmp_path: Path, here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    words = (*WORDS, "--trainer.max_epochs=1", "--trainer.accelerator=cpu", "--name", "starter")
    assert here("accord", "fit", *words).returncode == 0
    (checkpoint,) = tmp_path.glob("mlruns/runs/accord/*/checkpoints/best-*.ckpt")
    shell, out = Shell(quiet=True, home=tmp_path), tmp_path / "packed" / "starter.safetensors"
    card = train.pack(shell, checkpoint, out)
    weights, about = read(str(out))
    assert {value.dtype for value in weights.values()} == {torch.float16}
    assert card["bytes"] == out.stat().st_size < train.LARGEST
    assert about["app"] == "accord"
    build(about["model"]).load_state_dict({name: value.float() for name, value in weights.items()})
    assert json.loads(out.with_name("card.json").read_text()) == json.loads(json.dumps(card))
    assert card["figures"].keys() == set(KINDS)
    assert all(figures["feasible"] == 1.0 for figures in card["figures"].values())
    monkeypatch.setattr(train, "LARGEST", card["bytes"] - 1)
    with pytest.raises(FailureError, match="smaller"):
        train.pack(shell, checkpoint, tmp_path / "other.safetensors")
    assert not (tmp_path / "other.safetensors").exists()


def test_nothing_is_packed_without_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train.main(["--pack-only", "--home", str(tmp_path)]) == 2
    assert "no run named starter" in capsys.readouterr().err
    assert train.main(["--minutes", "0", "--home", str(tmp_path)]) == 2


def test_kinds_that_begin_anew_leave_all_others_as_they_are(tmp_path: Path) -> None:
    shipped, place = load_file(train.FILE), list(KINDS).index("pfsp")
    words = train.beside(["pfsp"], tmp_path)
    assert "--data.kinds=[pfsp]" in words
    begun = load_file(tmp_path / "begin.safetensors")
    assert begun["parts.pfsp.weight"].tolist() == list(GREEDY["pfsp"])
    adapters = {name: value for name, value in begun.items() if name.endswith(".B")}
    assert all((value[place] == 0).all() for value in adapters.values())
    learned = {name: value.half() + 1 for name, value in begun.items()}
    kept = train.merged(learned, ["pfsp"])
    for name, value in shipped.items():
        if name.startswith("parts.pfsp."):
            assert torch.equal(kept[name], learned[name])
        elif name.endswith((".A", ".B")):
            assert torch.equal(kept[name][place], learned[name][place])
            assert torch.equal(torch.cat([kept[name][:place], kept[name][place + 1 :]]), torch.cat([value[:place], value[place + 1 :]]))
        else:
            assert torch.equal(kept[name], value)
