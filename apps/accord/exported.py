"""An exported program as what decodes: it answers each instance with its best rollout, and says no more of the others."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from apps.accord.automata import automaton
from apps.accord.card import CARD
from apps.accord.source import Decoded
from apps.base.errors import UserError
from apps.base.predict.program_file import ProgramFile, take_own
from datamodules.accord.instances import Instance
from datamodules.accord.packs import pack

__all__ = ["ExportedNetwork"]


class ExportedNetwork:
    """Greedy and sampled rollouts: the loop is inside the file, with its automata."""

    starts = False  # the file has none of its own

    def __init__(self, path: str, trust: bool, device: str = "cpu") -> None:
        self.program = ProgramFile(take_own(CARD, path, trust), device)
        self.path = path

    def decode(
        self,
        instances: Sequence[Instance],
        *,
        samples: int,
        starts: int,
        augment: int,
        temperature: float,
        masked: bool,
        seed: int,
        stop: Callable[[], bool] | None,
    ) -> Decoded:
        """`stop` is asked between instances: a script cannot be cut."""
        if starts > 1 or augment > 1 or temperature != 1.0 or not masked:
            raise UserError(f"{self.path} decodes greedily and draws samples, no more: name weights or a checkpoint for other ways")
        rows, values, found = [], [], []
        for one in instances:
            if stop is not None and stop():
                rows.append(np.zeros(0, np.int64))
                values.append(0)
                found.append(False)
                continue
            answer = self.program.call(f"rollout_{one.kind}", *_arguments(one, self.program.device), 0 if samples == 1 else samples, seed)
            rows.append(_own_order(one, answer["actions"][0, : int(answer["length"][0])].cpu().numpy()))
            values.append(int(answer["value"][0]))
            found.append(bool(answer["found"][0]))
        actions_B1T = np.full((len(rows), 1, max(map(len, rows))), -1, np.int64)
        for b, row in enumerate(rows):
            actions_B1T[b, 0, : len(row)] = row
        found_B1 = np.array(found)[:, None]
        return Decoded(actions_B1T, np.array(values, np.int64)[:, None], np.zeros_like(found_B1), found_B1, automaton(instances[0].kind))

    def beam(self, instances: Sequence[Instance], width: int) -> Decoded:
        raise UserError(f"{self.path} has no beam: name weights or a checkpoint")


def _arguments(one: Any, device: torch.device) -> tuple[Tensor, ...]:
    """The tensors of one instance, in the order in which rollout_<kind> takes them."""
    batch = pack([one])
    if one.kind in ("tsp", "cvrp"):
        batch["coordinates"] = torch.zeros(1, 0, 2, dtype=torch.float64) if one.xy is None else torch.from_numpy(one.xy.copy())[None]
    if one.kind == "binpack":
        batch["weights"] = torch.from_numpy(one.weights.copy())[None]  # in the instance's order
    names = {
        "tsp": ("size", "distances", "coordinates"),
        "cvrp": ("size", "distances", "coordinates", "demands", "capacity", "fleet"),
        "knapsack": ("size", "values", "weights", "capacity"),
        "binpack": ("size", "weights", "capacity"),
        "pfsp": ("size", "machines", "times"),
        "jssp": ("size", "machines", "operations", "machine", "time"),
    }[one.kind]
    return tuple(batch[name].to(device) for name in names)


def _own_order(one: Any, actions: np.ndarray) -> np.ndarray:
    """The file tells bins in the instance's items, the automaton in those of its pack."""
    if one.kind != "binpack":
        return actions
    place = np.zeros(one.size + 1, np.int64)
    place[np.argsort(-one.weights, kind="stable") + 1] = np.arange(1, one.size + 1)
    return place[actions]
