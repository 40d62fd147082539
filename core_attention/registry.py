"""Things found by name: the tables of mixers and pools, and errors that name the nearest right word."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Any, TypeVar

from core_attention.contract import Mixer, MixerSpec, Pool, PoolSpec

__all__ = [
    "build_mixer", "build_pool", "call_with_options", "list_mixers", "list_pools", "mixer_class", "nearest", "pool_class", "register_mixer",
    "register_pool",
]  # fmt: skip

M = TypeVar("M", bound=type[Mixer])
P = TypeVar("P", bound=type[Pool])
R = TypeVar("R")

_MIXERS: dict[str, type[Mixer]] = {}
_POOLS: dict[str, type[Pool]] = {}


def register_mixer(cls: M) -> M:
    """Put a mixer on the table under the name in its spec.

    >>> @register_mixer
    ... class Mine(Mixer):
    ...     spec = MixerSpec("mine", ...)
    """
    if cls.spec.name in _MIXERS:
        raise ValueError(f"a mixer {cls.spec.name!r} exists already")
    _MIXERS[cls.spec.name] = cls
    return cls


def register_pool(cls: P) -> P:
    """Put a pool on the table under the name in its spec."""
    if cls.spec.name in _POOLS:
        raise ValueError(f"a pool {cls.spec.name!r} exists already")
    _POOLS[cls.spec.name] = cls
    return cls


def list_mixers() -> dict[str, MixerSpec]:
    return {name: _MIXERS[name].spec for name in sorted(_MIXERS)}


def mixer_class(name: str) -> type[Mixer]:
    return _find(_MIXERS, "mixer", name)


def list_pools() -> dict[str, PoolSpec]:
    return {name: _POOLS[name].spec for name in sorted(_POOLS)}


def pool_class(name: str) -> type[Pool]:
    return _find(_POOLS, "pool", name)


def build_mixer(name: str, dim: int, heads: int, **options: Any) -> Mixer:
    """
    >>> build_mixer("softmax", dim=64, heads=4, causal=True)
    """
    return call_with_options(mixer_class(name), f"mixer {name!r}", options, dim=dim, heads=heads)


def build_pool(name: str, dim: int, **options: Any) -> Pool:
    """
    >>> build_pool("ab_mil", dim=512, hidden=128)
    """
    return call_with_options(pool_class(name), f"pool {name!r}", options, dim=dim)


def _find(table: Mapping[str, R], kind: str, name: str) -> R:
    if name not in table:
        raise ValueError(f"no {kind} {name!r}{nearest(name, table)}; there are {', '.join(sorted(table))}")
    return table[name]


def call_with_options(make: Callable[..., R], what: str, options: Mapping[str, Any], **given: Any) -> R:
    """make(**given, **options), with a wrong option named together with the nearest right one."""
    known = [name for name in inspect.signature(make).parameters if name not in given]
    for option in options:
        if option not in known:
            raise ValueError(f"{what} has no option {option!r}{nearest(option, known)}; it has {', '.join(known)}")
    return make(**given, **options)


def nearest(word: str, words: Iterable[str]) -> str:
    """ "; did you mean X?" when something is near, else nothing."""
    close = get_close_matches(word, list(words), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
