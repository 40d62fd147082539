"""Which of the six kinds a text asks for, or why it is refused (brief, 2.4.5). For texts only: files name their kind.

A text is refused when any of three tests fails: the highest probability, the energy of its scores, and whether the front end found a
complete problem of that kind. (The release joins tsp and cvrp to one class of five and refuses nothing, brief 2.2; ours are six.)
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from apps.accord.front import ParseReport, read_text
from apps.accord.front.guess import phrase_points
from apps.accord.router.forward import Forward, shapes
from apps.accord.router.tokens import REACH, tokens
from apps.base.errors import UserError
from datamodules.accord.errors import InfeasibleError
from datamodules.accord.instances import KINDS, JobShop
from datamodules.errors import DataError

__all__ = ["FILE", "Route", "Router", "points"]

ONE_ROUTE = 0.02  # what a job shop keeps whose jobs all take the same way: that is a flow shop, as a rule
LEAST = 0.005  # what a kind keeps that the text is no complete problem of: it may be told in a way that is not read
NEAR = 0.005  # a kind of a lower score is out of the question
FILE = Path(__file__).with_name("router.safetensors")


def points(text: str) -> NDArray[np.float32]:
    """(K,): the points of key phrases; long texts are looked at where they begin."""
    found = phrase_points(text[:REACH])
    return np.array([found[kind] for kind in KINDS], np.float32)


def _completed(text: str, scores: dict[str, float]) -> dict[str, float]:
    """ours: where kinds are in doubt, those count that the text is a complete problem of."""
    near = [kind for kind, score in scores.items() if score >= NEAR]
    if (
        max(scores, key=lambda kind: scores[kind]) == "tsp" and _whole(text, "cvrp") > LEAST
    ):  # places with loads must not be toured without them
        return {**scores, "tsp": scores["cvrp"], "cvrp": scores["tsp"]}
    if len(near) < 2:
        return scores
    evidence = {kind: scores[kind] * _whole(text, kind) for kind in near}
    total = sum(evidence.values())
    return {kind: evidence.get(kind, 0.0) / total for kind in scores}


def _whole(text: str, kind: str) -> float:
    """1 for a complete problem, LEAST for none."""
    try:
        instance = read_text(text, kind).instance
    except DataError:
        return LEAST
    if instance is None:
        return LEAST
    jobs = instance.jobs if isinstance(instance, JobShop) else ()
    return ONE_ROUTE if len(jobs) > 1 and len({tuple(machine for machine, _ in steps) for steps in jobs}) == 1 else 1.0


@dataclass(frozen=True)
class Route:
    """`kind` is None where the text is refused, and `refused` says why; `attention` is (start, end, weight) of the text's words."""

    kind: str | None
    refused: str | None
    scores: dict[str, float]  # probability of each kind
    energy: float
    attention: list[tuple[int, int, float]]
    likely: str  # the kind of the highest score, refused or not
    report: ParseReport | None = None  # what the front end found; None where its reading ended with an error


class Router:
    """p_min, energy: the thresholds; None: those that the weights' card brings.

    ours: to the network's scores the points of the front end's key phrases are added, times `phrases`, which is fitted on validation.
    """

    def __init__(self, net: Forward, p_min: float, energy: float, phrases: float = 0.0) -> None:
        self.net, self.p_min, self.energy, self.phrases = net, p_min, energy, phrases

    @classmethod
    def load(cls, path: str | Path | None = None, p_min: float | None = None, energy: float | None = None) -> "Router":
        """The shipped one, or weights made by `python -m apps.accord.router.train --out FILE`, with their card FILE's .json beside them."""
        file = FILE if path is None else Path(path)
        card_file = file.with_suffix(".json")
        for needed in (file, card_file):
            if not needed.is_file():
                raise UserError(f"{needed}: no such file; `python -m apps.accord.router.train` writes a router and its card")
        try:
            card: dict[str, Any] = json.loads(card_file.read_text("utf-8"))
            weights = load_file(file)
            if {name: value.shape for name, value in weights.items()} != shapes(len(card["kinds"]), **card["model"]):
                raise ValueError("its weights are not those that its card tells of")
            net = Forward(weights, card["model"]["heads"])
            thresholds = float(card["p_min"]), float(card["energy"])
            phrases = float(card["phrases"])
        except (SafetensorError, ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"{file}: no weights of a router ({str(error).splitlines()[0] or type(error).__name__}); train it again"
            ) from None
        if card["kinds"] != list(KINDS):
            raise UserError(f"{file}: routes to {', '.join(card['kinds'])}, not to {', '.join(KINDS)}; train it again")
        return cls(net, thresholds[0] if p_min is None else p_min, thresholds[1] if energy is None else energy, phrases)

    def __call__(self, text: str) -> Route:
        found = tokens(text)
        logits_K, weight_N = self.net(found)
        logits_K = (logits_K + self.phrases * points(text)).astype(np.float64)
        total = float(logits_K.max() + np.log(np.exp(logits_K - logits_K.max()).sum()))
        scores = dict(zip(KINDS, np.exp(logits_K - total).tolist(), strict=True))
        scores = _completed(text, scores) if found else scores
        likely = max(scores, key=lambda kind: scores[kind])
        energy = -total
        attention = [(token.start, token.end, weight) for token, weight in zip(found, weight_N.tolist(), strict=False)]
        reasons = []
        if not found:
            reasons.append("the text has no words")
        elif energy > self.energy:
            reasons.append(f"it is unlike the problems of the six kinds (energy {energy:.2f}, at most {self.energy:.2f})")
        elif scores[likely] < self.p_min:
            second = sorted(scores.values())[-2]
            near = next(kind for kind in KINDS if scores[kind] == second)
            reasons.append(f"it may be {likely} ({scores[likely]:.0%}) or {near} ({second:.0%}); name the kind")
        report: ParseReport | None = None
        try:
            report = read_text(text, likely) if found else None
            if report is not None and report.instance is None:
                told = report.spans or report.ignored or report.refused
                reasons.append(report.why if told else "the text has no numbers; give the problem with all of them")
        except InfeasibleError:
            pass  # understood, and without a solution: an answer, not a refusal
        except DataError as error:
            reasons.append(str(error))
        return Route(None if reasons else likely, "; ".join(reasons) or None, scores, energy, attention, likely, report)
