"""Size small on a GPU: the differential encoder and the softmax one, a CTC reader and a PARSeq-like one; equal steps, data and schedule.

    python -m benchmarks.otsnet.gpu --data scene_text [--only otsnet softmax] [--seeds 0 1 2] [--steps 20000] [--workers 8] [--smoke]

Carry the folder of --data to the machine (11 MiB): nothing is downloaded. From scratch, 94 characters; 70 % fresh made words, 30 % of the
real training parts, batches of 256, the rate of the field scaled to them; --workers processes make the pictures, 2,000 a second each at
most. Validation chooses among five looks, the test parts are read once a run, on K = 0 and 1, as in benchmarks.otsnet.budget. A run is kept
under --rows as soon as it is there. Minutes are of the wall and of that machine. --smoke takes two steps of the size nano on whatever
device there is, and writes nothing.
"""

import argparse
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import torch

from apps.base.optim import Optim
from apps.otsnet.options import Observe
from benchmarks.otsnet.arms import ARMS, GENERATED, words
from benchmarks.otsnet.budget import row_of
from benchmarks.otsnet.fitting import CLIP, Arm, fit, right_36
from benchmarks.otsnet.looking import look
from benchmarks.record import write
from benchmarks.rows import kept

NAMES = ("otsnet", "softmax", "ctc", "parseq")
SMOKE_STEPS, SMOKE_BATCH = 2, 8


def of_size(arm: Arm, size: Any) -> Arm:
    return replace(arm, parts={**arm.parts, "observe": replace(arm.parts.get("observe", Observe()), size=size)})


def optim_of(batch: int) -> Optim:
    return Optim(lr=6.5e-4 * batch / 1024, weight_decay=0.05, warmup=0.075)


def run(arm: Arm, seed: int, steps: int, batch: int, options: argparse.Namespace) -> dict[str, Any]:
    batches = 1 if options.smoke else None
    data = words(options.data, seed, steps, batch, workers=options.workers)
    task, start = arm.task(optim_of(batch)), time.perf_counter()
    chosen = fit(task, data, steps, seed, lambda task: right_36(task.model, data, batches), options.device)
    seconds = time.perf_counter() - start
    task.model.to(torch.device(options.device))
    return {
        "validation": chosen.score,
        "chosen_step": chosen.step,
        "steps": steps,
        "batch": batch,
        "cpu_seconds": chosen.cpu_seconds,
        "minutes": round(seconds / 60, 1),
        "parameters": sum(p.numel() for p in task.model.parameters()),
        "by_rounds": look(task.model, data, data.training_labels(), batches),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with iiit5k and svt")
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES, metavar="ROW", help=", ".join(NAMES))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--rows", type=Path, default=Path("benchmarks/results/otsnet_gpu"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/otsnet_gpu.json"))
    options = parser.parse_args()
    options.device = "cuda" if torch.cuda.is_available() else "cpu"
    if not options.data.exists():
        parser.error(f"{options.data} is not there; see benchmarks/README.md, words")
    if not options.smoke and options.device == "cpu":
        parser.error("torch sees no GPU here; the size nano on a CPU is benchmarks.otsnet.budget")
    cv2.setNumThreads(1)
    size, steps, batch = ("nano", SMOKE_STEPS, SMOKE_BATCH) if options.smoke else ("small", options.steps, options.batch)
    options.workers = 0 if options.smoke else options.workers
    table = []
    for name in options.only:
        arm, runs = of_size(ARMS[name], size), []
        for seed in options.seeds[: 1 if options.smoke else None]:
            recipe = {**arm.recipe(), "seed": seed, "steps": steps, "batch": batch, "optim": vars(optim_of(batch)), "clip": CLIP}
            make = partial(run, arm, seed, steps, batch, options)
            runs.append(kept(None if options.smoke else options.rows, f"{name}-{seed}", recipe | {"generated": GENERATED}, make))
        print(name, [round(each["validation"], 4) for each in runs], flush=True)
        for rounds in runs[0]["by_rounds"] if not options.smoke else ():
            row = {**row_of(ARMS[name].title, rounds, runs), "batch": batch, "minutes": sum(each["minutes"] for each in runs) / len(runs)}
            table.append(row)
            print(row, flush=True)
    if not options.smoke and len(options.only) == len(NAMES):
        write(options.out, "otsnet_gpu", table)


if __name__ == "__main__":
    main()
