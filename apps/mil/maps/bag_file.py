"""An exported bag model, opened: what it answers of a bag and of each of its instances, and which features it was trained on.

Shapes: N instances, F features, C classes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from apps.base.errors import UserError
from apps.base.predict.program_file import ProgramFile, take_own
from apps.base.predict.run import run
from apps.base.shell import nearest
from apps.mil.card import CARD
from datamodules.errors import DataError
from datamodules.mil.encoding import compared
from datamodules.mil.errors import FeatureMismatchError

__all__ = ["Answer", "BagFile"]

MOST_LEFT_OUT = 2000  # tiles: each costs an answer about all the others
MUCH_UNLIKE = 2.0  # ours: deviations from the training mean, root mean square, of the middle tile
ROWS = 1 << 25  # numbers in one batch of leaving out


@dataclass
class Answer:
    probs_C: np.ndarray
    decision: int
    attention_N: np.ndarray
    instance_NC: np.ndarray  # class probabilities of each instance by itself


class BagFile:
    """`discern mil export`'s program of a classifier."""

    def __init__(self, path: Path, trust: bool = False) -> None:
        program = take_own(CARD, path, trust, "bags", remedy="give a classifier that `discern mil export` wrote")
        about = program.metadata()
        self.path, self.sha256 = path, program.digest
        self._program = ProgramFile(program)
        self.labels: list[str] = [str(label) for label in about["labels"]]
        self.threshold = float(about["threshold"]) if len(self.labels) == 2 else None  # of more classes the likeliest is answered
        self.width = int(about["preprocessing"]["features"])
        self.encoding: Mapping[str, Any] = {**(about.get("encoder") or {}), "dim": self.width}
        self.standardises = bool(about["preprocessing"].get("standardised"))
        self.protocol, self.licence = str(about.get("protocol")), str(about["licence"])

    def fits(self, encoding: Mapping[str, Any], where: object) -> list[str]:
        """What was compared; features that were made otherwise than those trained on are refused."""
        known, wrong = compared(self.encoding, encoding)
        if wrong:
            raise FeatureMismatchError(
                f"{where}: FeatureMismatch: {self.path.name} was trained on other features ({'; '.join(wrong)}); encode alike"
            )
        return known

    def shown(self, name: str | None, answer: Answer) -> int:
        """The class that is shown: the one named, of two the second, of more the one answered."""
        if name is None:
            return 1 if len(self.labels) == 2 else answer.decision
        return self.label(name)

    def label(self, name: str) -> int:
        if name not in self.labels:
            raise UserError(f"--class {name}: {self.path.name} knows {', '.join(self.labels)}{nearest(name, self.labels)}")
        return self.labels.index(name)

    def answer(self, features_NF: np.ndarray, where: object) -> Answer:
        """One bag's."""
        (result,) = run(self._program, [(where, features_NF.astype(np.float32), None)], 1)
        if result.outputs is None:
            raise DataError(f"{where}: {result.error}")
        outputs = {name: value[0].cpu().numpy() for name, value in result.outputs.items()}
        if not all(np.isfinite(outputs[name]).all() for name in ("probs", "attention", "instance")):
            raise DataError(f"{where}: the model's answer is not a number; export it again")
        return Answer(outputs["probs"], int(outputs["decision"]), outputs["attention"], outputs["instance"])

    def unlike(self, features_NF: np.ndarray) -> float | None:
        """How many deviations from the training mean the features of the middle tile lie, root mean square: about 1 on the training bags.

        The middle one (median): some tiles at edges are unlike all others on any slide. None of a model that does not standardise.
        """
        if not self.standardises:
            return None
        return float(self._program.prepare(features_NF.astype(np.float32)).square().mean(1).sqrt().median())

    def doubts(self, compared: Sequence[str], unlike: float | None) -> list[str]:
        """What a reader of an answer should know, from what `fits` and `unlike` gave."""
        found = []
        if not {"encoder", "encoder_sha256"} & set(compared):
            found.append("the model or the file of features does not say with which encoder it was made: encoders were not compared")
        elif "mpp_target" not in compared:
            found.append("the model or the file of features does not say at which resolution tiles were cut: it was not compared")
        if unlike is not None and unlike > MUCH_UNLIKE:
            found.append(
                f"the tiles look unlike those that the model was trained on: the middle one's features lie {unlike:.1f} standard "
                "deviations from the training mean (there: about 1). The answer and the maps may mean nothing"
            )
        return found

    def left_out(self, features_NF: np.ndarray, answer: Answer, label: int, where: object) -> np.ndarray:
        """(N,): by how much the probability of a class falls when a tile is left out; negative where it rises."""
        n = len(features_NF)
        if not 2 <= n <= MOST_LEFT_OUT:
            raise UserError(f"{where}: leave-one-out needs 2 to {MOST_LEFT_OUT:,} tiles, there are {n:,}; choose another --score")
        x_NF = self._program.prepare(features_NF.astype(np.float32))
        at_once = max(1, ROWS // (n * self.width))
        falls = []
        for start in range(0, n, at_once):
            out = range(start, min(n, start + at_once))
            flat = torch.cat([torch.cat([x_NF[:i], x_NF[i + 1 :]]) for i in out])
            probs = self._program.forward(flat, torch.arange(len(out) + 1) * (n - 1))["probs"]
            falls.append(float(answer.probs_C[label]) - probs[:, label].cpu().numpy())
        return np.concatenate(falls)
