"""How long a training step of each row of the budget takes, its data included: what makes equal seconds into fixed steps.

    OMP_NUM_THREADS=1 python -m benchmarks.otsnet.steps --data scene_text [--workers 1] [--rounds 12] [--smoke]

Without workers one core makes pictures and trains: seconds of CPU of the process. With --workers 1 another core makes the pictures
meanwhile, and seconds are of the wall, so that a wait for pictures counts: two cores. One thread a process, interleaved: a step of each
row in turn, the first two rounds not counted; the median of a row over the rounds. Measure alone on the machine. About three minutes.
benchmarks.otsnet.budget reads the file, and trains so many steps as fit into its minutes: no run depends on the clock. --smoke takes two
rounds of eight pictures and writes nothing.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import torch

from benchmarks.otsnet.arms import ARMS, steps_file, words
from benchmarks.otsnet.fitting import BATCH, CLIP, OPTIM, Arm
from benchmarks.record import write
from datamodules.otsnet.datamodule import Words

WARM_UP = 2


def stepper(arm: Arm, data: Words) -> Callable[[], None]:
    """A bare loop's step: what Lightning adds to it is a millisecond."""
    task = arm.task()
    task.build(task.gather(data))
    model, batches, count = task.model.train(), _endless(data), iter(range(10**9))
    optimizer = OPTIM.optimizer(model, (), task.no_decay())

    def step() -> None:
        batch, number = next(batches), next(count)
        outputs = model(batch["images"], model.teach(batch["tokens"], number, 0.5))
        loss = torch.stack(list(model.losses(outputs, batch["tokens"], batch["boxes"]).values())).sum()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()
        model.follow([(outputs, batch["tokens"])], number, 0.5)

    return step


def _endless(data: Words) -> Iterator[dict[str, Any]]:
    while True:
        yield from data.train_dataloader()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with iiit5k and svt")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--workers", type=int, default=0, help="processes that make pictures meanwhile")
    parser.add_argument("--out", type=Path, help="default: benchmarks/results/otsnet_steps.json, and by the workers where there are some")
    options = parser.parse_args()
    if not options.data.exists():
        parser.error(f"{options.data} is not there; see benchmarks/README.md, words")
    cv2.setNumThreads(1)
    torch.manual_seed(0)
    rounds, batch = (2, 8) if options.smoke else (options.rounds + WARM_UP, BATCH)
    steppers = {}
    for name, arm in ARMS.items():
        data = words(options.data, 0, rounds, batch, workers=options.workers, **arm.data)
        data.setup("fit")
        steppers[name] = stepper(arm, data)
    seconds: dict[str, list[float]] = {name: [] for name in ARMS}
    clock = time.perf_counter if options.workers else time.process_time
    for turn in range(rounds):
        for name, step in steppers.items():
            start = clock()
            step()
            if turn >= WARM_UP or options.smoke:
                seconds[name].append(clock() - start)
    base = statistics.median(seconds["otsnet"])
    rows = [
        {
            "row": name,
            "title": ARMS[name].title,
            "step_seconds": round(statistics.median(values), 4),
            "fastest": round(min(values), 4),
            "cores": 1 + options.workers,
            "over_otsnet": round(statistics.median(values) / base, 3),
            "batch": batch,
            "rounds": len(values),
        }
        for name, values in seconds.items()
    ]
    for row in rows:
        print(row, flush=True)
    if not options.smoke:
        write(options.out or steps_file(options.workers), "otsnet_steps", rows)


if __name__ == "__main__":
    main()
