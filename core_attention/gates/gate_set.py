"""All gates of a model, by name; which parameters are gates and which are weights; what each gate may be folded into."""

from typing import NamedTuple

from torch import Tensor, nn

from core_attention.gates.gate import Gate
from core_attention.gates.gated import End, Gated
from core_attention.gates.names import parts

__all__ = ["GateSet", "Link"]


class Link(NamedTuple):
    """A layer that a gate may be folded into; see End."""

    name: str  # as in the ungated model
    module: nn.Module
    start: int
    spread: int


class GateSet:
    """The gates that a wrapped model holds now, by the plain names of the modules that they are on. Always made anew: it keeps no state.

    >>> gates = GateSet(model)
    >>> gates.gates["blocks.0.ls1"].values()
    """

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.gated: dict[str, Gated] = {name: module for name, module in parts(model) if isinstance(module, Gated)}
        if not self.gated:
            raise ValueError(f"{type(model).__name__} has no gates; put them in with core_attention.gates.wrap")
        self.gates: dict[str, Gate] = {name: module.gate for name, module in self.gated.items()}

    def __len__(self) -> int:
        return len(self.gates)

    @property
    def channels(self) -> int:
        return sum(gate.channels for gate in self.gates.values())

    def gate_parameters(self) -> list[nn.Parameter]:
        return [gate.logits for gate in self.gates.values()]

    def weight_parameters(self) -> list[nn.Parameter]:
        """Everything else. Together with the gates these are all parameters of the model, each once."""
        gates = {id(logits) for logits in self.gate_parameters()}
        return [parameter for parameter in self.model.parameters() if id(parameter) not in gates]

    def producers(self, name: str) -> list[Link]:
        return self._links(self.gated[name].producers)

    def consumers(self, name: str) -> list[Link]:
        """All that are known; none: the gate's channels go where nothing is known of, into a residual sum maybe."""
        return self._links(self.gated[name].consumers)

    def anneal(self, progress: float) -> None:
        """Cool the gates of hardness "anneal"; see Gate.anneal."""
        for gate in self.gates.values():
            if gate.hardness == "anneal":
                gate.anneal(progress)

    def values(self) -> dict[str, Tensor]:
        """Each gate's factors as evaluation has them, detached."""
        found: dict[str, Tensor] = {}
        for name, gate in self.gates.items():
            was = gate.training
            found[name] = gate.eval().values().detach()
            gate.train(was)
        return found

    def _links(self, ends: tuple[End, ...]) -> list[Link]:
        names = {id(module): name for name, module in parts(self.model)}
        for end in ends:
            if id(end.module) not in names:
                raise ValueError(f"a {type(end.module).__name__} that a gate was to be folded into is no longer in the model; wrap it anew")
        return [Link(names[id(end.module)], *end) for end in ends]

    def __repr__(self) -> str:
        return f"GateSet({len(self)} gates, {self.channels} channels)"
