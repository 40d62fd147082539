"""The layers that take a scale into their weights, on the side of their answer and on the side of what they read (HAG 2.5).

Each answers with the factors of its own weight and bias, in the shapes of the operation's arguments.
"""

from typing import cast

from torch import Tensor
from torch.fx import Node

from core_attention.gates.graph import name_of, place_of, shape_of
from core_attention.gates.scales import Blocked, only_along

__all__ = ["CONVOLUTIONS", "NORMS", "TRANSPOSED", "groups_of", "of_answer", "of_input", "weights_of"]

CONVOLUTIONS = {"conv1d": 1, "conv2d": 2, "conv3d": 3}
TRANSPOSED = {"conv_transpose1d": 1, "conv_transpose2d": 2, "conv_transpose3d": 3}
NORMS = {"batch_norm": 1, "instance_norm": 1, "layer_norm": 2, "group_norm": 2, "rms_norm": 2}  # where their weight stands


def groups_of(node: Node) -> int:
    """conv(x, weight, bias, stride, padding, dilation, groups); a transposed one has its output padding before them."""
    at = 6
    given = node.args[at] if len(node.args) > at else node.kwargs.get("groups", 1)
    return cast(int, given)


def weights_of(node: Node) -> tuple[Node | None, Node | None]:
    at = NORMS.get(name_of(node), 1)
    weight, bias = (node.args[i] if len(node.args) > i else None for i in (at, at + 1))
    if name_of(node) == "rms_norm":
        bias = None
    return cast(Node | None, weight), cast(Node | None, bias)


def of_answer(node: Node, scale: Tensor) -> tuple[Tensor, Tensor]:
    """(factor of the weight, factor of the bias) that scale what the layer answers."""
    name = name_of(node)
    if name == "linear":
        s = only_along(scale, -1, node)
        return s.reshape(-1, 1), s
    if name in CONVOLUTIONS or name in TRANSPOSED:
        spatial = CONVOLUTIONS.get(name) or TRANSPOSED[name]
        s = only_along(scale, -1 - spatial, node)
        ones = [1] * spatial
        if name in CONVOLUTIONS or len(s) == 1:
            return s.reshape(-1, *([1] if name in CONVOLUTIONS else []), *ones, *([] if name in CONVOLUTIONS else [1])), s
        groups, rows = groups_of(node), shape_of(cast(Node, node.args[1]))[0]  # (in, out / groups, ...)
        return s.reshape(groups, 1, -1).expand(groups, rows // groups, -1).reshape(rows, -1, *ones), s
    if name in NORMS:
        if name == "layer_norm" or name == "rms_norm":
            dims = len(cast(list[int], node.args[1]))
            if any(side > 1 for side in scale.shape[: scale.ndim - dims]):
                raise Blocked(f"{place_of(node)} has no weight along the dimension of the gate")
            s = scale.reshape(scale.shape[scale.ndim - dims :])
        else:
            s = only_along(scale, 1, node)
        return s, s
    raise Blocked(f"{place_of(node)} has no weight that could take the scale")


def of_input(node: Node, scale: Tensor) -> Tensor:
    """The factor of the weight that stands for a scale of what the layer reads."""
    name = name_of(node)
    if name == "linear":
        return only_along(scale, -1, node).reshape(1, -1)
    if name in CONVOLUTIONS:
        s, ones = only_along(scale, -1 - CONVOLUTIONS[name], node), [1] * CONVOLUTIONS[name]
        groups, rows = groups_of(node), shape_of(cast(Node, node.args[1]))[0]
        if groups == 1 or len(s) == 1:
            return s.reshape(1, -1, *ones)
        # row o of group k reads channels k * in / groups and on
        return s.reshape(groups, 1, -1).expand(groups, rows // groups, -1).reshape(rows, -1, *ones)
    if name in TRANSPOSED:
        return only_along(scale, -1 - TRANSPOSED[name], node).reshape(-1, 1, *[1] * TRANSPOSED[name])
    if name in NORMS or "softmax" in name:
        raise Blocked(f"{place_of(node)} reads several channels at once: its statistics depend on the gate")
    raise Blocked(f"{place_of(node)} has no weight that could take the scale")
