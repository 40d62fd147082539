"""A folder of three tables that a spreadsheet can write: graphs.csv, nodes.csv, edges.csv, each with a header.

graphs.csv: graph, then `label` (a text or a number) or several columns of targets, and maybe `split`
nodes.csv: graph, node, then a column of numbers a feature
edges.csv: graph, source, target, then a column of numbers a feature; an edge goes both ways

graph and node are names of any kind; a node's name counts within its graph. Each file may end in .gz.
"""

import csv
from collections.abc import Iterator
from pathlib import Path

from datamodules.errors import DataError
from datamodules.histograph.named import NamedGraph, table_of
from datamodules.histograph.numbers_file import find_file, read_text
from datamodules.histograph.table import GraphTable

__all__ = ["is_csv_folder", "read_csv_folder"]


def is_csv_folder(path: Path) -> bool:
    return path.is_dir() and find_file(path / "graphs.csv") is not None


def read_csv_folder(path: Path) -> GraphTable:
    graphs: dict[str, NamedGraph] = {}
    files = [find_file(path / f"{part}.csv") or path / f"{part}.csv" for part in ("graphs", "nodes", "edges")]
    for place, row in _rows(files[0], ("graph",)):
        name = row.pop("graph")
        if name in graphs:
            raise DataError(f"{place}: graph {name!r} stands there twice")
        split = row.pop("split", None)
        graphs[name] = NamedGraph(place, facts={"label": _label(place, row), "split": split})
    for place, row in _rows(files[1], ("graph", "node")):
        owner = _graph(graphs, row.pop("graph"), place)
        owner.node(row.pop("node"), dict(row), place)
    for place, row in _rows(files[2], ("graph", "source", "target")):
        owner = _graph(graphs, row.pop("graph"), place)
        owner.edge(row.pop("source"), row.pop("target"), dict(row), place)
    return table_of("csv", str(path), list(graphs.values()), [str(file) for file in files])


def _graph(graphs: dict[str, NamedGraph], name: str, place: str) -> NamedGraph:
    if name not in graphs:
        raise DataError(f"{place}: graph {name!r}, which graphs.csv does not have")
    return graphs[name]


def _label(place: str, row: dict[str, str]) -> str | dict[str, float | None]:
    """The text of the only column, or a number or nothing of each."""
    if not row:
        raise DataError(f"{place}: no column label, nor others of targets")
    numbers: dict[str, float | None] = {}
    for name, cell in row.items():
        try:
            numbers[name] = float(cell) if cell else None
        except ValueError:
            if len(row) == 1:
                return cell
            raise DataError(f"{place}: {cell!r} in column {name!r} is no number; with several targets all are numbers") from None
    return numbers


def _rows(path: Path, needed: tuple[str, ...]) -> Iterator[tuple[str, dict[str, str]]]:
    """(file:line, cells by column) of each line that is not empty."""
    reader = csv.reader(read_text(path, "utf-8-sig").splitlines(keepends=True))
    try:
        header = [cell.strip() for cell in next(reader, [])]
        for name in needed:
            if header.count(name) != 1:
                raise DataError(f"{path}:1: one column {name!r} is needed, the header has {', '.join(header) or 'nothing'}")
        if len(set(header)) < len(header) or "" in header:
            raise DataError(f"{path}:1: columns have a name each, and no two the same")
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(header):
                raise DataError(f"{path}:{reader.line_num}: {len(cells)} cells instead of the header's {len(header)}")
            yield f"{path}:{reader.line_num}", dict(zip(header, (cell.strip() for cell in cells), strict=True))
    except csv.Error as error:
        raise DataError(f"{path}:{reader.line_num}: {error}") from None
