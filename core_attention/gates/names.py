"""Names of a gated model's parts as they were before it was wrapped, and states mapped both ways."""

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor, nn

from core_attention.gates.gate import Gate
from core_attention.gates.gated import Gated

__all__ = ["children", "gated_state", "parts", "plain_names", "plain_state"]


def children(module: nn.Module) -> list[tuple[str, nn.Module]]:
    """(key, child) of every child, also of one that is held under two keys."""
    return [(key, child) for key, child in module._modules.items() if child is not None]  # pyright: ignore[reportPrivateUsage]


def parts(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """(plain name, module) of the whole tree: a Gated comes first under its inner module's name, then what is inside; gates have none.

    A module that the tree holds twice comes twice.
    """
    yield from _walk(model, "")


def _walk(module: nn.Module, name: str) -> Iterator[tuple[str, nn.Module]]:
    yield name, module
    if isinstance(module, Gated):
        yield from _walk(module.inner, name)
        return
    for key, child in children(module):
        if not isinstance(child, Gate):
            yield from _walk(child, f"{name}.{key}" if name else key)


def plain_names(model: nn.Module) -> dict[str, str]:
    """Name of each parameter and buffer in the wrapped model -> its name in the ungated one. The gates' own are left out."""
    names: dict[str, str] = {}
    _collect(model, "", "", names)
    return names


def _collect(module: nn.Module, ours: str, plain: str, names: dict[str, str]) -> None:
    if isinstance(module, Gated):
        _collect(module.inner, f"{ours}inner.", plain, names)
        return
    own = [name for name, _ in (*module.named_parameters(recurse=False), *module.named_buffers(recurse=False))]
    names.update({ours + name: plain + name for name in own})
    for key, child in children(module):
        if not isinstance(child, Gate):
            _collect(child, f"{ours}{key}.", f"{plain}{key}.", names)


def plain_state(model: nn.Module) -> dict[str, Tensor]:
    """The state that the ungated model would have: gates dropped, names as before. Exact for it only if all gates are 1."""
    names = plain_names(model)
    return {names[name]: value for name, value in model.state_dict().items() if name in names}


def gated_state(model: nn.Module, state: Mapping[str, Any]) -> dict[str, Any]:
    """An ungated model's state under the names of this wrapped one. What fits no plain name passes as it is."""
    ours = {plain: name for name, plain in plain_names(model).items()}
    return {ours.get(name, name): value for name, value in state.items()}
