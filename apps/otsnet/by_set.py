"""What `test` says: the scores of every set by the field's protocols, words that training showed and others apart."""

import math
from collections.abc import Collection, Mapping, Sequence

from apps.base.columns import columns
from apps.otsnet.metrics import SetScore, mean_of_sets, pooled, scores

__all__ = ["CHARSETS", "OPENOCR", "as_metrics", "as_table", "score_sets"]

CHARSETS = ("36", "62", "94")
OPENOCR = "openocr"  # the other protocol, of 36 characters: é is nothing there, and e in ours
KINDS = (*CHARSETS, OPENOCR)


def score_sets(answers: Sequence[str], truths: Sequence[str], sets: Sequence[str], training: Collection[str]) -> dict[str, SetScore]:
    """By set. 36: whatever the case; 62: by case; 94: by case and punctuation; openocr: as 36, by the other protocol."""
    ours, other = scores(answers, truths, sets, training, CHARSETS), scores(answers, truths, sets, protocol=OPENOCR)
    return {
        name: score._replace(by_charset={**score.by_charset, OPENOCR: other[name].by_charset["36"]}) for name, score in ours.items()
    }  # fmt: skip


def as_metrics(by_set: Mapping[str, SetScore]) -> dict[str, float]:
    """Shares of one by name, `set/measure`; and over all sets, every set alike and every word alike."""
    found: dict[str, float] = {}
    for name, score in by_set.items():
        found |= {f"{name}/words_{kind}": one.percent / 100 for kind, one in score.by_charset.items()}
        found |= {f"{name}/seen_36": score.seen.seen.percent / 100, f"{name}/unseen_36": score.seen.unseen.percent / 100}
        found |= {f"{name}/one_minus_ned": score.one_minus_ned / 100, f"{name}/cer": score.cer / 100}
    for kind in KINDS:
        each = [score.by_charset[kind] for score in by_set.values()]
        found |= {f"mean_of_sets_{kind}": mean_of_sets(each) / 100, f"pooled_{kind}": pooled(each).percent / 100}
    for part in ("seen", "unseen"):
        found[f"{part}_36"] = pooled([getattr(score.seen, part) for score in by_set.values()]).percent / 100
    return {name: value for name, value in found.items() if math.isfinite(value)}


def as_table(by_set: Mapping[str, SetScore]) -> str:
    """For people: percent, the accuracy of 36 characters with Wilson's 95 % interval."""
    rows: list[tuple[str, ...]] = [("set", "words", "36", "95 %", "62", "94", OPENOCR, "seen", "unseen", "1-NED", "CER")]
    for name, score in by_set.items():
        first = score.by_charset["36"]
        low, high = first.interval
        cells = [first.percent, *(score.by_charset[kind].percent for kind in KINDS[1:])]
        cells += [score.seen.seen.percent, score.seen.unseen.percent, score.one_minus_ned, score.cer]
        said = ["-" if math.isnan(cell) else f"{cell:.1f}" for cell in cells]
        rows.append((name, f"{first.count}", said[0], f"{low:.1f}-{high:.1f}", *said[1:]))
    return columns(rows)
