"""A model's operations as a graph, with the parameters' names: what folding and shrinking read.

The graph is torch.export's, in evaluation mode, at the example's shapes. A model that cannot be exported has none: control flow by
values, custom operations without a fake form.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.fx import Node
from torch.utils._pytree import tree_leaves

from kernels.dispatch import use_backend

__all__ = [
    "Example",
    "Graph",
    "arguments",
    "module_of",
    "modules_of",
    "name_of",
    "outputs_of",
    "path_of",
    "paths_of",
    "place_of",
    "shape_of",
    "tensor_of",
    "trace",
]

Example = Tensor | tuple[Any, ...] | Mapping[str, Any]  # the input, the inputs in order, or by name
HOLDER = "model."


@dataclass(frozen=True)
class Graph:
    nodes: list[Node]  # in order of execution
    tensors: dict[Node, str]  # placeholders of parameters and buffers, by their names in the model
    constant: set[Node]  # what depends on no input of the model
    values: dict[Node, Tensor]  # placeholders of parameters, buffers and tensors made in passing
    shared: dict[Node, int]  # how many operations read a tensor, under whatever name

    def value(self, node: Node) -> Tensor:
        """Of a constant node, computed anew from the parameters as they are."""
        if node in self.values:
            return self.values[node]
        assert callable(node.target)
        args = torch.fx.map_arg(node.args, self.value)
        return cast(Tensor, node.target(*args, **torch.fx.map_arg(node.kwargs, self.value)))


class Holder(nn.Module):
    """Answers with a list of tensors, whatever the model answers with."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, *args: Any, **kwargs: Any) -> list[Tensor]:
        return tensors_in(self.model(*args, **kwargs))


def trace(model: nn.Module, example: Example) -> Graph:
    """Of a model in evaluation mode; its parameters are named, and not copied."""
    args, kwargs = arguments(example)
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # the fast path hides the projections
    try:
        with torch.enable_grad(), use_backend("torch"):
            exported = torch.export.export(Holder(model), args, kwargs)
    except Exception as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ValueError(
            f"{type(model).__name__} cannot be traced by torch.export, and what is not traced cannot be folded: {first}"
        ) from error
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
    signature = exported.graph_signature
    named = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
    nodes = list(exported.graph_module.graph.nodes)
    settle_in_place(nodes)
    tensors: dict[Node, str] = {}
    values: dict[Node, Tensor] = {}
    for node in nodes:
        if node.op == "placeholder" and node.name in named:
            tensors[node] = named[node.name].removeprefix(HOLDER)
            values[node] = tensor_of(model, tensors[node])
        elif node.op == "placeholder" and node.name in signature.inputs_to_lifted_tensor_constants:
            values[node] = cast(Tensor, exported.constants[signature.inputs_to_lifted_tensor_constants[node.name]])
    constant = set(values)
    for node in nodes:  # what reads nothing (a new tensor of zeros) is constant, too
        if node.op == "call_function" and all(before in constant for before in node.all_input_nodes):
            constant.add(node)
    readers: dict[int, int] = {}
    for node, value in values.items():
        readers[id(value)] = readers.get(id(value), 0) + len(node.users)
    return Graph(nodes, tensors, constant, values, {node: readers[id(value)] for node, value in values.items()})


def settle_in_place(nodes: list[Node]) -> None:
    """What is read after it was changed in place is the answer of the change."""
    order = {node: i for i, node in enumerate(nodes)}
    for node in nodes:
        if node.op == "call_function" and in_place(node):
            changed = node.args[0]
            assert isinstance(changed, Node)
            changed.replace_all_uses_with(node, lambda user, at=order[node]: order[user] > at)


def in_place(node: Node) -> bool:
    name = schema_name(node)
    return name.endswith("_") and not name.endswith("__")


def schema_name(node: Node) -> str:
    schema = getattr(node.target, "_schema", None)
    return getattr(node.target, "__name__", str(node.target)) if schema is None else schema.name.split("::")[-1]


def name_of(node: Node) -> str:
    """The operation's name without its overload; in place or not is no difference in the settled graph."""
    if node.op != "call_function":
        return node.op
    return schema_name(node)[:-1] if in_place(node) else schema_name(node)


def stack_of(node: Node) -> list[tuple[str, Any]]:
    """(path, type) of the modules in which it is, from the outermost."""
    stack = cast(dict[str, tuple[str, Any]], node.meta.get("nn_module_stack") or {})
    # a module that is called again is told from itself by "@"
    return [(path.removeprefix(HOLDER.rstrip(".")).lstrip(".").split("@")[0], kind) for path, kind in stack.values()]


def path_of(node: Node) -> str:
    """The innermost module in which the operation is; "" is the model."""
    stack = stack_of(node)
    return stack[-1][0] if stack else ""


def paths_of(node: Node) -> set[str]:
    """All modules in which it is."""
    return {path for path, _ in stack_of(node)}


def module_of(node: Node) -> str | None:
    """The type of the module in which it is."""
    stack = stack_of(node)
    return str(getattr(stack[-1][1], "__name__", stack[-1][1])) if stack else None


def place_of(node: Node) -> str:
    """For a person: the operation, and the module in which it is."""
    path = path_of(node)
    return f"{name_of(node)} of {path}" if path else name_of(node)


def shape_of(node: Node) -> tuple[int, ...]:
    return tuple(int(side) for side in node.meta["val"].shape)


def tensor_of(model: nn.Module, name: str) -> Tensor:
    module, _, last = name.rpartition(".")
    return cast(Tensor, getattr(model.get_submodule(module), last))


def modules_of(model: nn.Module) -> list[tuple[str, nn.Module]]:
    return list(cast(Iterable[tuple[str, nn.Module]], model.named_modules()))


def arguments(example: Example) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if isinstance(example, Tensor):
        return (example,), {}
    if isinstance(example, Mapping):
        return (), dict(example)
    return tuple(example), {}


def outputs_of(model: nn.Module, example: Example) -> list[Tensor]:
    args, kwargs = arguments(example)
    with torch.no_grad():
        return tensors_in(model(*args, **kwargs))


def tensors_in(answer: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(answer) if isinstance(leaf, Tensor)]
