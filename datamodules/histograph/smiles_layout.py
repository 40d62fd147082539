"""A CSV file with a header, one molecule a line: a column `smiles`, columns of targets, and maybe `split` (train, val, test).

Cells of targets are 0 and 1 (several yes/no tasks), numbers (regression), or texts in one column (classes); an empty cell is unknown.
Columns named id, name or mol_id are read past.
"""

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from datamodules.checks import shorten
from datamodules.errors import DataError, MissingDependencyError
from datamodules.histograph.graph import Graph, make_graph
from datamodules.histograph.molecules import ATOM, ATOM_CODES, BOND, BOND_CODES, molecule, scaffold
from datamodules.histograph.numbers_file import first_lines, read_text
from datamodules.histograph.scaffolds import scaffold_split
from datamodules.histograph.table import SPLITS, GraphTable
from datamodules.histograph.targets import targets_of

__all__ = ["is_smiles", "read_smiles", "smiles_of"]

SPELLINGS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
PASSED = {"id", "name", "mol_id"}


def is_smiles(path: Path) -> bool:
    """A .csv file, maybe gzipped, whose header has the column."""
    if not path.is_file() or not path.name.lower().endswith((".csv", ".csv.gz")):
        return False
    header = next(csv.reader(first_lines(path, 1, "utf-8-sig")), [])
    return "smiles" in (cell.strip().lower() for cell in header)


def smiles_of(path: Path) -> list[str]:
    """Only the SMILES, for predict."""
    header, lines = _lines(path)
    return [cells[header.index("smiles")] for _, cells in lines]


def read_smiles(path: Path, skip_bad: bool = False) -> GraphTable:
    """skip_bad leaves out lines whose SMILES cannot be read, and says which; without, they are refused."""
    header, lines = _lines(path)
    target_names = [name for name in header if name not in {"smiles", "split", *PASSED} and name]
    if not target_names:
        raise DataError(f"{path}:1: no column of targets beside smiles")
    made: list[tuple[int, list[str], tuple[np.ndarray, ...]]] = []
    bad: list[str] = []
    for number, cells in lines:
        try:
            made.append((number, cells, molecule(cells[header.index("smiles")])))
        except MissingDependencyError as error:
            raise MissingDependencyError(f"{path}: {error}") from None
        except DataError as error:
            bad.append(f"line {number}: {error}")
    if bad and not skip_bad:
        raise DataError(f"{path}: {len(bad)} of {len(lines)} lines: {shorten(bad, 3)}; repair them, or set skip_bad to leave them out")
    if not made:
        raise DataError(f"{path}: no molecules")
    columns = [header.index(name) for name in target_names]
    labels = [_label(path, number, [cells[column].strip() for column in columns], target_names) for number, cells, _ in made]
    targets = targets_of(labels, [f"{path}:{number}" for number, _, _ in made], target_names)
    graphs = [_graph(parts, targets.y[i]) for i, (_, _, parts) in enumerate(made)]
    rows, notes = _splits(path, header, [(number, cells) for number, cells, _ in made])
    notes += [f"{len(bad)} lines left out: {shorten(bad, 3)}"] if bad else []
    return GraphTable(
        "smiles", str(path), graphs, targets.names, targets.kind, list(ATOM), rows, None, [str(path)], notes,
        codes=ATOM_CODES, edge_codes=BOND_CODES, edge_names=list(BOND),
    )  # fmt: skip


def _lines(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The header, `smiles` and `split` in small letters, and (line number, cells) of each line that is not empty."""
    reader = csv.reader(read_text(path, "utf-8-sig").splitlines(keepends=True))
    try:
        header = [cell.strip() for cell in next(reader, [])]
        header = [name.lower() if name.lower() in {"smiles", "split", *PASSED} else name for name in header]
        twice = {name for name in header if header.count(name) > 1}
        if twice:
            raise DataError(f"{path}:1: the column {min(twice)!r} stands there twice")
        lines = list(_numbered(path, reader, len(header)))
    except csv.Error as error:
        raise DataError(f"{path}:{reader.line_num}: {error}") from None
    if not lines:
        raise DataError(f"{path}: no molecules")
    return header, lines


def _numbered(path: Path, reader: Iterator[list[str]], width: int) -> Iterator[tuple[int, list[str]]]:
    for cells in reader:
        number: int = reader.line_num  # type: ignore[attr-defined]
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != width:
            raise DataError(f"{path}:{number}: {len(cells)} cells instead of the header's {width}")
        yield number, [cell.strip() for cell in cells]


def _label(path: Path, number: int, cells: list[str], names: list[str]) -> str | list[float]:
    """Numbers, NaN for empty cells; or the text of the only column."""
    values = []
    for cell, name in zip(cells, names, strict=True):
        try:
            values.append(float(cell) if cell else float("nan"))
        except ValueError:
            if len(cells) == 1:
                return cell
            raise DataError(
                f"{path}:{number}: {cell!r} in column {name!r} is no number; with several targets all are numbers (or call it id)"
            ) from None
    return values


def _graph(parts: tuple[np.ndarray, ...], y: np.ndarray) -> Graph:
    atoms, ends, kinds = parts
    return make_graph(atoms, ends, y, kinds)


def _splits(path: Path, header: list[str], lines: list[tuple[int, list[str]]]) -> tuple[dict[str, list[int]], list[str]]:
    if "split" not in header:
        rows = scaffold_split([scaffold(cells[header.index("smiles")]) for _, cells in lines])
        return rows, ["no split column: split by scaffold, largest ring systems in training"]
    rows = {split: [] for split in SPLITS}
    for row, (number, cells) in enumerate(lines):
        word = cells[header.index("split")]
        if word.lower() not in SPELLINGS:
            raise DataError(f"{path}:{number}: split is train, val or test, not {word!r}")
        rows[SPELLINGS[word.lower()]].append(row)
    return rows, []
