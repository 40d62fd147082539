"""A network in memory as what decodes: instances in, plans out."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from apps.accord.automata import automaton
from apps.accord.decoding import Rollouts, beam, decode
from apps.accord.model import Accord
from apps.accord.source import Decoded
from datamodules.accord.instances import Instance
from datamodules.accord.packs import pack

__all__ = ["EagerNetwork"]


class EagerNetwork:
    starts = True

    def __init__(self, network: Accord, device: str = "cpu") -> None:
        self.network, self.device = network.to(device).eval(), torch.device(device)
        self._lock = threading.Lock()  # adapters are merged into the weights while a batch is decoded

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
        """Greedy where samples is 1. Starts are the first `starts` of each instance's own."""
        machine = automaton(instances[0].kind, masked=masked)
        batch = self._batch(instances)
        from_starts = starts > 1
        with self._lock:
            rollouts = decode(
                self.network,
                _Few(machine, starts) if from_starts else machine,  # pyright: ignore[reportArgumentType]
                batch,
                rollouts=samples,
                starts=from_starts,
                augment=augment,
                greedy=samples == 1,
                temperature=temperature,
                seeds_B=torch.full((len(instances),), seed, device=self.device),
                stop=stop,
            )
        return self._decoded(rollouts, machine)

    def beam(self, instances: Sequence[Instance], width: int) -> Decoded:
        machine = automaton(instances[0].kind)
        with self._lock:
            return self._decoded(beam(self.network, machine, self._batch(instances), width), machine)

    def _batch(self, instances: Sequence[Instance]) -> dict[str, Tensor]:
        return {name: tensor.to(self.device) for name, tensor in pack(instances).items()}

    def _decoded(self, rollouts: Rollouts, machine: Any) -> Decoded:
        return Decoded(
            rollouts.actions_BST.cpu().numpy(),
            rollouts.objective_BS.cpu().numpy(),
            rollouts.stuck_BS.cpu().numpy(),
            rollouts.finished_BS.cpu().numpy(),
            machine,
        )


class _Few:
    """An automaton with its first starts alone."""

    def __init__(self, machine: Any, count: int) -> None:
        self._machine, self._count = machine, count

    def __getattr__(self, name: str) -> Any:
        return getattr(self._machine, name)

    def starts(self, batch: dict[str, Tensor]) -> Tensor:
        return self._machine.starts(batch)[:, : self._count]
