"""What can be wrong with a history or a batch of graphs."""

import torch

from apps.base.errors import FailureError, UserError
from datamodules.histograph.history_file import StaleCacheError

__all__ = ["BatchLeakError", "HistoryLengthError", "MissingIndexError", "MixingError", "StaleCacheError", "refuse_pt2"]


class HistoryLengthError(UserError, ValueError):
    """A history of another number of states than the readout was built for."""


class MissingIndexError(UserError, ValueError):
    """Nobody said which graph a node belongs to: without, all graphs of a batch would be read as one."""


class MixingError(UserError):
    """A readout that mixes the graphs of a batch, outside `allow_batch_mixing`."""


class BatchLeakError(FailureError):
    """The answer for one graph depends on what else is in the batch."""


def refuse_pt2(why: str) -> None:
    """Called by what torch.export would bind to the sizes of its example."""
    if torch.compiler.is_exporting():
        raise ValueError(why)
