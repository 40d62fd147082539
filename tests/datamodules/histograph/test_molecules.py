"""OGB's raw files, and SMILES."""

import gzip
import sys
from pathlib import Path

import numpy as np
import pytest

from datamodules.errors import DataError, MissingDependencyError
from datamodules.histograph.layouts import detect
from datamodules.histograph.molecules import ATOM_CODES, BOND_CODES
from datamodules.histograph.scaffolds import scaffold_split

# Ethanol, water and hydrogen cyanide as OGB writes them: each bond once.
ATOMS = {"C": "5,0,4,5,3,0,2,0,0", "O": "7,0,2,5,1,0,2,0,0", "N": "6,0,1,5,0,0,0,0,0"}
OGB = {
    "raw/edge": "0,1\n1,2\n0,1\n",
    "raw/num-node-list": "3\n1\n2\n",
    "raw/num-edge-list": "2\n0\n1\n",
    "raw/node-feat": "\n".join(ATOMS[a] for a in "CCOOCN") + "\n",
    "raw/edge-feat": "0,0,0\n0,0,0\n2,0,0\n",
    "raw/graph-label": "1,0\n,1\n0,\n",
    "split/scaffold/train": "0\n",
    "split/scaffold/valid": "2\n",
    "split/scaffold/test": "1\n",
    "mapping/mol": "NR-AR,NR-ER,smiles,mol_id\n1,0,CCO,a\n",
}


def ogb(folder: Path, **parts: str) -> Path:
    folder = folder / "ogbg_moltoy"
    for part, text in (OGB | {key.replace("__", "/").replace("_", "-"): value for key, value in parts.items()}).items():
        path = folder / f"{part}.csv.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(text.encode()))
    return folder


def test_an_ogb_folder_is_read_as_it_is_distributed(tmp_path: Path) -> None:
    table = detect(ogb(tmp_path)).read()
    assert (table.layout, table.kind, table.classes) == ("ogb", "tasks", ["NR-AR", "NR-ER"])
    assert table.rows == {"train": [0], "val": [2], "test": [1]}
    assert (table.codes, table.edge_codes) == (ATOM_CODES, BOND_CODES)
    assert [len(graph.x) for graph in table.graphs] == [3, 1, 2]
    assert table.graphs[0].edge_index.tolist() == [[0, 1, 1, 2], [1, 0, 2, 1]]
    assert table.graphs[2].edges.tolist() == [[2, 0, 0], [2, 0, 0]]
    np.testing.assert_array_equal(np.stack([graph.y for graph in table.graphs]), [[1, 0], [np.nan, 1], [0, np.nan]])


def test_edges_that_stand_in_both_directions_are_not_doubled(tmp_path: Path) -> None:
    twice = ogb(
        tmp_path / "b",
        raw__edge="0,1\n1,0\n1,2\n2,1\n0,1\n1,0\n",
        raw__num_edge_list="4\n0\n2\n",
        raw__edge_feat="0,0,0\n" * 4 + "2,0,0\n" * 2,
    )
    one, other = detect(ogb(tmp_path / "a")).read(), detect(twice).read()
    assert [graph.edge_index.tolist() for graph in one.graphs] == [graph.edge_index.tolist() for graph in other.graphs]
    assert [graph.edges.tolist() for graph in one.graphs] == [graph.edges.tolist() for graph in other.graphs]


def test_labels_with_a_point_are_numbers(tmp_path: Path) -> None:
    assert detect(ogb(tmp_path, raw__graph_label="-0.77\n1.5\n2\n")).read().kind == "numbers"


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ({"raw__edge": "0,1\n1,3\n0,1\n"}, r"edge\.csv\.gz:2: edge 1, 3; this graph's nodes are 0\.\.2"),
        ({"raw__edge": "0,1\n1,2\n"}, r"edge\.csv\.gz:3: 2 lines instead of 3"),
        ({"raw__num_edge_list": "2\n1\n"}, "2 graphs, but num-node-list has 3"),
        ({"raw__node_feat": OGB["raw/node-feat"].replace("7,0,2", "7,9,2", 1)}, r"node-feat\.csv\.gz:3: \[7, 9, 2"),
        ({"raw__graph_label": "1,0\nx,1\n0,\n"}, r"graph-label\.csv\.gz:2: 'x' is no number"),
        ({"raw__graph_label": "1,0\n"}, r"graph-label\.csv\.gz:2: 1 lines instead of 3"),
        ({"split__scaffold__test": "7\n"}, r"test\.csv\.gz:1: graph 7; the graphs are 0\.\.2"),
        ({"split__scaffold__test": "0\n"}, r"test\.csv\.gz:1: graph 0 is in train already"),
        ({"raw__num_node_list": "3\n-1\n4\n"}, r"num-node-list\.csv\.gz:2: a negative count"),
    ],
)
def test_what_is_broken_in_an_ogb_folder_is_named_by_file_and_line(tmp_path: Path, parts: dict[str, str], says: str) -> None:
    with pytest.raises(DataError, match=says):
        detect(ogb(tmp_path, **parts)).read()


def test_a_scaffold_is_in_one_split_and_the_largest_are_in_training() -> None:
    names = ["ring"] * 10 + ["chain"] * 6 + ["a", "b", "c", "c"]
    rows = scaffold_split(names)
    assert sorted(rows["train"] + rows["val"] + rows["test"]) == list(range(20))
    assert [len(rows[split]) for split in ("train", "val", "test")] == [16, 2, 2]
    assert set(range(10)) <= set(rows["train"])
    split = {row: name for name, own in rows.items() for row in own}
    assert all(len({split[i] for i in range(20) if names[i] == name}) == 1 for name in names)


def table(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_without_rdkit_one_line_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rdkit", None)
    with pytest.raises(MissingDependencyError, match=r"needs RDKit, which is not installed; run: pip install 'discern\[graphs\]'"):
        detect(table(tmp_path / "m.csv", "smiles,y\nCO,1\n")).read()


@pytest.fixture
def rdkit() -> None:
    pytest.importorskip("rdkit", reason="rdkit is not installed: pip install 'discern[graphs]'")


@pytest.mark.usefixtures("rdkit")
def test_a_table_of_smiles_gives_the_codes_of_ogb(tmp_path: Path) -> None:
    made = detect(table(tmp_path / "m.csv", "id,SMILES,toxic,soluble,split\n1,CCO,1,0,train\n2,O,,1,test\n3,C#N,0,,val\n")).read()
    there = detect(ogb(tmp_path)).read()
    assert made.rows == {"train": [0], "val": [2], "test": [1]}
    assert made.classes == ["toxic", "soluble"]
    for one, other in zip(made.graphs, there.graphs, strict=True):
        assert one.edge_index.tolist() == other.edge_index.tolist()
        assert one.edges.tolist() == other.edges.tolist()
        assert one.x[:, [0, 3, 5, 7, 8]].tolist() == other.x[:, [0, 3, 5, 7, 8]].tolist()
    assert made.graphs[0].x.tolist()[0] == [5, 0, 4, 5, 3, 0, 2, 0, 0]
    # A chiral carbon and a double bond with a side, as documented for the public sets.
    from datamodules.histograph.molecules import molecule

    x, _, bonds = molecule("Cl[C@H](/C=C/C)Br")
    assert x[1].tolist() == [5, 2, 4, 5, 1, 0, 2, 0, 0]
    assert bonds[4].tolist() == [1, 2, 0]


@pytest.mark.usefixtures("rdkit")
def test_kinds_of_targets_are_told_by_their_cells(tmp_path: Path) -> None:
    assert detect(table(tmp_path / "a.csv", "smiles,logp\nCO,-0.7\nO,\n")).read().kind == "numbers"
    made = detect(table(tmp_path / "b.csv", "smiles,family\nCO,alcohol\nO,water\n")).read()
    assert (made.kind, made.classes) == ("classes", ["alcohol", "water"])


@pytest.mark.usefixtures("rdkit")
def test_lines_that_are_no_molecule_are_listed_and_left_out_only_when_asked(tmp_path: Path) -> None:
    path = table(tmp_path / "m.csv", "smiles,y\nCO,1\nC1CC,0\nO,0\n,1\n")
    with pytest.raises(DataError, match=r"m\.csv: 2 of 4 lines: line 3: 'C1CC' is no SMILES .* line 5: ''.*set skip_bad"):
        detect(path).read()
    made = detect(path).read(skip_bad=True)
    assert len(made.graphs) == 2
    assert any("2 lines left out: line 3" in note for note in made.notes)


@pytest.mark.usefixtures("rdkit")
@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("smiles,a,b\nCO,1,x\n", r"m\.csv:2: 'x' in column 'b' is no number"),
        ("smiles,a\nCO,1\nO,1,2\n", r"m\.csv:3: 3 cells instead of the header's 2"),
        ("smiles\nCO\n", r"m\.csv:1: no column of targets"),
        ("smiles,a\n", r"m\.csv: no molecules"),
        ("smiles,a,split\nCO,1,dev\n", r"m\.csv:2: split is train, val or test, not 'dev'"),
        ("smiles,a\nCO,\n", "no target is known"),
        ("smiles,a,a\nCO,1,1\n", r"m\.csv:1: the column 'a' stands there twice"),
    ],
)
def test_what_is_wrong_in_a_table_of_smiles_is_named(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(DataError, match=says):
        detect(table(tmp_path / "m.csv", text)).read()
