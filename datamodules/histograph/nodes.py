"""One graph whose nodes are learned: the embedded ones, and graphs on disk. Whole, or by drawn surroundings."""

from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from datamodules.base import MADE, NOT_STATED, BaseData
from datamodules.errors import DataError
from datamodules.histograph import synth_one_graph
from datamodules.histograph.graph import content_hash
from datamodules.histograph.history_file import HistoryFile
from datamodules.histograph.neighbourhood import Neighbours, check_fanout
from datamodules.histograph.node_dataset import Surroundings, WholeGraph, collate_nodes
from datamodules.histograph.one_graph import OneGraph, row_normalised
from datamodules.histograph.one_graph_layouts import KNOWN_ONE_GRAPHS, detect_one_graph
from datamodules.histograph.table import EVALUATION, SPLITS
from datamodules.order import sample_rng
from datamodules.store import FolderStore, fingerprint

__all__ = ["Barbells", "Nodes", "TwoBlocks", "describe", "made_card", "read_one_graph"]

SHOWN = (10, 10)  # of the surroundings that stand for a node where an exported file is tried


class OneGraphData(BaseData):
    """Batches of the nodes of one graph; a subclass makes it.

    Args:
        batch_size: Nodes whose surroundings are drawn; 1 where the whole graph is one batch.
        fanout: How many neighbours to draw at each step away from a node, such as [10, 10]; null trains on the whole graph.
        history: A file of cached states, made by 'discern histograph cache', to train a readout on a frozen network.
    """

    level = "node"
    collate = staticmethod(collate_nodes)
    preload = ("datamodules.histograph.node_dataset",)

    def __init__(self, batch_size: int, workers: int, seed: int, fanout: Sequence[int] | None, history: str | None) -> None:
        super().__init__(batch_size, workers, seed)
        if fanout is not None:
            check_fanout(fanout)
            if history is not None:
                raise DataError("data.history holds the states of the whole graph; leave data.fanout out")
        elif batch_size != 1:
            raise DataError(
                f"the whole graph is one batch: leave data.batch_size={batch_size} out, or set data.fanout to draw surroundings"
            )
        self.fanout, self.history = fanout, history

    def make_one_graph(self) -> OneGraph:
        raise NotImplementedError

    @cached_property
    def table(self) -> OneGraph:
        one = self.make_one_graph()
        if not len(one.rows["train"]) or not len(one.rows["val"]):
            raise DataError(f"{one.source}: training and validation need nodes; see 'discern data check'")
        return one

    def targets(self, split: str) -> Tensor:
        """(nodes, targets), NaN where unknown."""
        if not len(self.table.rows[split]):
            raise DataError(f"{self.table.source}: no {split} split; see 'discern data check'")
        return self.table.graph.y[torch.from_numpy(self.table.rows[split])]

    @property
    def classes(self) -> list[str]:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.table.classes

    @property
    def largest(self) -> int:
        """Nodes of a graph as the model sees it."""
        return len(self.table.graph.x) if self.fanout is None else 1 + int(np.cumprod(self.fanout).sum())

    def setup(self, stage: str | None = None) -> None:
        if self.train_set is not None:
            return
        one = self.table
        if self.fanout is None:
            kept = None
            if self.history is not None:
                kept = HistoryFile(Path(self.history))
                kept.check("data", self.content)
            for split in SPLITS:
                setattr(self, f"{split}_set", WholeGraph(one.graph, one.rows[split], kept))
            return
        for split in SPLITS:
            setattr(self, f"{split}_set", Surroundings(one.graph, self.neighbours, one.rows[split], self.fanout, self.seed))

    @cached_property
    def neighbours(self) -> Neighbours:
        """Every edge by its receiver, sorted once."""
        return Neighbours(self.table.graph.edge_index.numpy(), len(self.table.graph.x))

    def content(self) -> str:
        """What a cached history is of."""
        return content_hash([self.table.graph])

    def items(self) -> list[tuple[Tensor, ...]]:
        """Everything that a network is asked for its states: here the one graph."""
        return [(self.table.graph.x, self.table.graph.edge_index)]

    def examples(self, n: int) -> list[tuple[Tensor, ...]]:
        """Graphs small enough to try an exported file on."""
        return self.drawn(n, SHOWN)

    def drawn(self, n: int, fanout: Sequence[int]) -> list[tuple[Tensor, ...]]:
        """Surroundings of test nodes."""
        one = self.table
        rows = one.rows["test"] if len(one.rows["test"]) else one.rows["val"]
        found = []
        for root in rows[:: max(1, len(rows) // max(1, n))][:n].tolist():
            seen, edges = self.neighbours.around(root, fanout, sample_rng(self.seed, EVALUATION, root))
            found.append((one.graph.x[torch.from_numpy(seen)], torch.from_numpy(edges)))
        return found

    def seen(self, n: int) -> list[tuple[Tensor, ...]]:
        """What the network sees, for curves of its states: the whole graph, or so many surroundings."""
        return self.items() if self.fanout is None else self.drawn(n, self.fanout)

    def counts(self) -> dict[str, dict[str, int]]:
        if self.table.kind != "classes":
            return {split: {"nodes": len(self.table.rows[split])} for split in SPLITS}
        y = self.table.graph.y
        found = {split: Counter(self.classes[int(label)] for label in y[self.table.rows[split]]) for split in SPLITS}
        return {split: dict(sorted(by_class.items())) for split, by_class in found.items()}


class TwoBlocks(OneGraphData):
    """The embedded graph: which of two blocks is a node of? Its features alone say little, whom it knows says more.

    Args:
        seed: Of what is drawn; which graph is made, says graph_seed.
        block: Nodes of each block.
        p_in: Probability of an edge within a block.
        p_out: Probability of an edge across.
        labelled: Training nodes of each block.
        val: Nodes of both blocks to validate on.
        test: Nodes of both blocks to test on.
        graph_seed: Which graph is made.
    """

    licence = MADE

    def __init__(
        self,
        batch_size: int = 1,
        workers: int = 0,
        seed: int = 0,
        block: int = 200,
        p_in: float = 0.06,
        p_out: float = 0.015,
        labelled: int = 10,
        val: int = 80,
        test: int = 300,
        graph_seed: int = 0,
        fanout: list[int] | None = None,
        history: str | None = None,
    ):
        super().__init__(batch_size, workers, seed, fanout, history)
        if not 0 <= p_out <= 1 or not 0 <= p_in <= 1:
            raise DataError(f"p_in={p_in} and p_out={p_out} are probabilities")
        if min(labelled, val, test) < 1 or labelled >= block or 2 * labelled + val + test > 2 * block:
            raise DataError(f"{2 * block} nodes are too few for {2 * labelled} training, {val} validation and {test} test nodes")
        self.made = {"block": block, "p_in": p_in, "p_out": p_out, "labelled": labelled, "val": val, "test": test}
        self.graph_seed = graph_seed

    def make_one_graph(self) -> OneGraph:
        return synth_one_graph.two_blocks(self.graph_seed, **self.made)

    def describe(self, hash_content: bool = False) -> dict[str, Any]:
        return made_card(self, "two blocks")


class Barbells(OneGraphData):
    """The embedded graph of numbers: barbells, whose nodes have a random f, and are asked for f less its mean over the neighbours.

    The answer is the difference of the first two states of `backbone.name=smooth`, which no mean of states can be.

    Args:
        batch_size: The whole graph is one batch: 1.
        train: Barbells of 24 nodes to train on.
        val: Barbells to validate on.
        test: Barbells to test on.
        graph_seed: Which f are drawn.
    """

    licence = MADE

    def __init__(
        self,
        batch_size: int = 1,
        workers: int = 0,
        seed: int = 0,
        train: int = 20,
        val: int = 10,
        test: int = 20,
        graph_seed: int = 0,
        history: str | None = None,
    ):
        super().__init__(batch_size, workers, seed, None, history)
        if min(train, val, test) < 1:
            raise DataError(f"data.train={train}, data.val={val} and data.test={test} are barbells, at least one each")
        self.made, self.graph_seed = {"train": train, "val": val, "test": test}, graph_seed

    def make_one_graph(self) -> OneGraph:
        return synth_one_graph.barbells(self.graph_seed, **self.made)

    def describe(self, hash_content: bool = False) -> dict[str, Any]:
        return made_card(self, "barbells")


class Nodes(OneGraphData):
    """A graph on disk with labelled nodes: Planetoid's raw files, or an npz (see 'discern data check').

    Args:
        path: Folder or file.
        normalise: Rows of features sum to 1, as most recipes of citation graphs have them.
        licence: A note for the data card and for exported files.
    """

    def __init__(
        self,
        path: str,
        batch_size: int = 1,
        workers: int = 0,
        seed: int = 0,
        normalise: bool = True,
        fanout: list[int] | None = None,
        history: str | None = None,
        licence: str = NOT_STATED,
    ):
        super().__init__(batch_size, workers, seed, fanout, history)
        self.path, self.normalise, self.licence = path, normalise, licence

    def make_one_graph(self) -> OneGraph:
        return read_one_graph(self.path, self.normalise)

    def describe(self, hash_content: bool = False) -> dict[str, Any]:
        return describe(self, self.path, hash_content)


def made_card(data: Any, name: str, **parameters: Any) -> dict[str, Any]:
    """The data card of an embedded graph."""
    return {
        "name": name,
        "source": "made by datamodules.histograph.synth_one_graph",
        "parameters": {"graph_seed": data.graph_seed, "version": synth_one_graph.VERSION, **data.made, **parameters},
        "counts": data.counts(),
        "fingerprint": data.table.fingerprint(),
    }


def describe(data: Any, path: str, hash_content: bool) -> dict[str, Any]:
    """The data card of a graph on disk."""
    one = data.table
    return {
        "name": path.rstrip("/").rpartition("/")[2],
        "source": path,
        "layout": one.layout,
        "order": one.fingerprint(),
        "counts": data.counts(),
        "notes": one.notes,
        "fingerprint": fingerprint(FolderStore(Path()), one.files, hash_content=hash_content),
    }


def read_one_graph(path: str, normalise: bool, directed: bool = False, labels: bool = True) -> OneGraph:
    """labels: of the nodes; without, as links need none, they are not read."""
    if not Path(path).exists():
        raise DataError(f"{path}: no such file or folder")
    layout = detect_one_graph(Path(path))
    if layout is None:
        raise DataError(f"{path}: no graph with labelled nodes; looked for {'; or '.join(KNOWN_ONE_GRAPHS.values())}")
    one = layout.read(directed, labels)
    if normalise:
        x = torch.from_numpy(row_normalised(one.graph.x.numpy()))
        one.graph = one.graph._replace(x=x)
        one.notes.append("rows of features are divided by their sums (normalise)")
    return one
