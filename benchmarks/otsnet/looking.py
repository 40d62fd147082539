"""The one look at the test parts: every number of the table from it."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from apps.base.ranking import auc
from apps.otsnet.answer import Answer, word_confidence
from apps.otsnet.metrics import ledger, scores
from apps.otsnet.model import Otsnet
from apps.otsnet.readers import Reader
from apps.otsnet.vocabulary import up_to_end
from datamodules.otsnet.charset import charset
from datamodules.otsnet.datamodule import Words
from datamodules.otsnet.normalise import for_comparison

__all__ = ["ROUNDS", "look", "summed_up"]

ROUNDS = (0, 1)  # K, of a reader that refines


@torch.no_grad()
def look(model: Reader, data: Words, training: Sequence[str], batches: int | None = None) -> dict[str, dict[str, Any]]:
    """By the number of refinements; "-": the reader has its own way."""
    rounds = ROUNDS if isinstance(model, Otsnet) and model.verifier is not None else (None,)
    texts: dict[int | None, list[str]] = {k: [] for k in rounds}
    judged: dict[int | None, list[tuple[Tensor, Tensor]]] = {k: [] for k in rounds}
    sure: dict[int | None, list[Tensor]] = {k: [] for k in rounds}
    ids: list[int] = []
    device = next(model.parameters()).device
    for number, batch in enumerate(data.test_dataloader()):
        if number == batches:
            break
        ids += batch["id"].tolist()
        images = batch["images"].to(device)
        for k in rounds:
            answer = model.read(images) if k is None else model.read(images, k)  # type: ignore[call-arg]
            answer = Answer(*(value.cpu() for value in answer))
            texts[k] += [data.charset.decode(tokens_L) for tokens_L in answer.tokens.tolist()]
            sure[k].append(word_confidence(answer.probs))
            if answer.verify.shape[1]:
                shown_BL = up_to_end(answer.tokens)
                judged[k].append((answer.verify[shown_BL], (answer.tokens == batch["tokens"])[shown_BL]))
    found = {}
    for k in rounds:
        found["-" if k is None else str(k)] = row = summed_up(texts[k], ids, data, training, torch.cat(sure[k]))
        if judged[k]:
            row["judge_auroc"] = auc(*(torch.cat(parts) for parts in zip(*judged[k], strict=True))).item()
    if len(rounds) > 1:
        true = [for_comparison(data.truth(number), charset("36")) for number in ids]
        before, after = ([for_comparison(text, charset("36")) for text in texts[k]] for k in ROUNDS)
        fixed = ledger(before, after, true)
        found["1"] |= {"fixed": fixed.fixed, "broken": fixed.broken}
    return found


def summed_up(
    texts: Sequence[str], ids: Sequence[int], data: Words, training: Sequence[str], sure_N: Tensor | None = None
) -> dict[str, Any]:
    """By set, in percent: words read right of 36 and of 94 characters, 1 - NED, and of seen and unseen words those of 36."""
    true, sets = [data.truth(number) for number in ids], [data.set_of(number) for number in ids]
    found: dict[str, Any] = {}
    for name, score in scores(texts, true, sets, training, ("36", "62", "94")).items():
        found[name] = {
            **{each: of.percent for each, of in score.by_charset.items()},
            "ned": score.one_minus_ned,
            "seen": score.seen.seen.percent,
            "unseen": score.seen.unseen.percent,
            "count": score.by_charset["36"].count,
        }
    if sure_N is not None:
        common = charset("36")
        right = [for_comparison(a, common) == for_comparison(b, common) for a, b in zip(texts, true, strict=True)]
        found["confidence_auroc"] = auc(sure_N, torch.tensor(right)).item()
    return found
