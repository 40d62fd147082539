"""Objectives as people write them, and which of two is better."""

from decimal import Decimal

from datamodules.accord.instances import MAXIMISED, Instance

__all__ = ["better", "counted", "plainly", "proves", "scale_of"]


def scale_of(instance: Instance) -> int:
    """Of the objective: a knapsack's values have a scale of their own, bins are counted, the rest is in the data's unit."""
    if instance.kind == "knapsack":
        return instance.value_scale  # type: ignore[union-attr]
    return 1 if instance.kind == "binpack" else instance.scale


def plainly(value: int | None, scale: int = 1) -> str:
    """
    >>> plainly(1250, 100), plainly(7), plainly(None)
    ('12.5', '7', 'none')
    """
    if value is None:
        return "none"
    if scale == 1:
        return str(value)
    text = f"{Decimal(value) / Decimal(scale):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def better(kind: str, value: int, than: int | None) -> bool:
    return than is None or (value > than if kind in MAXIMISED else value < than)


def proves(kind: str, bound: int | None, value: int | None) -> bool:
    """Whether no plan can be better than this value."""
    if bound is None or value is None:
        return False
    return value >= bound if kind in MAXIMISED else value <= bound


def counted(count: int, noun: str) -> str:
    """
    >>> counted(1, "item"), counted(2, "item")
    ('1 item', '2 items')
    """
    return f"{count} {noun}{'' if count == 1 else 's'}"
