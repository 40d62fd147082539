"""The application goes the whole way as a user would: check, fit, test, export, predict."""

import json
from pathlib import Path

import pytest

from datamodules.histograph.synth import cycles, write_examples
from tests.system.command import Here

TINY = (
    "--model.backbone.layers=2", "--model.backbone.width=8", "--trainer.max_epochs=1", "--trainer.accelerator=cpu",
)  # fmt: skip


def test_the_embedded_set_goes_the_whole_way(tmp_path: Path, here: Here) -> None:
    assert here("histograph", "fit", *TINY, "--data.train=64", "--data.val=16", "--data.test=16").returncode == 0
    answer = json.loads(here("histograph", "test").stdout)
    assert answer["test/chance"] == pytest.approx(1 / 6, abs=1e-6)
    assert list(tmp_path.glob("mlruns/runs/histograph/*/figures/layer_weights.png"))
    assert here("histograph", "export", "-o", "graphs.ts").returncode == 0
    paths = write_examples(tmp_path, 3)
    rows = [json.loads(line) for line in here("predict", "graphs.ts", *paths, "--full").stdout.splitlines()]
    assert [row["input"] for row in rows] == [str(path) for path in paths]
    for row in rows:
        assert len(row["layer_weights"]) == 3
        assert sum(row["node_weights"]) == pytest.approx(1, abs=1e-4)
    alone = json.loads(here("predict", "graphs.ts", paths[1]).stdout)
    assert alone["probs"][0]["probability"] == pytest.approx(rows[1]["probs"][0]["probability"], abs=1e-6)
    (tmp_path / "broken.json").write_text('{"x": [[1, 0]], "edges": [[0, 5]]}')
    said = here("predict", "graphs.ts", "broken.json", paths[0])
    assert said.returncode == 1
    assert "an edge names node 5" in json.loads(said.stdout.splitlines()[0])["error"]


def test_graphs_of_ones_own_are_checked_and_trained_on(tmp_path: Path, here: Here) -> None:
    with (tmp_path / "own.jsonl").open("w") as file:
        for graph in cycles(60, seed=9):
            item = {"x": graph.x.tolist(), "edges": graph.edge_index.T.tolist(), "label": f"ring {int(graph.y) + 3}"}
            file.write(json.dumps(item) + "\n")
    said = here("data", "check", "own.jsonl")
    assert said.returncode == 0
    assert "histograph (own), 6 classes, train 48, val 6, test 6" in said.stdout
    assert here("histograph", "fit", "--config", "small", "--data.path=own.jsonl", *TINY).returncode == 0
    assert here("histograph", "fit", "--config", "motifs", "--data", "datamodules.histograph.datamodule.Cycles").returncode == 2
