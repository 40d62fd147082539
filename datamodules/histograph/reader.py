"""What `discern predict` takes for graphs: a file each (.json, .graphml), a SMILES, or a table or list of SMILES."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import torch

from datamodules.errors import DataError
from datamodules.histograph.cutting import DEGREE_NAMES, degrees
from datamodules.histograph.graph import make_graph
from datamodules.histograph.graphml import read_graphml
from datamodules.histograph.molecules import BOND, is_molecular, molecule
from datamodules.histograph.named import NamedGraph, arrays_of, attribute_names
from datamodules.histograph.nodelink import is_node_link, named_of
from datamodules.histograph.own_layout import graph_of, questions, read_json
from datamodules.histograph.smiles_layout import is_smiles, smiles_of

__all__ = ["expand", "read_graph"]

SMILES = re.compile(r"[A-Za-z0-9@+\-\[\]()=#$:/\\.%*~]+")
FILES = (".json", ".graphml", ".jsonl")


def expand(word: str) -> list[str] | None:
    """What one word stands for, if for something else than a path: itself, if it can be a SMILES; all molecules of a .csv or .smi file;
    the files of a folder of graphs without labels."""
    path = Path(word)
    if path.is_dir():
        return [str(file) for file in questions(path)] or None
    if path.is_file():
        if path.suffix == ".smi":  # a SMILES a line, maybe a name behind it
            return [line.split()[0] for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        return smiles_of(path) if is_smiles(path) else None
    return [word] if not path.exists() and SMILES.fullmatch(word) and not word.lower().endswith((*FILES, ".csv", ".smi")) else None


def read_graph(word: Any, metadata: dict[str, Any]) -> tuple[Any, ...]:
    """One graph as the program takes it: node features, edges (2,E), and edge features where it was trained with them."""
    path = Path(word)
    features = metadata["features"]
    if path.suffix == ".json":
        item = read_json(path)
        graph = _arrays(named_of(item, str(path)), metadata) if is_node_link(item) else graph_of(item, np.int64(0))[:3]
    elif path.suffix == ".graphml":
        graphs = read_graphml(path)
        if len(graphs) > 1:
            raise DataError(f"{len(graphs)} graphs in one file; predict takes one a file")
        graph = _arrays(graphs[0], metadata)
    elif path.exists():
        raise DataError(
            "predict takes one graph a file, .json or .graphml, or a SMILES; of a set write each graph into a file, "
            "or ask 'discern histograph explain' about it"
        )
    else:
        if not is_molecular(features) or metadata.get("edge_names", list(BOND)) != list(BOND):
            raise DataError("no such file; and this program was not trained on molecules, so it takes no SMILES")
        x, ends, kinds = molecule(str(word))
        graph = (torch.from_numpy(x), torch.from_numpy(ends), torch.from_numpy(kinds))
    x, edge_index, edges = graph
    if x.shape[1] != len(features):
        raise DataError(f"{x.shape[1]} features a node; this program was trained with {len(features)} ({_short(features)})")
    width, names = metadata["edge_features"], metadata.get("edge_names", [])
    if edges.shape[1] != width:
        remedy = f"give each edge {_short(names) or f'a row of {width} in edge_features'}" if width else "leave edge_features out"
        raise DataError(f"{edges.shape[1]} features an edge; this program was trained with {width}: {remedy}")
    for what, value, codes in (("node", x, metadata.get("codes")), ("edge", edges, metadata.get("edge_codes"))):
        if codes and bool(((value < 0) | (value >= torch.tensor(codes)) | (value != value.round())).any()):
            raise DataError(f"{what} features are kinds, numbered from 0: {codes} of them in each column")
    return (x, edge_index, edges) if edges.shape[1] else (x, edge_index)


def _arrays(graph: NamedGraph, metadata: dict[str, Any]) -> tuple[Any, ...]:
    """By the names that the program was trained with: the same attributes in another order would be other features."""
    names, edge_names = metadata["features"], metadata.get("edge_names", [])
    by_degree = names == DEGREE_NAMES and not attribute_names(graph)[0]
    x, ends, kept = arrays_of(graph, [] if by_degree else names, edge_names)
    if x is None:
        x = degrees(ends, len(graph.nodes))
    return make_graph(x, ends, np.int64(0), kept)[:3]


def _short(names: list[str]) -> str:
    return ", ".join(names[:4]) + (", ..." if len(names) > 4 else "")
