"""Layouts of graph sets, read as they are distributed. `detect(path)` says which one lies there."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from datamodules.checks import Report, copies, digest, shorten
from datamodules.errors import DataError
from datamodules.histograph.csv_folder_layout import is_csv_folder, read_csv_folder
from datamodules.histograph.folds import load_folds, make_folds, split_of
from datamodules.histograph.gin_layout import is_gin, read_gin
from datamodules.histograph.graphml import read_graphml
from datamodules.histograph.named import table_of
from datamodules.histograph.ogb_layout import is_ogb, read_ogb
from datamodules.histograph.one_graph_layouts import KNOWN_ONE_GRAPHS, OneGraphLayout, detect_one_graph
from datamodules.histograph.own_layout import is_own, read_own
from datamodules.histograph.smiles_layout import is_smiles, read_smiles
from datamodules.histograph.table import RECIPES, GraphTable
from datamodules.histograph.tu_layout import is_tu, read_tu
from datamodules.store import FolderStore, fingerprint

__all__ = ["KNOWN", "Layout", "detect", "folds_of", "print_of", "read_graphs", "rows_of", "splits"]

KNOWN = {
    "tu": "a TU folder (NAME_A.txt, NAME_graph_indicator.txt, NAME_graph_labels.txt, plain or .gz, also in raw/)",
    "ogb": "an OGB folder (raw/edge.csv.gz, raw/num-node-list.csv.gz, split/scaffold/train.csv.gz)",
    "csv": "a folder of graphs.csv, nodes.csv and edges.csv",
    "smiles": "a .csv file with a column smiles",
    "gin": "a text file of powerful-gnns (the number of graphs; of each `n label` and n lines of nodes)",
    "graphml": "a .graphml file, or a folder of them",
    "own": 'a .jsonl or .json file or a folder of .json files: {"x": [[1, 0], [0, 1]], "edges": [[0, 1]], "label": "ring"} or node-link',
}


@dataclass(frozen=True)
class Layout:
    """A recognised source: `read()` is its table, `check()` the report of `discern data check`."""

    name: str
    path: Path

    def read(self, node_attributes: bool = False, skip_bad: bool = False) -> GraphTable:
        if node_attributes and self.name not in ("tu", "gin"):
            raise DataError(f"{self.path}: node_attributes is for TU folders and powerful-gnns' text; here every feature is taken")
        if skip_bad and self.name != "smiles":
            raise DataError(f"{self.path}: skip_bad is for SMILES; here nothing is left out")
        if self.name == "tu":
            return read_tu(self.path, node_attributes)
        if self.name == "gin":
            return read_gin(self.path, node_attributes)
        if self.name == "smiles":
            return read_smiles(self.path, skip_bad)
        if self.name == "graphml":
            return _read_graphml(self.path)
        return {"ogb": read_ogb, "csv": read_csv_folder, "own": read_own}[self.name](self.path)

    def check(self, *, near: bool = False) -> Report:
        table = self.read()
        rows = splits(table)
        report = Report(
            format=table.layout,
            source=str(self.path),
            counts={split: len(own) for split, own in rows.items()},
            classes=len(table.classes),
            problems=list(table.problems),
            notes=[*table.notes, _sizes(table)],
            fingerprint=print_of(table),
            unit={"classes": "classes", "tasks": "tasks", "numbers": "targets"}[table.kind],
            recipe=RECIPES[table.kind],
            options=_options(table),
        )
        if near:
            report.notes.append("near-copies are not looked for among graphs")
        _look(table, rows, report)
        return report


def detect(path: str | Path) -> Layout | OneGraphLayout:
    path = Path(path)
    if not path.exists():
        raise DataError(f"{path}: no such file or folder")
    for name, recognise in (
        ("ogb", is_ogb),
        ("tu", is_tu),
        ("csv", is_csv_folder),
        ("smiles", is_smiles),
        ("gin", is_gin),
        ("graphml", lambda path: bool(_graphml_files(path))),
        ("own", is_own),
    ):
        if recognise(path):
            return Layout(name, path)
    if (one := detect_one_graph(path)) is not None:
        return one
    raise DataError(f"{path}: not recognised; looked for {'; or '.join([*KNOWN.values(), *KNOWN_ONE_GRAPHS.values()])}")


def read_graphs(path: str | Path, node_attributes: bool = False, skip_bad: bool = False) -> GraphTable:
    """The set of graphs that lies there."""
    layout = detect(path)
    if isinstance(layout, OneGraphLayout):
        raise DataError(f"{path}: one graph with labelled nodes; take --config nodes")
    return layout.read(node_attributes, skip_bad)


def _graphml_files(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(file for file in path.iterdir() if file.suffix == ".graphml" and file.is_file())
    return [path] if path.suffix == ".graphml" else []


def _read_graphml(path: Path) -> GraphTable:
    files = _graphml_files(path)
    return table_of("graphml", str(path), [graph for file in files for graph in read_graphml(file)], [str(file) for file in files])


def _options(table: GraphTable) -> list[str]:
    """The recipe of tasks reads edge features, that of numbers does not; in classes gin is what everyone compares with."""
    reads = table.kind == "tasks"
    if table.kind == "classes" or bool(table.edge_width) == reads:
        return []
    return [f"--model.backbone.name={'gin' if reads else 'gine'}"]


def splits(table: GraphTable, fold: int = 0, file: str | None = None, protocol: str = "val-selected") -> dict[str, list[int]]:
    """Which graphs are in which split: by what the set says, where it does and no file of folds is given, else by folds."""
    return rows_of(table, folds_of(table, file), fold, protocol)


def rows_of(table: GraphTable, folds: np.ndarray | None, fold: int, protocol: str) -> dict[str, list[int]]:
    """The same, where `folds_of` has been asked already."""
    if folds is not None:
        return split_of(folds, fold, protocol)
    assert table.rows is not None
    if protocol != "val-selected":
        raise DataError(f"{table.source}: comes with its own splits; protocol {protocol} needs folds: give data.folds")
    return table.rows


def folds_of(table: GraphTable, file: str | None = None) -> np.ndarray | None:
    """The fold of each graph: by a file, by the one beside the set, or made from seed 0; None where the set says its splits itself."""
    if file is None and table.rows is not None:
        return None
    if file is not None or table.folds is not None:
        return load_folds(file or str(table.folds), len(table.graphs), table.order_hash())
    return make_folds(table.labels())


def print_of(table: GraphTable, hash_content: bool = False) -> str:
    return fingerprint(FolderStore(Path()), table.files, hash_content=hash_content)


def _sizes(table: GraphTable) -> str:
    nodes = np.array([len(graph.x) for graph in table.graphs])
    edges = sum(graph.edge_index.shape[1] for graph in table.graphs)
    return f"{nodes.sum():,} nodes ({nodes.min()} to {nodes.max()} a graph), {edges:,} directed edges"


def _look(table: GraphTable, rows: dict[str, list[int]], report: Report) -> None:
    if empty := sum(len(graph.x) == 0 for graph in table.graphs):
        report.notes.append(f"{empty} graphs without nodes: they answer with what the head makes of zeros")
    if table.kind == "classes":
        train = Counter(int(table.graphs[row].y) for row in rows["train"])
        if len(table.classes) < 2:
            report.problems.append(f"{table.source}: {len(table.classes)} classes; classification needs two")
        if absent := [name for label, name in enumerate(table.classes) if not train[label]]:
            report.problems.append(f"{table.source}: no training graph of {shorten(absent)}")
    else:
        _look_at_targets(table, rows, report)
    if not rows["test"]:
        report.notes.append("no test split: 'test' will have nothing to measure")
    split = {row: name for name, own in rows.items() for row in own}
    same = {str(row): digest(b"".join(part.numpy().tobytes() for part in table.graphs[row][:3])) for row in split}
    across = [group for group in copies(same) if len({split[int(row)] for row in group}) > 1]
    if across:
        report.notes.append(f"{len(across)} groups of equal graphs, listed alike, lie in several splits, such as {shorten(across[0], 3)}")


def _look_at_targets(table: GraphTable, rows: dict[str, list[int]], report: Report) -> None:
    y = np.stack([graph.y.numpy() for graph in table.graphs])
    known = np.isfinite(y)
    if not known.all():
        report.notes.append(f"{(~known).sum():,} of {known.size:,} targets are unknown; they take no part in loss and metrics")
    if unknown := [name for name, some in zip(table.classes, known[rows["train"]].sum(0).tolist(), strict=True) if not some]:
        report.problems.append(f"{table.source}: no training graph has a known target of {shorten(unknown)}")
    if table.kind == "tasks":
        report.notes.append("positive: " + shorten([f"{n} {v:.1%}" for n, v in zip(table.classes, np.nanmean(y, 0), strict=True)], 6))
        for split in ("val", "test"):
            own = y[rows[split]]
            one = [n for n, column in zip(table.classes, own.T, strict=True) if len(np.unique(column[np.isfinite(column)])) < 2]
            if one and rows[split]:
                report.notes.append(f"{split} has one class only of {shorten(one)}: left out of ROC-AUC and AP there")
