"""What explain asks: a program, from an exported file or a checkpoint, and graphs, from files, SMILES or sets."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from apps.base.errors import UserError
from apps.base.predict.answer import answer_rows
from apps.base.predict.eager import Eager
from apps.base.predict.program_file import ProgramFile, take_own
from apps.base.predict.reader import Item, says
from apps.base.predict.run import run
from apps.histograph.card import CARD
from apps.histograph.draw_graph import answer_words
from apps.histograph.graph_panel import mean_layers
from apps.histograph.model import Histograph
from datamodules.histograph.layouts import read_graphs
from datamodules.histograph.reader import expand, read_graph

__all__ = ["Asked", "Source", "ask", "from_checkpoint", "from_file"]

BATCH = 16


@dataclass
class Source:
    program: Any  # ProgramFile or Eager
    model: Histograph | None = None
    own: Callable[[int], list[Item]] | None = None  # so many graphs of its own test split

    @property
    def first(self) -> int:
        """The number of the first state: 1 where the embedded input is left out."""
        return self.program.metadata.get("first_layer", 0)


@dataclass
class Asked:
    """One graph with its answer, or why there is none."""

    name: str
    label: str | None  # what the set says
    item: Any
    answer: dict[str, Any]
    error: str | None = None

    @property
    def layers(self) -> np.ndarray:
        return mean_layers(self.answer)

    @property
    def words(self) -> str:
        return answer_words(self.answer)

    @property
    def group(self) -> str | None:
        """The class that is said, else the one that is answered; nothing where there are no classes."""
        probs = self.answer.get("probs")
        return (self.label or str(probs[0]["label"])) if isinstance(probs, list) else None


def from_file(path: str, trusting: bool) -> Source:
    return Source(ProgramFile(take_own(CARD, path, trusting, "graphs", remedy="of nodes or links give a checkpoint: --ckpt")))


def from_checkpoint(recipe: Any, task: Any) -> Source:
    def own(limit: int) -> list[Item]:
        return [(f"test graph {i}", item, None) for i, item in enumerate(recipe.set_up("test").examples(limit))]

    return Source(Eager(task.program("graphs", [])), task.model, own)


def ask(source: Source, inputs: Sequence[str], limit: int) -> Iterator[Asked]:
    """The answers for all inputs, in their order."""
    assert inputs or source.own is not None
    metadata = source.program.metadata
    labels: dict[str, str] = {}
    items = [item for word in inputs for item in _items(word, metadata, limit, labels)]
    if not inputs and source.own is not None:
        items = source.own(limit)
    for result in run(source.program, iter(items), BATCH, keep=True):
        if result.outputs is None:
            yield Asked(result.name, None, None, {}, result.error)
            continue
        answer = answer_rows(metadata, result.outputs, full=True)[0]
        yield Asked(result.name, labels.get(result.name), result.item, answer, answer.get("error"))


def _items(word: str, metadata: dict[str, Any], limit: int, labels: dict[str, str]) -> list[Item]:
    """What one word stands for: molecules, a set, or one graph."""
    path = Path(word)
    meant = expand(word)
    if meant is None and (path.is_dir() or path.suffix in (".jsonl", ".txt", ".gz")):
        return _of_set(word, metadata, limit, labels)
    read = partial(read_graph, metadata=metadata)
    return [_read(read, one) for one in (_spread(meant, limit) if meant else [word])]


def _of_set(word: str, metadata: dict[str, Any], limit: int, labels: dict[str, str]) -> list[Item]:
    table = read_graphs(word)
    if table.features != metadata["features"]:
        raise UserError(
            f"{word}: its node features are other than the model's ({len(table.features)} instead of {len(metadata['features'])} columns, "
            "or other names); explain a set like the one that was trained on"
        )
    found: list[Item] = []
    for row in _spread(range(len(table.graphs)), limit):
        graph, name = table.graphs[row], f"{Path(word).name}#{row}"
        if table.kind == "classes":
            labels[name] = table.classes[int(graph.y)]
        found.append((name, graph[:3] if graph.edges.shape[1] else graph[:2], None))
    return found


def _spread(items: Sequence[Any], limit: int) -> list[Any]:
    """So many of them, evenly: public sets are sorted by class."""
    return [items[i] for i in np.unique(np.linspace(0, len(items) - 1, min(limit, len(items))).round().astype(int))] if items else []


def _read(read: Callable[[Any], Any], name: str) -> Item:
    try:
        return name, read(name), None
    except Exception as problem:
        return name, None, says(problem, name)
