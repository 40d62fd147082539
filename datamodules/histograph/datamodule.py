"""Graphs as batches: the embedded sets, and sets on disk in any known layout."""

from collections import Counter
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from datamodules.base import MADE, NOT_STATED, BaseData
from datamodules.errors import DataError
from datamodules.histograph import synth
from datamodules.histograph.dataset import GraphDataset
from datamodules.histograph.graph import Graph, collate, content_hash
from datamodules.histograph.history_file import HistoryFile
from datamodules.histograph.layouts import folds_of, print_of, read_graphs, rows_of
from datamodules.histograph.table import EVALUATION, SPLITS, GraphTable
from datamodules.order import epoch_order

__all__ = ["Cycles", "Graphs", "Motifs"]


class TableData(BaseData):
    """Batches of a table of graphs; a subclass makes the table and says which graphs are in which split.

    Args:
        history: A file of cached states, made by 'discern histograph cache', to train a readout on a frozen network.
    """

    level = "graph"
    collate = staticmethod(collate)
    preload = ("datamodules.histograph.dataset",)
    history: str | None = None  # a file of cached states

    def make_table(self) -> tuple[GraphTable, dict[str, list[int]]]:
        raise NotImplementedError

    @cached_property
    def _made(self) -> tuple[GraphTable, dict[str, list[int]]]:
        table, rows = self.make_table()
        if not rows["train"] or not rows["val"]:
            raise DataError(f"{table.source}: training and validation need graphs; see 'discern data check'")
        return table, rows

    @property
    def table(self) -> GraphTable:
        return self._made[0]

    @property
    def rows(self) -> dict[str, list[int]]:
        return self._made[1]

    def targets(self, split: str) -> Tensor:
        """(graphs, targets), NaN where unknown."""
        if not self.rows[split]:
            raise DataError(f"{self.table.source}: no {split} split; see 'discern data check'")
        return torch.stack([self.table.graphs[row].y for row in self.rows[split]])

    @property
    def classes(self) -> list[str]:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.table.classes

    def setup(self, stage: str | None = None) -> None:
        if self.train_set is None:
            kept = None
            if self.history is not None:
                kept = HistoryFile(Path(self.history))
                kept.check("data", self.content)
            for split in SPLITS:
                rows = self.rows[split]
                if split != "train":
                    rows = [rows[i] for i in epoch_order(len(rows), self.seed, EVALUATION)]
                setattr(self, f"{split}_set", GraphDataset(self.table.graphs, rows, kept))

    def content(self) -> str:
        """What a cached history is of."""
        return content_hash(self.table.graphs)

    def items(self) -> list[tuple[Tensor, ...]]:
        """Everything that a network is asked for its states."""
        return [_item(graph) for graph in self.table.graphs]

    def examples(self, n: int) -> list[tuple[Tensor, ...]]:
        """Test graphs as predict takes them."""
        rows = self.rows["test"] or self.rows["val"]
        return [_item(self.table.graphs[row]) for row in rows[:: max(1, len(rows) // max(1, n))][:n]]

    def seen(self, n: int) -> list[tuple[Tensor, ...]]:
        """What the network sees, for curves of its states."""
        return self.examples(n)

    def counts(self) -> dict[str, dict[str, int]]:
        if self.table.kind != "classes":
            return {split: {"graphs": len(self.rows[split])} for split in SPLITS}
        found = {split: Counter(self.classes[int(self.table.graphs[row].y)] for row in self.rows[split]) for split in SPLITS}
        return {split: dict(sorted(by_class.items())) for split, by_class in found.items()}


def _item(graph: Graph) -> tuple[Tensor, ...]:
    return (graph.x, graph.edge_index, graph.edges) if graph.edges.shape[1] else (graph.x, graph.edge_index)


class Made(TableData):
    """An embedded set.

    Args:
        seed: Of the order alone; which graphs are made, says graphs_seed.
        train: Graphs to train on.
        val: Graphs to validate on.
        test: Graphs to test on.
        graphs_seed: Which graphs are made.
    """

    name: str
    licence = MADE

    def __init__(
        self, batch_size: int, workers: int, seed: int, train: int, val: int, test: int, graphs_seed: int, history: str | None
    ) -> None:
        super().__init__(batch_size, workers, seed)
        self.history = history
        self.sizes = {"train": train, "val": val, "test": test}
        self.graphs_seed = graphs_seed

    def seed_of(self, split: str) -> int:
        return 3 * self.graphs_seed + SPLITS.index(split)

    def cut(self) -> dict[str, list[int]]:
        ends = np.cumsum([0, *self.sizes.values()])
        return {split: list(range(ends[i], ends[i + 1])) for i, split in enumerate(SPLITS)}

    def describe(self, hash_content: bool = False) -> dict[str, Any]:
        return {
            "name": self.name,
            "source": "made by datamodules.histograph.synth",
            "parameters": {"graphs_seed": self.graphs_seed, "version": synth.VERSION, **self.parameters()},
            "counts": self.counts(),
            "fingerprint": self.table.fingerprint(),
        }

    def parameters(self) -> dict[str, Any]:
        return {}


class Cycles(Made):
    """The embedded set: how long is the one cycle of a graph of 24 nodes? Six classes.

    Args:
        mark: One node of the cycle bears a mark; without it the task is a negative control.
    """

    name = "cycles"

    def __init__(
        self,
        batch_size: int = 64,
        workers: int = 0,
        seed: int = 0,
        train: int = 1200,
        val: int = 300,
        test: int = 400,
        mark: bool = True,
        graphs_seed: int = 0,
        history: str | None = None,
    ):
        super().__init__(batch_size, workers, seed, train, val, test, graphs_seed, history)
        self.mark = mark

    def make_table(self) -> tuple[GraphTable, dict[str, list[int]]]:
        graphs = [graph for split in SPLITS for graph in synth.cycles(self.sizes[split], self.seed_of(split), self.mark)]
        classes = [str(length) for length in synth.CYCLES]
        return GraphTable("cycles", "the embedded set", graphs, classes, "classes", ["one", "mark"]), self.cut()

    def parameters(self) -> dict[str, Any]:
        return {"mark": self.mark}


class Motifs(Made):
    """Regression: how many wedges, 3-stars, walks of length 3 and triangles has a random graph? Triangles are the control."""

    name = "motifs"

    def __init__(
        self,
        batch_size: int = 64,
        workers: int = 0,
        seed: int = 0,
        train: int = 1200,
        val: int = 300,
        test: int = 400,
        graphs_seed: int = 0,
        history: str | None = None,
    ):
        super().__init__(batch_size, workers, seed, train, val, test, graphs_seed, history)

    def make_table(self) -> tuple[GraphTable, dict[str, list[int]]]:
        graphs, standard = [], None
        for split in SPLITS:  # the training graphs' mean and deviation hold for all
            made, standard = synth.motifs(self.sizes[split], self.seed_of(split), standard)
            graphs += made
        return GraphTable("motifs", "the embedded set", graphs, list(synth.MOTIFS), "numbers", ["one"]), self.cut()


class Graphs(TableData):
    """Graphs on disk: see datamodules.histograph.layouts for what can be read.

    Args:
        path: Folder or file.
        fold: Which fold is tested; validation is the one before it.
        folds: A JSON file of folds; by default the set's own splits are taken, or the folds beside it, or ten stratified ones made.
        protocol: What epochs are chosen on: validation (val-selected), or the tested fold (gin-convention, for comparison only, with no
            validation).
        node_attributes: Of a TU folder or powerful-gnns' text, take the float attributes besides the labels.
        skip_bad: Of a table of SMILES, leave out what cannot be read, instead of refusing it.
        licence: A note for the data card and for exported files.
    """

    def __init__(
        self,
        path: str,
        batch_size: int = 32,
        workers: int = 0,
        seed: int = 0,
        fold: int = 0,
        folds: str | None = None,
        protocol: Literal["val-selected", "gin-convention"] = "val-selected",
        node_attributes: bool = False,
        skip_bad: bool = False,
        history: str | None = None,
        licence: str = NOT_STATED,
    ):
        super().__init__(batch_size, workers, seed)
        self.path, self.fold, self.folds, self.protocol = path, fold, folds, protocol
        self.node_attributes, self.skip_bad, self.history, self.licence = node_attributes, skip_bad, history, licence
        self.mean_curve = protocol == "gin-convention"
        self.chosen_on = "test" if self.mean_curve else "validation"

    def make_table(self) -> tuple[GraphTable, dict[str, list[int]]]:
        table = read_graphs(self.path, self.node_attributes, self.skip_bad)
        folds = folds_of(table, self.folds)
        rows = rows_of(table, folds, self.fold, self.protocol)
        self.outer_folds = 0 if folds is None else int(folds.max()) + 1
        if table.kind == "classes" and len(table.classes) < 2:
            raise DataError(f"{self.path}: {len(table.classes)} classes; classification needs two")
        if self.mean_curve:
            self.say("protocol gin-convention: the epoch is chosen on the tested fold, so every figure is optimistic")
        return table, rows

    def describe(self, hash_content: bool = False) -> dict[str, Any]:
        return {
            "name": self.path.rstrip("/").rpartition("/")[2],
            "source": self.path,
            "layout": self.table.layout,
            "fold": self.fold,
            "protocol": self.protocol + (" (selected on test)" if self.mean_curve else ""),
            "order": self.table.order_hash(),
            "counts": self.counts(),
            "notes": self.table.notes,
            "fingerprint": print_of(self.table, hash_content),
        }
