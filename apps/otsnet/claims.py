"""Does the picture say what is claimed, and if not, where not?

Shapes: B claims, L slots, K classes, S slots or columns.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from apps.base.errors import UserError
from apps.otsnet.claim_scale import RAW, ClaimScale
from apps.otsnet.constrain import best_of_columns
from apps.otsnet.pattern import of_words
from apps.otsnet.source import Source
from apps.otsnet.spelled import spelled_in_columns
from datamodules.otsnet.charset import Charset
from datamodules.otsnet.normalise import for_training

__all__ = ["Slot", "Verdict", "claim_text", "verdicts"]

DOUBT = 0.5  # below this probability of being right a character contradicts


class Slot(NamedTuple):
    """One character of the claim, or its end, which is told as an empty text."""

    character: str
    probability: float
    contradicts: bool
    instead: str  # what stands there rather; "" is the end of the word


class Verdict(NamedTuple):
    claim: str
    read: str  # what the reader reads without the claim
    probability: float
    slots: list[Slot]

    @property
    def holds(self) -> bool:
        return self.probability >= DOUBT


def claim_text(claim: str, charset: Charset, longest: int) -> str:
    """The claim in the reader's charset; one that cannot be written in it is refused, for it could only be denied."""
    text = for_training(claim, charset, longest)
    if text.fault == "too long":
        raise UserError(f"{claim!r} has more than {longest} characters, and the reader reads no more")
    if text.stripped:
        raise UserError(f"{claim!r}: the reader does not know {text.stripped[0]!r}; it knows {charset.characters}")
    if text.fault:
        raise UserError("an empty text claims nothing")
    return text.text


def verdicts(source: Source, x_BCHW: torch.Tensor, claims: Sequence[str]) -> list[Verdict]:
    """claims: in the charset (`claim_text`)."""
    out = {name: value.cpu() for name, value in source.program.forward(x_BCHW).items()}
    read = [source.charset.decode(tokens_L) for tokens_L in out["characters"]]
    if source.judges:
        return _judged(source, x_BCHW, claims, read)
    tables = out["table"].double().numpy()
    verdict = _by_columns if source.by_columns else _by_slots
    return [verdict(source, table_SK, claim, told) for table_SK, claim, told in zip(tables, claims, read, strict=True)]


def _judged(source: Source, x_BCHW: torch.Tensor, claims: Sequence[str], read: list[str]) -> list[Verdict]:
    """The verifier is asked about every character, knowing all others. A claim is as right as its least right character:

    ours: their product counts one doubt several times, for a wrong letter makes its neighbours doubtful, too. Of files that have no scale
    for claims the judge's word is told as it is.
    """
    scale = ClaimScale(**source.about["claims"]) if "claims" in source.about else RAW
    charset = source.charset
    tokens_BL = torch.stack([charset.encode(claim, source.about["slots"]) for claim in claims]).to(x_BCHW.device)
    with torch.inference_mode():
        right_BL, p_BLK = source.reader.judge(x_BCHW, tokens_BL)
    found = []
    for right_L, best_L, claim, told in zip(right_BL.tolist(), p_BLK.argmax(-1).tolist(), claims, read, strict=True):
        slots = _slots(charset, claim, [scale.of(right) for right in right_L], best_L)
        found.append(Verdict(claim, told, min(slot.probability for slot in slots), slots))
    return found


def _by_slots(source: Source, table_LK: np.ndarray, claim: str, read: str) -> Verdict:
    """Of a reader without a judge: what each slot gives to the claim's character, and the word their product."""
    tokens = [source.charset.characters.index(one) + 1 for one in claim] + [0]
    own = [float(table_LK[slot, token]) for slot, token in enumerate(tokens)]
    return Verdict(claim, read, float(np.prod(own)), _slots(source.charset, claim, own, table_LK.argmax(-1).tolist()))


def _by_columns(source: Source, table_SK: np.ndarray, claim: str, read: str) -> Verdict:
    """Of a reader by columns: the word's probability over all ways to write it; each character's in the columns of the best way."""
    charset = source.charset
    word = [charset.characters.index(one) + 1 for one in claim]
    found = best_of_columns(table_SK, of_words([word], len(charset)))
    if found is None:
        return Verdict(claim, read, 0.0, [])
    own, instead = [], []
    for token, columns in zip(word, found.places, strict=True):
        own.append(float(table_SK[columns, token].max()))
        instead.append(int(table_SK[columns].max(0).argmax()))
    between = sorted(set(range(len(table_SK))) - {column for columns in found.places for column in columns})
    own.append(float(table_SK[between, 0].min()) if between else 1.0)  # that nothing else is there
    instead.append(int(table_SK[between][table_SK[between, 0].argmin()].argmax()) if between else 0)
    probability = float(np.exp(spelled_in_columns(table_SK, [word])[0]))
    return Verdict(claim, read, probability, _slots(charset, claim, own, instead))


def _slots(charset: Charset, claim: str, own: Sequence[float], best: Sequence[int]) -> list[Slot]:
    """instead is told where something contradicts: without that it may be another spelling of a doubt."""
    found = []
    for slot, character in enumerate([*claim, ""]):
        other = charset.characters[best[slot] - 1] if best[slot] else ""
        against = own[slot] < DOUBT
        found.append(Slot(character, own[slot], against, other if against else character))
    return found
