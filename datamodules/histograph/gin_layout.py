"""The text format of powerful-gnns and DGCNN: the number of graphs; of each a line `n label` and n lines `tag m v1 .. vm [attributes]`.

Neighbours are counted from 0 within the graph. Labels and tags are whole numbers. Folds lie beside it: 10fold_idx/test_idx-1.txt and so on.
"""

from pathlib import Path

import numpy as np

from datamodules.errors import DataError
from datamodules.histograph.cutting import DEGREE_NAMES, NO_FEATURES, degrees, sorted_note
from datamodules.histograph.graph import Graph, make_graph, simple
from datamodules.histograph.numbers_file import first_lines, read_text
from datamodules.histograph.table import GraphTable

__all__ = ["is_gin", "read_gin"]


def is_gin(path: Path) -> bool:
    """A .txt file whose first line is a number and whose second is two."""
    if not path.is_file() or not path.name.endswith((".txt", ".txt.gz")):
        return False
    try:
        head = first_lines(path, 2)
    except DataError:
        return False
    return len(head) == 2 and head[0].strip().isdigit() and len(head[1].split()) == 2


def read_gin(path: Path, node_attributes: bool = False) -> GraphTable:
    """A set of one tag only has degrees for features, as its authors do it. Columns behind the neighbours are attributes."""
    raw = _Lines(path)
    (count,) = raw.whole(1)
    parsed = [_graph(raw) for _ in range(count)]
    if (left := raw.left()) is not None:
        raise DataError(f"{path}:{left}: more lines than the {count} graphs that line 1 announces")
    if not parsed:
        raise DataError(f"{path}:1: no graphs")
    classes, y = np.unique([label for label, *_ in parsed], return_inverse=True)
    tags = sorted({tag for _, own, *_ in parsed for tag in own})
    widths = {attributes.shape[1] for _, _, _, attributes in parsed if len(attributes)}
    if len(widths) > 1:
        raise DataError(f"{path}: nodes have {' or '.join(map(str, sorted(widths)))} attributes; all have the same number")
    width = widths.pop() if widths else 0
    if node_attributes and not width:
        raise DataError(f"{path}: no attributes behind the neighbours; leave node_attributes out")
    notes = ["node attributes are there and not used; set node_attributes to use them"] if width and not node_attributes else []
    by_degree = len(tags) == 1 and not node_attributes
    place = {tag: i for i, tag in enumerate(tags)}
    graphs: list[Graph] = []
    for (_, own, ends, attributes), label in zip(parsed, y, strict=True):
        hot = np.eye(len(tags), dtype=np.float32)[[place[tag] for tag in own]] if own else np.zeros((0, len(tags)), np.float32)
        x = degrees(ends, len(own)) if by_degree else hot
        if node_attributes:
            x = np.concatenate([attributes.reshape(len(own), width), x], 1)
        graphs.append(make_graph(x, ends, np.int64(label)))
    names = DEGREE_NAMES if by_degree else [f"tag {tag}" for tag in tags]
    names = [f"attribute {i}" for i in range(width)] * node_attributes + names
    notes += [NO_FEATURES] if by_degree else []
    notes += sorted_note(y, len(classes))
    folds = path.parent / "10fold_idx"
    beside = str(folds) if (folds / "test_idx-1.txt").is_file() else None
    return GraphTable("gin", str(path), graphs, [str(name) for name in classes], "classes", names, None, beside, [str(path)], notes)


def _graph(raw: "_Lines") -> tuple[int, list[int], np.ndarray, np.ndarray]:
    """Label, tags, edges (2,E), attributes."""
    nodes, label = raw.whole(2)
    if nodes < 0:
        raise DataError(f"{raw.place}: a graph of {nodes} nodes")
    tags, sources, targets, attributes = [], [], [], []
    for node in range(nodes):
        words = raw.words()
        if len(words) < 2:
            raise DataError(f"{raw.place}: a node is `tag m v1 .. vm`, not {' '.join(words)!r}")
        tag, degree = raw.numbers(words[:2])
        if degree < 0 or len(words) < 2 + degree:
            raise DataError(f"{raw.place}: {degree} neighbours are announced, {len(words) - 2} numbers follow")
        neighbours = raw.numbers(words[2 : 2 + degree])
        for neighbour in neighbours:
            if not 0 <= neighbour < nodes:
                raise DataError(f"{raw.place}: neighbour {neighbour}; the nodes are 0..{nodes - 1}")
        tags.append(tag)
        sources += [node] * degree
        targets += neighbours
        attributes.append(raw.floats(words[2 + degree :]))
    lengths = {len(row) for row in attributes}
    if len(lengths) > 1:
        raise DataError(f"{raw.place}: nodes of one graph with {' or '.join(map(str, sorted(lengths)))} attributes")
    edge_index = np.array([[*sources, *targets], [*targets, *sources]], np.int64)  # authors' files list each edge at both ends; some at one
    edge_index, _ = simple(edge_index, nodes)
    return label, tags, edge_index, np.array(attributes, np.float32).reshape(nodes, -1) if nodes else np.zeros((0, 0), np.float32)


class _Lines:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines = read_text(path).splitlines()
        self.number = 0  # of the line read last

    @property
    def place(self) -> str:
        return f"{self.path}:{self.number}"

    def words(self) -> list[str]:
        if self.number >= len(self.lines):
            raise DataError(f"{self.path}:{self.number}: the file ends here, before all graphs are there")
        self.number += 1
        return self.lines[self.number - 1].split()

    def whole(self, count: int) -> list[int]:
        words = self.words()
        if len(words) != count:
            raise DataError(f"{self.place}: {len(words)} numbers instead of {count}")
        return self.numbers(words)

    def numbers(self, words: list[str]) -> list[int]:
        try:
            return [int(word) for word in words]
        except ValueError:
            raise DataError(f"{self.place}: {' '.join(words)[:40]!r} are not whole numbers") from None

    def floats(self, words: list[str]) -> list[float]:
        try:
            found = [float(word) for word in words]
        except ValueError:
            raise DataError(f"{self.place}: {' '.join(words)[:40]!r} are not numbers") from None
        if not np.isfinite(found).all():
            raise DataError(f"{self.place}: an attribute that is not finite")
        return found

    def left(self) -> int | None:
        """The number of the first line behind the last graph that is not empty."""
        return next((i + 1 for i in range(self.number, len(self.lines)) if self.lines[i].strip()), None)
