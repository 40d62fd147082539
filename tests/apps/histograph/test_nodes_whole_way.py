"""Nodes, links and kept histories, as a user would go about them."""

import json
from pathlib import Path

import numpy as np
import pytest

from datamodules.histograph.synth_one_graph import two_blocks
from tests.system.command import Here

TINY = ("--model.backbone.layers=2", "--model.backbone.width=8", "--trainer.max_epochs=2", "--trainer.accelerator=cpu")


@pytest.mark.full  # eight commands
def test_a_frozen_network_gets_a_new_readout_from_its_kept_states(tmp_path: Path, here: Here) -> None:
    assert here("histograph", "fit", "--config", "sbm", *TINY, "--model.readout.name=last").returncode == 0
    assert here("histograph", "export", "-o", "nodes.ts").returncode == 0
    graph = two_blocks(1, 20, 0.3, 0.05, 1, 1, 1).graph
    (tmp_path / "own.json").write_text(json.dumps({"x": graph.x.tolist(), "edges": graph.edge_index.T.tolist()}))
    row = json.loads(here("predict", "nodes.ts", "own.json").stdout)
    assert np.array(row["probs"]).shape == (40, 2)
    assert here("histograph", "cache", "-o", "kept.safetensors").returncode == 0
    said = here("histograph", "finetune", "--history", "kept.safetensors", "--model.readout.name=jk-max")
    assert said.returncode == 0, said.stderr
    said = here("histograph", "test")
    assert said.returncode == 0, said
    answer = json.loads(said.stdout)
    assert answer["test/chance"] == 0.5
    assert "no file of cached histories" in here("histograph", "finetune", "--history", "own.json").line
    assert here("histograph", "fit", "--config", "sbm", *TINY, "--data.history=kept.safetensors").returncode == 2
    (tmp_path / "kept.safetensors").unlink()
    assert "discern histograph cache" in here("histograph", "test").line
    assert here("histograph", "test", "--data.history=null").returncode == 0


def test_the_states_of_another_network_are_refused_in_one_line(tmp_path: Path, here: Here) -> None:
    cycles = ("--data.train=24", "--data.val=6", "--data.test=6")
    assert here("histograph", "fit", *TINY, *cycles).returncode == 0
    assert here("histograph", "cache", "-o", "kept.safetensors", "--dtype", "float16").returncode == 0
    assert here("histograph", "fit", *TINY, *cycles, "--seed_everything=1").returncode == 0
    said = here("histograph", "finetune", "--history", "kept.safetensors")
    assert said.returncode == 2
    assert "another backbone" in said.stderr


def test_links_are_learned_from_what_is_left_of_the_graph(here: Here) -> None:
    data = ("--data", "datamodules.histograph.links.BlockLinks", "--data.block=60", "--data.p_in=0.2")
    assert here("histograph", "fit", "--config", "links", *data, *TINY).returncode == 0
    said = here("histograph", "test")
    assert said.returncode == 0, said
    answer = json.loads(said.stdout)
    assert set(answer) >= {"test/auc", "test/ap", "test/chance", "test/mrr", "test/hits_10"}
    assert 0 < answer["test/mrr"] <= 1
    assert "no exported form" in here("histograph", "export").line
    assert "leakcheck is for models of whole graphs" in here("histograph", "leakcheck").line
    assert "gives links and NodeClassification" in here("histograph", "fit", "--config", "sbm", *data).line


def test_a_graph_with_labelled_nodes_is_checked_and_trained_by_drawn_surroundings(tmp_path: Path, here: Here) -> None:
    one = two_blocks(0, 60, 0.2, 0.02, 10, 20, 40)
    graph = one.graph
    np.savez(tmp_path / "own.npz", x=graph.x.numpy(), edge_index=graph.edge_index.numpy(), y=graph.y.numpy(), **one.rows)  # type: ignore[arg-type]
    said = here("data", "check", "own.npz")
    assert said.returncode == 0
    assert "histograph (npz), 2 classes, train 20, val 20, test 40" in said.stdout
    assert "--config nodes" in said.stdout
    drawn = ("--data.fanout=[4,3]", "--data.batch_size=10")
    assert here("histograph", "fit", "--config", "nodes", "--data.path=own.npz", *drawn, *TINY).returncode == 0
    assert here("histograph", "test").returncode == 0
    assert "nodes of one graph are meant to depend on each other" in here("histograph", "leakcheck").line  # no false leak
    (tmp_path / "asked.json").write_text(json.dumps({"x": graph.x[:9].tolist(), "edges": [[0, 1], [1, 2]]}))
    assert here("histograph", "export", "-o", "nodes.ts").returncode == 0
    said = here("predict", "nodes.ts", "asked.json", "--pictures", "drawn")
    assert said.returncode == 0, said.stderr
    assert next((tmp_path / "drawn").iterdir()).read_bytes().startswith(b"\x89PNG")
    assert (
        "leave data.batch_size=10 out" in here("histograph", "fit", "--config", "nodes", "--data.path=own.npz", "--data.batch_size=10").line
    )
    assert "take --config nodes" in here("histograph", "fit", "--config", "small", "--data.path=own.npz").line
    (tmp_path / "empty.npz").write_bytes(b"")
    assert "no readable npz" in here("histograph", "fit", "--config", "nodes", "--data.path=empty.npz").line
