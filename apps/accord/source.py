"""The network that solves: the starter that comes along, a file of weights, a checkpoint, or an exported program, behind one door."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from apps.base.errors import UserError
from apps.base.shell import Shell
from datamodules.accord.instances import Instance
from datamodules.accord.solution import Plan

__all__ = ["STARTER", "Decoded", "Opened", "has_starter", "open_model", "open_network"]

STARTER = Path(__file__).with_name("starter") / "starter.safetensors"


class Decoded(NamedTuple):
    """B instances, S rollouts, T steps."""

    actions_BST: np.ndarray
    objective_BS: np.ndarray
    stuck_BS: np.ndarray
    finished_BS: np.ndarray
    automaton: Any

    def plan(self, instance: Instance, b: int, s: int) -> Plan:
        return self.automaton.plan(instance, self.actions_BST[b, s].tolist())


class Opened(Protocol):
    """What decodes: torch is behind it."""

    starts: bool  # whether it can begin with each first decision

    def decode(
        self, instances: Sequence[Instance], *, samples: int, starts: int, augment: int, temperature: float, masked: bool, seed: int,
        stop: Callable[[], bool] | None,
    ) -> Decoded: ...  # fmt: skip

    def beam(self, instances: Sequence[Instance], width: int) -> Decoded: ...


def has_starter() -> bool:
    return STARTER.is_file()


def check_device(device: str) -> None:
    if device == "cuda":
        import torch

        if not torch.cuda.is_available():
            raise UserError("--device cuda: torch sees no CUDA device here; use --device cpu, or install torch's CUDA build and a driver")


def open_network(network: Any, device: str = "cpu") -> Opened:
    """None: the starter. A file of weights, an Accord, or what `open_model` gave."""
    from apps.accord.eager import EagerNetwork

    if network is None:
        if not has_starter():
            raise UserError("no starter model came with this installation: train one with `discern accord fit` and name it: --model best")
        network = STARTER
    if isinstance(network, str | Path):
        network = _of_weights(Path(network))
    if hasattr(network, "beam"):
        return network
    return EagerNetwork(network, device)


def open_model(shell: Shell, model: str, *, run: str | None = None, trust: bool = False, device: str = "cpu") -> Opened:
    """model: best, last, a .ckpt, a .safetensors, or an exported program."""
    checkpoint = model in ("best", "last") or Path(model).suffix == ".ckpt"
    if run is not None and model not in ("best", "last"):
        raise UserError("--run goes with --model best or last")
    weights = Path(model).suffix == ".safetensors"
    if trust and (checkpoint or weights):
        raise UserError("--trust goes with an exported program; weights and checkpoints run no code of their own")
    check_device(device)
    if checkpoint:
        from apps.accord.card import CARD
        from apps.base.beginning import begin_at  # brings Lightning

        _, task, _ = begin_at(shell, CARD, "export", model, run).restore()
        return open_network(task.model, device)
    if weights:
        return open_network(model, device)
    from apps.accord.exported import ExportedNetwork

    return ExportedNetwork(model, trust, device)


def _of_weights(path: Path) -> Any:
    from safetensors import SafetensorError

    from apps.accord.model import build
    from apps.base.export.weights import read

    if not path.is_file():
        raise UserError(f"{path}: no such file")
    try:
        weights, about = read(str(path))
    except (SafetensorError, ValueError) as error:
        raise UserError(f"{path}: not a readable safetensors file ({error})") from None
    if about.get("app") != "accord" or "model" not in about:
        raise UserError(
            f"{path}: does not say what network its weights are of; `discern accord export -o FILE.safetensors` writes one that does"
        )
    try:
        network = build(about["model"])
        network.load_state_dict(
            {name.removeprefix("network."): value.float() if value.is_floating_point() else value for name, value in weights.items()}
        )
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{path}: its weights and what it says of them do not go together ({why}); export it again") from None
    return network
