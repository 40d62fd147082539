"""A grid of pictures of words, with what they say below each: for the eye."""

from collections.abc import Iterable, Sequence

from PIL import Image, ImageDraw

from datamodules.otsnet.generator.generator import Drawn, Generator

__all__ = ["contact_sheet", "sheet_of"]


def contact_sheet(generator: Generator, indices: Iterable[int] = range(100), columns: int = 10, *, boxes: bool = False) -> Image.Image:
    """Of a generator's pictures, RGB. boxes: with the letters' boxes drawn in."""
    return sheet_of([generator.draw(index) for index in indices], columns, boxes=boxes)


def sheet_of(drawn: Sequence[Drawn], columns: int = 10, *, boxes: bool = False) -> Image.Image:
    """All of one height."""
    high, most = drawn[0].image.shape[0], max(one.image.shape[1] for one in drawn)
    gap, text = 4, 12
    rows = -(-len(drawn) // columns)
    sheet = Image.new("RGB", (gap + columns * (most + gap), gap + rows * (high + text + gap)), "white")
    pen = ImageDraw.Draw(sheet)
    for i, (image, label, letters) in enumerate(drawn):
        wide = image.shape[1]
        x, y = gap + i % columns * (most + gap), gap + i // columns * (high + text + gap)
        sheet.paste(Image.fromarray(image), (x, y))
        pen.text((x, y + high), "".join(c if c.isascii() else "?" for c in label), "black")
        for x0, y0, x1, y1 in letters if boxes else ():
            pen.rectangle((x + x0 * wide, y + y0 * high, x + x1 * wide - 1, y + y1 * high - 1), outline="red")
    return sheet
