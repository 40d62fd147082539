"""How a scale of some channels passes through an operation, forwards and back.

A scale of a tensor is a float64 tensor with as many dimensions and 1 element along each in which it does not vary. NaN stands for
elements that nobody reads, so that any factor will do.

A map commutes with a scale if map(s x) = s map(x): always where it is linear and moves or sums elements of one channel only, for
s >= 0 where it is homogeneous, as ReLU and maxima are.
"""

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor
from torch.fx import Node

from core_attention.gates.graph import Graph, name_of, place_of, shape_of

__all__ = ["Blocked", "compress", "only_along", "passed_back", "passed_on", "same"]

MOVING = {  # elements keep their values and change their places
    "view", "_unsafe_view", "reshape", "flatten", "unflatten", "transpose", "permute", "movedim", "moveaxis", "t", "numpy_T", "select",
    "slice", "narrow", "unsqueeze", "squeeze", "expand", "expand_as", "repeat", "roll", "flip", "pixel_shuffle", "pixel_unshuffle",
    "channel_shuffle", "native_channel_shuffle", "adjoint", "mT", "swapaxes", "swapdims", "view_as", "reshape_as", "index_select",
}  # fmt: skip
LINEAR = {"clone", "contiguous", "alias", "detach", "lift_fresh_copy", "to", "_to_copy", "type_as", "neg", "dropout", "feature_dropout"}
HOMOGENEOUS = {"relu", "leaky_relu", "prelu"}
POOLING = {
    "avg_pool", "adaptive_avg_pool", "upsample_nearest", "upsample_bilinear", "upsample_linear", "upsample_trilinear", "upsample_bicubic",
    "_upsample_nearest_exact",
}  # fmt: skip
MAXIMA = {"max_pool", "adaptive_max_pool"}
SUMS = {"mean", "sum"}


class Blocked(Exception):  # noqa: N818 - no error, an answer: the scale stops here
    """A scale cannot pass, and why."""


def compress(scale: Tensor) -> Tensor:
    """One element along each dimension in which it does not vary."""
    for axis, side in enumerate(scale.shape):
        if side > 1:
            low = scale.nan_to_num(nan=torch.inf).amin(axis, keepdim=True)
            high = scale.nan_to_num(nan=-torch.inf).amax(axis, keepdim=True)
            if bool((low >= high).all()):
                scale = torch.where(low > high, torch.nan, low)
    return scale


def same(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and bool(torch.equal(a.nan_to_num(1.0), b.nan_to_num(1.0)))


def varies_along(scale: Tensor) -> list[int]:
    return [axis for axis, side in enumerate(scale.shape) if side > 1]


def only_along(scale: Tensor, axis: int, node: Node) -> Tensor:
    """The scale as a vector along one dimension of the tensor; one element if it is the same everywhere."""
    axis %= scale.ndim
    if any(other != axis for other in varies_along(scale)):
        raise Blocked(f"before {place_of(node)} it differs along other dimensions than the channels'")
    return scale.reshape(-1)


def passed_on(graph: Graph, node: Node, scales: dict[Node, Tensor]) -> Tensor:
    """The scale of what `node` answers, given those of its inputs; what has none is not scaled."""
    name = name_of(node)
    first = node.args[0] if node.args else None
    if name in MOVING and isinstance(first, Node) and first in scales:
        return compress(moved(graph, node, full(scales[first], first)))
    if name in ("cat", "stack"):
        assert callable(node.target)
        parts = [full(scales[part], part) if part in scales else torch.ones(shape_of(part), dtype=torch.float64) for part in listed(first)]
        return compress(node.target(parts, *node.args[1:], **node.kwargs))
    if name == "mul" and len(operands(node)) == 2:
        return product([scales[part] for part in operands(node) if part in scales], len(shape_of(node)))
    if name in ("add", "sub") and len(operands(node)) == 2:
        parts = operands(node)
        if any(part not in scales for part in parts):
            raise Blocked(f"{place_of(node)} adds what the gate does not scale, as a shortcut does")
        left, right = (scales[part] for part in parts)
        if not same(left, right):
            raise Blocked(f"{place_of(node)} adds what is scaled in two ways")
        return left
    if not isinstance(first, Node) or first not in scales:
        raise Blocked(f"{place_of(node)} does not commute with a scale")
    kept, dropped = settled(node, scales[first])
    return kept if dropped is None else kept.squeeze(dropped)


def passed_back(graph: Graph, node: Node, scale: Tensor) -> list[tuple[Node, Tensor]]:
    """Which scales of its inputs make `node` answer with this one."""
    name = name_of(node)
    first = node.args[0] if node.args else None
    if name in MOVING and isinstance(first, Node):
        return [(first, moved_back(graph, node, first, scale))]
    if name in ("cat", "stack"):
        return [(part, moved_back(graph, node, part, scale)) for part in listed(first)]
    if name in ("add", "sub"):
        if len(operands(node)) < 2:
            raise Blocked(f"{place_of(node)} adds a number")
        return [(part, fitted(scale, shape_of(part), node)) for part in operands(node)]
    if not isinstance(first, Node):
        raise Blocked(f"{place_of(node)} does not commute with a scale")
    if name in SUMS and (dims := reduced(node)) is not None and not keeps(node):
        for dim in sorted(dim % len(shape_of(first)) for dim in dims):
            scale = scale.unsqueeze(dim)
    return [(first, settled(node, scale)[0])]


def settled(node: Node, scale: Tensor) -> tuple[Tensor, tuple[int, ...] | None]:
    """(the scale itself if it may pass this map of one input, which dimensions are left out)."""
    name, number = name_of(node), len(operands(node)) == 1
    if name in LINEAR or (name in ("mul", "div") and number and node.args and isinstance(node.args[0], Node)):
        return scale, None
    if name == "div" and len(operands(node)) == 2:
        return scale, None
    bare = name.rstrip("123d").removesuffix("_")
    if name in HOMOGENEOUS or bare in MAXIMA or name == "amax":
        if bool((scale.nan_to_num(1.0) < 0).any()):
            raise Blocked(f"{place_of(node)} does not commute with a negative scale")
        if name in HOMOGENEOUS:
            return scale, None
    if bare in MAXIMA or bare in POOLING:
        only_outside(node, scale, [-1 - i for i in range(int(name.rstrip("d")[-1]))])
        return scale, None
    if name in ("pad", "constant_pad_nd") or bare in ("reflection_pad", "replication_pad"):
        only_outside(node, scale, padded(node))
        return scale, None
    if (name in SUMS or name == "amax") and (dims := reduced(node)) is not None:
        only_outside(node, scale, dims)
        return scale, None if keeps(node) else tuple(dims)
    raise Blocked(f"{place_of(node)} does not commute with a scale")


def padded(node: Node) -> list[int]:
    """The dimensions that it makes larger, with what a scale reaches: with zeros, or with the elements themselves."""
    args = list(node.args)
    sides = cast(Sequence[int], args[1])
    constant = name_of(node) == "constant_pad_nd" or (name_of(node) == "pad" and (len(args) < 3 or args[2] == "constant"))
    value = args[2 if name_of(node) == "constant_pad_nd" else 3 :][:1]
    if constant and value not in ([], [None], [0]):
        raise Blocked(f"{place_of(node)} pads with {value[0]}, which no scale reaches")
    return [-1 - i for i in range(len(sides) // 2)]


def only_outside(node: Node, scale: Tensor, dims: Sequence[int]) -> None:
    if any(scale.shape[dim] > 1 for dim in dims):
        raise Blocked(f"{place_of(node)} puts elements together that are scaled in several ways")


def reduced(node: Node) -> list[int] | None:
    dims = node.args[1] if len(node.args) > 1 else None
    return [dims] if isinstance(dims, int) else None if dims is None else [int(dim) for dim in dims]  # type: ignore[union-attr, arg-type]


def keeps(node: Node) -> bool:
    return bool(node.args[2]) if len(node.args) > 2 else bool(node.kwargs.get("keepdim", False))


def operands(node: Node) -> list[Node]:
    """The tensors among the first two arguments."""
    return [arg for arg in node.args[:2] if isinstance(arg, Node)]


def listed(parts: Any) -> list[Node]:
    return [part for part in parts if isinstance(part, Node)]


def full(scale: Tensor, node: Node) -> Tensor:
    return scale.expand(shape_of(node)).contiguous()


def product(scales: list[Tensor], dims: int) -> Tensor:
    answer = torch.ones([1] * dims, dtype=torch.float64)
    for scale in scales:
        answer = answer * scale.cpu()
    return compress(answer)


def fitted(scale: Tensor, shape: tuple[int, ...], node: Node) -> Tensor:
    """The scale of an operand that is spread over the others."""
    scale = scale.reshape(scale.shape[scale.ndim - len(shape) :]) if scale.shape[: scale.ndim - len(shape)].numel() == 1 else scale
    if scale.ndim != len(shape) or any(side > 1 and wide == 1 for side, wide in zip(scale.shape, shape, strict=True)):
        raise Blocked(f"{place_of(node)} adds what is the same for all channels")
    return scale


def moved(graph: Graph, node: Node, x: Tensor) -> Tensor:
    """Elements to where `node` moves them. Places that a tensor names, as index_select's, are known where the model keeps them."""
    assert callable(node.target)
    others = [other for other in node.all_input_nodes if other is not node.args[0]]
    if any(other not in graph.constant for other in others):
        raise Blocked(f"{place_of(node)} moves channels to places that depend on the input")
    args, kwargs = torch.fx.map_arg((node.args[1:], node.kwargs), lambda other: graph.value(other).cpu())
    return cast(Tensor, node.target(x.cpu(), *cast(Any, args), **cast(Any, kwargs)))


def moved_back(graph: Graph, node: Node, part: Node, scale: Tensor) -> Tensor:
    """The scale of `part` whose elements `node` has moved to where `scale` is. Found by moving their numbers."""
    assert callable(node.target)
    count = torch.Size(shape_of(part)).numel()
    numbers = torch.arange(count).reshape(shape_of(part))
    if name_of(node) in ("cat", "stack"):
        given = [numbers if other is part else torch.full(shape_of(other), -1) for other in listed(node.args[0])]
        places = node.target(given, *node.args[1:], **node.kwargs).reshape(-1)
    else:
        places = moved(graph, node, numbers).reshape(-1)
    wanted = full(scale, node).reshape(-1)[places >= 0]
    places = places[places >= 0]
    found = torch.full((count,), torch.nan, dtype=torch.float64)
    found[places] = wanted
    if not same(found[places], wanted):
        raise Blocked(f"{place_of(node)} repeats what is scaled in several ways")
    return compress(found.reshape(shape_of(part)))
