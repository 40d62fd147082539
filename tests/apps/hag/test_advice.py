"""What `discern data check` tells to do with a set is done: the command trains."""

import json
import shlex

import pytest

from tests.datamodules.hag import sets
from tests.system.command import Here

SMALL = ("--trainer.max_steps=2", "--trainer.limit_val_batches=1", "--data.size=32", "--data.workers=0", "--quiet")


@pytest.mark.parametrize(("make", "recipe"), [(sets.kvasir_seg, "kvasir"), (sets.cifar, "cifar"), (sets.polyp_csv, "small")])
def test_the_command_that_the_check_tells_trains(tmp_path, here: Here, make, recipe) -> None:
    (tmp_path / "data").mkdir()
    path = make(tmp_path / "data", 60) if make is sets.kvasir_seg else make(tmp_path / "data")
    command = json.loads(here("data", "check", path, "--json").stdout)["command"]
    assert f"--config {recipe} " in command
    _, *words = shlex.split(command)
    done = here(*words, *SMALL)
    assert done.returncode == 0, done.stderr
