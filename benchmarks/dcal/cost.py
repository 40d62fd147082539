"""What DCAL's branches cost over the plain trunk: a training step with pairs, an answer with the global-local branch, a streamed rollout.

    python -m benchmarks.dcal.cost [--rounds 9] [--out benchmarks/results/dcal_cost.json]

Interleaved rounds, medians of the rounds' ratios. Seconds are of CPU time on one thread, which other work on the machine lengthens less
than the clock's. The pair branch trains as in a step that is not logged: the leakage is not watched.
Memory: the most that one forward holds, by torch.profiler's allocation events.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.profiler import ProfilerActivity, profile

from apps.dcal.model import Dcal
from apps.dcal.options import Glca, Pwca
from apps.dcal.stream import rollout_row, self_attention
from benchmarks.record import write
from core_attention.trunks import build_trunk

CLASSES = 200
Size = tuple[str, tuple[int, int], int]
STEP: Size = ("n=129", (256, 128), 16)  # a person's picture in patches of 16
ANSWER: Size = ("n=785", (448, 448), 4)  # a bird's


def median_ratios(arms: dict[str, Callable[[], Any]], rounds: int) -> tuple[dict[str, float], dict[str, float]]:
    """(median CPU seconds of each arm, median ratio over the first)."""
    times: dict[str, list[float]] = {name: [] for name in arms}
    for i in range(rounds + 1):
        for name, work in arms.items():
            start = time.process_time()
            work()
            if i:  # the first round warms up
                times[name].append(time.process_time() - start)
    first = next(iter(arms))
    return (
        {name: statistics.median(values) for name, values in times.items()},
        {name: statistics.median(b / a for a, b in zip(times[first], values, strict=True)) for name, values in times.items()},
    )


def dcal(size: tuple[int, int], glca: Glca | None = None, pwca: Pwca | None = None) -> Dcal:
    return Dcal(build_trunk("vit_tiny", seed=0, image=size), CLASSES, glca, pwca)


def step_rows(rounds: int) -> list[dict[str, Any]]:
    name, size, batch = STEP
    images, labels, partner = torch.randn(batch, 3, *size), torch.arange(batch), torch.arange(batch).roll(1)
    models = {"plain": dcal(size), "pairs": dcal(size, None, Pwca()), "both": dcal(size, Glca(ratio=0.3), Pwca())}

    def step(model: Dcal) -> None:
        outputs = model(images, partner, watch=False) if model.pair_blocks else model(images)
        logits = [outputs.sa_logits, outputs.pwca_logits, *(outputs.glca_logits if outputs.glca_logits is not None else [])]
        losses: list[Tensor] = [cross_entropy(value, labels) for value in logits if value is not None]
        torch.stack(losses).sum().backward()
        model.zero_grad(set_to_none=True)

    seconds, ratios = median_ratios({arm: lambda model=model: step(model) for arm, model in models.items()}, rounds)
    return [
        {
            "what": f"training step {name}, batch {batch}",
            "arm": arm,
            "ms": round(1000 * seconds[arm], 1),
            "over_plain": round(ratios[arm], 3),
        }
        for arm in models
    ]


def answer_rows(rounds: int) -> list[dict[str, Any]]:
    found = []
    for (name, size, batch), ratio in ((STEP, 0.3), (ANSWER, 0.1)):
        images = torch.randn(batch, 3, *size)
        models: dict[str, Dcal] = {
            "plain": dcal(size).eval(),
            "glca, stored maps": dcal(size, Glca(ratio=ratio)).eval(),
            "glca, streamed": dcal(size, Glca(ratio=ratio, rollout="stream")).eval(),
        }
        with torch.no_grad():
            seconds, ratios = median_ratios(
                {arm: lambda model=model, images=images: model(images) for arm, model in models.items()}, rounds
            )
        found += [
            {"what": f"answer {name}, batch {batch}", "arm": arm, "ms": round(1000 * seconds[arm], 1), "over_plain": round(ratios[arm], 3)}
            for arm in models
        ]
    return found


def held_mib(work: Callable[[], Any]) -> float:
    """The highest sum of allocations while it works."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        work()
    held = most = 0
    for event in sorted((e for e in seen.profiler.kineto_results.events() if e.name() == "[memory]"), key=lambda e: e.start_ns()):  # type: ignore[union-attr]
        held += event.nbytes()
        most = max(most, held)
    return most / 2**20


def rollout_rows(rounds: int) -> list[dict[str, Any]]:
    name, size, batch = "n=785", (448, 448), 8
    trunk, images = build_trunk("vit_tiny", seed=0, image=size).eval(), torch.randn(batch, 3, *size)
    arms = {look: lambda look=look: rollout_row(self_attention(list(trunk.blocks), trunk.embed(images), look, False).layers)
            for look in ("maps", "stream")}  # type: ignore[attr-defined]  # fmt: skip
    with torch.no_grad():
        memory = {look: held_mib(work) for look, work in arms.items()}
        seconds, ratios = median_ratios(arms, max(2, rounds // 3))
    return [
        {
            "what": f"forward and rollout {name}, batch {batch}",
            "arm": look,
            "ms": round(1000 * seconds[look], 1),
            "time_over_maps": round(ratios[look], 3),
            "peak_mib": round(memory[look], 1),
            "memory_over_maps": round(memory[look] / memory["maps"], 3),
        }
        for look in arms
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/dcal_cost.json"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for make in (step_rows, answer_rows, rollout_rows):
        for row in make(options.rounds):
            rows.append(row)
            print(row, flush=True)
    write(options.out, "dcal_cost", rows)


if __name__ == "__main__":
    main()
