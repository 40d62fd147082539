"""The history of a frozen network, kept in a file: made once in evaluation mode, then a readout trains on it without message passing.

What a file was made from is in its header: a hash of the network's weights and one of the graphs. Another network or other graphs
are refused (StaleCacheError), never silently made anew.
"""

import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from apps.base.errors import UserError
from apps.base.version import version_of
from apps.histograph.backbone import GraphNetwork
from apps.histograph.errors import StaleCacheError
from apps.histograph.model import WithHistory
from datamodules.histograph.history_file import DTYPES, HistoryFile, write_histories

__all__ = ["HistoryCache", "backbone_hash", "check_histories"]


class HistoryCache(HistoryFile):
    """
    >>> HistoryCache.build(model, data, Path("proteins.histories"))
    >>> HistoryCache.open(Path("proteins.histories"), model, data).graph(0).shape
    torch.Size([42, 6, 32])
    """

    @classmethod
    def build(
        cls, model: WithHistory, data: Any, path: Path, dtype: str = "float32", tick: Callable[[int], None] = lambda done: None
    ) -> "HistoryCache":
        """data: a datamodule of ours; every graph of it is kept, whatever its split. tick: told how many are done."""
        if dtype not in DTYPES:
            raise UserError(f"histories are kept as {' or '.join(DTYPES)}, not {dtype!r}")
        network = model.backbone
        items = data.items()
        about = {
            "data": data.content(),
            "backbone": backbone_hash(network),
            "options": json.dumps(dataclasses.asdict(network.options)),
            "torch": torch.__version__,
            "discern": version_of("discern") or "unknown",
        }
        sizes = [len(item[0]) for item in items]
        write_histories(path, _states(network, items, tick), sizes, network.options.states, network.options.width, dtype, about)
        return cls(path)

    @classmethod
    def open(cls, path: Path, model: WithHistory, data: Any) -> "HistoryCache":
        """The file, if it is of this network and this data."""
        found = cls(path)
        found.check("data", data.content)
        found.check("backbone", lambda: backbone_hash(model.backbone))
        return found


def backbone_hash(network: GraphNetwork) -> str:
    """Of every weight and running average, by name, and of the options that decide what the states are."""
    digest = hashlib.sha256(json.dumps({**dataclasses.asdict(network.options), "dropout": 0, "input_dropout": 0}).encode())
    for name, value in network.state_dict().items():
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.detach().cpu().contiguous().numpy().data)
    return digest.hexdigest()


def check_histories(model: WithHistory, path: str | None) -> None:
    """Before training or measuring on kept states: they are this network's."""
    if path is None:
        return
    try:
        HistoryFile(Path(path)).check("backbone", lambda: backbone_hash(model.backbone))
    except StaleCacheError as error:
        raise StaleCacheError(f"{error}, or measure without it: --data.history=null") from None


@torch.no_grad()
def _states(network: GraphNetwork, items: Sequence[Sequence[Tensor]], tick: Callable[[int], None]) -> Iterator[Tensor]:
    was = network.training
    network.eval()  # running averages, no dropout
    try:
        for done, item in enumerate(items):
            edges = item[2] if len(item) > 2 else item[0].new_zeros(item[1].shape[1], 0)
            yield torch.stack(network(item[0], item[1], edges), 1)
            tick(done + 1)
    finally:
        network.train(was)
