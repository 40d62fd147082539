"""Where a model looked: the rollout laid over the picture, the chosen patches outlined; and the same by layer.

Legend: H W picture, h w its grid of patches, L layers.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from apps.base.draw import png, style

__all__ = ["Look", "layers_figure", "looks_figure", "times_even"]

SIDE = 3.4  # inches of a panel


class Look(NamedTuple):
    picture: np.ndarray  # uint8 (H,W,3), the part of the picture that the model saw
    rollout: np.ndarray  # (h,w), how much each patch contributed to the class token
    selected: np.ndarray | None = None  # (k,), the chosen patches; a negative one is a token that is no patch


def looks_figure(looks: Sequence[Look], captions: Sequence[str], title: str = "") -> bytes:
    """A row a look: the picture, and its rollout with the chosen patches outlined. All rows share one scale of colours."""
    heats = [times_even(look.rollout) for look in looks]
    top = max(float(heat.max()) for heat in heats)
    with style() as Figure:
        figure = Figure(figsize=(2 * SIDE + 0.9, SIDE * len(looks) + 0.3))
        axes = figure.subplots(len(looks), 2, squeeze=False)
        for (plain, covered), look, heat, caption in zip(axes, looks, heats, captions, strict=True):
            _picture(plain, look.picture)
            plain.set_title(caption, size=9)
            image = _heat(covered, look.picture, heat, top)
            if look.selected is not None:
                _outline(covered, look)
            figure.colorbar(image, ax=covered, shrink=0.8, label="times an even share")
        if title:
            figure.suptitle(title)
        return png(figure)


def layers_figure(picture: np.ndarray, rollouts_Lhw: np.ndarray, selected: np.ndarray | None = None, columns: int = 6) -> bytes:
    """The picture, and the rollout of the class token after each layer, each on its own scale: contrasts fade with depth."""
    columns = min(columns, 1 + len(rollouts_Lhw))
    rows = -(-(1 + len(rollouts_Lhw)) // columns)
    with style() as Figure:
        figure = Figure(figsize=(2.0 * columns, 2.35 * rows))
        axes = figure.subplots(rows, columns, squeeze=False).ravel()
        _picture(axes[0], picture)
        for number, (axis, rollout) in enumerate(zip(axes[1:], rollouts_Lhw, strict=False), start=1):
            heat = times_even(rollout)
            _heat(axis, picture, heat, float(heat.max()))
            axis.set_title(f"layer {number}: up to {heat.max():.1f}x", size=8)
        if selected is not None:
            _outline(axes[len(rollouts_Lhw)], Look(picture, rollouts_Lhw[-1], selected))
        for axis in axes[1 + len(rollouts_Lhw) :]:
            axis.remove()
        return png(figure)


def times_even(rollout: np.ndarray) -> np.ndarray:
    """Each patch's contribution by an even share: 1 everywhere where all contribute alike."""
    rollout = np.asarray(rollout, dtype=np.float64)
    return rollout * rollout.size / max(rollout.sum(), 1e-12)


def _picture(axis: Any, picture: np.ndarray) -> None:
    axis.set_axis_off()
    axis.imshow(picture, interpolation="nearest" if max(picture.shape[:2]) < 128 else None, extent=_extent(picture))


def _heat(axis: Any, picture: np.ndarray, heat: np.ndarray, top: float) -> Any:
    """The picture in grey under the heat, so that the colours mean attention only."""
    grey = picture.mean(2)
    _picture(axis, np.repeat(grey[:, :, None], 3, 2).astype(np.uint8))
    return axis.imshow(heat, cmap="viridis", alpha=0.55, vmin=0, vmax=top, extent=_extent(picture), interpolation="nearest")


def _outline(axis: Any, look: Look) -> None:
    """White on black, to be seen on any ground."""
    from matplotlib.patches import Rectangle

    rows, columns = look.rollout.shape
    height, width = look.picture.shape[0] / rows, look.picture.shape[1] / columns
    for patch in np.asarray(look.selected).tolist():
        if patch >= 0:
            corner = (patch % columns * width, patch // columns * height)
            for colour, line in (("black", 3.0), ("white", 1.4)):
                axis.add_patch(Rectangle(corner, width, height, fill=False, edgecolor=colour, linewidth=line))


def _extent(picture: np.ndarray) -> tuple[float, float, float, float]:
    return (0, picture.shape[1], picture.shape[0], 0)
