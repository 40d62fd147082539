"""Whether a logged number is better when it is low or when it is high, told by the words of its name, as our tasks name theirs."""

import re

__all__ = ["falls"]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


FALLING = _words(
    "loss nll error perplexity mae medae rmse mse brier ece gap eer frr cer wer ned ter regret coverage broken unmatched seconds"
)
RISING = _words(
    "accuracy acc top1 top5 auc auroc ap map minp mrr f1 precision recall sensitivity specificity kappa r2 prime tar select balanced class "
    "words seen unseen pooled sets fixed hit hits within feasible index dice iou second"
)
# An interval is neither good nor bad in itself, nor is a bias whose sign is an accident, nor a step.
NEITHER = _words("interval std spread bias loa epoch step lr")


def falls(key: str) -> bool | None:
    """None where the name does not say.

    >>> falls("test/brier"), falls("test/twin_accuracy_low"), falls("val/semantic")
    (True, False, None)
    """
    if "risk_coverage" not in key and "coverage" in key:
        return None  # how often an interval holds the truth: best where it was promised
    words = re.split(r"[/_]", key.lower())
    if NEITHER & set(words):
        return None
    # The last such word is what is measured: `accuracy_folds_error` is an error, `calibration_error` too.
    for place in range(len(words) - 1, -1, -1):
        word = words[place]
        if re.fullmatch(r"r\d+", word) and word != "r2" and place:
            return False  # rank-k of a ranking
        if word in FALLING | RISING:
            turned = words[max(0, place - 2) : place] == ["one", "minus"]
            return (word in FALLING) != turned
    return None
