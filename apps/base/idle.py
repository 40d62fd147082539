"""Options that were set although nothing reads them."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

__all__ = ["refuse_idle"]


def refuse_idle(of: str, options: Any, names: Sequence[str], why: str) -> None:
    """Refuse what differs from its default in this dataclass although, for the reason given, it could not act."""
    usual = {field.name: field.default for field in fields(options)}
    idle = [name for name in names if getattr(options, name) != usual[name]]
    if idle:
        told = ", ".join(f"{of}.{name}={getattr(options, name)}" for name in idle)
        defaults = ", ".join(str(usual[name]) for name in idle)
        raise ValueError(f"{told} cannot act: {why}; leave {'it' if len(idle) == 1 else 'them'} at {defaults}")
