"""Which mixer each block has, with which options."""

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["Options", "per_block"]

Options = dict[str, Any] | Sequence[dict[str, Any]] | None


def per_block(mixer: str | Sequence[str], options: Options, depth: int) -> list[tuple[str, dict[str, Any]]]:
    """(name, options) of each block. One name or one dict is for all of them, a list has one for each.

    >>> per_block("topk", [{"k": 1.0}, {"k": 0.5}], 2)
    [('topk', {'k': 1.0}), ('topk', {'k': 0.5})]
    """
    names = [mixer] * depth if isinstance(mixer, str) else list(mixer)
    each = [dict(options or {})] * depth if options is None or isinstance(options, Mapping) else list(options)
    for what, given in (("mixer names", names), ("mixer_options has entries for", each)):
        if len(given) != depth:
            raise ValueError(f"{what} {len(given)} blocks, but depth is {depth}")
    return list(zip(names, each, strict=True))
