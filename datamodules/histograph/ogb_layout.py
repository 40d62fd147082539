"""The raw files of OGB's sets of graphs, as distributed: raw/edge.csv.gz and so on, split/scaffold/{train,valid,test}.csv.gz.

Files have no header. Edges name nodes of their own graph, from 0; the lists say how many nodes and edges each graph has. Features are whole
numbers that stand for kinds, or numbers with a point.
"""

import csv
from pathlib import Path

import numpy as np

from datamodules.errors import DataError
from datamodules.histograph.cutting import DEGREE_NAMES, NO_FEATURES, cut, degrees
from datamodules.histograph.graph import simple
from datamodules.histograph.molecules import ATOM, ATOM_CODES, BOND, BOND_CODES
from datamodules.histograph.numbers_file import find_file, first_lines, numbers_of, read_numbers, read_text
from datamodules.histograph.table import SPLITS, GraphTable
from datamodules.histograph.targets import Targets, targets_of_numbers

__all__ = ["is_ogb", "read_ogb"]

FILES = {"train": "train", "val": "valid", "test": "test"}


def is_ogb(path: Path) -> bool:
    return path.is_dir() and find_file(path / "raw" / "edge.csv") is not None


def read_ogb(path: Path) -> GraphTable:
    """An edge that stands once goes both ways, with its features; a set that lists both directions is left as it is."""
    if "code" in path.name:
        raise DataError(f"{path}: ogbg-code2 has targets that are sequences of words and nodes with further files; it is not read here")
    reader = _Reader(path / "raw")
    nodes_S, edges_S = reader.column("num-node-list"), reader.column("num-edge-list")
    if len(nodes_S) != len(edges_S):
        raise DataError(f"{reader.named('num-edge-list')}: {len(edges_S)} graphs, but num-node-list has {len(nodes_S)}")
    nodes, edges = int(nodes_S.sum()), int(edges_S.sum())
    edge_E2 = reader.numbers("edge", np.int64, edges, 2)
    sizes_E1 = np.repeat(nodes_S, edges_S)[:, None]
    if (wrong := ((edge_E2 < 0) | (edge_E2 >= sizes_E1)).any(1)).any():
        line = int(np.flatnonzero(wrong)[0])
        raise DataError(
            f"{reader.named('edge')}:{line + 1}: edge {edge_E2[line, 0]}, {edge_E2[line, 1]}; "
            f"this graph's nodes are 0..{sizes_E1[line, 0] - 1}"
        )
    molecules = (path / "mapping" / "mol.csv.gz").is_file() or "mol" in path.name
    x, codes = reader.features("node-feat", nodes, ATOM_CODES if molecules else [])
    edge_features, edge_codes = reader.features("edge-feat", edges, BOND_CODES if molecules else [])
    targets = _targets(path, reader, len(nodes_S))

    edge_index = (edge_E2 + np.repeat(np.cumsum(nodes_S) - nodes_S, edges_S)[:, None]).T
    notes = []
    if not _both_ways(edge_index, nodes):
        edge_index = np.concatenate([edge_index, edge_index[::-1]], 1)
        edge_features = None if edge_features is None else np.concatenate([edge_features, edge_features])
        notes.append("edges stand once in the files and go both ways here")
    edge_index, edge_features = simple(edge_index, nodes, edge_features)
    if x is None:
        x, names = degrees(edge_index, nodes), DEGREE_NAMES
        notes.append(NO_FEATURES)
    else:
        names = list(ATOM) if codes == ATOM_CODES else [f"feature {i}" for i in range(x.shape[1])]
    graphs = cut(x, edge_index, edge_features, nodes_S, targets.y)
    width = 0 if edge_features is None else edge_features.shape[1]
    return GraphTable(
        "ogb", str(path), graphs, targets.names, targets.kind, names,
        _splits(path, len(graphs), reader), None, reader.files, notes,
        codes=codes, edge_codes=edge_codes,
        edge_names=list(BOND) if edge_codes == BOND_CODES else [f"feature {i}" for i in range(width)],
    )  # fmt: skip


def _both_ways(edge_index: np.ndarray, nodes: int) -> bool:
    there, back = edge_index[0] * nodes + edge_index[1], edge_index[1] * nodes + edge_index[0]
    return bool(np.isin(back, there).all())


def _targets(path: Path, reader: "_Reader", graphs: int) -> Targets:
    values = reader.numbers("graph-label", np.float64, graphs, unknown=True)
    if "ppa" in path.name:  # the one set of classes; its labels are whole numbers like those of a regression
        classes, y = np.unique(values[:, 0].astype(np.int64), return_inverse=True)
        return Targets(y.astype(np.int64), [str(name) for name in classes], "classes")
    return targets_of_numbers(values, _names(path, values.shape[1]))


def _names(path: Path, count: int) -> list[str]:
    """The tasks as the table of molecules names them, where it is there."""
    mapping = find_file(path / "mapping" / "mol.csv")
    if mapping is not None:
        header = next(csv.reader(first_lines(mapping, 1, "utf-8")), [])
        names = [name.strip() for name in header if name.strip() not in {"smiles", "mol_id"}]
        if len(names) == count:
            return names
    return [f"task {i}" for i in range(count)]


def _splits(path: Path, graphs: int, reader: "_Reader") -> dict[str, list[int]] | None:
    """As distributed: the folder named scaffold, or the only one."""
    found = sorted(folder for folder in (path / "split").iterdir() if folder.is_dir()) if (path / "split").is_dir() else []
    if not found:
        return None
    chosen = next((folder for folder in found if folder.name == "scaffold"), found[0])
    if chosen.name != "scaffold" and len(found) > 1:
        raise DataError(f"{path}/split: several splits ({', '.join(folder.name for folder in found)}) and none is scaffold; keep one")
    rows, seen = {}, np.full(graphs, "", object)
    for split in SPLITS:
        file = chosen / f"{FILES[split]}.csv"
        ids = read_numbers(find_file(file) or file, np.int64, 1)[:, 0]
        reader.files.append(str(find_file(file)))
        if (wrong := (ids < 0) | (ids >= graphs)).any():
            line = int(np.flatnonzero(wrong)[0])
            raise DataError(f"{find_file(file)}:{line + 1}: graph {ids[line]}; the graphs are 0..{graphs - 1}")
        for line, row in enumerate(ids.tolist(), start=1):
            if seen[row]:
                raise DataError(f"{find_file(file)}:{line}: graph {row} is in {seen[row]} already")
            seen[row] = split
        rows[split] = ids.tolist()
    return rows


class _Reader:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files: list[str] = []

    def named(self, part: str) -> Path:
        path = self.folder / f"{part}.csv"
        return find_file(path) or path.with_name(path.name + ".gz")

    def numbers(self, part: str, dtype: type, rows: int, columns: int | None = None, unknown: bool = False) -> np.ndarray:
        path = self.named(part)
        return self.counted(path, read_numbers(path, dtype, columns, unknown), rows)

    def counted(self, path: Path, found: np.ndarray, rows: int) -> np.ndarray:
        self.files.append(str(path))
        if len(found) != rows:
            raise DataError(f"{path}:{min(len(found), rows) + 1}: {len(found):,} lines instead of {rows:,}")
        return found

    def column(self, part: str) -> np.ndarray:
        path = self.named(part)
        found = read_numbers(path, np.int64, 1)[:, 0]
        self.files.append(str(path))
        if (found < 0).any():
            raise DataError(f"{path}:{int(np.flatnonzero(found < 0)[0]) + 1}: a negative count")
        return found

    def features(self, part: str, rows: int, known: list[int]) -> tuple[np.ndarray | None, list[int]]:
        """Features and how many kinds each column has; no kinds where they are numbers with a point. known: the kinds of molecules."""
        path = self.named(part)
        if not path.is_file():
            return None, []
        text = read_text(path)
        whole = "." not in text
        found = self.counted(path, numbers_of(text, path, np.int64 if whole else np.float32), rows)
        if not whole or not len(found):
            return found.astype(np.float32), []
        codes = known if found.shape[1] == len(known) else (found.max(0) + 1).tolist()
        if (wrong := ((found < 0) | (found >= np.array(codes))).any(1)).any():
            line = int(np.flatnonzero(wrong)[0])
            raise DataError(f"{path}:{line + 1}: {found[line].tolist()}; the columns have {codes} kinds, numbered from 0")
        return found.astype(np.float32), codes
