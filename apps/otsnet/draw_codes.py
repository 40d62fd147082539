"""Which codes are used, how often, and for which characters: the codebook as a chart.

Legend: M codes, K classes (0 is the end), G groups.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from apps.base.draw import COLOURS, GREY, png, style
from apps.otsnet.draw_slots import shown
from apps.otsnet.health import health

__all__ = ["codes_figure"]

DEAD = 0.1  # of an equal share


def codes_figure(joint_GMK: np.ndarray, characters: Sequence[str]) -> bytes | None:
    """joint_GMK: how often each code of each group stood for each class. None where nothing was counted."""
    joint_GMK = np.asarray(joint_GMK)
    if not joint_GMK.size or not joint_GMK.sum():
        return None
    names = ["end", *(shown(character) for character in characters)]
    with style() as Figure:
        figure = Figure(figsize=(10.5 if len(names) <= 60 else 14, 4.6 * len(joint_GMK)))  # every character has its name
        grid = figure.subplots(len(joint_GMK), 2, squeeze=False, width_ratios=[1, 1.5])
        for group, ((usage, heat), joint_MK) in enumerate(zip(grid, joint_GMK, strict=True)):
            _usage(usage, joint_MK, f"group {group + 1}: " if len(joint_GMK) > 1 else "")
            _heat(figure, heat, joint_MK, names)
        return png(figure)


def _usage(axis: Any, joint_MK: np.ndarray, prefix: str) -> None:
    told = health(torch.from_numpy(joint_MK))
    used_M = np.sort(joint_MK.sum(1) / joint_MK.sum())[::-1]
    dead_M = used_M < DEAD / len(used_M)
    place_M = np.arange(len(used_M))
    axis.bar(place_M[~dead_M], used_M[~dead_M], color=COLOURS[0], width=0.9)
    axis.bar(place_M[dead_M], used_M[dead_M], color=COLOURS[1], width=0.9)
    if dead_M.any():  # a bar of no height is not seen
        axis.plot(place_M[dead_M], np.zeros(dead_M.sum()), "x", color=COLOURS[1], markersize=4, clip_on=False, label=f"{dead_M.sum()} dead")
    axis.axhline(1 / len(used_M), color=GREY, linewidth=1, linestyle=":", label="equal shares")
    axis.set_xlabel("codes, most used first")
    axis.set_ylabel("share of the slots")
    axis.set_title(
        f"{prefix}perplexity {float(told.perplexity):.1f} of {len(used_M)}, dead {float(told.dead):.0%}\n"
        f"purity {float(told.purity):.2f}, {float(told.mutual_information):.2f} bits on the character",
        size=10,
    )
    axis.legend(loc="upper right")


def _heat(figure: Any, axis: Any, joint_MK: np.ndarray, names: list[str]) -> None:
    """Each used code's shares of the characters, codes in the order of the character that they mostly stand for."""
    used = np.flatnonzero(joint_MK.sum(1))
    share_UK = joint_MK[used] / joint_MK[used].sum(1, keepdims=True)
    order = np.lexsort((-share_UK.max(1), share_UK.argmax(1)))
    seen = np.flatnonzero(joint_MK.sum(0))
    axis.grid(False)
    image = axis.imshow(share_UK[order][:, seen], aspect="auto", cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
    figure.colorbar(image, ax=axis, label="share of the code's slots", shrink=0.8)
    axis.set_xticks(range(len(seen)), [names[k] for k in seen], size=8 if len(seen) <= 40 else 6 if len(seen) <= 60 else 5)
    axis.set_yticks(range(len(used)), [str(used[place]) for place in order], size=7 if len(used) <= 40 else 4)
    axis.set_xlabel("character")
    axis.set_ylabel("code")
    axis.set_title(f"what the {len(used)} codes in use stand for")
