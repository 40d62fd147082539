import gzip
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from datamodules.errors import DataError
from datamodules.histograph.datamodule import Cycles, Graphs, Motifs
from datamodules.histograph.folds import load_folds, make_folds, split_of
from datamodules.histograph.graph import collate, make_graph
from datamodules.histograph.layouts import detect
from datamodules.histograph.reader import read_graph
from datamodules.histograph.synth import CYCLES, cycles, motif_counts, write_examples

# Two graphs of three and two nodes and, between them, one without any.
TU = {
    "A": "1, 2\n2, 1\n2,3\n3,2\n4,5\n5,4\n",
    "graph_indicator": "1\n1\n1\n3\n3\n",
    "graph_labels": "-1\n1\n-1\n",
    "node_labels": "5\n7\n5\n5\n6\n",
    "edge_labels": "0\n0\n2\n2\n1\n1\n",
    "node_attributes": "0.5\n1.5\n2\n3\n4\n",
}


def tu(folder: Path, zipped: bool = False, **parts: str | None) -> Path:
    (folder / "raw").mkdir(parents=True, exist_ok=True)
    for part, text in (TU | parts).items():
        path = folder / "raw" / f"TOY_{part}.txt"
        if text is None:
            continue
        if zipped:
            path.with_name(path.name + ".gz").write_bytes(gzip.compress(text.encode()))
        else:
            path.write_text(text)
    return folder


@pytest.mark.parametrize("zipped", [False, True])
def test_a_tu_folder_is_read_as_it_is_distributed(tmp_path: Path, zipped: bool) -> None:
    table = detect(tu(tmp_path, zipped)).read()
    assert table.classes == ["-1", "1"]
    assert table.labels().tolist() == [0, 1, 0]
    assert [len(graph.x) for graph in table.graphs] == [3, 0, 2]
    assert table.graphs[0].x.tolist() == [[1, 0, 0], [0, 0, 1], [1, 0, 0]]
    assert table.graphs[0].edge_index.tolist() == [[0, 1, 1, 2], [1, 0, 2, 1]]
    assert table.graphs[0].edges.tolist() == [[1, 0, 0], [1, 0, 0], [0, 0, 1], [0, 0, 1]]
    assert table.graphs[2].edge_index.tolist() == [[0, 1], [1, 0]]
    assert detect(tmp_path).read(node_attributes=True).graphs[2].x.tolist() == [[3, 1, 0, 0], [4, 0, 1, 0]]


def same(one: list, other: list) -> bool:
    return all(torch.equal(a, b) for g, h in zip(one, other, strict=True) for a, b in zip(g[:3], h[:3], strict=True))


def test_edges_listed_twice_and_self_loops_change_nothing(tmp_path: Path) -> None:
    clean = detect(tu(tmp_path / "a")).read()
    twice = detect(tu(tmp_path / "b", A=TU["A"] * 2 + "3,3\n", edge_labels=TU["edge_labels"] * 2 + "1\n")).read()
    assert same(clean.graphs, twice.graphs)
    assert any("7 self-loops or repeated edges" in note for note in twice.notes)


def test_nodes_out_of_order_are_sorted_by_graph(tmp_path: Path) -> None:
    parts = {"graph_indicator": "3\n1\n1\n1\n3\n", "A": "2,3\n3,2\n3,4\n4,3\n1,5\n5,1\n", "node_labels": "5\n5\n7\n5\n6\n"}
    moved = detect(tu(tmp_path, **parts)).read()
    assert same(moved.graphs, detect(tu(tmp_path / "clean")).read().graphs)


def test_without_node_labels_features_are_degrees_up_to_a_fixed_cap(tmp_path: Path) -> None:
    table = detect(tu(tmp_path, node_labels=None, node_attributes=None)).read()
    assert len(table.features) == 66
    assert table.graphs[0].x.argmax(1).tolist() == [1, 2, 1]


@pytest.mark.parametrize(
    ("part", "text", "says"),
    [
        ("A", "1,2\n2,9\n", r"TOY_A\.txt:2: edge 2, 9; the nodes are 1\.\.5"),
        ("A", "0,1\n", r"TOY_A\.txt:1: edge 0, 1"),
        ("A", "1,2\n1,x\n", r"TOY_A\.txt:2: 'x' is no whole number"),
        ("A", "1,2\n3,4\n", r"TOY_A\.txt:2: an edge between two graphs"),
        ("graph_indicator", "1\n1\n1\n3\n4\n", r"TOY_graph_indicator\.txt:5: graph 4; there are labels of graphs 1\.\.3"),
        ("node_labels", "5\n7\n", r"TOY_node_labels\.txt:3: 2 lines instead of 5"),
        ("edge_labels", "0\n", r"TOY_edge_labels\.txt:2: 1 lines instead of 6"),
        ("graph_labels", None, r"TOY_graph_labels\.txt: no such file"),
        ("graph_indicator", None, r"TOY_graph_indicator\.txt"),
    ],
)
def test_what_is_broken_is_named_by_file_and_line(tmp_path: Path, part: str, text: str | None, says: str) -> None:
    with pytest.raises(DataError, match=says):
        detect(tu(tmp_path, **{part: text})).read()


def line(**more: object) -> str:
    return json.dumps({"x": [[1, 0], [0, 1], [1, 1]], "edges": [[0, 1], [1, 2]], **more}) + "\n"


def test_graphs_that_a_person_wrote(tmp_path: Path) -> None:
    path = tmp_path / "set.jsonl"
    path.write_text(line(label="ring", split="train") + "\n" + line(label="path", split="val") + line(label="ring", split="test"))
    table = detect(path).read()
    assert table.classes == ["path", "ring"]
    assert table.rows == {"train": [0], "val": [1], "test": [2]}
    assert table.graphs[0].edge_index.tolist() == [[0, 1, 1, 2], [1, 0, 2, 1]]
    path.write_text(line(label=1.5, edge_features=[[1], [2]], directed=True) + line(label=2, edge_features=[[3], [4]], directed=True))
    table = detect(path).read()
    assert table.kind == "numbers"
    assert table.graphs[1].y.tolist() == [2.0]
    assert table.graphs[1].edges.tolist() == [[3], [4]]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "1: not a JSON object"),
        (line(label="a", colour=1), "1: unknown key 'colour'"),
        (line(label="a") + line(label=1), "2: its label is of another kind"),
        (line(label="a") + line(), "2: label is a text"),
        (line(label="a").replace("[1, 2]", "[1, 7]"), r"1: an edge names node 7; the nodes are 0\.\.2"),
        (line(label="a", split="dev"), "1: split is train, val or test"),
        (line(label="a", split="train") + line(label="a"), "1 of 2 graphs name a split"),
        ("", "no graphs"),
    ],
)
def test_what_a_person_wrote_wrong_is_named_by_line(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "set.jsonl"
    path.write_text(text)
    with pytest.raises(DataError, match=says):
        detect(path).read()


def test_examples_come_back_as_the_graphs_they_were(tmp_path: Path) -> None:
    path = write_examples(tmp_path, 1)[0]
    x, edge_index = read_graph(path, {"features": ["one", "mark"], "edge_features": 0})
    graph = cycles(1, seed=2)[0]
    assert torch.equal(x, graph.x)
    assert {tuple(edge) for edge in edge_index.T.tolist()} == {tuple(edge) for edge in graph.edge_index.T.tolist()}


def test_folds_are_a_stratified_partition_and_the_same_from_the_same_seed(tmp_path: Path) -> None:
    labels = np.array([0] * 63 + [1] * 125)
    folds = make_folds(labels, seed=3)
    assert np.array_equal(folds, make_folds(labels, seed=3))
    for value in (0, 1):
        counts = np.bincount(folds[labels == value], minlength=10)
        assert counts.max() - counts.min() <= 1
    rows = split_of(folds, 4)
    assert sorted(rows["train"] + rows["val"] + rows["test"]) == list(range(188))
    assert set(folds[rows["val"]]) == {3}
    path = tmp_path / "folds.json"
    path.write_text(json.dumps({"fold": folds.tolist()}))
    assert np.array_equal(load_folds(path, 188), folds)
    with pytest.raises(DataError, match="folds of 188 graphs, but the set has 187"):
        load_folds(path, 187)


def test_a_cycle_graph_has_one_cycle_of_its_class_and_tells_it_by_nothing_else() -> None:
    for graph in cycles(24, seed=5):
        degree = torch.bincount(graph.edge_index[0], minlength=24)
        alive = torch.ones(24, dtype=torch.bool)
        while bool(((degree == 1) & alive).any()):  # what is left without leaves is the cycle
            leaf = int(((degree == 1) & alive).nonzero()[0])
            alive[leaf] = False
            degree[leaf] = 0
            degree[graph.edge_index[1, graph.edge_index[0] == leaf]] -= 1
        assert int(alive.sum()) == CYCLES[int(graph.y)]
        assert graph.edge_index.shape[1] == 48
        assert bool(alive[graph.x[:, 1].bool()].all())


def test_motifs_of_a_triangle_with_a_tail() -> None:
    a = np.zeros((4, 4), bool)
    for i, j in ((0, 1), (1, 2), (2, 0), (2, 3)):
        a[i, j] = a[j, i] = True
    wedges, stars, walks, triangles = motif_counts(a)
    assert (wedges, stars, triangles) == (5, 1, 1)
    assert walks == np.linalg.matrix_power(a.astype(int), 3).sum()


def test_a_batch_is_one_graph_of_many_parts() -> None:
    one, other = make_graph([[1.0], [2.0]], [[0], [1]], np.int64(0)), make_graph([[3.0]], np.zeros((2, 0)), np.int64(1))
    batch = collate([(one, 7), (other, 3), (one, 7)])
    assert batch["nodes"].offsets.tolist() == [0, 2, 3, 5]
    assert batch["edge_index"].tolist() == [[0, 3], [1, 4]]
    assert batch["graph"].tolist() == [7, 3, 7]


@pytest.mark.parametrize("data", [Cycles(train=64, val=12, test=12), Motifs(train=64, val=12, test=12)])
def test_evaluation_sees_every_graph_once_in_a_drawn_order(data) -> None:
    data.setup()
    seen = torch.cat([batch["graph"] for batch in data.test_dataloader()]).tolist()
    assert sorted(seen) == list(range(76, 88))
    assert seen != sorted(seen)


def test_a_made_sets_fingerprint_is_of_what_the_graphs_hold() -> None:
    small = {"train": 12, "val": 6, "test": 6}
    marked, again, unmarked = (Cycles(**small, mark=mark).describe()["fingerprint"] for mark in (True, True, False))
    assert marked == again != unmarked


def test_a_set_on_disk_trains_by_its_folds(tmp_path: Path) -> None:
    path = tmp_path / "set.jsonl"
    path.write_text("".join(line(label="ab"[i % 2]) for i in range(40)))
    data = Graphs(str(path), fold=2)
    data.setup()
    assert {split: len(own) for split, own in data.rows.items()} == {"train": 32, "val": 4, "test": 4}
    report = detect(path).check()
    assert report.problems == []
    assert any("equal graphs" in note for note in report.notes)
