"""Gates into a model, and out again.

>>> gates = wrap(trunk, "branch", unit=True)          # a trunk of ours, by the name of the place
>>> gates = wrap(model, Site("blocks.*.attn"), unit=True)  # any tree of modules, by the pattern of names
>>> unwrap(model)
"""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from torch import Generator, Size, nn

from core_attention.contract import Mixer
from core_attention.gates.channels import axis_of, channels_of, shapes
from core_attention.gates.gate import Gate
from core_attention.gates.gate_set import GateSet
from core_attention.gates.gated import End, Gated, GatedCall
from core_attention.gates.names import children, parts
from core_attention.gates.sites import SITES, Site, declared, match, named
from core_attention.registry import nearest

__all__ = ["unwrap", "wrap"]

Shapes = dict[str, tuple[Size | None, Size | None]]
CLOSED = (nn.MultiheadAttention, nn.TransformerEncoderLayer, nn.TransformerEncoder)  # read weights of their parts without calling them


def wrap(
    model: nn.Module,
    sites: str | Site | Sequence[str | Site],
    init: str | None = None,
    hardness: str = "sigmoid",
    unit: bool = False,
    tau: float = 1.0,
    value: str | None = None,
    generator: Generator | None = None,
    example: Any = None,
) -> GateSet:
    """Put a gate at each site, in place; options as of Gate. A model may be wrapped again, at other sites.

    sites: names of places (branch, stage, embed, head, hidden, heads, input, stream), patterns of module names, or Sites.
    example: what the model takes (a tensor, a tuple or a dict of arguments); run once where channels are not told by a module's type.

    Nothing is changed where an error is raised.
    """
    wanted = [sites] if isinstance(sites, str | Site) else list(sites)
    if not wanted:
        raise ValueError(f"wrap: no site is named; sites are {', '.join(SITES)}, or patterns of module names")
    places: dict[str, tuple[str, Site, nn.Module]] = {}
    for entry in wanted:
        for kind, site, name, module in _find(model, entry):
            if name in places:
                raise ValueError(f"wrap: {name!r} is matched twice, by {places[name][0]!r} and {kind!r}; name it once")
            _refuse(model, name, module)
            places[name] = (kind, site, module)
    ran = _run(model, places, example)
    made = {name: _gated(model, name, *places[name], ran.get(name), (init, hardness, unit, tau, value, generator)) for name in places}
    owners = {id(child): (parent, key) for _, parent in parts(model) for key, child in children(parent)}
    for name, gated in made.items():
        parent, key = owners[id(places[name][2])]
        gated.training = gated.gate.training = gated.inner.training
        parent.register_module(key, gated)
    return GateSet(model)


def unwrap(model: nn.Module) -> nn.Module:
    """The model without gates, in place: its structure and names as before. The same function only if all gates are 1; else see fold."""
    for parent in list(model.modules()):
        for key, child in children(parent):
            if isinstance(child, Gated):
                parent.register_module(key, child.inner)
    return model.inner if isinstance(model, Gated) else model


def _find(model: nn.Module, entry: str | Site) -> list[tuple[str, Site, str, nn.Module]]:
    """(kind, site, plain name, module) of each module that the entry names."""
    if isinstance(entry, str) and entry in SITES:
        told = declared(model)
        sites, kind = told.get(entry) or named(model, entry), entry
        if not sites:
            remedy = "declare it with gate_sites, or give a pattern of module names"
            raise ValueError(f"wrap: {type(model).__name__} has no place {entry!r} that is known; {remedy}")
    else:
        sites, kind = [Site(entry) if isinstance(entry, str) else entry], ""
    return [(kind or site.pattern, site, name, module) for site in sites for name, module in _matched(model, site)]


def _matched(model: nn.Module, site: Site) -> list[tuple[str, nn.Module]]:
    found = match(model, site.pattern)
    if not found:
        known = [name for name, _ in parts(model) if name]
        word = f"{nearest(site.pattern, [*known, *SITES])}" or f"; it begins with {', '.join(known[:5])}"
        raise ValueError(f"wrap: {site.pattern!r} matches no module of {type(model).__name__}{word}")
    gated = {name for name, module in found if isinstance(module, Gated)}
    if gated:
        raise ValueError(f"wrap: {min(gated)!r} has a gate already; unwrap the model first, or leave the site out")
    return found


def _refuse(model: nn.Module, name: str, module: nn.Module) -> None:
    """Places where a gate would be passed by without a word, or where there is nothing to multiply."""
    pieces = name.split(".")
    seen = dict(parts(model))
    for depth in range(len(pieces)):
        around = seen[".".join(pieces[:depth])]
        if isinstance(around, CLOSED):
            whole = ".".join(pieces[:depth]) or "the model"
            raise ValueError(
                f"wrap: {name!r} lies inside {whole!r}, a {type(around).__name__}, which reads its parts' weights without calling them; "
                f"gate {'the whole of it' if depth else 'a model around it'} instead"
            )
    if isinstance(module, Mixer):
        raise ValueError(
            f"wrap: {name!r} is a Mixer, of which its block reads more than the answer; gate '{name}.proj' or the site 'branch'"
        )
    if isinstance(module, nn.ModuleList | nn.ModuleDict):
        raise ValueError(f"wrap: {name!r} is a {type(module).__name__}, which answers nothing; name what is inside it")
    places = sum(child is module for _, parent in parts(model) for _, child in children(parent))
    if places > 1:
        raise ValueError(f"wrap: {name!r} is held at {places} places of the model; a gate would be at one of them only")


def _run(model: nn.Module, places: dict[str, tuple[str, Site, nn.Module]], example: Any) -> Shapes:
    if example is None:
        return {}
    return shapes(model, {name: module for name, (_, _, module) in places.items()}, example)


def _gated(
    model: nn.Module,
    name: str,
    kind: str,
    site: Site,
    module: nn.Module,
    ran: tuple[Size | None, Size | None] | None,
    options: tuple[Any, ...],
) -> Gated:
    axis = site.axis if site.axis is not None else axis_of(module)
    shape = None if ran is None else ran[site.side == "output"]
    if axis is None and shape is not None:
        axis = 1 if len(shape) == 4 else -1
    told = _by_shape(name, site, shape, axis) or _by_type(site, module)
    if site.channels is not None and told is not None and site.channels not in (1, told):  # one serves all channels alike
        raise ValueError(f"wrap: {name!r} has {told} channels, not {site.channels}; correct Site(channels=...), or leave it out")
    channels = site.channels or told
    if axis is None or channels is None:
        what = "channels" if channels is None else "the axis of the channels"
        remedy = f"give Site({name!r}, axis=..., channels=...), or wrap(..., example=what the model takes)"
        raise ValueError(f"wrap: {what} of {name!r} ({type(module).__name__}) cannot be told from its type; {remedy}")
    init, hardness, unit, tau, value, generator = options
    gate = Gate(channels, init, hardness, unit, tau, value, generator)
    weight = next(module.parameters(), next(model.parameters(), None))
    if weight is not None:
        gate.to(weight.device, weight.dtype if weight.is_floating_point() else None)
    make = Gated if _plain_call(module.forward) else GatedCall
    producers, consumers = ([_end(model, name, end) for end in ends] for ends in (site.producers, site.consumers))
    return make(module, gate, axis, site.side, site.repeat, kind, tuple(producers), tuple(consumers))


def _by_shape(name: str, site: Site, shape: Size | None, axis: int | None) -> int | None:
    if shape is None or axis is None:
        return None
    if not -len(shape) <= axis < len(shape):
        raise ValueError(f"wrap: what a gate would scale at {name!r} has {len(shape)} dimensions, and axis {axis} is none of them")
    if shape[axis] % site.repeat:
        raise ValueError(f"wrap: {name!r} has {shape[axis]} channels, which repeat={site.repeat} does not divide")
    return shape[axis] // site.repeat


def _by_type(site: Site, module: nn.Module) -> int | None:
    channels = channels_of(module, site.side)
    return None if channels is None else channels // site.repeat


def _end(model: nn.Module, name: str, end: str | tuple[Any, ...]) -> End:
    first, *rest = (end,) if isinstance(end, str) else end
    found = [module for plain, module in parts(model) if plain == first]
    if not found:
        raise ValueError(f"wrap: {name!r} is to be folded into {first!r}, but there is no such module")
    return End(found[-1], *rest)  # the last is the one inside a gate


def _plain_call(forward: Callable[..., Any]) -> bool:
    """One argument, and no other that a caller might give: what TorchScript takes."""
    kinds = [parameter.kind for parameter in inspect.signature(forward).parameters.values()]
    return len(kinds) == 1 and kinds[0] in (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
