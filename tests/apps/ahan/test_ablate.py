"""Every row of the ablation is a recipe that can be built, whatever the recipe that it begins with; and a table comes of it."""

import json

import pytest
import yaml

from apps.ahan.verbs.ablate import ROWS, TABLE
from apps.base.ablation import plans, with_own
from apps.base.compose import Words
from apps.base.errors import UserError
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


HOOKS = {  # of section 2.6, where `--rows` has none of its own
    "landmarks": "--model.streams.boxes=landmarks",
    "share": "--model.hca.share=scale",
    "regions": "--model.hca.regions=[eyes,nose],--model.hca.scales=[1,4]",
    "weights": "--model.hca.scale_weight=[1,0,0]",
    "l2r": "--model.faam.direction=l2r,--model.faam.mode=abs",
    "half": "--model.tapwca.p=0.25,--model.tapwca.layers=[2]",
    "branch": "--model.tapwca.mode=branch,--model.tapwca.branch_weight=0.3",
    "negative": "--model.loss.triplet_negative=random,--model.loss.aux=0.1",
    "tap": "--model.streams.tap=0,--model.streams.pool=mean,--model.streams.pos_embed=mirror_tied",
    "singles": "--data.twin_ratio=0",
}


def test_every_other_hook_is_a_row_of_ones_own() -> None:
    table = with_own([f"{name}={text}" for name, text in HOOKS.items()], TABLE)
    planned = plans(Shell(), table, Words(["embedded"], rest=[], seeds=2), ["full", *HOOKS], "table")
    assert len({text for _, text, _, _ in planned.values()}) == len(HOOKS) + 1
    assert yaml.safe_load(planned["regions"][1])["model"]["init_args"]["hca"]["regions"] == ["eyes", "nose"]
    for row, part in (
        ("x=y", "write it as"),
        ("x=--model.faam.mode", "write it as"),
        ("full=--model.streams.tap=0", "already"),
        ("x y=--data.seed=1", "write it"),
    ):
        with pytest.raises(UserError, match=part):
            with_own([row], TABLE)
    with pytest.raises(UserError, match=r"row x: .*direction"):
        plans(
            Shell(), with_own(["x=--model.faam.direction=l2r"], TABLE), Words(["embedded"], rest=[], seeds=2), ["full", "x"], "table"
        )  # fmt: skip


@pytest.mark.full
def test_an_ablation_is_a_table_against_its_first_row(here: Here) -> None:
    own = ("--row", "l2r=--model.faam.direction=l2r,--model.faam.mode=abs")
    said = here("--quiet", "ahan", "ablate", *SMALL, "--trainer.max_epochs=1", "--rows", "global,full", *own, "--seeds", 2, "--json")
    assert said.returncode == 0, said.stderr
    answer = json.loads(said.stdout)
    assert [row["row"] for row in answer["rows"]] == ["global", "full", "l2r"]
    gap = answer["rows"][1]["mean"] - answer["rows"][0]["mean"]
    assert answer["rows"][1]["difference"] == pytest.approx(gap)
    assert answer["rows"][0]["difference_paired"] is None
    for row in answer["rows"][1:]:
        low, high = row["difference_paired"]
        assert low <= row["difference"] <= high
