"""One graph with labelled nodes: read as it is distributed, drawn from, and its links held apart."""

import pickle
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from datamodules.errors import DataError
from datamodules.histograph.history_file import HistoryFile, StaleCacheError, write_histories
from datamodules.histograph.layouts import detect
from datamodules.histograph.links import BlockLinks, Links
from datamodules.histograph.neighbourhood import Neighbours
from datamodules.histograph.nodes import Nodes, TwoBlocks
from datamodules.histograph.one_graph_layouts import OneGraphLayout
from datamodules.histograph.synth_one_graph import _below_diagonal, two_blocks
from datamodules.order import sample_rng
from datamodules.pickles import UnsafePickleError, read_pickle

NODES, TEST = 12, [11, 9]  # 10 is in no file of features


def planetoid(folder: Path, **changed: object) -> Path:
    """Nine nodes in allx, two test nodes, in the files' own order."""
    folder.mkdir(parents=True, exist_ok=True)
    x = np.eye(11, 4, dtype=np.float32) + np.eye(11, 4, -4, dtype=np.float32)
    y = np.eye(2, dtype=np.int32)[np.arange(11) % 2]
    lists = defaultdict(list, {0: [1, 1, 0], 1: [0, 2], 2: [1], 3: [11]})
    parts = {
        "x": csr_matrix(x[:4]), "tx": csr_matrix(x[9:]), "allx": csr_matrix(x[:9]),
        "y": y[:4], "ty": y[9:], "ally": y[:9], "graph": lists,
    }  # fmt: skip
    for name, value in (parts | changed).items():
        (folder / f"ind.toy.{name}").write_bytes(value if isinstance(value, bytes) else pickle.dumps(value, protocol=2))
    (folder / "ind.toy.test.index").write_text("\n".join(map(str, TEST)))
    return folder


def read(path: Path):
    layout = detect(path)
    assert isinstance(layout, OneGraphLayout)
    return layout.read()


def test_planetoid_files_are_read_as_they_are_distributed(tmp_path: Path) -> None:
    one = read(planetoid(tmp_path / "raw").parent)
    assert one.graph.edge_index.tolist() == [[0, 1, 1, 2, 3, 11], [1, 0, 2, 1, 11, 3]]  # no loops, once, both ways
    assert one.rows["train"].tolist() == [0, 1, 2, 3]
    assert one.rows["val"].tolist() == [4, 5, 6, 7, 8]
    assert one.rows["test"].tolist() == TEST
    assert one.graph.y.tolist() == [0, 1, 0, 1, 0, 1, 0, 1, 0, 0, -1, 1]  # row test.index[i] is row i of ty
    assert not one.graph.x[10].any()  # an id missing from the test range
    assert "1 nodes are in no file" in one.notes[0]
    report = detect(tmp_path).check()
    assert report.counts == {"train": 4, "val": 5, "test": 2}


class Evil:
    def __reduce__(self):
        return (Path.touch, (Path("touched"),))


def test_a_hostile_pickle_is_refused_and_nothing_of_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnsafePickleError, match="which is no data"):
        read(planetoid(tmp_path / "a", graph=Evil()))
    assert not (tmp_path / "touched").exists()
    # Not by way of what is allowed, either: an array of a size that no file holds.
    (tmp_path / "bomb").write_bytes(b"\x80\x02cnumpy\nndarray\nK\x01\x85R.")
    with pytest.raises(DataError, match="no readable pickle"):
        read_pickle(tmp_path / "bomb")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"graph": b"\x80\x02K"}, r"ind\.toy\.graph: no readable pickle"),
        ({"graph": [1]}, r"ind\.toy\.graph: not what Planetoid has there \(holds list\)"),
        ({"graph": {0: ["a"]}}, r"ind\.toy\.graph: not what"),
        ({"graph": {0: [99]}}, "an edge names node 99"),
        ({"y": np.ones((4, 2))}, r"ind\.toy\.y: .*one-hot"),
        ({"tx": csr_matrix(np.eye(2, 5, dtype=np.float32))}, r"ind\.toy\.tx: 5 features, but 4 in allx"),
        ({"ty": np.eye(2, dtype=np.int32)[[0]]}, r"test\.index: 2 test nodes, but 2 rows in tx, 1 in ty"),
    ],
)
def test_what_is_wrong_with_a_planetoid_file_is_named(tmp_path: Path, changed: dict, words: str) -> None:
    with pytest.raises(DataError, match=words):
        read(planetoid(tmp_path, **changed))


def npz(path: Path, **changed: object) -> Path:
    arrays = {
        "edge_index": np.array([[0, 1, 2], [1, 0, 3]]), "x": np.ones((5, 2)), "y": np.array([0, 1, 0, 1, 1]),
        "train": np.array([0, 1]), "val": np.array([2]), "test": np.array([3]),
    }  # fmt: skip
    np.savez(path, **{key: value for key, value in (arrays | changed).items() if value is not None})  # type: ignore[arg-type]
    return path


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"y": None}, "no array 'y'"),
        ({"x": np.full((5, 2), np.nan)}, "node 0 has a feature that is not finite"),
        ({"test": np.array([2])}, "node 2 of the test split is there twice"),
        ({"train": np.array([0, 7])}, "the train split names nodes"),
        ({"y": np.array([0, 1, -1, 1, 1])}, "node 2 of the val split has no label"),
        ({"edge_index": np.array([[0, 1], [1, 5]])}, "an edge names node 5"),
        ({"y": np.zeros(5, int)}, "1 classes"),
        ({"x": np.array([{}] * 5, object)}, "no readable npz"),
    ],
)
def test_what_is_wrong_with_an_npz_is_named(tmp_path: Path, changed: dict, words: str) -> None:
    with pytest.raises(DataError, match=words):
        read(npz(tmp_path / "toy.npz", **changed))


def test_links_need_no_labels_and_no_splits_of_nodes(tmp_path: Path) -> None:
    bare = npz(tmp_path / "bare.npz", y=None, train=None, val=None, test=None, edge_index=np.array([[0, 1, 2, 3, 0], [1, 2, 3, 4, 4]]))
    data = Links(str(bare), val=0.2, test=0.2, normalise=False)
    assert {split: own["links"] for split, own in data.counts().items()} == {"train": 1, "val": 1, "test": 1}
    data.setup()
    assert data.card()["licence"]
    with pytest.raises(DataError, match=r"no array 'y'.*--config links"):
        Nodes(str(bare)).table  # noqa: B018


def test_an_npz_without_edges_is_no_graph(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", features=np.zeros(3))
    with pytest.raises(DataError, match="not recognised"):
        detect(tmp_path / "other.npz")


def test_the_edges_of_a_large_graph_are_sorted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    was = Neighbours.__init__
    monkeypatch.setattr(Neighbours, "__init__", lambda self, *args: made.append(1) or was(self, *args))
    data = TwoBlocks(batch_size=4, fanout=[3])
    data.setup()
    data.examples(2)
    data.seen(2)
    assert len(made) == 1


def test_a_sparse_npz_equals_a_dense_one(tmp_path: Path) -> None:
    x = np.array([[0, 2, 0], [1, 0, 0], [0, 0, 0], [0, 0, 3], [1, 1, 1]], np.float32)
    s = csr_matrix(x)
    parts = {"x_indptr": s.indptr, "x_indices": s.indices, "x_data": s.data, "x_shape": np.array(x.shape)}
    assert torch.equal(read(npz(tmp_path / "a.npz", x=None, **parts)).graph.x, read(npz(tmp_path / "b.npz", x=x)).graph.x)
    with pytest.raises(DataError, match="does not hang together"):
        read(npz(tmp_path / "c.npz", x=None, **(parts | {"x_indices": s.indices + 9})))
    normal = Nodes(str(tmp_path / "b.npz")).table.graph.x
    assert normal.sum(1).tolist() == pytest.approx([1, 1, 0, 1, 1])


def test_numbers_of_pairs_below_the_diagonal_are_all_pairs_once() -> None:
    i, j = _below_diagonal(np.arange(4950))
    assert {(int(a), int(b)) for a, b in zip(i, j, strict=True)} == {(a, b) for a in range(100) for b in range(a)}
    i, j = _below_diagonal(np.array([499_999 * 500_000 // 2 - 1, 499_999 * 500_000 // 2]))
    assert i.tolist() == [499_999, 500_000]
    assert j.tolist() == [499_998, 0]


def test_two_blocks_know_their_own_block_as_often_as_asked() -> None:
    one = two_blocks(0, block=300, p_in=0.06, p_out=0.015, labelled=10, val=80, test=300)
    y = one.graph.y[one.graph.edge_index]
    same = int((y[0] == y[1]).sum()) / 2
    assert same / (300 * 299) == pytest.approx(0.06, rel=0.1)
    assert int((y[0] != y[1]).sum()) / 2 / 300**2 == pytest.approx(0.015, rel=0.1)
    assert [int((one.graph.y[one.rows["train"]] == label).sum()) for label in (0, 1)] == [10, 10]
    again = two_blocks(0, block=300, p_in=0.06, p_out=0.015, labelled=10, val=80, test=300)
    assert again.fingerprint() == one.fingerprint()
    assert two_blocks(1, 300, 0.06, 0.015, 10, 80, 300).fingerprint() != one.fingerprint()


def test_drawn_surroundings_hold_only_edges_of_the_graph_and_depend_on_nothing_but_their_place() -> None:
    graph = two_blocks(0, 200, 0.06, 0.015, 10, 80, 300).graph
    edges = set(map(tuple, graph.edge_index.T.tolist()))
    neighbours = Neighbours(graph.edge_index.numpy(), 400)
    for root in range(0, 400, 37):
        seen, drawn = neighbours.around(root, (4, 3), sample_rng(0, 5, root))
        assert seen[0] == root
        assert len(set(seen.tolist())) == len(seen) <= 1 + 4 + 12
        assert {(int(seen[a]), int(seen[b])) for a, b in drawn.T} <= edges
        assert {(b, a) for a, b in drawn.T.tolist()} == {(a, b) for a, b in drawn.T.tolist()}
        again = neighbours.around(root, (4, 3), sample_rng(0, 5, root))
        assert np.array_equal(again[0], seen)
        assert np.array_equal(again[1], drawn)
    every, around = neighbours.around(0, (400,), sample_rng(0, 0, 0))
    assert sorted(every[1:].tolist()) == sorted(graph.edge_index[0, graph.edge_index[1] == 0].tolist())
    assert around.shape[1] == 2 * (len(every) - 1)


def test_a_node_without_edges_is_alone_in_its_surroundings() -> None:
    seen, drawn = Neighbours(np.array([[0, 1], [1, 0]]), 4).around(3, (5, 5), sample_rng(0, 0, 3))
    assert seen.tolist() == [3]
    assert drawn.shape == (2, 0)


def test_surroundings_change_with_the_epoch_in_training_and_never_in_evaluation() -> None:
    data = TwoBlocks(batch_size=8, fanout=[3, 3])
    data.setup()
    train, val = data.train_set, data.val_set
    assert train[0, 0].graph.x.shape != train[1, 0].graph.x.shape or not torch.equal(train[0, 0].graph.x, train[1, 0].graph.x)  # type: ignore[index]
    assert torch.equal(val[3].graph.x, val[3].graph.x)  # type: ignore[index]
    batch = next(iter(data.val_dataloader()))
    nodes = batch["nodes"]
    assert torch.equal(batch["picked"], nodes.offsets[:-1])
    assert torch.equal(nodes.flat[batch["picked"]], data.table.graph.x[torch.from_numpy(data.table.rows["val"][:8])])


def test_options_that_would_be_ignored_are_refused() -> None:
    for wrong, words in (({"batch_size": 4}, "whole graph is one batch"), ({"fanout": []}, "fanout is"), ({"labelled": 200}, "too few")):
        with pytest.raises(DataError, match=words):
            TwoBlocks(**wrong)  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"leave data\.fanout out"):
        TwoBlocks(fanout=[3], history="x")


def test_asked_links_carry_no_message_and_no_drawn_pair_is_a_known_link() -> None:
    data = BlockLinks(batch_size=64)
    data.setup()
    every = set(map(tuple, data.table.graph.edge_index.T.tolist()))
    places = {split: set(map(tuple, data.links[split].T.tolist())) for split in data.links}
    assert sum(map(len, places.values())) == len(every) // 2 == len(set().union(*places.values()))
    for split, unseen in (("train", ("train", "val", "test")), ("val", ("val", "test")), ("test", ("val", "test"))):
        dataset = getattr(data, f"{split}_set")
        messages = set(map(tuple, dataset.graph.edge_index.T.tolist()))
        for other in unseen:
            assert not messages & places[other]
            assert not messages & {(v, u) for u, v in places[other]}
        drawn = {dataset[(0, i) if split == "train" else i].other for i in range(len(dataset))}
        assert not drawn & (every if split != "train" else messages | places["train"])
    batch = next(iter(data.val_dataloader()))
    assert batch["y"].mean() == 0.5


def test_pairs_that_are_no_link_are_drawn_by_seed_epoch_and_place() -> None:
    one, other = BlockLinks(seed=3), BlockLinks(seed=3)
    for data in (one, other):
        data.setup()
    train = [one.train_set[0, i].other for i in range(50)]  # type: ignore[index]
    assert train == [other.train_set[0, i].other for i in range(50)]  # type: ignore[index]
    assert train != [one.train_set[1, i].other for i in range(50)]  # type: ignore[index]
    fourth = BlockLinks(seed=4)
    fourth.setup()
    assert [one.val_set[i].other for i in range(9)] == [fourth.val_set[i].other for i in range(9)]  # type: ignore[index]
    assert train != [fourth.train_set[0, i].other for i in range(50)]  # type: ignore[index]


def histories(path: Path, dtype: str = "float32") -> list[torch.Tensor]:
    parts = [torch.randn(n, 3, 4, generator=torch.Generator().manual_seed(n)) for n in (5, 0, 2)]
    write_histories(path, parts, [5, 0, 2], 3, 4, dtype, {"data": "d", "backbone": "b"})
    return parts


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_kept_histories_come_back_graph_by_graph(tmp_path: Path, dtype: str) -> None:
    from safetensors.torch import load_file

    parts = histories(tmp_path / "h", dtype)
    found = HistoryFile(tmp_path / "h")
    again = pickle.loads(pickle.dumps(found))
    for i, part in enumerate(parts):
        torch.testing.assert_close(found.graph(i), part, atol=0 if dtype == "float32" else 2e-3, rtol=0)
        assert torch.equal(again.graph(i), found.graph(i))
    assert load_file(tmp_path / "h")["history"].shape == (7, 3, 4)  # anybody's reader opens it


def test_a_broken_or_foreign_file_of_histories_is_refused(tmp_path: Path) -> None:
    histories(tmp_path / "h")
    whole = (tmp_path / "h").read_bytes()
    for name, content in (("cut", whole[:-1]), ("empty", b""), ("other", b"hello world, no header"), ("header", whole[:40])):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match="no file of cached histories"):
            HistoryFile(tmp_path / name)
    with pytest.raises(DataError, match="No such file"):
        HistoryFile(tmp_path / "absent")
    with pytest.raises(StaleCacheError, match="another data"):
        HistoryFile(tmp_path / "h").check("data", lambda: "e")
    with pytest.raises(DataError, match="not finite as float16"):
        write_histories(tmp_path / "big", [torch.full((1, 1, 1), 1e6)], [1], 1, 1, "float16", {})
    assert not (tmp_path / "big").exists()
