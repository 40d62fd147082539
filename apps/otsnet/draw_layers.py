"""What the encoder looked at, layer by layer: how much each place of the picture was looked at by all others.

Legend: H W picture, R S rows and columns of tokens.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from apps.base.draw import png, style

__all__ = ["Layer", "layers_figure"]

PANEL = 2.6  # inches


class Layer(NamedTuple):
    name: str
    maps: dict[str, np.ndarray]  # (R,S) by title; values below 0 are possible in a difference
    note: str = ""


def layers_figure(picture: np.ndarray, layers: Sequence[Layer]) -> bytes:
    """A row a layer. 1 is an even share, whatever the number of tokens; what is below 0 is subtracted from what is read there."""
    columns = max(len(layer.maps) for layer in layers)
    shape = picture.shape[0] / picture.shape[1]
    with style() as Figure:
        figure = Figure(figsize=(PANEL * columns + 0.9, (PANEL * shape + 0.6) * len(layers)))
        for line, layer in zip(figure.subplots(len(layers), columns, squeeze=False), layers, strict=True):
            for axis, (title, values) in zip(line, layer.maps.items(), strict=False):
                _map(figure, axis, picture, values * values.size)
                axis.set_title(f"{layer.name} {title}", size=8)
            if layer.note:
                line[0].text(0, -0.06, layer.note, transform=line[0].transAxes, va="top", size=7)
            for axis in line[len(layer.maps) :]:
                axis.remove()
        return png(figure)


def _map(figure: Any, axis: Any, picture: np.ndarray, values: np.ndarray) -> None:
    high, wide = picture.shape[:2]
    axis.set_axis_off()
    axis.imshow(np.repeat(picture.mean(2)[:, :, None], 3, 2).astype(np.uint8), extent=(0, wide, high, 0))
    signed = bool((values < 0).any())
    most = max(float(np.abs(values).max()), 1e-6)
    colours = {"cmap": "PuOr", "vmin": -most, "vmax": most} if signed else {"cmap": "viridis", "vmin": 0, "vmax": most}
    image = axis.imshow(values, alpha=0.65, extent=(0, wide, high, 0), interpolation="nearest", **colours)
    figure.colorbar(image, ax=axis, shrink=0.8)
