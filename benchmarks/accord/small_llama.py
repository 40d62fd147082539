"""A small Llama that learns from nothing to answer all six kinds in one of the two text forms, and what it answers then.

Problems of 4 to 6 items, 3 to 5 nodes, 3 jobs on 2 machines, with small whole numbers; labels are proven. Its tokens are single digits and
the words of the prompts.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import torch
from torch.nn.functional import cross_entropy, pad

from apps.accord.llama import LlamaPlug
from apps.accord.llama.prompt import prompt
from datamodules.accord.distances import matrix
from datamodules.accord.formats import accord_text, list_text
from datamodules.accord.gaps import gap
from datamodules.accord.instances import CVRP, KINDS, TSP, BinPacking, FlowShop, Instance, JobShop, Knapsack
from datamodules.accord.references import METHODS

__all__ = ["FORMS", "WAYS", "learned", "problems"]

FORMS: dict[str, Any] = {"accord": accord_text, "lists": list_text}
WAYS = {"masked": (True, 1), "free": (False, 1), "free, best of 10": (False, 10)}
WIDTH, LAYERS, BATCH, RATE, WARM, WORDS = 96, 3, 36, 2e-3, 50, 400
LONGEST = 300  # tokens of a free text
SHOWN = 20_000  # test problems are numbered from here: training never gets so far in one of its streams


def problems(kind: str, count: int, seed: int, first: int = 0) -> list[Instance]:
    made: list[Instance] = []
    for number in range(first, first + count):
        made.append(_problem(kind, np.random.default_rng((seed, tuple(KINDS).index(kind), number))))
    return made


def _problem(kind: str, draw: np.random.Generator) -> Instance:
    if kind in ("tsp", "cvrp"):
        xy = draw.integers(0, 20, (int(draw.integers(3, 6)), 2)).astype(float)
        distances = matrix(xy, "EUC_2D")
        if kind == "tsp":
            return TSP(distances, xy, metric="EUC_2D")
        return CVRP(distances, np.array([0, *draw.integers(1, 6, len(xy) - 1)]), 8, xy=xy, metric="EUC_2D")
    if kind == "pfsp":
        return FlowShop(draw.integers(1, 10, (3, 2)))
    if kind == "jssp":
        orders = [draw.permutation(2).tolist() for _ in range(3)]
        return JobShop(tuple(tuple((machine, int(draw.integers(1, 10))) for machine in order) for order in orders), 2)
    weights = draw.integers(1, 20, int(draw.integers(4, 7)))
    if kind == "binpack":
        return BinPacking(weights, 30)
    return Knapsack(draw.integers(1, 20, len(weights)), weights, max(int(weights.max()), int(weights.sum() * 0.5)))


def lessons(form: str, count: int, seed: int, first: int) -> list[tuple[str, str]]:
    """Prompt and response, of all kinds in turn."""
    found = []
    for kind in KINDS:
        for one in problems(kind, count, seed, first):
            plan = METHODS[kind]["exact"](one).plan
            assert plan is not None
            found.append((prompt(one), FORMS[form].write_solution(one, plan)))
    return found


def tokenizer(form: str, seed: int) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.Sequence(  # pyright: ignore[reportAttributeAccessIssue]
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    raw.decoder = decoders.ByteLevel()  # pyright: ignore[reportAttributeAccessIssue]
    trainer = trainers.BpeTrainer(
        vocab_size=WORDS, special_tokens=["<s>", "</s>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    raw.train_from_iterator(["".join(one) for one in lessons(form, 50, seed, 0)], trainer)
    return PreTrainedTokenizerFast(tokenizer_object=raw, bos_token="<s>", eos_token="</s>")


def batches(form: str, words: Any, seed: int, steps: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """(tokens, which of them are asked for): the response and its end; -100 elsewhere."""
    end = words.eos_token_id
    for step in range(steps):
        rows = []
        for question, response in lessons(form, BATCH // len(KINDS), seed, step * BATCH):
            asked, said = words(question)["input_ids"], words(response, add_special_tokens=False)["input_ids"]
            rows.append((torch.tensor([*asked, *said, end]), torch.tensor([-100] * len(asked) + [*said, end])))
        longest = max(len(tokens) for tokens, _ in rows)
        tokens_BT, asked_BT = (
            torch.stack([pad(row[part], [0, longest - len(row[part])], value=fill) for row in rows]) for part, fill in ((0, end), (1, -100))
        )
        yield tokens_BT, asked_BT


def trained(form: str, words: Any, steps: int, seed: int) -> tuple[Any, float]:
    """The model, and its loss a token over the last tenth of the steps."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(words), hidden_size=WIDTH, intermediate_size=2 * WIDTH, num_hidden_layers=LAYERS, num_attention_heads=4,
        num_key_value_heads=4, max_position_embeddings=1024, bos_token_id=words.bos_token_id, eos_token_id=words.eos_token_id,
    )  # fmt: skip
    model: Any = LlamaForCausalLM(config)
    optimiser = torch.optim.AdamW(model.parameters(), RATE, betas=(0.9, 0.98), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda k: min((k + 1) / WARM, 1.0) * max(0.02, 1 - k / steps))
    losses = []
    for tokens_BT, asked_BT in batches(form, words, seed, steps):
        logits_BTV = model(input_ids=tokens_BT).logits
        loss = cross_entropy(logits_BTV[:, :-1].flatten(0, 1), asked_BT[:, 1:].flatten())
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        losses.append(loss.item())
    return model.eval(), fmean(losses[-max(1, steps // 10) :])


def learned(form: str, steps: int, test: int, seed: int) -> dict[str, Any]:
    """Shares feasible, and mean gaps of what was, by way of decoding and kind."""
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    words = tokenizer(form, seed)
    model, loss = trained(form, words, steps, seed)
    found: dict[str, Any] = {"loss": loss}
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        words.save_pretrained(folder)
        plug = LlamaPlug(Path(folder))
        for kind in KINDS:
            asked = problems(kind, test, seed, SHOWN * BATCH)
            bests = [METHODS[kind]["exact"](one).objective for one in asked]
            for way, (masked, samples) in WAYS.items():
                written = plug.solve(asked, form, samples=samples, seed=seed, masked=masked, longest=LONGEST)
                values = [one.solution.objective for one in written]
                gaps = [gap(one, v, b) for one, v, b in zip(asked, values, bests, strict=True) if v is not None and b is not None]
                found[f"{way} {kind} feasible"] = len(gaps) / len(asked)
                found[f"{way} {kind} gap"] = fmean(gaps) if gaps else None
    return found
