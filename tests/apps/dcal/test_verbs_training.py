"""eval-reid, ablate and explain of a checkpoint, on models that train in seconds."""

import json
from pathlib import Path
from typing import Any

import cv2
import pytest
import yaml

from apps.base.ablation import plans
from apps.base.compose import Words
from apps.base.shell import Shell
from apps.base.tracking.finding import find_runs
from apps.dcal.verbs.ablate import ROWS, TABLE
from tests.apps.dcal.tiny_files import yard
from tests.system.command import TINY, Here

SMALL = """
model:
  class_path: apps.dcal.reid.Reidentification
  init_args:
    trunk: vit_micro
    trunk_options: {depth: 2, width: 16, heads: 2}
    glca: {blocks: 1, ratio: 0.3}
    pwca: {blocks: 1, pair_source: inter}
data:
  class_path: datamodules.dcal.reid.BeetleIdentities
  init_args: {identities: 4, pictures: 2, train: 6, val: 6, test: 6, each: 3}
trainer: {accelerator: cpu, max_epochs: 1, log_every_n_steps: 1}
checkpoints: {monitor: val/select, mode: max}
"""


def trained(here: Here) -> None:
    Path("small.yaml").write_text(SMALL)
    said = here("--quiet", "dcal", "fit", "--config", "small.yaml", "--name", "first")
    assert said.returncode == 0, said.stderr


def rows(here: Here, *words: Any, code: int = 0) -> list[dict[str, Any]]:
    said = here("dcal", *words)
    assert said.returncode == code, said.stderr
    return [json.loads(line) for line in said.stdout.splitlines()]


@pytest.mark.full  # the whole way of galleries, whose parts are tested alone: 20 s
def test_a_reid_checkpoint_is_measured_exported_searched_and_explained(here: Here) -> None:
    trained(here)
    # eval-reid agrees with test, and writes to the run under names that carry the protocol
    (tested,) = rows(here, "test")
    found = {row["protocol"]: row for row in rows(here, "eval-reid", "--rerank", "--sheet", "ranks.png")}
    assert list(found) == [name for base in ("market", "cross", "same-camera-allowed") for name in (base, f"{base}+rerank")]
    assert found["cross"]["mAP"] == pytest.approx(tested["test/cross/mAP"], abs=1e-5)
    assert found["cross"]["queries"] == 12
    (run,) = find_runs(Path())
    assert {"test/market/mAP", "test/cross+rerank/R1"} <= run.history().keys()
    assert cv2.imread("ranks.png") is not None
    assert not [path for path in run.folder.rglob("*.png") if "rank" in path.name]  # pictures of people stay out of the run
    (branches,) = [path for path in run.figures.iterdir() if path.name == "branches.png"]
    assert cv2.imread(str(branches)) is not None
    (validated,) = rows(here, "eval-reid", "--protocol", "cross", "--split", "val")
    assert validated["mAP"] == pytest.approx(run.history()["val/cross/mAP"][-1][1], abs=1e-5)
    assert run.history()["val/select"][-1][1] == pytest.approx(run.history()["val/cross/mAP"][0][1])
    assert not {"val/loss", "test/loss"} & run.history().keys()  # triplets of whatever rows stand together measure nothing
    (every,) = rows(here, "eval-reid", "--protocol", "cross", "--all-ask", "--sheet", "every.png")
    assert every["queries"] == 36
    assert cv2.imread("every.png") is not None
    for words, says in ((("--rerank", "--all-ask"), "leave out --all-ask"), (("--protocol", "crosss"), "crosss")):
        said = here("dcal", "eval-reid", *words)
        assert said.returncode == 2
        assert says in said.line
    # the exported file carries thresholds of its validation pairs: 6 identities x 3 pictures by each camera are 270 pairs
    (exported,) = rows(here, "export", "-o", "who.ts")
    assert exported["file"] == "who.ts"
    pictures = yard(Path.cwd() / "yard")
    (same,) = rows(here, "same", "who.ts", *pictures[:2])
    assert same["far"] == 0.1
    assert same["same"] == (same["cosine"] > same["threshold"])
    rows(here, "index", "who.ts", "yard", "-o", "g")
    (hit,) = rows(here, "search", "who.ts", "g", pictures[4], "--top", 1)
    assert hit["matches"][0]["same_file"]
    # a checkpoint explains what a file cannot
    (looked,) = rows(here, "explain", "best", pictures[0], "--beside", pictures[8], "-o", "layers.png")
    (by_file,) = rows(here, "explain", "who.ts", pictures[0], "-o", "file.png")
    assert looked["selected"] == by_file["selected"]
    assert len(looked["leakage"]) == 1
    assert 0 < looked["leakage"][0] < 1
    assert cv2.imread("layers.png") is not None


def test_a_classifier_is_not_measured_by_ranking_and_its_mistakes_are_drawn(here: Here) -> None:
    assert here("--quiet", "dcal", "fit", *TINY, "--trainer.log_every_n_steps=1").returncode == 0
    said = here("dcal", "eval-reid")
    assert said.returncode == 2
    assert "use 'discern dcal test'" in said.line
    rows(here, "test")
    (run,) = find_runs(Path())
    assert {path.stem for path in run.figures.iterdir()} >= {"confusion", "worst_pairs", "confused", "branches"}
    picture = yard(Path.cwd() / "yard", count=1)[0]
    said = here("dcal", "explain", "last", picture, "--run", "nobody", "-o", "a.png")
    assert said.returncode == 2
    assert "no run 'nobody'" in said.line


def test_help_of_eval_reid_and_ablate_names_their_options(here: Here) -> None:
    assert "--rerank" in here("dcal", "eval-reid", "--help").stdout
    assert "--rows" in here("dcal", "ablate", "--help").stdout


def test_an_ablation_is_a_table_of_equal_seeds_and_its_finished_rows_are_kept(here: Here) -> None:
    options = (*TINY, "--trainer.max_epochs=1", "--data.train=32", "--seeds", 2, "--name", "table")
    said = here("--quiet", "dcal", "ablate", *options, "--rows", "sa,glca")
    assert said.returncode == 0, said.stderr
    head, first, second = said.stdout.splitlines()[:3]
    assert "val/top1" in head
    assert first.startswith("self-attention")
    assert second.startswith("+ GLCA")
    before = {run.id for run in find_runs(Path())}
    parents = {run.name: run for run in find_runs(Path()) if run.parent is None}
    assert set(parents) == {"table-sa", "table-glca"}
    assert [run.config()["model"]["init_args"]["glca"]["blocks"] for run in parents.values()] == [0, 1]
    assert all(run.config()["model"]["init_args"]["pwca"]["blocks"] == 0 for run in parents.values())
    said = here("--quiet", "dcal", "ablate", *options, "--rows", "sa,glca,random", "--json")
    answer = json.loads(said.stdout)
    assert [row["row"] for row in answer["rows"]] == ["sa", "glca", "random"]
    after = [run for run in find_runs(Path()) if run.id not in before]
    assert len(after) == 3  # the new row and its two seeds
    assert {run.config()["seed_everything"] for run in after if run.parent} == {0, 1}
    rows_by_name = {row["row"]: row for row in answer["rows"]}
    assert rows_by_name["sa"]["difference"] is None
    gap = rows_by_name["glca"]["mean"] - rows_by_name["sa"]["mean"]
    assert rows_by_name["glca"]["difference"] == pytest.approx(gap)


@pytest.mark.parametrize("recipes", [["paper"], ["small", "plain"], ["reid"]])
def test_every_row_says_which_branches_are_on_whatever_the_recipe(recipes: list[str]) -> None:
    planned = plans(Shell(), TABLE, Words(recipes, seeds=2), list(ROWS), "table")
    models = {row: yaml.safe_load(text)["model"]["init_args"] for row, (_, text, _, _) in planned.items()}
    on = {row: (model["glca"]["blocks"], model["pwca"]["blocks"], model["glca"]["select"]) for row, model in models.items()}
    assert on == {
        "sa": (0, 0, "rollout"),
        "glca": (1, 0, "rollout"),
        "pwca": (0, "all", "rollout"),
        "both": (1, "all", "rollout"),
        "last_layer": (1, 0, "last_layer"),
        "random": (1, 0, "random"),
    }


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--rows", "sa,gcla"), "did you mean 'glca'"),
        (("--rows", "sa"), "name two or more"),
        (("--rows", "sa,sa"), "each once"),
        (("--seeds", "1"), "needs 2 or more"),
        (("--model.glca.readout=cls", "--rows", "sa,random"), "row random"),
        (("--model.glca.ratoi=0.2",), "ratio"),
    ],
)
def test_wrong_words_of_ablate_are_said_before_anything_trains(here: Here, words: tuple[str, ...], says: str) -> None:
    said = here("dcal", "ablate", *TINY, *words)
    assert said.returncode == 2
    assert says in said.stderr.strip().splitlines()[-1]
    assert not find_runs(Path())
