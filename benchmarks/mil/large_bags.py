"""Bags of ten thousand to a million instances: a training step and an answer of gated AB-MIL, in parts and at once.

    OMP_NUM_THREADS=1 python -m benchmarks.mil.large_bags [--sizes 10000 100000 1000000] [--rounds 5] [--smoke]

`streamed` is the application's model as it is (parts from 65,536 instances on; below, pooling alone computes hidden units again), `eager`
the textbook's form in plain torch, with the same weights. 512 features, 512 wide, 128 hidden units, dropout 0.25, one bag.
Seconds are of the CPU, medians of interleaved rounds. Memory is a process's own for each arm: what it held at most over what it held
with the bag. The eager form of a size is left out, and said so, where the machine has not six times the bag's memory to spare.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from apps.mil.model import BagModel
from apps.mil.options import Host
from benchmarks.memory import apart, high_water_kib
from benchmarks.record import write
from core_attention.segments import Segments

FEATURES, HIDDEN = 512, 128
HOST = Host("ab_mil", dim=512, hidden=HIDDEN, gated=True)
TIMES = 6  # of the bag, that the eager form needs: embedded, after dropout, its mask, hidden units and gates, gradients


class Eager(nn.Module):
    """AB-MIL as it stands in textbooks, over one bag."""

    def __init__(self, like: BagModel) -> None:
        super().__init__()
        self.embed, self.head = like.embed, like.host.head
        self.V, self.U, self.w = like.host.pool.V, like.host.pool.U, like.host.pool.w  # type: ignore[union-attr]

    def forward(self, x_TF: Tensor) -> Tensor:
        z_TD = self.embed(x_TF)
        scores_T1 = self.w(self.V(z_TD).tanh() * self.U(z_TD).sigmoid())
        return self.head(scores_T1.softmax(0).T @ z_TD)  # type: ignore[operator]


def arms(seed: int = 0) -> dict[str, tuple[nn.Module, Callable[[Tensor], Tensor]]]:
    torch.manual_seed(seed)
    model = BagModel(FEATURES, 2, HOST)
    eager = Eager(model)
    return {"streamed": (model, lambda x: model(x, Segments.from_lengths([len(x)])).logits), "eager": (eager, eager)}


def work(answer: Callable[[Tensor], Tensor], model: nn.Module, x_TF: Tensor, train: bool) -> Tensor:
    model.train(train)
    with torch.set_grad_enabled(train):
        logits = answer(x_TF)
        if train:
            cross_entropy(logits, torch.ones(1, dtype=torch.int64)).backward()
            model.zero_grad(set_to_none=True)
    return logits.detach()


def bag(size: int) -> Tensor:
    return torch.randn(size, FEATURES, generator=torch.Generator().manual_seed(0))


def peak_mib(arm: str, size: int, train: bool) -> float:
    """In a process of its own."""
    model, answer = arms()[arm]
    work(answer, model, bag(512), train)  # libraries and thread pools
    x_TF = bag(size)
    before = high_water_kib()
    work(answer, model, x_TF, train)
    return (high_water_kib() - before) / 1024


def row(size: int, train: bool, rounds: int) -> dict[str, Any]:
    x_TF = bag(size)
    bytes_ = 4 * x_TF.numel()
    fits = psutil.virtual_memory().available > TIMES * bytes_
    chosen = {name: both for name, both in arms().items() if fits or name == "streamed"}
    times: dict[str, list[float]] = {name: [] for name in chosen}
    answers = {name: work(answer, model, x_TF, False) for name, (model, answer) in chosen.items()}  # and warms up
    for other in answers.values():
        torch.testing.assert_close(other, answers["streamed"], rtol=1e-3, atol=1e-4)
    for _ in range(rounds):
        for name, (model, answer) in chosen.items():
            start = time.process_time()
            work(answer, model, x_TF, train)
            times[name].append(time.process_time() - start)
    del x_TF
    memory = {}
    for name in chosen:
        memory[name] = apart(peak_mib, name, size, train)
    both = len(chosen) == 2
    ratio = statistics.median(b / a for a, b in zip(times["streamed"], times["eager"], strict=True)) if both else None
    return {
        "instances": size,
        "pass": "training step" if train else "answer",
        "bag_mib": round(bytes_ / 2**20),
        "streamed_seconds": round(statistics.median(times["streamed"]), 3),
        "eager_seconds": round(statistics.median(times["eager"]), 3) if both else "not measured",
        "eager_over_streamed": round(ratio, 2) if ratio is not None else "-",
        "streamed_mib": round(memory["streamed"], 1),
        "eager_mib": round(memory["eager"], 1) if both else "not measured",
        "memory_share": round(memory["streamed"] / memory["eager"], 3) if both and memory["eager"] else "-",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--smoke", action="store_true", help="a bag of a thousand, one round; writes nothing")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/mil_large_bags.json"))
    options = parser.parse_args()
    rows = []
    for size in [1000] if options.smoke else options.sizes:
        for train in (True, False):
            rows.append(row(size, train, 1 if options.smoke else options.rounds))
            print(rows[-1], flush=True)
    if not options.smoke:
        write(options.out, "mil_large_bags", rows)


if __name__ == "__main__":
    main()
