"""What refinement did to a word: every hypothesis, and the characters that the next round rejected struck out."""

from collections.abc import Sequence
from typing import Any

from apps.base.draw import COLOURS, GREY

__all__ = ["draw_trace", "rejected"]

ARROW = " → "
LARGEST = 13.0  # points


def rejected(word: str, later: str) -> list[int]:
    """Slots of the word that hold another character in the later one, or none any more."""
    return [slot for slot, character in enumerate(word) if slot >= len(later) or later[slot] != character]


def draw_trace(axis: Any, rounds: Sequence[str], inches: float) -> None:
    """Into an axis of this width: a cell a character, so that a line can go through one of them."""
    axis.set_axis_off()
    words = [word or "(nothing)" for word in rounds]
    cells = sum(map(len, words)) + len(ARROW) * (len(words) - 1)
    size = min(LARGEST, 72 * inches / (0.62 * cells))  # a cell of this face is 0.6 of its size wide
    wide = 72 * inches / (0.62 * size)
    axis.set_xlim(0, wide)
    axis.set_ylim(0, 1)
    x = (wide - cells) / 2
    for number, (word, told) in enumerate(zip(rounds, words, strict=True)):
        gone = rejected(word, rounds[number + 1]) if number + 1 < len(rounds) else []
        for slot, character in enumerate(told):
            _cell(axis, x + slot + 0.5, character, size, COLOURS[1] if slot in gone else "black" if word else GREY)
            if slot in gone:
                axis.plot([x + slot + 0.05, x + slot + 0.95], [0.5, 0.5], color=COLOURS[1], linewidth=1.6)
        x += len(told)
        if number + 1 < len(rounds):
            for place, character in enumerate(ARROW):
                _cell(axis, x + place + 0.5, character, size, GREY)
            x += len(ARROW)


def _cell(axis: Any, x: float, character: str, size: float, colour: str) -> None:
    axis.text(
        x, 0.5, character.replace("$", r"\$"), size=size, color=colour, ha="center", va="center_baseline", family="DejaVu Sans Mono"
    )  # fmt: skip
