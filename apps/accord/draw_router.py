"""What the router saw: the text with the weight of each word behind it, and how likely each kind is."""

from collections.abc import Mapping, Sequence

from apps.base.svg import GREY, INK, LIGHT, Svg, colour, ink_on, shorten

__all__ = ["draw_router"]

WIDE, SIZE, LINE = 860.0, 13.0, 24.0
MOST_LINES = 40
LOW, FULL = (255, 255, 255), (213, 94, 0)  # no weight, the most


def draw_router(
    text: str, attention: Sequence[tuple[int, int, float]], scores: Mapping[str, float], kind: str | None, refused: str | None
) -> str:
    """`attention`: (start, end, weight) of spans of the text. `refused`: why no adapter was chosen."""
    weights = _by_character(len(text), attention)
    words = _words(text)
    lines = _wrapped(text, words)
    cut = len(lines) > MOST_LINES
    lines = lines[:MOST_LINES]
    svg = Svg(WIDE + 60, 150 + LINE * len(lines) + 26 * len(scores), "the router")
    chosen = f"the router chose the adapter '{kind}'" if refused is None else f"the router refused: {refused}"
    top = svg.head(chosen, "behind each word: how much of the router's attention it had; below: how likely each kind is") + 18
    of_word = {span: sum(weights[slice(*span)]) for span in words}
    most = max(of_word.values(), default=0.0) or 1.0
    for row, line in enumerate(lines):
        x, y = 24.0, top + LINE * row
        for start, end in line:
            word = text[start:end]
            share = of_word[start, end] / most
            paint = "#" + "".join(f"{round(a + share * (b - a)):02X}" for a, b in zip(LOW, FULL, strict=True))
            wide = 0.602 * SIZE * len(word)
            svg.rect(x - 2, y - 15, wide + 4, 20, fill=paint, round_=3, tip=f"{word}: {of_word[start, end]:.3f}")
            svg.text(x, y, word, size=SIZE, fill=ink_on(paint), mono=True)
            x += wide + 9
    y = top + LINE * len(lines) + 8
    if cut:
        svg.text(24, y - 8, "the text goes on", size=11, fill="#444444")
        y += 12
    for place, (name, score) in enumerate(sorted(scores.items(), key=lambda item: -item[1])):
        row = y + 26 * place
        svg.text(118, row + 13, shorten(name, 12, 100), size=12, anchor="end", bold=name == kind)
        svg.rect(126, row, WIDE - 200, 18, fill="#FFFFFF", stroke=LIGHT)
        svg.rect(126, row, (WIDE - 200) * min(max(score, 0.0), 1.0), 18, fill=colour(0) if name == kind else GREY)
        svg.text(132 + WIDE - 200, row + 13, f"{100 * score:.1f} %", size=11, fill=INK)
    return svg.text_of()


def _by_character(count: int, attention: Sequence[tuple[int, int, float]]) -> list[float]:
    """Spans may overlap (words and their three-letter parts): their weights add up, spread over their letters."""
    weights = [0.0] * count
    for start, end, weight in attention:
        for place in range(max(start, 0), min(end, count)):
            weights[place] += weight / max(end - start, 1)
    return weights


def _words(text: str) -> list[tuple[int, int]]:
    spans, start = [], None
    for place, one in enumerate(f"{text} "):
        if one.isspace():
            if start is not None:
                spans.append((start, place))
            start = None
        elif start is None:
            start = place
    return spans


def _wrapped(text: str, words: list[tuple[int, int]]) -> list[list[tuple[int, int]]]:
    """Words to lines; a line break of the text breaks one, too."""
    lines: list[list[tuple[int, int]]] = [[]]
    x, before = 24.0, 0
    for start, end in words:
        wide = 0.602 * SIZE * (end - start)
        if lines[-1] and (x + wide > WIDE or "\n" in text[before:start]):
            lines.append([])
            x = 24.0
        lines[-1].append((start, end))
        x, before = x + wide + 9, end
    return lines
