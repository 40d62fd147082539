"""Whole branches that answer zero, whatever they are given, are not computed any more."""

from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.fx import Node

from core_attention.contract import Mixer
from core_attention.gates.dead import BY_ITSELF
from core_attention.gates.graph import Graph, modules_of, name_of, paths_of, shape_of
from core_attention.gates.layers import CONVOLUTIONS, NORMS, TRANSPOSED, weights_of
from core_attention.gates.scales import HOMOGENEOUS, LINEAR, MAXIMA, MOVING, POOLING, SUMS

__all__ = ["Nothing", "drop_branches"]

STAY_ZERO = MOVING | LINEAR | HOMOGENEOUS | SUMS | {"gelu", "silu", "tanh", "elu", "selu", "celu", "mish", "hardswish", "relu6"}
assert STAY_ZERO - MOVING - LINEAR - HOMOGENEOUS - SUMS <= BY_ITSELF


class Nothing(nn.Module):
    """In the place of a branch that was closed: zeros, as large as what it is given."""

    def __init__(self, before: nn.Module) -> None:
        super().__init__()
        if isinstance(before, Mixer):
            self.spec = before.spec

    def forward(self, x: Tensor, *_: Any, **__: Any) -> Tensor:
        return torch.zeros_like(x)


@dataclass(frozen=True)
class Region:
    zero: set[Node]  # always zero
    needless: set[Node]  # read by nothing but what is always zero


def drop_branches(model: nn.Module, graph: Graph) -> list[str]:
    """Replace the largest modules that need not be computed; their names."""
    region = needless(graph)
    dropped: list[str] = []
    for path, module in modules_of(model):
        if not path or any((path + ".").startswith(done + ".") for done in dropped):
            continue
        inside = [node for node in graph.nodes if node.op == "call_function" and path in paths_of(node) and node not in graph.constant]
        if not inside or not all(node in region.zero or node in region.needless for node in inside):
            continue
        within = set(inside)
        answers = [node for node in inside if any(user not in within for user in node.users)]
        given = [before for node in inside for before in node.all_input_nodes if before not in within and before not in graph.constant]
        if len(answers) > 1 or not given or (answers and shape_of(answers[0]) != shape_of(given[0])):
            continue
        whole = not answers or answers[0] in region.zero or isinstance(module, Mixer)
        model.set_submodule(path, Nothing(module) if whole else nn.Identity())
        dropped.append(path)
    return dropped


def needless(graph: Graph) -> Region:
    zero: set[Node] = set()
    for node in graph.nodes:
        if node.op == "call_function" and node not in graph.constant and answers_zero(graph, node, zero):
            zero.add(node)
    spare: set[Node] = set()
    for node in reversed(graph.nodes):
        inner = node.op == "call_function" and node not in zero and node not in graph.constant
        if inner and all(user in zero or user in spare for user in node.users):
            spare.add(node)
    return Region(zero, spare)


def answers_zero(graph: Graph, node: Node, zero: set[Node]) -> bool:
    name = name_of(node)
    first = node.args[0] if node.args else None
    if name == "linear" or name in CONVOLUTIONS or name in TRANSPOSED or name in NORMS:
        weight, bias = weights_of(node)
        if bias is not None and not is_zero(graph, bias):
            return False
        return (weight is not None and is_zero(graph, weight)) or (name not in NORMS and first in zero)
    if name == "mul":
        return any(arg in zero or is_zero(graph, arg) for arg in node.args[:2] if isinstance(arg, Node))
    if name in ("add", "sub", "cat", "stack"):
        parts = node.args[:2] if name in ("add", "sub") else cast(list[Node], first)
        return all(part in zero for part in parts)
    bare = name.rstrip("123d").removesuffix("_")
    return first in zero and (name in STAY_ZERO or name == "div" or bare in POOLING or bare in MAXIMA)


def is_zero(graph: Graph, node: Node) -> bool:
    return node in graph.tensors and not bool(graph.values[node].any())
