"""SVG as text: shapes, words, legends and axes, in the house's colours. No plotting package is needed."""

import math
from collections.abc import Sequence
from html import escape

from apps.base.draw import COLOURS, GREY

__all__ = ["GREY", "INK", "LIGHT", "Svg", "colour", "ink_on", "legend", "number", "shorten", "ticks", "width_of"]

INK, LIGHT = "#222222", "#D9D9D9"
FONT = "DejaVu Sans, Verdana, Arial, sans-serif"
MONO = "DejaVu Sans Mono, Menlo, Consolas, monospace"  # each letter is 0.6 of its size wide
HUES = COLOURS[:6]  # without black, which is for words
# After six hues the same again lighter, darker, and pale: 24 that differ in lightness too, so that grey prints tell neighbours apart.
SHADES = ((1.0, 0), (0.55, 255), (0.62, 0), (0.3, 255))


def colour(index: int) -> str:
    """Of the job, route or bin with this number; the 25th is coloured as the first."""
    share, other = SHADES[index // len(HUES) % len(SHADES)]
    return "#" + "".join(f"{round(share * part + (1 - share) * other):02X}" for part in _parts(HUES[index % len(HUES)]))


def ink_on(paint: str) -> str:
    """Black or white words, whichever is read more easily there."""
    red, green, blue = (part / 255 for part in _parts(paint))
    return "#FFFFFF" if 0.3 * red + 0.59 * green + 0.11 * blue < 0.5 else "#000000"


def width_of(text: str, size: float) -> float:
    """About how wide a text is drawn; the fonts that it may be drawn in differ by a tenth."""
    return 0.62 * size * len(text)


def shorten(text: str, size: float, room: float) -> str:
    """As much of it as there is room for."""
    most = int(room / (0.62 * size))
    return text if len(text) <= most else text[: max(most - 1, 0)] + "…"


def number(value: float) -> str:
    """As short as it can be said on an axis: 1,200 and 0.05."""
    return f"{value:,.0f}" if value == round(value) else f"{value:,.6g}"


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers within low..high.

    >>> ticks(0, 10)
    [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]
    """
    if not high > low:
        return [low]
    raw = (high - low) / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    return [round(k * step, 12) for k in range(first, math.floor(high / step + 1e-9) + 1)]


class Svg:
    """A picture that grows shape by shape.

    >>> svg = Svg(100, 50, "a box")
    >>> svg.rect(10, 10, 30, 20, fill="#0072B2", tip="box 1")
    >>> text = svg.text_of()
    """

    def __init__(self, width: float, height: float, title: str) -> None:
        self.width, self.height, self.title = width, height, title
        self.parts: list[str] = []

    def rect(
        self, x: float, y: float, width: float, height: float, *, fill: str, stroke: str = "none", tip: str = "", round_: float = 0
    ) -> None:
        corner = f' rx="{_f(round_)}"' if round_ else ""
        size = f'width="{_f(max(width, 0))}" height="{_f(max(height, 0))}"'
        body = f'<rect x="{_f(x)}" y="{_f(y)}" {size}{corner} fill="{fill}" stroke="{stroke}"'
        self._add(body, "rect", tip)

    def line(self, x0: float, y0: float, x1: float, y1: float, *, stroke: str = INK, width: float = 1, dash: str = "") -> None:
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        self.parts.append(
            f'<line x1="{_f(x0)}" y1="{_f(y0)}" x2="{_f(x1)}" y2="{_f(y1)}" stroke="{stroke}" stroke-width="{_f(width)}"{dashed}/>'
        )

    def path(
        self, points: Sequence[tuple[float, float]], *, stroke: str, width: float = 1.8, closed: bool = False, dash: str = "", tip: str = ""
    ) -> None:
        """Straight lines from point to point."""
        steps = " L".join(f"{_f(x)} {_f(y)}" for x, y in points)
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        body = f'<path d="M{steps}{"Z" if closed else ""}" fill="none" stroke="{stroke}" stroke-width="{_f(width)}" stroke-linejoin="round"'
        self._add(body + dashed, "path", tip)

    def circle(self, x: float, y: float, radius: float, *, fill: str, stroke: str = "#FFFFFF", tip: str = "") -> None:
        self._add(f'<circle cx="{_f(x)}" cy="{_f(y)}" r="{_f(radius)}" fill="{fill}" stroke="{stroke}"', "circle", tip)

    def text(
        self,
        x: float,
        y: float,
        words: str,
        *,
        size: float = 11,
        anchor: str = "start",
        fill: str = INK,
        bold: bool = False,
        turn: float = 0,
        mono: bool = False,
    ) -> None:
        more = (
            (' font-weight="bold"' if bold else "")
            + (f' font-family="{MONO}"' if mono else "")
            + (f' transform="rotate({_f(turn)} {_f(x)} {_f(y)})"' if turn else "")
        )
        self.parts.append(
            f'<text x="{_f(x)}" y="{_f(y)}" font-size="{_f(size)}" text-anchor="{anchor}" fill="{fill}"{more}>{_safe(words)}</text>'
        )

    def head(self, title: str, *lines: str) -> float:
        """A title and lines below it; returns where the picture may begin."""
        self.text(16, 26, shorten(title, 15, self.width - 30), size=15, bold=True)
        for row, line in enumerate(lines):
            self.text(16, 46 + 16 * row, shorten(line, 11, self.width - 30), size=11, fill="#444444")
        return 46.0 + 16 * len(lines)

    def text_of(self) -> str:
        size = f'width="{_f(self.width)}" height="{_f(self.height)}" viewBox="0 0 {_f(self.width)} {_f(self.height)}"'
        lines = [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" font-family="{FONT}">',
            f"<title>{_safe(self.title)}</title>",
            f'<rect width="{_f(self.width)}" height="{_f(self.height)}" fill="#FFFFFF"/>',
            *self.parts,
            "</svg>",
        ]
        return "\n".join(lines) + "\n"

    def _add(self, body: str, tag: str, tip: str) -> None:
        self.parts.append(f"{body}><title>{_safe(tip)}</title></{tag}>" if tip else f"{body}/>")


def legend(svg: Svg, x: float, y: float, entries: Sequence[tuple[str, str]], room: float, size: float = 11) -> float:
    """Coloured squares with words, in as many rows as are needed; returns where the next thing may begin."""
    at = x
    for paint, words in entries:
        wide = 22 + width_of(words, size)
        if at > x and at + wide > x + room:
            at, y = x, y + size + 7
        svg.rect(at, y - size + 1, size, size, fill=paint, stroke=GREY)
        svg.text(at + size + 4, y, words, size=size)
        at += wide
    return y + size + 7 if entries else y


def _parts(paint: str) -> tuple[int, int, int]:
    return int(paint[1:3], 16), int(paint[3:5], 16), int(paint[5:7], 16)


def _f(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _safe(words: str) -> str:
    """XML knows no control characters, whatever a file's name holds."""
    return escape("".join(one if one.isprintable() else " " for one in words))
