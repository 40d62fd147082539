"""The links of one graph as what is learned: some are kept out of the messages and asked for."""

from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from datamodules.base import MADE, NOT_STATED, BaseData
from datamodules.errors import DataError
from datamodules.histograph import synth_one_graph
from datamodules.histograph.graph import Graph
from datamodules.histograph.link_dataset import LinkSet, codes_of, collate_links, split_links
from datamodules.histograph.nodes import describe, made_card, read_one_graph
from datamodules.histograph.one_graph import OneGraph
from datamodules.histograph.table import SPLITS

__all__ = ["BlockLinks", "Links"]


class LinkData(BaseData):
    """Batches of links and as many drawn pairs that are none. A subclass makes the graph.

    What is asked for is never a message: training's messages run along edges that training does not ask for; validation and test have
    all training edges for messages. Drawn pairs of training avoid training's edges only, those of validation and test all edges.

    Args:
        batch_size: Links, to which as many pairs that are none are drawn.
        seed: Of the order and of training's drawn pairs.
        val: Share of the edges to validate on.
        test: Share of the edges to test on.
        asked: Share of the training edges that is asked for, and carries no message.
        split: Seed of which edge is where, and of the drawn pairs of validation and test.
    """

    level = "link"
    collate = staticmethod(collate_links)
    preload = ("datamodules.histograph.link_dataset",)
    history = None
    fanout = None
    classes = ["no link", "link"]  # noqa: RUF012 - as BaseData has it

    def __init__(self, batch_size: int, workers: int, seed: int, val: float, test: float, asked: float, directed: bool, split: int) -> None:
        super().__init__(batch_size, workers, seed)
        if not (0 < val < 1 and 0 < test < 1 and val + test < 1 and 0 < asked < 1):
            raise DataError(
                f"data.val={val}, data.test={test} and data.asked={asked} are shares of the edges, above 0 and together below 1"
            )
        self.shares, self.directed, self.split = (val, test, asked), directed, split

    def make_one_graph(self) -> OneGraph:
        raise NotImplementedError

    @cached_property
    def table(self) -> OneGraph:
        return self.make_one_graph()

    @cached_property
    def links(self) -> dict[str, np.ndarray]:
        """Edges (2,P) by where they are used."""
        links = split_links(self.table.graph.edge_index, *self.shares, self.directed, self.split)
        for split in SPLITS:
            if not links[split].shape[1]:
                raise DataError(f"{self.table.source}: too few edges for a {split} split")
        return links

    @property
    def largest(self) -> int:
        return len(self.table.graph.x)

    def setup(self, stage: str | None = None) -> None:
        if self.train_set is not None:
            return
        graph, links, nodes = self.table.graph, self.links, self.largest
        trained = np.concatenate([links["message"], links["train"]], 1)
        known = codes_of(self.both(trained), nodes)
        self.train_set = LinkSet(self.along(links["message"]), links["train"], known, self.seed)
        every = codes_of(graph.edge_index.numpy(), nodes)
        for split in ("val", "test"):
            setattr(self, f"{split}_set", LinkSet(self.along(trained), links[split], every, self.split))

    def both(self, links: np.ndarray) -> np.ndarray:
        return links if self.directed else np.concatenate([links, links[::-1]], 1)

    def along(self, links: np.ndarray) -> Graph:
        """The graph with these edges only."""
        edge_index = torch.from_numpy(np.ascontiguousarray(self.both(links)))
        return self.table.graph._replace(edge_index=edge_index, edges=torch.zeros(edge_index.shape[1], 0))

    def examples(self, n: int) -> list[tuple[Tensor, ...]]:
        return []  # links have no exported program

    def seen(self, n: int) -> list[tuple[Tensor, ...]]:
        """The graph of evaluation's messages, for curves of its states."""
        graph = self.test_set.graph  # type: ignore[union-attr]
        return [(graph.x, graph.edge_index)]

    def counts(self) -> dict[str, dict[str, int]]:
        return {split: {"links": self.links[split].shape[1]} for split in SPLITS}


class BlockLinks(LinkData):
    """Links of the embedded two blocks: nodes of one block know each other more often.

    Args:
        block: Nodes of each block.
        p_in: Probability of an edge within a block.
        p_out: Probability of an edge across.
        graph_seed: Which graph is made.
    """

    licence = MADE

    def __init__(
        self,
        batch_size: int = 1024,
        workers: int = 0,
        seed: int = 0,
        block: int = 200,
        p_in: float = 0.06,
        p_out: float = 0.015,
        val: float = 0.05,
        test: float = 0.1,
        asked: float = 0.3,
        split: int = 0,
        graph_seed: int = 0,
    ):
        super().__init__(batch_size, workers, seed, val, test, asked, False, split)
        self.made, self.graph_seed = {"block": block, "p_in": p_in, "p_out": p_out}, graph_seed

    def make_one_graph(self) -> OneGraph:
        return synth_one_graph.two_blocks(self.graph_seed, **self.made, labelled=1, val=1, test=1)

    def describe(self, hash_content: bool = False) -> dict[str, Any]:
        return made_card(self, "links of two blocks", split=self.split)


class Links(LinkData):
    """Links of a graph on disk: see Nodes for what can be read.

    Args:
        path: Folder or file.
        normalise: Rows of features sum to 1.
        directed: An edge listed from u to v is a link from u to v only, and carries messages that way only.
        licence: A note for the data card.
    """

    def __init__(
        self,
        path: str,
        batch_size: int = 1024,
        workers: int = 0,
        seed: int = 0,
        normalise: bool = True,
        val: float = 0.05,
        test: float = 0.1,
        asked: float = 0.3,
        split: int = 0,
        directed: bool = False,
        licence: str = NOT_STATED,
    ):
        super().__init__(batch_size, workers, seed, val, test, asked, directed, split)
        self.path, self.normalise, self.licence = path, normalise, licence

    def make_one_graph(self) -> OneGraph:
        return read_one_graph(self.path, self.normalise, self.directed, labels=False)

    def describe(self, hash_content: bool = False) -> dict[str, Any]:
        return describe(self, self.path, hash_content)
