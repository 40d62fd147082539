"""Pictures of a tested split of bags: how answers and truth stand to each other. PNG bytes.

Shapes: N bags, C classes.
"""

from collections.abc import Sequence

import numpy as np

from apps.base.draw import COLOURS, GREY, confusion, png, style

__all__ = ["answers_figure", "survival_figure"]


def answers_figure(probs_NC: np.ndarray, labels_N: np.ndarray, names: Sequence[str], threshold: float) -> bytes:
    """Of two classes the ROC curve and the probabilities by class, both with the threshold that validation set; of more the confusions."""
    if len(names) > 2:
        matrix = np.zeros((len(names), len(names)), dtype=np.int64)
        np.add.at(matrix, (labels_N, probs_NC.argmax(1)), 1)
        return confusion(matrix, names)
    said_N, true_N = probs_NC[:, 1], labels_N == 1
    cuts = np.unique(said_N)[::-1]
    sensitivity, alarms = ([0.0, *((said_N[of] >= cut).mean() if of.any() else np.nan for cut in cuts)] for of in (true_N, ~true_N))
    with style() as Figure:
        figure = Figure(figsize=(9.4, 3.6))
        curve, spread = figure.subplots(1, 2)
        curve.plot(alarms, sensitivity, drawstyle="steps-post")
        curve.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, label="chance")
        at = [(said_N[of] >= threshold).mean() if of.any() else np.nan for of in (~true_N, true_N)]
        curve.plot(*at, "o", color=COLOURS[1], label=f"threshold {threshold:.3f}")
        curve.set_xlabel(f"share of {names[0]} answered {names[1]}")
        curve.set_ylabel(f"share of {names[1]} found")
        curve.legend(loc="lower right")
        bins = np.linspace(0, 1, 21)
        for name, of, colour in ((names[0], ~true_N, COLOURS[0]), (names[1], true_N, COLOURS[4])):
            spread.hist(said_N[of], bins=bins, alpha=0.65, color=colour, label=f"{name} ({int(of.sum())})")
        spread.axvline(threshold, color=COLOURS[1], linewidth=1.2)
        spread.set_xlabel(f"probability of {names[1]}")
        spread.set_ylabel("bags")
        spread.legend(title="truth")
        return png(figure)


def survival_figure(risk_N: np.ndarray, time_N: np.ndarray, event_N: np.ndarray) -> bytes:
    """Kaplan-Meier curves of the half with the higher and the half with the lower risk; ticks are bags that were lost from sight."""
    upper_N = risk_N > np.median(risk_N)
    with style() as Figure:
        figure = Figure(figsize=(5.2, 3.6))
        axis = figure.subplots()
        for words, of, colour in (("lower half of risks", ~upper_N, COLOURS[0]), ("upper half of risks", upper_N, COLOURS[1])):
            times, alive = kaplan_meier(time_N[of], event_N[of])
            until = max(float(time_N[of].max(initial=0.0)), times[-1])
            axis.step([*times, until], [*alive, alive[-1]], where="post", color=colour, label=f"{words} ({int(of.sum())})")
            lost = time_N[of & (event_N == 0)]
            axis.plot(lost, alive[np.searchsorted(times, lost, side="right") - 1], "|", color=colour, markersize=7)
        axis.set_ylim(0, 1.02)
        axis.set_xlabel("time")
        axis.set_ylabel("share without event")
        axis.legend()
        return png(figure)


def kaplan_meier(time_N: np.ndarray, event_N: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(times, share without event from each on), beginning at 0 with 1: the product of 1 - events / bags still in sight."""
    times = np.unique(time_N[event_N == 1])
    seen = np.array([(time_N >= time).sum() for time in times])
    events = np.array([((time_N == time) & (event_N == 1)).sum() for time in times])
    return np.concatenate([[0.0], times]), np.concatenate([[1.0], np.cumprod(1 - events / seen)])
