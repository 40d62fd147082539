"""Graphs of one split, by their place; a module that workers can import without Lightning."""

from torch.utils.data import Dataset

from datamodules.histograph.graph import Graph
from datamodules.order import Turn

__all__ = ["GraphDataset"]


class GraphDataset(Dataset):
    """Training asks by (turn, index), evaluation by index; a sample is (graph, its number in the whole set).

    rows: which graphs of the set, in which order. Evaluation gets them in a drawn order: public sets are sorted by class, and what a
    batch's neighbours might do to an answer must not follow the label.
    """

    def __init__(self, graphs: list[Graph], rows: list[int]) -> None:
        self.graphs, self.rows = graphs, rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, asked: int | Turn) -> tuple[Graph, int]:
        row = self.rows[asked[1] if isinstance(asked, tuple) else asked]
        return self.graphs[row], row
