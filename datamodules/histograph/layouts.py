"""Layouts of graph sets, read as they are distributed. `detect(path)` says which one lies there."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from datamodules.checks import Report, copies, digest, shorten
from datamodules.errors import DataError
from datamodules.histograph.folds import load_folds, make_folds, split_of
from datamodules.histograph.network_layouts import KNOWN_NETWORKS, NetworkLayout, detect_network
from datamodules.histograph.own_layout import is_own, read_own
from datamodules.histograph.table import GraphTable
from datamodules.histograph.tu_layout import is_tu, read_tu
from datamodules.store import FolderStore, fingerprint

__all__ = ["KNOWN", "Layout", "detect", "folds_of", "print_of", "splits"]

KNOWN = {
    "tu": "a TU folder (NAME_A.txt, NAME_graph_indicator.txt, NAME_graph_labels.txt, plain or .gz, also in raw/)",
    "own": 'a .jsonl file, one graph a line: {"x": [[1, 0], [0, 1]], "edges": [[0, 1]], "label": "ring"}',
}


@dataclass(frozen=True)
class Layout:
    """A recognised source: `read()` is its table, `check()` the report of `discern data check`."""

    name: str
    path: Path

    def read(self, node_attributes: bool = False) -> GraphTable:
        if self.name == "tu":
            return read_tu(self.path, node_attributes)
        if node_attributes:
            raise DataError(f"{self.path}: node_attributes is for TU folders; here every feature is in x")
        return read_own(self.path)

    def check(self, *, near: bool = False) -> Report:
        table = self.read()
        rows = splits(table)
        report = Report(
            format=self.name,
            source=str(self.path),
            counts={split: len(own) for split, own in rows.items()},
            classes=len(table.classes),
            problems=list(table.problems),
            notes=[*table.notes, _sizes(table)],
            fingerprint=print_of(table),
            unit="targets" if table.regression else "classes",
        )
        if near:
            report.notes.append("near-copies are not looked for among graphs")
        _look(table, rows, report)
        return report


def detect(path: str | Path) -> Layout | NetworkLayout:
    path = Path(path)
    if not path.exists():
        raise DataError(f"{path}: no such file or folder")
    if is_own(path):
        return Layout("own", path)
    if is_tu(path):
        return Layout("tu", path)
    if (network := detect_network(path)) is not None:
        return network
    raise DataError(f"{path}: not recognised; looked for {'; or '.join([*KNOWN.values(), *KNOWN_NETWORKS.values()])}")


def splits(table: GraphTable, fold: int = 0, file: str | None = None, protocol: str = "val-selected") -> dict[str, list[int]]:
    """Which graphs are in which split: by what the set says, where it does and no file of folds is given, else by folds."""
    folds = folds_of(table, file)
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
        return load_folds(file or str(table.folds), len(table.graphs))
    return make_folds(np.zeros(len(table.graphs), np.int64) if table.regression else table.labels())


def print_of(table: GraphTable, hash_content: bool = False) -> str:
    return fingerprint(FolderStore(Path()), table.files, hash_content=hash_content)


def _sizes(table: GraphTable) -> str:
    nodes = np.array([len(graph.x) for graph in table.graphs])
    edges = sum(graph.edge_index.shape[1] for graph in table.graphs)
    return f"{nodes.sum():,} nodes ({nodes.min()} to {nodes.max()} a graph), {edges:,} directed edges"


def _look(table: GraphTable, rows: dict[str, list[int]], report: Report) -> None:
    if empty := sum(len(graph.x) == 0 for graph in table.graphs):
        report.notes.append(f"{empty} graphs without nodes: they answer with what the head makes of zeros")
    if not table.regression:
        train = Counter(int(table.graphs[row].y) for row in rows["train"])
        if len(table.classes) < 2:
            report.problems.append(f"{table.source}: {len(table.classes)} classes; classification needs two")
        if absent := [name for label, name in enumerate(table.classes) if not train[label]]:
            report.problems.append(f"{table.source}: no training graph of {shorten(absent)}")
    if not rows["test"]:
        report.notes.append("no test split: 'test' will have nothing to measure")
    split = {row: name for name, own in rows.items() for row in own}
    same = {str(row): digest(b"".join(part.numpy().tobytes() for part in table.graphs[row][:3])) for row in split}
    across = [group for group in copies(same) if len({split[int(row)] for row in group}) > 1]
    if across:
        report.notes.append(f"{len(across)} groups of equal graphs, listed alike, lie in several splits, such as {shorten(across[0], 3)}")
