"""Where the global-local branch's first weights come from: a file's own, else a copy of the loaded trunk's last block."""

from pathlib import Path

import torch
from safetensors.torch import save_file

from apps.base.shell import Shell
from apps.base.tracking.finding import find_runs
from apps.base.training import _warm_start
from apps.dcal.options import Glca
from apps.dcal.task import Classification
from tests.system.command import TINY, Here

FACTS = {"classes": ["ant", "bee"], "counts": [1, 1], "preprocess": {"size": [24, 24]}}


def task() -> Classification:
    made = Classification(trunk_options={"depth": 2, "width": 16, "heads": 2}, glca=Glca(blocks=2, init="last"))
    made.build(FACTS)
    return made


def test_an_init_file_with_the_branchs_weights_keeps_them(tmp_path: Path) -> None:
    old, new = task(), task()
    save_file(old.model.state_dict(), tmp_path / "dcal.safetensors")
    _warm_start(Shell(quiet=True), new, tmp_path / "dcal.safetensors")
    for (name, wanted), (_, got) in zip(old.model.state_dict().items(), new.model.state_dict().items(), strict=True):
        assert torch.equal(got, wanted), name


def test_an_init_file_of_a_trunk_gives_the_branch_its_last_block(tmp_path: Path) -> None:
    old, new = task(), task()
    save_file(old.model.trunk.state_dict(), tmp_path / "trunk.safetensors")
    _warm_start(Shell(quiet=True), new, tmp_path / "trunk.safetensors")
    wanted = old.model.trunk.blocks[-1].state_dict()
    for block in new.model.glca.blocks:
        assert all(torch.equal(value, wanted[name]) for name, value in block.state_dict().items())


def test_a_copy_of_weights_that_nothing_has_loaded_is_refused_before_a_run_is_begun(here: Here) -> None:
    said = here("dcal", "fit", *TINY, "--model.glca.init=last")
    assert said.returncode == 2
    assert "--init FILE" in said.line
    assert "glca.init=new" in said.line
    assert not find_runs(Path())
