"""Channels that nobody reads: all layers behind them have columns of exact zeros for them.

A channel is followed from the layer that makes it by its number, through every map that treats channels by themselves.
"""

from dataclasses import dataclass, field
from typing import cast

import torch
from torch import Tensor
from torch.fx import Node

from core_attention.gates.graph import Graph, name_of, path_of, shape_of
from core_attention.gates.layers import CONVOLUTIONS, groups_of
from core_attention.gates.scales import Blocked, only_along, passed_on

__all__ = ["Read", "ending", "follow", "zero_columns"]

BY_ITSELF = {"gelu", "silu", "sigmoid", "tanh", "elu", "selu", "celu", "softplus", "mish", "hardswish", "hardsigmoid", "hardtanh", "relu6"}
UNREAD = 1.0  # the number of what is no channel of ours


@dataclass
class Read:
    """What became of a tensor's channels."""

    alive: Tensor  # (C,) bool
    readers: list[tuple[Node, Tensor]] = field(default_factory=list[tuple[Node, Tensor]])  # layers, and the channel of each column or -1
    passed: list[Node] = field(default_factory=list[Node])  # batch norms and depthwise convolutions on the way: (C,) along their axis
    factors: list[tuple[Node, int]] = field(default_factory=list[tuple[Node, int]])  # LayerScale, PReLU: (placeholder, axis)


def ending(graph: Graph, path: str) -> Node | None:
    """The last operation inside a module: what it answers."""
    inside = [node for node in graph.nodes if node.op == "call_function" and (path_of(node) + ".").startswith(path + ".")]
    return inside[-1] if inside else None


def follow(graph: Graph, start: Node, axis: int) -> Read:
    """Who reads the channels of what `start` answers."""
    channels = shape_of(start)[axis]
    numbers = torch.arange(channels, dtype=torch.float64) + UNREAD + 1
    followed = {start: numbers.reshape([channels if i == axis % len(shape_of(start)) else 1 for i in range(len(shape_of(start)))])}
    read = Read(torch.zeros(channels, dtype=torch.bool))
    for node in graph.nodes[graph.nodes.index(start) + 1 :]:
        came = [before for before in node.all_input_nodes if before in followed]
        if not came:
            continue
        try:
            if node.op == "output" or (name_of(node) in ("mul", "div") and not scaled_by_constant(graph, node, came, read)):
                raise Blocked("read as a whole")
            if name_of(node) == "linear" or (name_of(node) in CONVOLUTIONS and not depthwise(node)):
                columns(graph, node, followed[came[0]], read)
            elif name_of(node) == "batch_norm" or name_of(node) in CONVOLUTIONS:
                only_along(followed[came[0]], 1, node)
                if came != [node.args[0]] or shape_of(node)[1] != channels or not own_tensors(graph, node):
                    raise Blocked("changes the channels")
                read.passed.append(node)
                followed[node] = followed[came[0]]
            else:
                if name_of(node) == "prelu" and not scaled_by_constant(graph, node, came, read):
                    raise Blocked("its slopes are shared")
                followed[node] = followed[came[0]] if name_of(node) in BY_ITSELF else passed_on(graph, node, followed)
        except Blocked:
            for before in came:
                mark(read.alive, followed[before])
    return read


def columns(graph: Graph, node: Node, numbers: Tensor, read: Read) -> None:
    weight = node.args[1]
    if not isinstance(weight, Node) or weight not in graph.tensors or graph.shared[weight] > 1:
        raise Blocked("its weights are no parameter of its own")
    if name_of(node) != "linear" and groups_of(node) > 1:
        raise Blocked("it reads in groups")
    axis = -1 if name_of(node) == "linear" else 1
    width = shape_of(cast(Node, node.args[0]))[axis]
    channel = (only_along(numbers, axis, node).expand(width) - UNREAD - 1).long()
    zero = zero_columns(graph.values[weight])
    read.alive[channel[(channel >= 0) & ~zero]] = True
    read.readers.append((node, channel))


def zero_columns(weight: Tensor) -> Tensor:
    return (weight == 0).flatten(2).all(2).all(0) if weight.ndim > 2 else (weight == 0).all(0)


def depthwise(node: Node) -> bool:
    inputs, outputs = shape_of(cast(Node, node.args[0]))[1], shape_of(node)[1]
    return groups_of(node) == inputs == outputs > 1


def own_tensors(graph: Graph, node: Node) -> bool:
    tensors = [arg for arg in node.args[1:5] if isinstance(arg, Node)]
    return all(part in graph.tensors and graph.shared[part] == 1 for part in tensors)


def scaled_by_constant(graph: Graph, node: Node, came: list[Node], read: Read) -> bool:
    """Whether the other factor is a number, or a parameter that lies along the channels and can be cut with them."""
    (other,) = [arg for arg in node.args[:2] if arg is not came[0]] or [None]
    if len(came) > 1 or other is None:
        return False
    if not isinstance(other, Node):
        return True
    sides = shape_of(other)
    long = [axis for axis, side in enumerate(sides) if side > 1]
    if other not in graph.tensors or graph.shared[other] > 1 or len(long) > 1:
        return False
    if long:
        if sides[long[0]] != len(read.alive):
            return False
        read.factors.append((other, long[0]))
    return True


def mark(alive: Tensor, numbers: Tensor) -> None:
    channel = (numbers.reshape(-1) - UNREAD - 1).nan_to_num(-1.0).long()
    alive[channel[channel >= 0]] = True
