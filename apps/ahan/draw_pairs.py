"""The pairs that are decided worst, side by side: impostors that look most alike, and people who look least like themselves."""

from collections.abc import Callable, Mapping

import numpy as np

from apps.ahan.scenarios import Scored
from apps.base.draw import COLOURS, png, style

__all__ = ["worst_figure", "worst_pairs"]

SHOWN = 5  # pairs of a kind


def worst_pairs(pairs: Scored, same: bool, most: int = SHOWN) -> list[int]:
    """Places of the genuine pairs with the lowest score or of the impostors with the highest; each of other people than those before."""
    of_kind = np.flatnonzero(pairs.same == same)
    order = of_kind[np.argsort(pairs.score[of_kind] if same else -pairs.score[of_kind], kind="stable")]
    taken: list[int] = []
    seen: set[int] = set()
    for place in order:
        families = set(pairs.family[place].tolist())
        if not families & seen:
            taken.append(int(place))
            seen |= families
        if len(taken) == most:
            break
    return taken


def worst_figure(each: Mapping[str, Scored], thresholds: Mapping[str, float], picture: Callable[[int], np.ndarray]) -> bytes:
    """A row a scenario, and one of genuine pairs, PNG. thresholds: by scenario, where one is known; picture: an image by its number."""
    rows = [(f"{name}: two people, most alike", pairs, worst_pairs(pairs, False), thresholds.get(name)) for name, pairs in each.items()]
    name, pairs = list(each.items())[-1]  # genuine pairs are the same in all scenarios, or are chosen by the last
    rows.append((f"{name}: one person, least alike", pairs, worst_pairs(pairs, True), thresholds.get(name)))
    columns = max(len(places) for _, _, places, _ in rows)
    with style() as Figure:
        figure = Figure(figsize=(2.5 * columns, 1.75 * len(rows)))
        frames = figure.subfigures(len(rows), 1, squeeze=False).ravel()
        for frame, (words, pairs, places, threshold) in zip(frames, rows, strict=True):
            frame.suptitle(words, size=10)
            axes = frame.subplots(1, 2 * columns, squeeze=False).ravel()
            for axis in axes:
                axis.set_axis_off()
            for column, place in enumerate(places):
                score, same = pairs.score[place], bool(pairs.same[place])
                wrong = threshold is not None and (score >= threshold) != same
                for axis, number in zip(axes[2 * column :], (pairs.first[place], pairs.second[place]), strict=False):
                    axis.imshow(picture(int(number)))
                said = "" if threshold is None else ", wrong" if wrong else ", right"
                colour = COLOURS[1] if wrong else "black"
                axes[2 * column].set_title(f"{score:.2f}{said}", size=8, loc="left", color=colour)
        return png(figure)
