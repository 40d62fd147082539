"""How a routed step clears, backpropagates and updates: optimisers of one's own here, a trainer's elsewhere."""

from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

if TYPE_CHECKING:
    from core_attention.gates.routing import Routing

__all__ = ["Driver", "PlainDriver"]


class Driver(Protocol):
    """`who` is "gates", "weights", or "all" where one optimiser has both."""

    def clear(self, who: str) -> None: ...

    def backward(self, loss: Tensor) -> None: ...

    def update(self, who: str) -> None: ...


class PlainDriver:
    """torch's optimisers, with an optional scaler, each clip over its own parameters."""

    def __init__(
        self,
        routing: "Routing",
        weights: Optimizer | None,
        gates: Optimizer | None,
        scaler: torch.amp.GradScaler | None,
        clip_w: float | None,
        clip_g: float | None,
    ) -> None:
        self.routing = routing
        self.scaler = scaler
        self.clips: dict[str, list[tuple[list[nn.Parameter], float | None]]] = {
            "weights": [(routing.weight_parameters, clip_w)],
            "gates": [(routing.gate_parameters, clip_g)],
            "all": [(routing.weight_parameters, clip_w), (routing.gate_parameters, clip_g)],
        }
        self.optimizers: dict[str, Optimizer] = {}
        wanted = {"joint": (True, False), "gates_only": (False, True), "frozen_gates": (True, False), "gr": (True, True)}[routing.mode]
        for name, optimizer, needed in (("weights", weights, wanted[0]), ("gates", gates, wanted[1])):
            if needed != (optimizer is not None):
                raise ValueError(f"mode {routing.mode!r} {'needs an' if needed else 'takes no'} optimiser of the {name}: {name}=...")
            if optimizer is not None:
                self.optimizers["all" if routing.mode == "joint" else name] = optimizer
        if routing.mode == "gr":
            self._check_apart()
        if routing.mode == "joint" and not held_by(self.optimizers["all"]) & {id(gate) for gate in routing.gate_parameters}:
            raise ValueError("mode 'joint': the optimiser of the weights holds no gates, and none would learn; see Routing.param_groups")
        if "leak" in routing.parity:
            everything = [*routing.weight_parameters, *routing.gate_parameters]
            self.clips = {"gates": [(everything, clip_g)], "weights": [(everything, clip_w)]}

    def _check_apart(self) -> None:
        """An optimiser that holds the other's parameters would step them on the wrong pass."""
        gates = {id(parameter) for parameter in self.routing.gate_parameters}
        for name, optimizer in self.optimizers.items():
            held = held_by(optimizer)
            if held - gates if name == "gates" else held & gates:
                raise ValueError(f"mode 'gr': the optimiser of the {name} holds parameters of the other; see Routing.param_groups")

    def clear(self, who: str) -> None:
        self.optimizers[who].zero_grad()

    def backward(self, loss: Tensor) -> None:
        (loss if self.scaler is None else self.scaler.scale(loss)).backward()  # pyright: ignore[reportUnknownMemberType]

    def update(self, who: str) -> None:
        optimizer = self.optimizers[who]
        if self.scaler is not None:
            self.scaler.unscale_(optimizer)
        for parameters, largest in self.clips[who]:
            if largest is not None:
                nn.utils.clip_grad_norm_(parameters, largest)
        if self.scaler is None:
            optimizer.step()
            return
        self.scaler.step(optimizer)
        leak = "leak" in self.routing.parity
        if leak or who != "gates" or self.routing.mode == "gates_only":  # once a step
            self.scaler.update()


def held_by(optimizer: Optimizer) -> set[int]:
    return {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
