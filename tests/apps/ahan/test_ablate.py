"""Every row of the ablation is a recipe that can be built, whatever the recipe that it begins with; and a table comes of it."""

import json

import pytest
import yaml

from apps.ahan.verbs.ablate import ROWS, TABLE
from apps.base.ablation import plans
from apps.base.compose import Words
from apps.base.shell import Shell
from tests.apps.ahan.tiny import SMALL
from tests.system.command import Here


@pytest.mark.parametrize(
    "rest",
    [
        ("--config=embedded",),
        ("--config=small", "--model.tapwca.draw=sample", "--model.streams.boxes=landmarks"),
        pytest.param(("--config=lfw", "--model.tapwca.partner=none"), marks=pytest.mark.full),
    ],
)
def test_every_row_is_a_recipe_of_its_streams(rest: tuple[str, ...]) -> None:
    recipe = rest[0].removeprefix("--config=")
    rows = list(ROWS) if recipe == "embedded" else list(TABLE.rows)
    planned = plans(Shell(), TABLE, Words([recipe], rest=list(rest[1:]), seeds=2), rows, "table")
    for row, (_, text, monitor, _) in planned.items():
        model = yaml.safe_load(text)["model"]["init_args"]
        assert model["streams"]["use"] == list(ROWS[row].streams)
        assert (model["tapwca"]["partner"] != "none") == ROWS[row].pairs
        assert (model["hca"] is None) >= ("hca" not in ROWS[row].streams)
        assert monitor == "val/select"
    assert len({text for _, text, _, _ in planned.values()}) == len(rows)


@pytest.mark.full
def test_an_ablation_is_a_table_against_its_first_row(here: Here) -> None:
    said = here("--quiet", "ahan", "ablate", *SMALL, "--trainer.max_epochs=1", "--rows", "global,full", "--seeds", 2, "--json")
    assert said.returncode == 0, said.stderr
    answer = json.loads(said.stdout)
    assert [row["row"] for row in answer["rows"]] == ["global", "full"]
    gap = answer["rows"][1]["mean"] - answer["rows"][0]["mean"]
    assert answer["rows"][1]["difference"] == pytest.approx(gap)
