"""What can be chosen about the branches: one spelling, on the command line as in a recipe."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from apps.dcal.options import Pwca
from tests.system.command import Here


@pytest.mark.parametrize(("said", "wanted"), [("all", "all"), ("3", 3), ("0", 0)])
def test_how_many_blocks_are_paired_is_said_alike_on_the_command_line_and_in_a_recipe(here: Here, said: str, wanted: Any) -> None:
    Path("mine.yaml").write_text(f"model:\n  init_args:\n    pwca:\n      blocks: {said}\n")
    for words in (["--model.pwca.blocks", said], ["--config", "mine.yaml"]):
        recipe = yaml.safe_load(here("dcal", "fit", "--config", "embedded", *words, "--print_config").stdout)
        assert recipe["model"]["init_args"]["pwca"]["blocks"] == wanted


@pytest.mark.parametrize("said", ["al", "1.5", "-1", "5"])
def test_a_wrong_number_of_pair_blocks_is_one_line_that_names_the_key(here: Here, said: str) -> None:
    answer = here("dcal", "fit", "--data.train=32", f"--model.pwca.blocks={said}")
    assert answer.returncode == 2
    assert "pwca.blocks" in answer.line
    assert "all" in answer.line or "the trunk has 4 blocks" in answer.line


def test_all_is_every_block_of_the_trunk_and_so_is_what_older_recipes_say(here: Here) -> None:
    Path("older.yaml").write_text("model:\n  init_args:\n    pwca:\n      blocks: null\n")
    assert here("dcal", "fit", "--config", "embedded", "--config", "older.yaml", "--print_config").returncode == 0
    assert [Pwca(blocks=blocks).of(6) for blocks in ("all", None, 2, 0)] == [6, 6, 2, 0]
