"""Where gates go: the named places of HAG table 2.2 in our trunks, those that a model declares itself, and patterns for any module tree.

A model that has places which its parts cannot know (a head, streams) declares them:

>>> class Sizer(nn.Module):
...     def gate_sites(self) -> dict[str, list[Site]]:
...         return {"head": [Site("head.2", side="input")]}
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from torch import nn

from core_attention.blocks.macaron import Macaron
from core_attention.blocks.prenorm import Mlp, PreNorm
from core_attention.gates.gated import Gated
from core_attention.gates.names import parts
from core_attention.mixers.heads import Heads
from core_attention.trunks.duo import DuoTrunk
from core_attention.trunks.hybrid import HybridPatches
from core_attention.trunks.moat import MoatTrunk
from core_attention.trunks.patches import Patches
from core_attention.trunks.resnet import ResNet

__all__ = ["SITES", "Site", "declared", "match", "named"]

SITES = ("branch", "stage", "embed", "head", "hidden", "heads", "input", "stream")


@dataclass(frozen=True)
class Site:
    """Modules by the pattern of their plain names, and how their gates lie.

    pattern: `*`, `?` and `[...]` within one part of a name: "blocks.*.mlp.act", "layer?".
    axis: of the channels; None: told by the module's type.
    side: "output" gates what the module answers, "input" what it is given.
    channels: of the gate; None: told by the module, or by `wrap`'s example.
    repeat: how many neighbouring channels each of the gate's serves.
    producers, consumers: names of layers that the gate may be folded into, or (name, start) or (name, start, spread); see End.
    """

    pattern: str
    axis: int | None = None
    side: str = "output"
    channels: int | None = None
    repeat: int = 1
    producers: tuple[str | tuple[Any, ...], ...] = ()
    consumers: tuple[str | tuple[Any, ...], ...] = ()


def declared(model: nn.Module) -> dict[str, list[Site]]:
    """What the model says of itself, by `gate_sites`; it goes before what is found in its parts."""
    told: Callable[[], Mapping[str, list[Site]]] | None = getattr(model, "gate_sites", None)
    sites = {} if told is None else dict(told())
    for name in sites:
        if name not in SITES:
            raise ValueError(f"{type(model).__name__}.gate_sites declares {name!r}; sites are {', '.join(SITES)}")
    return sites


def match(model: nn.Module, pattern: str) -> list[tuple[str, nn.Module]]:
    wanted = pattern.split(".")
    return [
        (name, module)
        for name, module in parts(model)
        if name and len(name.split(".")) == len(wanted) and all(map(fnmatchcase, name.split("."), wanted))
    ]


def named(model: nn.Module, kind: str) -> list[Site]:
    """The sites of this name that lie in trunks and blocks of ours, wherever in the model."""
    if kind not in FINDERS:
        return []
    found: list[Site] = []
    answered: list[str] = []  # what lies inside a part that has answered is not asked
    for name, module in parts(model):
        if isinstance(module, Gated) or name.startswith(tuple(answered)):
            continue
        sites = FINDERS[kind](module)
        found.extend(_below(name, site) for site in sites)
        if sites:
            answered.append(f"{name}." if name else "")
    return found


def _below(name: str, site: Site) -> Site:
    """The same with names from the root."""

    def full(end: str | tuple[Any, ...]) -> tuple[Any, ...]:
        first, *rest = (end,) if isinstance(end, str) else end
        return (first.removeprefix("..") if first.startswith("..") else f"{name}.{first}" if name else first, *rest)

    return Site(
        full(site.pattern)[0], site.axis, site.side, site.channels, site.repeat,
        tuple(map(full, site.producers)), tuple(map(full, site.consumers)),
    )  # fmt: skip


def _bare(module: nn.Module) -> nn.Module:
    return module.inner if isinstance(module, Gated) else module


def _branches(module: nn.Module) -> list[Site]:
    """ours: on LayerScale or the identity in its place, which is after the projection, its dropout and LayerScale, before DropPath."""
    if isinstance(module, PreNorm):
        steps = [("attn", "ls1"), ("mlp", "ls2")]
    elif isinstance(module, Macaron):
        steps = [("mlp1", "ls1"), ("attn", "ls2"), ("mlp2", "ls3")]
    else:
        return []
    width = int(module.norm1.normalized_shape[0])
    return [Site(scale, -1, "output", width, producers=_before(module, part, scale)) for part, scale in steps]


def _before(block: nn.Module, part: str, scale: str) -> tuple[str, ...]:
    """What a branch's gate folds into: LayerScale, else the branch's last linear map."""
    branch = _bare(block.get_submodule(part))
    if not isinstance(_bare(block.get_submodule(scale)), nn.Identity):
        return (scale,)
    if isinstance(branch, Mlp):
        return (f"{part}.fc2",)
    return (f"{part}.proj",) if isinstance(branch, Heads) else ()  # other mixers may do more after their projection


def _hidden(module: nn.Module) -> list[Site]:
    return [Site("act", -1, "output", _bare(module.fc1).out_features, consumers=("fc2",))] if isinstance(module, Mlp) else []  # type: ignore[union-attr]


def _heads(module: nn.Module) -> list[Site]:
    if not isinstance(module, Heads):
        return []
    return [Site("proj", -1, "input", module.heads, module.dim // module.heads, consumers=("proj",))]


def _stages(module: nn.Module) -> list[Site]:
    if isinstance(module, HybridPatches):
        return [_below("backbone", site) for site in _network(module.backbone, {len(module.backbone.widths): ["..proj"]})]
    if isinstance(module, DuoTrunk):  # of each used map the tokens are made, too
        return [_below("backbone", site) for site in _network(module.backbone, {s: [f"..proj.{i}"] for i, s in enumerate(module.used)})]
    return _network(module, {}) if isinstance(module, ResNet) else []


def _network(network: ResNet, others: dict[int, list[str]]) -> list[Site]:
    """Its stages. `others`: what else is given the map of a stage, "..x" being x beside the network."""
    sites: list[Site] = []
    for stage, width in enumerate(network.widths, 1):
        consumers = list(others.get(stage, []))
        if stage < len(network.widths):
            block = f"layer{stage + 1}"
            after = next(_bare(network.get_submodule(block)).children())
            if isinstance(_bare(_bare(after).get_submodule("downsample")), nn.Sequential):
                consumers += [f"{block}.0.conv1", f"{block}.0.downsample.0"]
            else:  # an identity skip carries the scale past every consumer
                consumers = []
        sites.append(Site(f"layer{stage}", 1, "output", width, consumers=tuple(consumers)))
    return sites


def _inputs(module: nn.Module) -> list[Site]:
    """Before the first convolution. A network inside a larger one gives its own `conv1`, which is the larger one's first, too."""
    if isinstance(module, ResNet):
        stem = "conv1"
    elif isinstance(module, MoatTrunk):
        stem = "stem.conv1"
    elif isinstance(module, Patches):
        stem = "proj" if isinstance(module.stem, nn.Identity) else "stem.0"
    else:
        return []
    return [Site(stem, 1, "input", consumers=(stem,))]


FINDERS: dict[str, Callable[[nn.Module], list[Site]]] = {
    "branch": _branches,
    "hidden": _hidden,
    "heads": _heads,
    "stage": _stages,
    "input": _inputs,
}
