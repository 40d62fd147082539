"""The codebook as glyphs: what lies nearest to each code, cut out of the words that were read.

All crops of a figure lie on one axis in units of a cell: hundreds of axes would take minutes.
"""

from collections.abc import Sequence
from typing import Any

from apps.base.draw import COLOURS, GREY, png, style
from apps.otsnet.draw_slots import END, shown
from apps.otsnet.glyphs import MOST, Glyph, Glyphs, Use

__all__ = ["ROWS", "code_figure", "sheet_figure", "sheet_rows"]

ROWS = 32  # codes of a sheet
CELL, LINE, LABEL = 0.62, 0.86, 2.9  # inches: width of a crop's cell, height of a row, width of what is said of the code
NAMED, LEAST = 3, 0.01  # characters that are said of a code, and the share that each of them has
SIDE, LARGE, TALL = 4, 2.2, 1.3  # of one code: crops in a row, inches of a cell, cells from one row to the next
FILLS = 0.9  # of its cell


def sheet_rows(uses: Sequence[Use], most: int = ROWS) -> list[Use]:
    """The most used codes, none that nothing chose."""
    return [use for use in uses if use.slots][:most]


def sheet_figure(uses: Sequence[Use], found: Glyphs, measure: str) -> bytes:
    """A row for each code: its share, what it stands for, and the glyphs nearest to it. uses: in the order of Glyphs.uses."""
    rows = sheet_rows(uses)
    label, high = LABEL / CELL, LINE / CELL
    with style() as Figure:
        figure, axis = _sheet(Figure, label + MOST, high * len(rows), CELL)
        for line, use in enumerate(rows):
            y = line * high
            axis.axhspan(y, y + high, color="#f4f4f4" if line % 2 else "white", zorder=-1)
            axis.text(0.1, y + 0.36 * high, _name(use, found), size=11, weight="bold", va="center")
            axis.text(label - 0.3, y + 0.36 * high, f"{use.share:.1%}", size=10, va="center", ha="right")
            axis.text(0.1, y + 0.72 * high, f"{_stands_for(use)}   {measure} {use.near:.2f}", size=8, color=GREY, va="center")
            if not use.nearest:
                axis.text(label + 0.1, y + high / 2, "ends of words alone chose it: no glyph", size=9, color=GREY, va="center")
            for column, (_, glyph) in enumerate(use.nearest):
                x = label + column + 0.5
                _crop(axis, glyph, x, y + 0.5)
                axis.text(x, y + 1.17, shown(glyph.character), **_caption(glyph, 9))
        axis.set_title(_of_all(uses, rows, found), size=11, loc="left")
        return png(figure)


def code_figure(use: Use, found: Glyphs, measure: str) -> bytes:
    """One code large: the glyphs nearest to it, how near they are, and in which words they stand."""
    lines = max(1, -(-len(use.nearest) // SIDE))
    with style() as Figure:
        figure, axis = _sheet(Figure, SIDE, TALL * lines, LARGE)
        if not use.nearest:
            said = "ends of words alone chose it: no glyph" if use.slots else "nothing chose this code"
            axis.text(SIDE / 2, TALL / 2, said, size=12, color=GREY, ha="center", va="center")
        for number, (near, glyph) in enumerate(use.nearest):
            x, y = number % SIDE + 0.5, TALL * (number // SIDE)
            _crop(axis, glyph, x, y + 0.5)
            axis.text(x, y + 1.02, f"{shown(glyph.character)}   {measure} {near:.3f}", **_caption(glyph, 11))
            wrong = "" if glyph.truth in (None, glyph.word) else f", is {shown(glyph.truth or '')}"
            axis.text(x, y + 1.14, f"in {shown(glyph.word)}{wrong}", size=9, color=GREY, ha="center", va="center")
        axis.set_title(_of_one(use, found), size=11, loc="left")
        return png(figure)


def _sheet(Figure: Any, wide: float, high: float, cell: float) -> tuple[Any, Any]:
    figure = Figure(figsize=(wide * cell, high * cell + 0.6))
    axis = figure.subplots()
    axis.set_axis_off()
    axis.set(xlim=(0, wide), ylim=(high, 0), aspect="equal")
    axis.autoscale(enable=False)
    return figure, axis


def _crop(axis: Any, glyph: Glyph, x: float, y: float) -> None:
    """In the middle of its cell, with its own proportions."""
    high, wide = glyph.picture.shape[:2]
    scale = FILLS / max(high, wide) / 2
    axis.imshow(glyph.picture, interpolation="bilinear", extent=(x - wide * scale, x + wide * scale, y + high * scale, y - high * scale))


def _caption(glyph: Glyph, size: int) -> dict[str, Any]:
    """Marks are small: large and bold, or a dot is not seen."""
    marks = {} if glyph.character.isalnum() else {"weight": "bold", "size": size + 3}
    return {"size": size, "color": COLOURS[1] if glyph.mistaken else "black", "ha": "center", "va": "center", **marks}


def _name(use: Use, found: Glyphs) -> str:
    return f"code {use.code}" + (f" of group {use.group + 1}" if len(found.joint_GMK) > 1 else "")


def _stands_for(use: Use) -> str:
    named = [(character, share) for character, share in use.characters.items() if share >= LEAST][:NAMED]
    return "   ".join(f"{shown(character) if character else END} {share:.0%}" for character, share in named)


def _of_all(uses: Sequence[Use], rows: Sequence[Use], found: Glyphs) -> str:
    used = sum(use.slots > 0 for use in uses)
    said = f"{used} of {len(uses)} codes were chosen, by {found.slots:,} slots of {found.words:,} words; "
    said += f"the {len(rows)} most used are drawn, {used - len(rows)} are left out" if len(rows) < used else "the most used first"
    return f"{said}\nbelow each glyph what it was read as{_orange(rows)}"


def _of_one(use: Use, found: Glyphs) -> str:
    said = f"{_name(use, found)}: chosen by {use.slots:,} of {found.slots:,} slots ({use.share:.1%}) of {found.words:,} words"
    return f"{said}\n{_stands_for(use)}{_orange([use])}" if use.slots else said


def _orange(uses: Sequence[Use]) -> str:
    return "; orange: something else stands there" if any(glyph.mistaken for use in uses for _, glyph in use.nearest) else ""
