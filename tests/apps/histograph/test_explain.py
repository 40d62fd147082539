"""Pictures of answers: layouts, what is drawn, and the verbs that write them."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from apps.base.draw import style
from apps.histograph.depth import cosine, dirichlet
from apps.histograph.draw import class_layer_figure, depth_figure, graph_layer_figure, layer_bars
from apps.histograph.draw_graph import answer_picture, answer_words, graph_figure
from apps.histograph.graph_layout import positions
from apps.histograph.graph_panel import panels
from core_attention.segments import Segments
from datamodules.histograph.reader import expand
from tests.apps.histograph.tiny import TINY
from tests.system.command import Here

PNG = b"\x89PNG"


def test_a_layout_is_the_same_each_time_and_keeps_neighbours_nearer_than_others() -> None:
    ring = np.array([[i, (i + 1) % 12] for i in range(12)]).T
    x = positions(ring, 12)
    assert np.array_equal(x, positions(ring, 12))
    distance = np.linalg.norm(x[:, None] - x[None], axis=2)
    assert distance[ring[0], ring[1]].max() < 0.7 * distance.max()
    assert distance[~np.eye(12, dtype=bool)].min() > 0.2


def test_parts_that_are_not_connected_do_not_lie_on_one_another() -> None:
    edges = np.array([[0, 1], [1, 2], [3, 4]]).T
    x = positions(edges, 6)
    assert np.isfinite(x).all()
    for one, other in (([0, 1, 2], [3, 4]), ([3, 4], [5]), ([0, 1, 2], [5])):
        low, high = np.maximum(x[one].min(0), x[other].min(0)), np.minimum(x[one].max(0), x[other].max(0))
        assert not (low <= high).all()


@pytest.mark.parametrize("nodes", [0, 1, 2, 3])
def test_the_smallest_graphs_are_drawn_too(nodes: int) -> None:
    edges = np.array([[0], [1]]) if nodes > 1 else np.zeros((2, 0), int)
    assert positions(edges, nodes).shape == (nodes, 2)
    weights = np.full(nodes, 1 / max(nodes, 1))
    assert graph_figure(edges, weights, np.array([0.5, -0.1, 0.6]), "a: 90%").startswith(PNG)


def test_a_path_on_one_line_is_drawn_with_its_edges() -> None:
    with style() as Figure:
        axis, x_N2, _ = panels(Figure(), np.array([[0, 1], [1, 2]]), 3, np.ones(2) / 2, 0)
    assert len(axis.lines) == 2
    assert np.ptp(axis.get_ylim()) >= 0.2 * np.ptp(axis.get_xlim()) > 0
    assert np.ptp(x_N2[:, 1]) < 1e-6


def test_of_a_large_graph_the_nodes_of_greatest_weight_are_drawn() -> None:
    weights = np.linspace(0, 1, 900)
    assert graph_figure(np.array([[0, 898], [1, 899]]), weights / weights.sum(), np.array([1.0]), "t").startswith(PNG)


@pytest.mark.parametrize("nodes", [0, 3])
def test_a_graph_whose_nodes_were_answered_for_is_drawn_by_class_or_by_number(nodes: int) -> None:
    item = (torch.zeros(nodes, 1), torch.tensor([[0, 1], [1, 2]]).T if nodes else torch.zeros(2, 0, dtype=torch.int64))
    metadata = {"program": "nodes", "labels": ["a", "b"], "features": ["f"], "first_layer": 1}
    for answer in (
        {"probs": [[0.9, 0.1]] * nodes, "out": [[2.0, 0.0]] * nodes, "layer_weights": [0.5, 0.5]},
        {"out": [[2.0, 0.0]] * nodes, "layer_weights": [[0.5, 0.5]] * nodes},
    ):
        assert answer_picture("g.json", item, answer, metadata).startswith(PNG)


def test_bars_and_matrices_have_one_colour_a_sign_and_layers_are_numbered_from_their_first() -> None:
    with style() as Figure:
        axis = Figure().subplots()
        layer_bars(axis, [0.5, -0.5], 1)
    reds, blues = zip(*[(bar.get_facecolor()[0], bar.get_facecolor()[2]) for bar in axis.patches], strict=True)
    assert blues[0] > reds[0]  # positive, as in RdBu
    assert blues[1] < reds[1]
    assert axis.get_xticks().tolist() == [1, 2]
    assert "embedded input" not in axis.get_xlabel()
    drawn = np.asarray(Image.open(io.BytesIO(graph_layer_figure(np.array([[-1.0, 1.0]]), ["g"]))).convert("RGB")).astype(int)
    strong = np.argwhere(np.ptp(drawn, 2) > 60)
    red, _, blue = drawn[tuple(strong[strong[:, 1].argmin()])]  # the leftmost coloured point is in the negative cell
    assert red > blue


def test_figures_of_layers_and_depth_are_pictures() -> None:
    weights = np.random.default_rng(0).normal(size=(50, 5))
    for png in (
        class_layer_figure({"a": weights[0], "b": weights[1]}),
        graph_layer_figure(weights, [f"graph {i}" for i in range(50)]),
        depth_figure(np.ones(5), np.full(5, np.nan), weights[0]),
    ):
        assert png.startswith(PNG)


def test_energy_is_zero_where_states_are_smooth_and_cosine_one_where_nodes_are_alike() -> None:
    edges = torch.tensor([[0, 1, 1, 2, 2, 0], [1, 0, 2, 1, 0, 2]])  # all of one degree
    flat, rough = torch.ones(3, 2), torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 0.0]])
    history = torch.stack([flat, rough, torch.zeros(3, 2)], 1)
    energy = dirichlet(history, edges)
    # By hand: d + 1 = 3; undirected edges differ by 2, 1 and 1, so (4 + 1 + 1) / 3 over a squared norm of 2.
    torch.testing.assert_close(energy, torch.tensor([0.0, 1.0, 0.0], dtype=torch.float64))
    alike = cosine(history, Segments.from_lengths([3]))
    torch.testing.assert_close(alike, torch.tensor([1.0, -1 / 3, 0.0], dtype=torch.float64))
    assert bool(cosine(history, Segments.from_lengths([1, 1, 1])).isnan().all())


def test_an_answer_in_words_is_of_its_kind() -> None:
    assert answer_words({"probs": [{"label": "ring", "probability": 0.913}]}) == "ring: 91.3%"
    assert answer_words({"probs": {"a": 0.1, "b": 0.9}}) == "b: 90.0%, a: 10.0%"
    assert answer_words({"out": {"logp": 1.23456}}) == "logp: 1.235"


def test_words_that_can_be_smiles_are_taken_as_they_are_and_files_are_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert expand("C[C@H](N)C(=O)O") == ["C[C@H](N)C(=O)O"]
    assert expand("graph.json") is None
    assert expand("missing.csv") is None
    (tmp_path / "m.csv").write_text("smiles,y\nCO,1\nO,\n")
    (tmp_path / "m.smi").write_text("CO methanol\n\nO water\n")
    assert expand("m.csv") == expand("m.smi") == ["CO", "O"]


def test_an_answer_is_explained_from_a_checkpoint_and_from_an_exported_file(tmp_path: Path, here: Here) -> None:
    assert here("histograph", "fit", *TINY).returncode == 0
    said = here("histograph", "explain", "--ckpt", "best", "-o", "why", "--limit", "3")
    assert said.returncode == 0, said.stderr
    assert json.loads(said.stdout)["graphs"] == 3
    written = {path.name for path in (tmp_path / "why").iterdir()}
    assert written == {
        "graphs.png",
        "classes.png",
        "depth.png",
        "depth.csv",
        "000001.png",
        "000002.png",
        "000003.png",
        "explain.csv",
        "nodes.csv",
    }
    with (tmp_path / "why" / "explain.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert all(sum(float(row[f"layer {i}"]) for i in range(3)) == pytest.approx(1, abs=1e-4) for row in rows)
    with (tmp_path / "why" / "nodes.csv").open() as file:
        weights = [float(row["weight"]) for row in csv.DictReader(file) if row["number"] == "1"]
    assert len(weights) == 24
    assert sum(weights) == pytest.approx(1, abs=1e-4)

    from datamodules.histograph.synth import write_examples

    assert here("histograph", "export", "-o", "graphs.ts").returncode == 0
    asked = tmp_path / "asked"
    asked.mkdir()
    one = str(write_examples(asked, 2)[0])
    said = here("histograph", "explain", one, "--model", "graphs.ts", "-o", "why2")
    assert said.returncode == 0, said.stderr
    assert not (tmp_path / "why2" / "depth.png").exists()
    said = here("histograph", "explain", asked, "--model", "graphs.ts", "-o", "why4")  # graphs without labels are no set
    assert json.loads(said.stdout)["graphs"] == 2, said.stderr
    assert here("predict", "graphs.ts", one, "--pictures", "drawn").returncode == 0
    assert next((tmp_path / "drawn").iterdir()).read_bytes().startswith(PNG)
    said = here("predict", "graphs.ts", "CCO", one)
    assert said.returncode == 1
    assert "not trained on molecules" in json.loads(said.stdout.splitlines()[0])["error"]

    for words, says in (
        (("--ckpt", "best", "--model", "graphs.ts"), "either --model FILE"),
        ((), "either --model FILE"),
        (("--model", "graphs.ts"), "brings no graphs"),
        (("missing.json", "--model", "graphs.ts"), "no graph could be explained: No such file"),
        ((one, "--model", "graphs.ts", "--run", "x"), "--run goes with --ckpt"),
        (("--model", "missing.ts", one), "no such file"),
    ):
        refused = here("histograph", "explain", *words, "-o", "why3")
        assert refused.returncode == 2
        assert says in refused.stderr
        assert refused.stderr.strip().count("\n") <= 1


def test_folds_are_written_with_the_order_that_they_hold_for(tmp_path: Path, here: Here) -> None:
    lines = [json.dumps({"x": [[i % 3]], "edges": [], "label": "ab"[i % 2]}) for i in range(30)]
    (tmp_path / "set.jsonl").write_text("\n".join(lines))
    said = here("histograph", "folds", "set.jsonl", "-o", "folds.json", "--k", "5")
    assert json.loads(said.stdout)["folds"] == [6] * 5
    (tmp_path / "set.jsonl").write_text("\n".join(lines[::-1]))
    refused = here("histograph", "fit", "--config", "small", "--data.path=set.jsonl", "--data.folds=folds.json")
    assert refused.returncode == 2
    assert "made for another order of the graphs" in refused.stderr
    assert here("histograph", "folds", "set.jsonl", "-o", "f.json", "--k", "2").returncode == 2
    nowhere = here("histograph", "folds", "set.jsonl", "-o", "nowhere/f.json")
    assert nowhere.returncode == 2
    assert "-o nowhere/f.json names no file in an existing folder" in nowhere.line
