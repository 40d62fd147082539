"""Folds are data: a JSON file, checked against the set. Of fold k: test = k, validation = the one before it, training = the rest.

The file: {"dataset", "kind", "seed", "num_graphs", "rule", "order", "fold": [...]}. order is the hash of the graphs' order that the folds
were made for: a set whose graphs were re-ordered is noticed. A folder 10fold_idx of powerful-gnns is read, too.
"""

import json
from pathlib import Path

import numpy as np

from datamodules.errors import DataError
from datamodules.histograph.numbers_file import read_numbers
from datamodules.whole import write_whole

__all__ = ["load_folds", "make_folds", "split_of", "write_folds"]

FOLDS = 10


def make_folds(labels: np.ndarray, k: int = FOLDS, seed: int = 0) -> np.ndarray:
    """The fold of each graph: a partition in which each class is spread evenly, to within one graph."""
    if k < 3:
        raise DataError(f"folds are for training, validation and test: at least 3, not {k}")
    if len(labels) < k:
        raise DataError(f"{len(labels)} graphs are too few for {k} folds")
    rng = np.random.default_rng(seed)
    folds, begun = np.empty(len(labels), np.int64), 0
    for value in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == value))
        folds[members] = (begun + np.arange(len(members))) % k
        begun += len(members)  # the next class goes on where this one ended, so that folds are of one size, too
    return folds


def write_folds(path: str | Path, folds: np.ndarray, dataset: str, seed: int, order: str) -> None:
    found = {
        "dataset": dataset, "kind": "stratified", "seed": seed, "num_graphs": len(folds),
        "rule": "fold k: test = {fold == k}, val = {fold == k - 1}, train = rest; -1: never tested",
        "order": order, "fold": folds.tolist(),
    }  # fmt: skip
    with write_whole(Path(path), "w") as file:
        json.dump(found, file)


def load_folds(path: str | Path, graphs: int, order: str | None = None) -> np.ndarray:
    """The fold of each graph, -1 where it is never tested. order: of the set's graphs, compared where the file says one."""
    if Path(path).is_dir():
        return _load_lists(Path(path), graphs)
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise DataError(f"{path}: not a JSON file: {error}") from None
    fold = found.get("fold") if isinstance(found, dict) else None
    if not isinstance(fold, list) or not fold or not all(isinstance(value, int) for value in fold):
        raise DataError(f'{path}: no list of whole numbers under "fold"')
    folds = np.array(fold, np.int64)
    if len(folds) != graphs:
        raise DataError(f"{path}: folds of {len(folds)} graphs, but the set has {graphs}")
    if folds.min() < -1 or folds.max() >= FOLDS or folds.max() < 2:
        raise DataError(f"{path}: folds are numbered -1 (never tested), 0..{FOLDS - 1}, with at least three of them")
    if order is not None and found.get("order", order) != order:
        raise DataError(
            f"{path}: made for another order of the graphs (order {found['order'][:12]}, the set has {order[:12]}); make it anew"
        )
    return folds


def _load_lists(folder: Path, graphs: int) -> np.ndarray:
    """test_idx-1.txt to test_idx-10.txt: the numbers of the graphs that are tested."""
    folds = np.full(graphs, -1, np.int64)
    for k in range(FOLDS):
        path = folder / f"test_idx-{k + 1}.txt"
        ids = read_numbers(path, np.int64, 1)[:, 0]
        if (wrong := (ids < 0) | (ids >= graphs)).any():
            line = int(np.flatnonzero(wrong)[0])
            raise DataError(f"{path}:{line + 1}: graph {ids[line]}; the graphs are 0..{graphs - 1}")
        if (wrong := folds[ids] >= 0).any():
            line = int(np.flatnonzero(wrong)[0])
            raise DataError(f"{path}:{line + 1}: graph {ids[line]} is tested in fold {folds[ids[line]] + 1} already")
        folds[ids] = k
    return folds


def split_of(folds: np.ndarray, fold: int, protocol: str = "val-selected") -> dict[str, list[int]]:
    """Which graphs are in which split when this fold is tested.

    protocol: "gin-convention" has no validation: what is not tested is trained on, and the tested fold stands for validation too.
    """
    count = int(folds.max()) + 1
    if not 0 <= fold < count:
        raise DataError(f"fold is 0..{count - 1}, not {fold}")
    test = folds == fold
    if protocol == "gin-convention":
        tested = np.flatnonzero(test).tolist()
        return {"train": np.flatnonzero(~test).tolist(), "val": tested, "test": tested}
    val = folds == (fold - 1) % count
    return {
        "train": np.flatnonzero(~test & ~val).tolist(),
        "val": np.flatnonzero(val).tolist(),
        "test": np.flatnonzero(test).tolist(),
    }
