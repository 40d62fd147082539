"""Options that were set although nothing reads them."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

__all__ = ["refuse_idle"]


def refuse_idle(of: str, options: Any, names: Sequence[str], why: str) -> None:
    """Refuse what differs from its default in this dataclass although, for the reason given, it could not act."""
    usual = {field.name: field.default for field in fields(options)}
    for name in names:
        if getattr(options, name) != usual[name]:
            raise ValueError(f"{of}.{name}={getattr(options, name)} cannot act: {why}; leave it at {usual[name]}")
