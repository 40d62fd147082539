"""What was aimed at, and whether it was met: rows beside those that were measured, in the same file."""

from typing import Any, NamedTuple

__all__ = ["Target", "compared"]


class Target(NamedTuple):
    """`least`: the value is to be at least the aim; else at most."""

    what: str
    aim: float
    least: bool = False


def compared(targets: list[tuple[Target, float | None]]) -> list[dict[str, Any]]:
    """A value of None was not measured. The rows are printed, too."""
    rows = []
    for target, value in targets:
        met = "not measured" if value is None else "yes" if (value >= target.aim if target.least else value <= target.aim) else "no"
        aim = f"{'>=' if target.least else '<='} {target.aim:g}"
        rows.append({"target": target.what, "aim": aim, "value": "-" if value is None else round(value, 4), "met": met})
        print(f"{target.what:<64} {aim:>9} {rows[-1]['value']!s:>10}  {met}", flush=True)
    return rows
