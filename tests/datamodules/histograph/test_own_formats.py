"""Formats that a person or another program writes: tables, node-link JSON, GraphML, powerful-gnns text; equal graphs from each."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from datamodules.errors import DataError
from datamodules.histograph.gin_layout import is_gin
from datamodules.histograph.layouts import detect
from datamodules.histograph.reader import expand
from datamodules.histograph.smiles_layout import is_smiles
from datamodules.histograph.table import GraphTable

# A path a-b-c with masses and a pair of equal nodes, of classes that are texts.
CSV = {
    "graphs": "graph,label,split\nchain,path,train\npair,bond,test\n",
    "nodes": "graph,node,mass,charge\nchain,a,1,0\nchain,b,2,-1\nchain,c,3,0\npair,x,4,0\npair,y,4,0.5\n",
    "edges": "graph,source,target,length\nchain,a,b,1.5\nchain,b,c,2.5\npair,x,y,1\n",
}
LINKS = [
    {
        "directed": False, "multigraph": False, "graph": {"label": "path", "split": "train"},
        "nodes": [{"id": "a", "mass": 1, "charge": 0}, {"id": "b", "mass": 2, "charge": -1}, {"id": "c", "mass": 3, "charge": 0}],
        "edges": [{"source": "a", "target": "b", "length": 1.5}, {"source": "b", "target": "c", "length": 2.5}],
    },
    {
        "directed": False, "multigraph": False, "graph": {"label": "bond", "split": "test"},
        "nodes": [{"id": "x", "mass": 4, "charge": 0}, {"id": "y", "mass": 4, "charge": 0.5}],
        "edges": [{"source": "x", "target": "y", "length": 1}],
    },
]  # fmt: skip
KEYS = """<?xml version="1.0"?>
<graphml xmlns="http://graphml.graphdrawing.org/xmlns">
<key id="d0" for="graph" attr.name="label" attr.type="string"/>
<key id="d1" for="graph" attr.name="split" attr.type="string"/>
<key id="d2" for="node" attr.name="mass" attr.type="double"/>
<key id="d3" for="node" attr.name="charge" attr.type="double"><default>0</default></key>
<key id="d4" for="edge" attr.name="length" attr.type="double"><default>1</default></key>
"""
CHAIN = """<graph edgedefault="undirected"><data key="d0">path</data><data key="d1">train</data>
<node id="a"><data key="d2">1</data></node><node id="b"><data key="d2">2</data><data key="d3">-1</data></node>
<node id="c"><data key="d2">3</data></node>
<edge source="a" target="b"><data key="d4">1.5</data></edge><edge source="b" target="c"><data key="d4">2.5</data></edge></graph>
"""
PAIR = """<graph edgedefault="undirected"><data key="d0">bond</data><data key="d1">test</data>
<node id="x"><data key="d2">4</data></node><node id="y"><data key="d2">4</data><data key="d3">0.5</data></node>
<edge source="x" target="y"/></graph>
"""


def csv_folder(folder: Path, **parts: str) -> Path:
    folder.mkdir(exist_ok=True)
    for part, text in (CSV | parts).items():
        (folder / f"{part}.csv").write_text(text)
    return folder


def graphml(path: Path, body: str = CHAIN + PAIR, head: str = KEYS) -> Path:
    path.write_text(f"{head}{body}</graphml>")
    return path


def check(table: GraphTable) -> None:
    assert table.classes == ["bond", "path"]
    assert table.labels().tolist() == [1, 0]
    assert table.features == ["charge", "mass"]
    assert table.edge_names == ["length"]
    assert table.rows == {"train": [0], "val": [], "test": [1]}
    assert table.graphs[0].x.tolist() == [[0, 1], [-1, 2], [0, 3]]
    assert table.graphs[0].edge_index.tolist() == [[0, 1, 1, 2], [1, 0, 2, 1]]
    assert table.graphs[0].edges.tolist() == [[1.5], [1.5], [2.5], [2.5]]
    assert table.graphs[1].x.tolist() == [[0, 4], [0.5, 4]]


def test_three_tables_node_link_and_graphml_give_the_same_graphs(tmp_path: Path) -> None:
    check(detect(csv_folder(tmp_path / "csv")).read())
    (tmp_path / "links.json").write_text(json.dumps(LINKS))
    check(detect(tmp_path / "links.json").read())
    (tmp_path / "links.jsonl").write_text("\n".join(json.dumps(item).replace('"edges"', '"links"') for item in LINKS))
    check(detect(tmp_path / "links.jsonl").read())
    (tmp_path / "links").mkdir()
    for i, item in enumerate(LINKS):
        (tmp_path / "links" / f"{i}.json").write_text(json.dumps(item))
    check(detect(tmp_path / "links").read())
    check(detect(graphml(tmp_path / "one.graphml")).read())
    (tmp_path / "many").mkdir()
    graphml(tmp_path / "many" / "0.graphml", CHAIN)
    graphml(tmp_path / "many" / "1.graphml", PAIR)
    check(detect(tmp_path / "many").read())


def test_what_networkx_writes_is_read(tmp_path: Path) -> None:
    nx = pytest.importorskip("networkx", reason="networkx is not installed; it is no dependency of ours")
    graph = nx.Graph(label="ring", split="train")
    graph.add_nodes_from([((0, "a"), {"mass": 1.0}), ((0, "b"), {"mass": 2.0})])
    graph.add_edge((0, "a"), (0, "b"), length=3)
    (tmp_path / "one.json").write_text(json.dumps([nx.node_link_data(graph, edges="edges")]))
    table = detect(tmp_path / "one.json").read()
    assert table.graphs[0].x.tolist() == [[1], [2]]
    assert table.graphs[0].edges.tolist() == [[3], [3]]
    nx.write_graphml(nx.relabel_nodes(graph, {(0, "a"): "a", (0, "b"): "b"}), tmp_path / "one.graphml")
    assert detect(tmp_path / "one.graphml").read().graphs[0].x.tolist() == [[1], [2]]


def test_a_directed_edge_goes_one_way_and_without_attributes_features_are_degrees(tmp_path: Path) -> None:
    item = {"directed": True, "graph": {"label": 2.5}, "nodes": [{"id": 0}, {"id": 1}], "edges": [{"source": 1, "target": 0}]}
    (tmp_path / "one.json").write_text(json.dumps(item))
    table = detect(tmp_path / "one.json").read()
    assert table.kind == "numbers"
    assert table.graphs[0].edge_index.tolist() == [[1], [0]]
    assert table.graphs[0].x.shape == (2, 66)


def test_several_columns_of_zeros_and_ones_are_tasks_and_empty_cells_unknown(tmp_path: Path) -> None:
    table = detect(csv_folder(tmp_path / "set", graphs="graph,toxic,soluble\nchain,1,\npair,0,1\n")).read()
    assert (table.kind, table.classes) == ("tasks", ["toxic", "soluble"])
    np.testing.assert_array_equal(np.stack([graph.y for graph in table.graphs]), [[1, np.nan], [0, 1]])
    (tmp_path / "own.jsonl").write_text('{"x": [[1]], "edges": [], "label": [1, null]}\n{"x": [[1]], "edges": [], "label": [0, 1]}\n')
    assert detect(tmp_path / "own.jsonl").read().kind == "tasks"


@pytest.mark.parametrize(
    ("part", "text", "says"),
    [
        ("graphs", "graph,label\nchain,a\nchain,b\n", r"graphs\.csv:3: graph 'chain' stands there twice"),
        ("graphs", "name,label\nchain,a\n", r"graphs\.csv:1: one column 'graph' is needed, the header has name, label"),
        ("graphs", "graph,u,v\nchain,1,x\npair,1,2\n", r"graphs\.csv:2: 'x' in column 'v' is no number"),
        ("graphs", "graph,label\nchain,a\npair,1\n", r"graphs\.csv:3: its label is of another kind"),
        ("graphs", "", r"graphs\.csv:1: one column 'graph'"),
        ("nodes", "graph,node,mass\nchain,a,1\nchain,a,2\n", r"nodes\.csv:3: node 'a' stands there twice"),
        ("nodes", "graph,node,mass\nwhat,a,1\n", r"nodes\.csv:2: graph 'what', which graphs\.csv does not have"),
        ("nodes", CSV["nodes"].replace("chain,b,2", "chain,b,two"), r"node 'b': mass is 'two', no number"),
        ("nodes", CSV["nodes"].replace("chain,b,2", "chain,b,nan"), r"node 'b': mass is not finite"),
        ("nodes", CSV["nodes"].replace(",-1", ""), r"nodes\.csv:3: 3 cells instead of the header's 4"),
        ("edges", CSV["edges"].replace("b,c", "b,q"), r"edges\.csv:3: an edge names node 'q', which is not there"),
    ],
)
def test_what_is_wrong_in_a_table_is_named_by_file_and_line(tmp_path: Path, part: str, text: str, says: str) -> None:
    with pytest.raises(DataError, match=says):
        detect(csv_folder(tmp_path / "set", **{part: text})).read()


BOMB = '<?xml version="1.0"?><!DOCTYPE g [<!ENTITY a "x"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'


@pytest.mark.parametrize(
    ("head", "body", "says"),
    [
        (BOMB + KEYS.partition("\n")[2], CHAIN, r"set\.graphml:1: a document type or an entity"),
        ('<!DOCTYPE g SYSTEM "file:///etc/passwd">' + KEYS.partition("\n")[2], CHAIN, "a document type or an entity"),
        (KEYS, CHAIN.replace('target="c"', 'target="z"'), r"set\.graphml:11: an edge names node 'z'"),
        (KEYS, CHAIN.replace(">2<", ">two<"), r"set\.graphml:9: 'two' is no double"),
        (KEYS, CHAIN.replace('key="d2">3', 'key="d9">3'), r"set\.graphml:10: data of the key 'd9', which no <key> declares"),
        (KEYS, CHAIN.replace("</graph>", ""), "not well-formed XML"),
        (KEYS, "", "no <graph> of GraphML"),
        (KEYS, CHAIN.replace('<data key="d0">path</data>', ""), "label is a text"),
    ],
)
def test_what_is_wrong_in_graphml_is_named_by_line_and_entities_are_refused(tmp_path: Path, head: str, body: str, says: str) -> None:
    with pytest.raises(DataError, match=says):
        detect(graphml(tmp_path / "set.graphml", body, head)).read()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"nodes": 3}, "graph 0: node-link JSON has lists"),
        ({"nodes": [{"name": "a"}]}, r"graph 0: nodes\[0\] is no object with id"),
        ({"edges": [{"source": "a"}]}, r"graph 0: edges\[0\] is no object with source and target"),
        ({"edges": [{"source": "a", "target": "q", "length": 1}]}, "an edge names node 'q'"),
        (
            {"nodes": [{"id": "a", "mass": 1, "charge": 0}, {"id": "c", "mass": 1, "charge": 0}, {"id": "b", "mass": 1}]},
            "node 'b' has no 'charge'",
        ),
        ({"graph": {"label": "path", "split": "dev"}}, "split is train, val or test, not 'dev'"),
    ],
)
def test_what_is_wrong_in_node_link_is_named(tmp_path: Path, change: dict, says: str) -> None:
    (tmp_path / "set.json").write_text(json.dumps([LINKS[0] | change, LINKS[1]]))
    with pytest.raises(DataError, match=says):
        detect(tmp_path / "set.json").read()


def test_a_folder_of_graphs_without_labels_is_asked_about_and_each_file_is_looked_into_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datamodules.histograph import own_layout

    plain = {"x": [[1.0]], "edges": []}
    for name, item in (("a", plain), ("b", {"nodes": [], "edges": []}), ("c", {"nodes": [], "edges": [], "graph": {}})):
        (tmp_path / f"{name}.json").write_text(json.dumps(item))
    read: list[Path] = []
    was = own_layout.read_json
    monkeypatch.setattr(own_layout, "read_json", lambda path: read.append(path) or was(path))
    files = [str(tmp_path / f"{name}.json") for name in "abc"]
    assert expand(str(tmp_path)) == files
    assert [str(path) for path in read] == files
    (tmp_path / "a.json").write_text(json.dumps(plain | {"label": "ring"}))
    read.clear()
    assert expand(str(tmp_path)) is None  # a set
    assert [str(path) for path in read] == files[:1]


@pytest.mark.parametrize("item", [[1], 3, "x", {"nodes": [], "edges": [], "graph": 5}, {"nodes": [], "edges": [], "graph": ["ab", 3]}])
def test_a_folder_with_something_else_among_its_graphs_is_refused_by_file(tmp_path: Path, item: object) -> None:
    (tmp_path / "a.json").write_text(json.dumps(LINKS[0] if isinstance(item, dict) else {"x": [[1.0]], "edges": [], "label": "ring"}))
    (tmp_path / "b.json").write_text(json.dumps(item))
    assert expand(str(tmp_path)) is None
    with pytest.raises(DataError, match=r"b\.json: "):
        detect(tmp_path).read()


GIN = "2\n3 5\n0 1 1\n4 2 0 2\n0 1 1\n2 7\n4 1 1 0.5\n4 1 0 1.5\n"


def test_the_text_of_powerful_gnns_is_read_with_the_folds_beside_it(tmp_path: Path) -> None:
    (tmp_path / "TOY.txt").write_text(GIN.replace(" 0.5", "").replace(" 1.5", ""))
    table = detect(tmp_path / "TOY.txt").read()
    assert table.classes == ["5", "7"]
    assert table.features == ["tag 0", "tag 4"]
    assert table.graphs[0].x.tolist() == [[1, 0], [0, 1], [1, 0]]
    assert table.graphs[0].edge_index.tolist() == [[0, 1, 1, 2], [1, 0, 2, 1]]
    (tmp_path / "10fold_idx").mkdir()
    for k in range(10):
        (tmp_path / "10fold_idx" / f"test_idx-{k + 1}.txt").write_text(f"{k}\n")
    (tmp_path / "TOY.txt").write_text("10\n" + "1 0\n0 0\n" * 5 + "1 1\n0 0\n" * 5)
    from datamodules.histograph.layouts import splits

    table = detect(tmp_path / "TOY.txt").read()
    assert splits(table, 3)["test"] == [3]
    assert len(table.features) == 66  # one tag says nothing: degrees


@pytest.mark.parametrize("name", ["a.txt", "a.txt.gz", "a.csv", "a.csv.gz"])
def test_a_layout_is_told_by_the_first_lines_only(tmp_path: Path, name: str) -> None:
    head = b"1\n3 5\n" if ".txt" in name else b"\xef\xbb\xbfname, SMILES\r\n"
    body = head + b"\xff\n" * 1000  # whoever read it would find that it is no text
    (tmp_path / name).write_bytes(gzip.compress(body) if name.endswith("gz") else body)
    assert (is_gin if ".txt" in name else is_smiles)(tmp_path / name)
    (tmp_path / name).write_bytes(b"\x1f\x8b")
    assert not is_gin(tmp_path / name)


def test_attributes_of_powerful_gnns_are_taken_when_asked_for(tmp_path: Path) -> None:
    (tmp_path / "TOY.txt").write_text("1\n" + GIN.split("\n", 5)[5])
    table = detect(tmp_path / "TOY.txt").read(node_attributes=True)
    assert table.features == ["attribute 0", "tag 4"]
    assert table.graphs[0].x.tolist() == [[0.5, 1], [1.5, 1]]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (GIN.replace("0 1 1\n4", "0 1 9\n4"), r"TOY\.txt:3: neighbour 9; the nodes are 0\.\.2"),
        (GIN.replace("4 2 0 2", "4 5 0 2"), r"TOY\.txt:4: 5 neighbours are announced, 2 numbers follow"),
        (GIN.replace("4 2 0 2", "4"), r"TOY\.txt:4: a node is"),
        (GIN.replace("4 2 0 2", "x 2 0 2"), r"TOY\.txt:4: 'x 2' are not whole numbers"),
        (GIN.replace("2\n", "3\n", 1), r"TOY\.txt:8: the file ends here"),
        (GIN.replace("2\n", "1\n", 1), r"TOY\.txt:6: more lines than the 1 graphs"),
        (GIN.replace("2 7", "2"), r"TOY\.txt:6: 1 numbers instead of 2"),
        (GIN, r"TOY\.txt: nodes have 0 or 1 attributes"),
    ],
)
def test_what_is_wrong_in_powerful_gnns_text_is_named_by_line(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "TOY.txt").write_text(text)
    with pytest.raises(DataError, match=says):
        detect(tmp_path / "TOY.txt").read()


def test_folds_for_another_order_of_the_graphs_are_refused(tmp_path: Path) -> None:
    from datamodules.histograph.folds import load_folds, make_folds, write_folds

    write_folds(tmp_path / "f.json", make_folds(np.arange(20) % 2), "set", 0, "one order")
    assert len(load_folds(tmp_path / "f.json", 20, "one order")) == 20
    with pytest.raises(DataError, match="made for another order of the graphs"):
        load_folds(tmp_path / "f.json", 20, "another order")
