"""Where a gate's scale can go: back into the layers that make its channels, or on into those that read them (HAG 2.5)."""

from dataclasses import dataclass, field
from typing import cast

from torch import Tensor
from torch.fx import Node

from core_attention.gates.graph import Graph, module_of, name_of, path_of, place_of, shape_of
from core_attention.gates.layers import CONVOLUTIONS, NORMS, TRANSPOSED, of_answer, of_input, weights_of
from core_attention.gates.scales import Blocked, only_along, passed_back, passed_on, same

__all__ = ["Plan", "into_consumers", "into_producers"]


@dataclass
class Plan:
    """What to multiply in order to be rid of a gate."""

    factors: dict[str, Tensor] = field(default_factory=dict[str, Tensor])  # by the names of parameters
    norms: list[tuple[Node, Tensor]] = field(default_factory=list[tuple[Node, Tensor]])  # batch norms that read the scaled channels
    bare: list[tuple[Node, Tensor]] = field(default_factory=list[tuple[Node, Tensor]])  # norms without weights, that need some

    def layers(self) -> list[str]:
        """The modules whose tensors it changes."""
        names = [*(name.rpartition(".")[0] or name for name in self.factors), *(path_of(node) for node, _ in self.norms + self.bare)]
        return list(dict.fromkeys(names))


class Walk:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.plan = Plan()
        self.wanted: dict[Node, Tensor] = {}  # how what each node answers is to be scaled
        self.routed: set[tuple[Node, Node]] = set()  # who reads it so

    def want(self, node: Node, scale: Tensor, reader: Node) -> None:
        """Have `node` answer times the scale, as `reader` needs it."""
        self.routed.add((node, reader))
        if node in self.wanted:
            if not same(self.wanted[node], scale):
                raise Blocked(f"{place_of(node)} is needed with two different scales")
            return
        self.wanted[node] = scale
        if node.op == "placeholder" or node.op == "get_attr":
            self._tensor(node, scale)
            return
        name = name_of(node)
        if name in NORMS or name == "linear" or name in CONVOLUTIONS or name in TRANSPOSED:
            self._layer(node, scale)
        elif name == "mul" and all(isinstance(arg, Node) for arg in node.args[:2]):
            self._product(node, scale)
        else:
            for before, s in passed_back(self.graph, node, scale):
                self.want(before, s, node)

    def _tensor(self, node: Node, scale: Tensor) -> None:
        if node not in self.graph.tensors:
            raise Blocked("it reaches an input of the model" if node not in self.graph.values else "it reaches a fixed tensor")
        if self.graph.shared[node] > 1:
            raise Blocked(f"{self.graph.tensors[node]} is used in {self.graph.shared[node]} places")
        self.plan.factors[self.graph.tensors[node]] = scale.nan_to_num(1.0)

    def _layer(self, node: Node, scale: Tensor) -> None:
        weight, bias = weights_of(node)
        of_weight, of_bias = of_answer(node, scale)
        if weight is None:
            module = module_of(node)
            if module is None or "norm" not in module.lower():
                raise Blocked(f"{place_of(node)} has no weights, and no module of its own that could be given some")
            self.plan.bare.append((node, of_weight))
            return
        self.want(weight, of_weight, node)
        if bias is not None:
            self.want(bias, of_bias, node)

    def _product(self, node: Node, scale: Tensor) -> None:
        """A constant factor (LayerScale) takes the scale, if it has the channels; else the other operand does."""
        operands = [cast(Node, arg) for arg in node.args[:2]]
        constants = [arg for arg in operands if arg in self.graph.constant]
        blocked: Blocked | None = None
        for part in [*constants, *(arg for arg in operands if arg not in constants)]:
            shape = shape_of(part)
            lead = scale.ndim - len(shape)
            if scale.shape[:lead].numel() == 1:
                s = scale.reshape(scale.shape[lead:])
                if all(side == 1 or wide > 1 for side, wide in zip(s.shape, shape, strict=True)):
                    before = (
                        Plan(dict(self.plan.factors), list(self.plan.norms), list(self.plan.bare)),
                        dict(self.wanted),
                        set(self.routed),
                    )
                    try:
                        self.want(part, s, node)
                        return
                    except Blocked as reason:
                        self.plan, self.wanted, self.routed = before
                        blocked = reason
        raise blocked or Blocked(f"{place_of(node)} multiplies what is the same for all channels")

    def check_readers(self) -> None:
        for node in self.wanted:
            for reader in node.users:
                if (node, reader) not in self.routed:
                    raise Blocked(f"{place_of(node)} is read by {place_of(reader)} as well, which the gate does not scale")


def into_producers(graph: Graph, gated: Node, gate: Node, scale: Tensor) -> Plan:
    """gated: the multiplication by the gate, `gate` its operand with the values; scale: of what it answers."""
    (source,) = (cast(Node, arg) for arg in gated.args[:2] if arg is not gate)
    walk = Walk(graph)
    walk.want(source, scale, gated)
    walk.check_readers()
    return walk.plan


def into_consumers(graph: Graph, gated: Node, scale: Tensor, training: bool) -> Plan:
    """training: whether the model will go on training, where a batch norm's statistics follow its input."""
    walk, scales = Walk(graph), {gated: scale}  # what no gate scales has no entry, such as the other part of a concatenation
    for node in graph.nodes[graph.nodes.index(gated) + 1 :]:
        reads = [before for before in node.all_input_nodes if before in scales]
        if not reads:
            continue
        name = name_of(node)
        if node.op == "output":
            raise Blocked("its channels are an answer of the model")
        if name == "linear" or name in CONVOLUTIONS or name in TRANSPOSED or name in NORMS:
            if reads != [node.args[0]]:
                raise Blocked(f"{place_of(node)} takes the gated channels as its weights")
            s = scales[reads[0]]
            if name == "batch_norm":
                _batch_norm(walk, node, s, training)
                continue
            walk.want(cast(Node, weights_of(node)[0]), of_input(node, s), node) if name not in NORMS else of_input(node, s)
        elif not is_one(s := passed_on(graph, node, scales)):
            scales[node] = s
    walk.check_readers()
    if not walk.plan.factors and not walk.plan.norms:
        raise Blocked("nothing reads its channels")
    return walk.plan


def is_one(scale: Tensor) -> bool:
    return bool((scale.nan_to_num(1.0) == 1.0).all())


def _batch_norm(walk: Walk, node: Node, scale: Tensor, training: bool) -> None:
    """In evaluation it is a map of each channel by itself."""
    if training:
        raise Blocked(f"{place_of(node)} follows the scale with its statistics while the model trains; fold after model.eval()")
    tensors = [cast(Node | None, arg) for arg in node.args[1:5]]
    if any(part is None or walk.graph.shared.get(part, 2) > 1 for part in tensors):
        raise Blocked(f"{place_of(node)} lacks weights or statistics of its own")
    walk.plan.norms.append((node, only_along(scale, 1, node).nan_to_num(1.0)))
