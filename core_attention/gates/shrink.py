"""Make a model smaller by what its closed gates have left without a reader: fewer channels, heads and branches (HAG 2.6)."""

from dataclasses import dataclass
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from core_attention.gates.branches import drop_branches
from core_attention.gates.cost import Cost, cost
from core_attention.gates.cut import Cuts, Narrow, Take
from core_attention.gates.dead import Read, ending, follow, zero_columns
from core_attention.gates.fold import DEPLOYED, FoldReport, difference, fold, on_cpu, placed, tensors_of
from core_attention.gates.graph import Example, Graph, modules_of, name_of, outputs_of, path_of, shape_of, trace
from core_attention.gates.heads import cut_heads
from core_attention.gates.layers import CONVOLUTIONS

__all__ = ["Cut", "PruneReport", "shrink"]


class Cut(NamedTuple):
    """What a layer lost."""

    layer: str
    what: str  # "outputs", "inputs", "channels" of a shortcut or norm, "heads", "branch"
    before: int
    after: int


@dataclass(frozen=True)
class PruneReport:
    fold: FoldReport
    cuts: list[Cut]
    before: Cost  # of the folded model
    after: Cost
    error: float  # the largest |a - b| / max(1, |b|) of the small model against the folded one

    def __str__(self) -> str:
        share = 1 - self.after.macs / self.before.macs if self.before.macs else 0.0
        counts = f"{self.before.parameters:,} -> {self.after.parameters:,} parameters"
        work = f"{self.before.macs:,} -> {self.after.macs:,} multiply-adds ({100 * share:.1f} % less)"
        lines = [f"{counts}, {work}; off by {self.error:.1e}"]
        lines += [
            f"  {cut.layer}: {cut.before} -> {cut.after} {cut.what}" if cut.what != "branch" else f"  {cut.layer}: gone"
            for cut in self.cuts
        ]
        return "\n".join(lines)


def shrink(model: nn.Module, example: Example) -> tuple[nn.Module, PruneReport]:
    """A smaller copy that answers alike in evaluation. Gates are folded first; a channel goes where every layer behind it has a column of
    exact zeros for it, as a closed gate leaves it. Folding alone, and gates that are open or cannot be folded, make nothing smaller.

    A closed channel of a residual branch is a zero row of its last layer and costs what it did; a branch closed altogether is dropped.
    """
    small, folded = fold(model, example)
    training, devices = small.training, {name: value.device for name, value in tensors_of(small)}
    small, example = small.eval().cpu(), on_cpu(example)
    wanted, before = outputs_of(small, example), cost(small, example)
    graph = trace(small, example)
    cuts = [Cut(path, "branch", 1, 0) for path in drop_branches(small, graph)]
    if cuts:
        graph = trace(small, example)
    cuts += cut_channels(small, graph)
    try:
        error = difference(outputs_of(small, example), wanted)
    except (RuntimeError, ValueError) as reason:
        first = str(reason).partition("\n")[0]
        raise ValueError(f"{type(model).__name__} does not run with fewer channels, because it counts on their number: {first}") from reason
    if not error <= DEPLOYED:
        raise ArithmeticError(
            f"shrinking {type(model).__name__} changed the answers by {error:.1e} (at most {DEPLOYED:g}): nothing was cut"
        )
    report = PruneReport(folded, cuts, before, cost(small, example), error)
    return placed(small, devices).train(training), report


def cut_channels(model: nn.Module, graph: Graph) -> list[Cut]:
    cuts = Cuts(model)
    done = [Cut(path, "heads", before, after) for path, before, after in cut_heads(model, cuts)]
    with_heads = {f"{cut.layer}.{part}".lstrip(".") for cut in done for part in ("qkv", "proj")}
    shortcuts: dict[str, nn.Module] = {}
    for path, block in modules_of(model):
        if is_block(block):
            cut_block(model, graph, cuts, path, block, shortcuts)
    for node in graph.nodes:
        if is_layer(model, graph, node, cuts) and path_of(node) not in with_heads:
            read = follow(graph, node, -1 if name_of(node) == "linear" else 1)
            keep = kept(read)
            if not keep.all() and apart(graph, cuts, read):
                cuts.rows(path_of(node), keep)
                cut_readers(graph, cuts, read, keep)
    narrowed = read_less(model, graph, cuts)
    for name, dim, before, after in cuts:
        path, _, own = name.rpartition(".")
        if own == "weight" and path not in with_heads:
            what = "inputs" if dim == 1 else "outputs" if cuts.can(model.get_submodule(path)) else "channels"
            done.append(Cut(path, what, before, after))
    cuts.do()
    for path, module in {**shortcuts, **narrowed}.items():
        if isinstance(module, Take):
            parent, _, key = path.rpartition(".")
            setattr(model.get_submodule(parent), key, module)  # where a block keeps None for a plain shortcut
            done.append(Cut(path, "channels", module.before, len(module.index)))
        else:
            model.set_submodule(path, module)
    return done


def is_layer(model: nn.Module, graph: Graph, node: "torch.fx.Node", cuts: Cuts) -> bool:
    """A linear map or convolution that was called as a module, once, with tensors of its own."""
    if name_of(node) != "linear" and name_of(node) not in CONVOLUTIONS:
        return False
    tensors = [arg for arg in node.args[1:3] if isinstance(arg, torch.fx.Node)]
    path = path_of(node)
    own = all(part in graph.tensors and graph.shared[part] == 1 and graph.tensors[part].rpartition(".")[0] == path for part in tensors)
    return own and cuts.can(model.get_submodule(path))


def kept(read: Read) -> Tensor:
    """One channel at least."""
    keep = read.alive.clone()
    if not keep.any():
        keep[0] = True
    return keep


def apart(graph: Graph, cuts: Cuts, read: Read) -> bool:
    """Whether everything that reads the channels is a module of its own that can be cut."""
    return all(is_layer(cuts.model, graph, node, cuts) for node, _ in read.readers)


def cut_readers(graph: Graph, cuts: Cuts, read: Read, keep: Tensor) -> None:
    for node, channel in read.readers:
        cuts.columns(path_of(node), torch.where(channel >= 0, keep[channel.clamp(min=0)], True))
    for node in read.passed:
        cuts.rows(path_of(node), keep)
    for tensor, axis in read.factors:
        cuts.keep(graph.tensors[tensor], axis, keep)


def is_block(module: nn.Module) -> bool:
    """A residual block whose shortcut is a module or None: ours, torchvision's, timm's."""
    if not hasattr(module, "downsample") or not all(hasattr(module, name) for name in ("conv1", "bn1", "conv2", "bn2")):
        return False
    return all(getattr(module, name, None) is None or isinstance(getattr(module, name), nn.Identity) for name in ("se", "aa", "drop_block"))


def cut_block(model: nn.Module, graph: Graph, cuts: Cuts, path: str, block: nn.Module, shortcuts: dict[str, nn.Module]) -> None:
    """Channels of the block's answer: rows of its last convolution and norm, and those of its shortcut."""
    end = ending(graph, path)
    if end is None or len(shape_of(end)) < 3:
        return
    read = follow(graph, end, 1)
    keep = kept(read)
    if keep.all() or not apart(graph, cuts, read):
        return
    last = "3" if hasattr(block, "conv3") else "2"
    shortcut = cast(nn.Module | None, getattr(block, "downsample"))  # noqa: B009
    if shortcut is None or isinstance(shortcut, nn.Identity):
        shortcuts[f"{path}.downsample"] = Take(keep, 1)
    else:
        parts = [name for name, part in shortcut.named_children() if not isinstance(part, nn.Identity | nn.AvgPool2d)]
        if len(parts) != 2 or not cuts.can(shortcut.get_submodule(parts[0])):
            return
        for part in parts:
            cuts.rows(f"{path}.downsample.{part}", keep)
    cuts.rows(f"{path}.conv{last}", keep)
    cuts.rows(f"{path}.bn{last}", keep)
    cut_readers(graph, cuts, read, keep)


def read_less(model: nn.Module, graph: Graph, cuts: Cuts) -> dict[str, nn.Module]:
    """Layers that are given channels which they do not read, and which nothing before them could leave out."""
    found: dict[str, nn.Module] = {}
    for node in graph.nodes:
        path = path_of(node)
        if not is_layer(model, graph, node, cuts) or (f"{path}.weight", 1) in cuts.left:
            continue
        layer = cast(nn.Linear, model.get_submodule(path))
        zero = zero_columns(layer.weight)
        if zero.any() and not zero.all():
            cuts.columns(path, ~zero)
            found[path] = Narrow(layer, ~zero, -1 if name_of(node) == "linear" else -1 - CONVOLUTIONS[name_of(node)])
    return found
