"""Layouts of one graph with labelled nodes: Planetoid's raw files, and an npz without pickles."""

import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from datamodules.checks import Report, shorten
from datamodules.errors import DataError
from datamodules.histograph.numbers_file import read_numbers
from datamodules.histograph.one_graph import UNKNOWN, OneGraph, make_one_graph
from datamodules.histograph.table import SPLITS
from datamodules.pickles import Csr, check_csr, dense, read_pickle
from datamodules.store import FolderStore, fingerprint

__all__ = ["KNOWN_ONE_GRAPHS", "OneGraphLayout", "detect_one_graph"]

KNOWN_ONE_GRAPHS = {
    "planetoid": "Planetoid's raw files (ind.NAME.x, .tx, .allx, .y, .ty, .ally, .graph, .test.index, also in raw/)",
    "npz": "a .npz of one graph with labelled nodes (edge_index, x or its CSR parts, y, train, val, test; for links the first two)",
}
PARTS = ("x", "tx", "allx", "y", "ty", "ally", "graph")


@dataclass(frozen=True)
class OneGraphLayout:
    """A recognised graph: `read()` gives it, `check()` the report of `discern data check`."""

    name: str
    path: Path

    def read(self, directed: bool = False, labels: bool = True) -> OneGraph:
        """labels: of the nodes, with their splits; without, they are neither needed nor taken, as for links."""
        return _planetoid(self.path, directed) if self.name == "planetoid" else _npz(self.path, directed, labels)

    def check(self, *, near: bool = False) -> Report:
        one = self.read()
        graph, y = one.graph, one.graph.y.numpy()
        report = Report(
            format=self.name,
            source=str(self.path),
            counts={split: len(own) for split, own in one.rows.items()},
            classes=len(one.classes),
            notes=[*one.notes, f"one graph of {len(graph.x):,} nodes and {graph.edge_index.shape[1]:,} directed edges"],
            fingerprint=fingerprint(FolderStore(Path()), one.files),
            recipe="nodes",
        )
        if near:
            report.notes.append("near-copies are not looked for among nodes")
        alone = len(graph.x) - len(np.unique(graph.edge_index.numpy()))
        if alone:
            report.notes.append(f"{alone:,} nodes without edges")
        if unknown := int((y == UNKNOWN).sum()):
            report.notes.append(f"{unknown:,} nodes without a label")
        train = Counter(y[one.rows["train"]].tolist())
        if absent := [name for label, name in enumerate(one.classes) if not train[label]]:
            report.problems.append(f"{self.path}: no training node of {shorten(absent)}")
        return report


def detect_one_graph(path: Path) -> OneGraphLayout | None:
    if path.is_file() and path.suffix == ".npz" and _has_edges(path):
        return OneGraphLayout("npz", path)
    return OneGraphLayout("planetoid", path) if path.is_dir() and _prefix(path) else None


def _has_edges(path: Path) -> bool:
    """Other things are .npz files, too."""
    try:
        with zipfile.ZipFile(path) as file:
            return "edge_index.npy" in file.namelist()
    except (OSError, zipfile.BadZipFile):
        return True  # what is wrong with it is said when it is read


def _prefix(path: Path) -> Path | None:
    """The files' common beginning: PATH/ind.NAME."""
    for folder in (path, path / "raw"):
        if folder.is_dir():
            for file in sorted(folder.glob("ind.*.*")):
                return folder / ".".join(file.name.split(".")[:2])
    return None


def _planetoid(path: Path, directed: bool) -> OneGraph:
    """Training nodes are the first len(y), validation the next 500, the test nodes those of test.index."""
    prefix = _prefix(path)
    assert prefix is not None
    named = {part: prefix.with_name(f"{prefix.name}.{part}") for part in (*PARTS, "test.index")}
    found = {part: read_pickle(named[part]) for part in PARTS}
    for part in ("x", "tx", "allx"):
        found[part] = _checked(named[part], found[part], Csr, lambda value: value.dense())
    for part in ("y", "ty", "ally"):
        found[part] = _checked(named[part], found[part], np.ndarray, _hot)
    test = read_numbers(named["test.index"], np.int64, 1)[:, 0]
    first, tested = len(found["allx"]), len(found["tx"])
    if not tested or len(test) != tested or len(found["ty"]) != tested or len(found["ally"]) != first:
        raise DataError(f"{named['test.index']}: {len(test)} test nodes, but {tested} rows in tx, {len(found['ty'])} in ty")
    if test.min() < first or len(np.unique(test)) < tested:
        raise DataError(f"{named['test.index']}: test nodes begin at {first}, each once; there is {test.min()}, or one is there twice")
    if found["tx"].shape[1] != found["allx"].shape[1]:
        raise DataError(f"{named['tx']}: {found['tx'].shape[1]} features, but {found['allx'].shape[1]} in allx")
    nodes = int(test.max()) + 1
    if nodes > 10 * (first + tested):
        raise DataError(
            f"{named['test.index']}: names node {nodes - 1}, but allx and tx have {first + tested} rows; take the files of one set"
        )
    # Ids missing from the test range (CiteSeer has 15) are nodes without features and label.
    x = np.zeros((nodes, found["allx"].shape[1]), np.float32)
    y = np.full(nodes, UNKNOWN, np.int64)
    x[:first], x[test], y[:first], y[test] = found["allx"], found["tx"], found["ally"], found["ty"]
    notes = [f"{nodes - first - tested} nodes are in no file of features: they have zeros and no label"] if nodes > first + tested else []
    train = len(found["y"])
    rows = {"train": np.arange(train), "val": np.arange(train, min(train + 500, first)), "test": test}
    edges = _checked(named["graph"], found["graph"], dict, _edges)
    return make_one_graph("planetoid", prefix, x, edges, y, rows, directed, notes=notes, files=[str(file) for file in named.values()])


def _checked(file: Path, value: Any, kind: type, read: Callable[[Any], np.ndarray]) -> np.ndarray:
    try:
        if not isinstance(value, kind):
            raise DataError(f"holds {type(value).__name__}")
        return read(value)
    except (DataError, ValueError, TypeError, AttributeError) as error:
        raise DataError(f"{file}: not what Planetoid has there ({error})") from None


def _hot(value: np.ndarray) -> np.ndarray:
    """The class of each one-hot row; a row of zeros has none."""
    if value.ndim != 2 or value.dtype.kind not in "iuf" or not np.isin(value, (0, 1)).all() or (value.sum(1) > 1).any():
        raise DataError(f"labels are one-hot rows, not {value.dtype} {value.shape}")
    return np.where(value.sum(1) > 0, value.argmax(1), UNKNOWN).astype(np.int64)


def _edges(lists: dict[int, list[int]]) -> np.ndarray:
    sizes = [len(others) for others in lists.values()]
    senders = np.repeat(np.array(list(lists), np.int64), sizes)
    receivers = np.array([other for others in lists.values() for other in others])
    return np.stack([senders, receivers.astype(np.int64, casting="safe")]) if len(receivers) else np.zeros((2, 0), np.int64)


def _npz(path: Path, directed: bool, labels: bool) -> OneGraph:
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: no readable npz of plain arrays ({' '.join(str(error).split())[:120]})") from None
    of_labels = ("y", *SPLITS) if labels else ()
    wanted = ("edge_index", *of_labels, *(() if "x" in arrays else ("x_indptr", "x_indices", "x_data", "x_shape")))
    if missing := [key for key in wanted if key not in arrays]:
        remedy = "; without labels its links can be learned: --config links" if missing[0] in of_labels else ""
        raise DataError(f"{path}: no array {missing[0]!r}; needed are {', '.join(wanted)}{remedy}")
    if "x" in arrays:
        x = arrays["x"]
    else:
        parts = [arrays[key] for key in ("x_indptr", "x_indices", "x_data")]
        shape = arrays["x_shape"]
        if shape.shape != (2,) or shape.dtype.kind not in "iu" or shape.min() < 1:
            raise DataError(f"{path}: x_shape is two whole numbers, not {shape}")
        try:
            check_csr(*parts, *map(int, shape))
        except DataError as error:
            raise DataError(f"{path}: {error}") from None
        x = dense(*parts, *map(int, shape))
    if x.dtype.kind not in "iufb":
        raise DataError(f"{path}: x is numbers, not {x.dtype}")
    y, rows = (arrays["y"], {split: arrays[split] for split in SPLITS}) if labels else (None, {})
    return make_one_graph("npz", path, x, arrays["edge_index"], y, rows, directed, files=[str(path)])
