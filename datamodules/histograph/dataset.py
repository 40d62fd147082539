"""Graphs of one split, by their place; a module that workers can import without Lightning."""

from torch import Tensor
from torch.utils.data import Dataset

from datamodules.histograph.graph import Graph
from datamodules.histograph.history_file import HistoryFile
from datamodules.order import Turn

__all__ = ["GraphDataset"]


class GraphDataset(Dataset):
    """Training asks by (turn, index), evaluation by index; a sample is (graph, its number in the whole set).

    rows: which graphs of the set, in which order. Evaluation gets them in a drawn order: public sets are sorted by class, and what a
    batch's neighbours might do to an answer must not follow the label.
    history: cached states of every graph of the set; a sample has its own with it.
    """

    def __init__(self, graphs: list[Graph], rows: list[int], history: HistoryFile | None = None) -> None:
        self.graphs, self.rows, self.history = graphs, rows, history

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, asked: int | Turn) -> tuple[Graph, int] | tuple[Graph, int, Tensor]:
        row = self.rows[asked[1] if isinstance(asked, tuple) else asked]
        if self.history is None:
            return self.graphs[row], row
        return self.graphs[row], row, self.history.graph(row)
