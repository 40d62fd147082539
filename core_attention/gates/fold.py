"""Fold gates into the layers before or behind them: the same function, the same shapes, no gate (HAG 2.5).

What cannot be folded stays as a multiplication and is listed with the reason.
"""

from copy import deepcopy
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.fx import Node
from torch.utils._pytree import tree_map

from core_attention.gates.gated import Gated
from core_attention.gates.graph import Example, Graph, modules_of, outputs_of, path_of, tensor_of, trace
from core_attention.gates.scales import Blocked, compress
from core_attention.gates.walk import Plan, into_consumers, into_producers

__all__ = ["FoldReport", "Folded", "Kept", "difference", "fold", "on_cpu", "placed", "tensors_of"]

EXACT, DEPLOYED = 1e-10, 1e-5  # of |a - b| over max(1, |b|): in float64, and in float32 where that is the model's type


class Folded(NamedTuple):
    gate: str  # where it was, by the gated module's name
    into: str


class Kept(NamedTuple):
    gate: str
    why: str


@dataclass(frozen=True)
class FoldReport:
    folded: list[Folded]
    kept: list[Kept]
    error_double: float  # the largest |a - b| / max(1, |b|) of folded against gated, in float64
    error: float  # in the model's own type

    def __str__(self) -> str:
        lines = [
            f"{len(self.folded)} gates folded, {len(self.kept)} kept; off by {self.error_double:.1e} in float64, {self.error:.1e} as it is"
        ]
        lines += [f"  {gate} -> {into}" for gate, into in self.folded]
        return "\n".join([*lines, *(f"  {gate} stays: {why}" for gate, why in self.kept)])


def fold(model: nn.Module, example: Example) -> tuple[nn.Module, FoldReport]:
    """A copy without those gates that can be folded. example: what the model is called with; a batch of two or more random items will do.

    Gates count with their values in evaluation. The result is checked on the example, in float64 and in the model's own type.
    A model in training mode may go on training: then no gate goes into a batch norm behind it.

    >>> folded, report = fold(model, torch.randn(2, 3, 96, 96))
    """
    gates = [name for name, module in modules_of(model) if isinstance(module, Gated)]
    plain = plain_paths(model)
    work, training = deepcopy(model).eval(), model.training
    types, devices = ({name: getattr(value, kind) for name, value in tensors_of(work)} for kind in ("dtype", "device"))
    work, example = work.cpu(), on_cpu(example)  # a GPU's TF32 is coarser than what may differ
    before = outputs_of(work, example)
    work, wide = work.double(), as_double(example)
    before_wide = outputs_of(work, wide)
    folded: list[Folded] = []
    kept: list[Kept] = []
    gone: list[str] = []
    if gates:
        graph = trace(work, wide)
        with torch.no_grad():
            for name in gates:
                reason, into = fold_one(work, graph, name, plain, training)
                if reason is None:
                    folded.append(Folded(plain[name], into))
                    gone.append(name)
                else:
                    kept.append(Kept(plain[name], reason))
    for name in reversed(gone):  # the inner ones first: names of outer ones lead to them
        work = replaced(work, name, cast(Gated, work.get_submodule(name)).inner)
    error_double = difference(outputs_of(work, wide), before_wide)
    narrow(work, types)
    error = difference(outputs_of(work, example), before)
    coarse = any(dtype.is_floating_point and torch.finfo(dtype).bits < 32 for dtype in types.values())  # then rounding says little
    if not (error_double <= EXACT and (coarse or error <= DEPLOYED)):
        raise ArithmeticError(
            f"folding changed the answers by {error_double:.1e} in float64 (at most {EXACT:g}) and {error:.1e} in the model's own type "
            f"(at most {DEPLOYED:g}): nothing was folded; does the model answer the same twice?"
        )
    return placed(work, devices).train(training), FoldReport(folded, kept, error_double, error)


def fold_one(model: nn.Module, graph: Graph, name: str, plain: dict[str, str], training: bool) -> tuple[str | None, str]:
    """(why not, or None; the layers that took it). Changes the model's parameters."""
    gated = cast(Gated, model.get_submodule(name))
    if gated.gate.hardness == "off":
        return None, "nothing: it is off"
    prefix = f"{name}.gate." if name else "gate."
    uses = uses_of(graph, prefix)
    if len(uses) != 1:
        return ("the example does not reach it" if not uses else f"it is applied in {len(uses)} places"), ""
    node, operand = uses[0]
    value = graph.value(operand).double()
    dims = node.meta["val"].ndim
    scale = compress(value.reshape([1] * (dims - value.ndim) + list(value.shape)))
    if bool((value == 1.0).all()):
        return None, "nothing: all its values are 1"
    reasons: list[str] = []
    plans: list[Plan] = []
    for what, make in (
        ("behind it", lambda: into_consumers(graph, node, scale, training)),
        ("before it", lambda: into_producers(graph, node, operand, scale)),
    ):
        try:
            plans.append(make())
        except Blocked as reason:
            reasons.append(f"{what}: {reason}")
    if not plans:
        return "; ".join(reasons), ""
    plan = min(plans, key=lambda plan: len(plan.norms))  # a batch norm behind the gate only where nothing else takes it
    apply(model, graph, plan)
    return None, ", ".join(dict.fromkeys(plain.get(layer, layer) for layer in plan.layers()))


def plain_paths(model: nn.Module) -> dict[str, str]:
    """Names of modules as they would be without gates."""
    plain = {"": ""}
    for name, _ in modules_of(model):
        parent, _, key = name.rpartition(".")
        if name:
            before, inside = plain[parent], isinstance(model.get_submodule(parent), Gated)
            plain[name] = before if inside else f"{before}.{key}" if before else key
    return plain


def uses_of(graph: Graph, prefix: str) -> list[tuple[Node, Node]]:
    """Multiplications of what depends on the model's inputs by what depends on the gate: (the product, the gate's operand)."""
    derived = {node for node, name in graph.tensors.items() if name.startswith(prefix)}
    found: list[tuple[Node, Node]] = []
    for node in graph.nodes:
        from_gate = [before for before in node.all_input_nodes if before in derived]
        if from_gate and node in graph.constant:
            derived.add(node)
        elif from_gate:
            found.extend((node, before) for before in from_gate)
    return found


def apply(model: nn.Module, graph: Graph, plan: Plan) -> None:
    for name, factor in plan.factors.items():
        tensor_of(model, name).mul_(factor.to(tensor_of(model, name).device))
    for node, s in plan.norms:
        weight, bias, mean, var = (graph.values[cast(Node, arg)] for arg in node.args[1:5])
        s = s.to(weight.device)
        slope = weight / (var + cast(float, node.args[7])).sqrt()
        bias.sub_(slope * mean)  # y = a (s x - mean) + beta = a s x + (beta - a mean), exact where s = 0
        mean.zero_()
        weight.mul_(s)
    for node, s in plan.bare:
        give_weights(model, node, s)


def give_weights(model: nn.Module, node: Node, s: Tensor) -> None:
    """A norm without weights gets some."""
    norm = model.get_submodule(path_of(node))
    example = next(model.parameters())
    weight = nn.Parameter(s.nan_to_num(1.0).to(example.device).expand(shape_of_norm(norm)).clone())
    norm.weight = weight
    if not isinstance(norm, nn.RMSNorm):
        norm.bias = nn.Parameter(torch.zeros_like(weight))
    for flag in ("affine", "elementwise_affine"):
        if hasattr(norm, flag):
            setattr(norm, flag, True)


def shape_of_norm(norm: nn.Module) -> tuple[int, ...]:
    if isinstance(norm, nn.LayerNorm | nn.RMSNorm):
        return tuple(norm.normalized_shape)
    return (cast(int, getattr(norm, "num_channels" if isinstance(norm, nn.GroupNorm) else "num_features")),)


def replaced(model: nn.Module, name: str, module: nn.Module) -> nn.Module:
    """The model with another module at a place; "" is the whole."""
    if not name:
        return module
    model.set_submodule(name, module)
    return model


def narrow(model: nn.Module, types: dict[str, torch.dtype]) -> None:
    """Each tensor in the type it had; new ones in that of the first parameter."""
    usual = next(iter(types.values()), torch.float32)
    known = {strip(name): dtype for name, dtype in types.items()}
    for name, value in tensors_of(model):
        if value.is_floating_point():
            value.data = value.data.to(known.get(strip(name), usual))


def placed(model: nn.Module, devices: dict[str, torch.device]) -> nn.Module:
    """Each tensor on the device it was on; new ones on that of the first parameter."""
    usual = next(iter(devices.values()), torch.device("cpu"))
    known = {strip(name): device for name, device in devices.items()}
    for name, value in tensors_of(model):
        value.data = value.data.to(known.get(strip(name), usual))
    return model


def tensors_of(model: nn.Module) -> list[tuple[str, Tensor]]:
    return [*model.named_parameters(), *model.named_buffers()]


def strip(name: str) -> str:
    """Names without the steps into gated modules, some of which are gone."""
    return ".".join(part for part in name.split(".") if part != "inner")


def on_cpu(example: Example) -> Example:
    def moved(leaf: Any) -> Any:
        return leaf.cpu() if isinstance(leaf, Tensor) else leaf

    return cast(Example, tree_map(moved, example))


def as_double(example: Example) -> Example:
    def widened(leaf: Any) -> Any:
        return leaf.double() if isinstance(leaf, Tensor) and leaf.is_floating_point() else leaf

    return cast(Example, tree_map(widened, example))


def difference(answers: list[Tensor], wanted: list[Tensor]) -> float:
    """The largest |a - b| / max(1, |b|)."""
    worst = 0.0
    for a, b in zip(answers, wanted, strict=True):
        if a.shape != b.shape:
            return float("inf")
        if b.numel():
            gap = (a.double() - b.double()).abs() / b.double().abs().clamp(min=1.0)
            worst = max(worst, float(gap.max().nan_to_num(nan=torch.inf)))
    return worst
