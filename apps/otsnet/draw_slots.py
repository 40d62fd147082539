"""Where each character was read: a slot's attention laid over the word, and the box that it makes; coloured by how sure the reader is.

Legend: H W picture, R S rows and columns of tokens.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from apps.base.draw import COLOURS, png, style
from apps.otsnet.draw_trace import draw_trace

__all__ = ["Look", "Slot", "colour_of", "shown", "slots_figure", "words_figure"]

PANEL = 1.9  # inches of a slot's panel
COLUMNS = 6
TRACE = 0.45  # inches of the row of hypotheses
SLOTS = 8  # panels of a word in a figure of several
SURE, UNSURE = 0.9, 0.5
END = "end"


class Slot(NamedTuple):
    character: str  # "" is the end
    probability: float
    attention: np.ndarray  # (R,S)
    box: np.ndarray | None = None  # x0 y0 x1 y1 in 0..1 of the picture
    verified: float | None = None  # probability that the character is right, by the verifier


class Look(NamedTuple):
    picture: np.ndarray  # uint8 (H,W,3)
    slots: list[Slot]
    confidence: float
    rounds: list[str] = []  # noqa: RUF012 - the word before and after each round of refinement
    truth: str | None = None

    @property
    def text(self) -> str:
        return "".join(slot.character for slot in self.slots)


def slots_figure(look: Look) -> bytes:
    """The word with the boxes of its characters, what refinement did to it and rejected, and a panel for every slot up to the end."""
    rows = -(-max(1, len(look.slots)) // COLUMNS)
    shape = look.picture.shape[0] / look.picture.shape[1]
    high, wide, word = PANEL * shape + 0.42, PANEL * COLUMNS, COLUMNS * PANEL * 0.55 * shape + 0.9
    trace = TRACE if len(set(look.rounds)) > 1 else 0.0
    with style() as Figure:
        figure = Figure(figsize=(wide, word + trace + rows * high))
        above, *between, below = figure.subfigures(3 if trace else 2, 1, height_ratios=[word, *([trace] if trace else []), rows * high])
        axis = above.subplots()
        _boxes(axis, look)
        axis.set_title(_said(look), size=10)
        for part in between:
            draw_trace(part.add_axes((0.05, 0, 0.9, 1)), look.rounds, 0.9 * wide)
        for panel, slot in zip(below.subplots(rows, COLUMNS, squeeze=False).ravel(), look.slots, strict=False):
            _slot(panel, look.picture, slot)
        for panel in below.axes[len(look.slots) :]:
            panel.remove()
        return png(figure)


def words_figure(looks: Sequence[Look]) -> bytes:
    """A row a word: its boxes, then its first slots."""
    columns = 1 + min(SLOTS, max((len(look.slots) for look in looks), default=1))
    shape = max(look.picture.shape[0] / look.picture.shape[1] for look in looks)
    with style() as Figure:
        figure = Figure(figsize=(PANEL * columns, (PANEL * shape + 0.55) * len(looks)))
        for line, look in zip(figure.subplots(len(looks), columns, squeeze=False), looks, strict=True):
            _boxes(line[0], look)
            line[0].set_title(caption(look), size=7)
            for panel, slot in zip(line[1:], look.slots, strict=False):
                _slot(panel, look.picture, slot)
            for panel in line[1 + len(look.slots) :]:
                panel.remove()
        return png(figure)


def caption(look: Look) -> str:
    said = _said(look)
    if len(set(look.rounds)) > 1:
        said += "\n" + " → ".join(shown(word) for word in look.rounds)
    return said


def _said(look: Look) -> str:
    said = f"{shown(look.text)}  {look.confidence:.1%}"
    return said + f", is {shown(look.truth)}" if look.truth is not None and look.truth != look.text else said


def shown(text: str) -> str:
    """Safe in a figure: a $ begins no formula, and nothing is not invisible."""
    return text.replace("$", r"\$") or "(nothing)"


def colour_of(probability: float) -> str:
    return COLOURS[2] if probability >= SURE else COLOURS[4] if probability >= UNSURE else COLOURS[1]


def _boxes(axis: Any, look: Look) -> None:
    from matplotlib.patches import Rectangle

    high, wide = look.picture.shape[:2]
    _picture(axis, look.picture)
    for slot in look.slots:
        if slot.box is not None and slot.character:
            x0, y0, x1, y1 = slot.box * np.array([wide, high, wide, high])
            for colour, line in (("black", 2.6), (colour_of(slot.probability), 1.5)):
                axis.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, edgecolor=colour, linewidth=line))


def _slot(axis: Any, picture: np.ndarray, slot: Slot) -> None:
    """The picture in grey under the heat, so that the colours mean attention only."""
    grey = np.repeat(picture.mean(2)[:, :, None], 3, 2).astype(np.uint8)
    _picture(axis, grey)
    high, wide = picture.shape[:2]
    share = slot.attention / max(float(slot.attention.max()), 1e-12)
    axis.imshow(share, cmap="viridis", alpha=0.2 + 0.5 * share, vmin=0, vmax=1, extent=(0, wide, high, 0), interpolation="nearest")
    judged = "" if slot.verified is None else f", judged {slot.verified:.0%}"
    title = f"{shown(slot.character) if slot.character else END}  {slot.probability:.0%}{judged}"
    axis.set_title(title, size=8, color=colour_of(slot.probability))


def _picture(axis: Any, picture: np.ndarray) -> None:
    axis.set_axis_off()
    high, wide = picture.shape[:2]
    axis.imshow(picture, interpolation="nearest" if max(high, wide) < 256 else None, extent=(0, wide, high, 0))
