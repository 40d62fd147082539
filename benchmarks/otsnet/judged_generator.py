"""Are made words like real ones: what a reader learns from them alone, whether a network tells them apart, and what they say.

    OMP_NUM_THREADS=1 python -m benchmarks.otsnet.judged_generator --data scene_text [--minutes 5] [--seed 0] [--smoke]

A CTC reader, nano, trained on made words alone for the steps that fit into --minutes of one core (benchmarks.otsnet.steps has measured
them), read on the real validation words. A small network that learns to tell real training pictures from made ones, tried on real
validation pictures and made ones that neither saw, as many of both: 50 % is blind, and lower is better. Jensen-Shannon divergence of the
characters and of the lengths of made labels and of real training labels. The test parts are not touched. About seven minutes of one core.
--smoke takes a few steps and writes nothing.
"""

import argparse
import math
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import cv2
import torch
from torch import Tensor, nn

from apps.otsnet.metrics import scores
from benchmarks.otsnet.arms import ARMS, RISE, SETS, steps_file
from benchmarks.otsnet.budget import steps_of
from benchmarks.otsnet.fitting import BATCH, fit, read_all
from benchmarks.record import write
from datamodules.otsnet.datamodule import Words

READER = "ctc"
MADE, TOLD_STEPS, RATE = 5000, 400, 2e-3


def words(options: argparse.Namespace, share: float, steps: int, batch: int, **made: Any) -> Words:
    sets = [str(options.data / name) for name in SETS]
    data = Words(sets, batch, seed=options.seed, generated_share=share, samples=steps * batch, **made)
    data.say = lambda words: None
    return data


def read_right(data: Words, steps: int, seed: int, batches: int | None) -> dict[str, float]:
    """Of the real validation words, by set, in percent of 36 characters; of a reader that saw made words alone."""
    task = ARMS[READER].task()
    fit(task, data, steps, seed, None)
    (tokens_NL,), ids_N = read_all(task.model, data.val_dataloader(), batches=batches)
    read = [data.charset.decode(tokens_L) for tokens_L in tokens_NL.tolist()]
    ids = ids_N.tolist()
    found = scores(read, [data.truth(number) for number in ids], [data.set_of(number) for number in ids])
    return {f"{name}_36": round(score.by_charset["36"].percent, 2) for name, score in found.items()}


def told_apart(data: Words, steps: int, seed: int, count: int) -> float:
    """Percent of pictures that were called real or made rightly. data: half of its training words are made, none is augmented."""
    torch.manual_seed(seed)
    network = nn.Sequential(
        nn.Conv2d(3, 16, 5, 2, 2), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU(), nn.Conv2d(32, 64, 3, 2, 1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 1),
    )  # fmt: skip
    optimizer, batches = torch.optim.AdamW(network.parameters(), RATE), _endless(data)
    for _ in range(steps):
        batch = next(batches)
        loss = nn.functional.binary_cross_entropy_with_logits(network(batch["images"])[:, 0], (batch["id"] < 0).float())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    real = torch.cat([batch["images"] for batch in data.val_dataloader()])[:count]
    made = torch.stack([_held_out(data, number) for number in range(len(real))])
    with torch.no_grad():
        right = torch.cat([network(real)[:, 0] < 0, network(made)[:, 0] >= 0])
    return round(100 * right.float().mean().item(), 2)


def _endless(data: Words) -> Iterator[dict[str, Tensor]]:
    while True:
        yield from data.train_dataloader()


def _held_out(data: Words, number: int) -> Tensor:
    """Of words and faces that training never sees."""
    return data._made(0, held_out=True, count=number + 1)[number]["images"]


def divergence(one: Iterable[Any], other: Iterable[Any]) -> float:
    """Jensen-Shannon, in bits: 0 of shares that are alike, 1 of those that have nothing in common.

    >>> divergence("aabb", "ab"), divergence("a", "b")
    (0.0, 1.0)
    """
    p, q = Counter(one), Counter(other)
    in_p, in_q = sum(p.values()), sum(q.values())
    found = 0.0
    for key in p.keys() | q.keys():
        a, b = p[key] / in_p, q[key] / in_q
        found += sum(share * math.log2(2 * share / (a + b)) / 2 for share in (a, b) if share)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with iiit5k and svt")
    parser.add_argument("--minutes", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--steps", type=Path, default=steps_file(0), help="what benchmarks.otsnet.steps has written")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/otsnet_judged_generator.json"))
    options = parser.parse_args()
    if not options.data.exists():
        parser.error(f"{options.data} is not there; see benchmarks/README.md, words")
    if not options.smoke and not options.steps.exists():
        parser.error(f"{options.steps} is not there; first run: python -m benchmarks.otsnet.steps --data {options.data}")
    cv2.setNumThreads(1)
    steps, batch, told = (2, 8, 2) if options.smoke else (steps_of(READER, options.minutes, options.steps), BATCH, TOLD_STEPS)
    alone = words(options, 1.0, steps, batch, curriculum=RISE)
    found: dict[str, Any] = {"steps": steps, **read_right(alone, steps, options.seed, 1 if options.smoke else None)}
    half = words(options, 0.5, told, batch)
    half.augment = False
    half.setup("fit")
    found["told_apart"] = told_apart(half, told, options.seed, 8 if options.smoke else 10_000)
    count = 50 if options.smoke else MADE
    made, real = [alone.truth(-1 - number) for number in range(count)], alone.training_texts()
    found["characters_bits"] = round(divergence("".join(made), "".join(real)), 4)
    found["lengths_bits"] = round(divergence(map(len, made), map(len, real)), 4)
    print(found)
    if not options.smoke:
        write(options.out, "otsnet_judged_generator", [found])


if __name__ == "__main__":
    main()
