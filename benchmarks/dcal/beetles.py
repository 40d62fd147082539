"""Beetles: does the rollout choose the cell that tells the class, and what do read-outs and the pair branch bring where data is scarce?

    OMP_NUM_THREADS=1 python -m benchmarks.dcal.beetles [--seeds 20] [--only easy plain ...] [--smoke]

Easy: the embedded recipe's set (512 training pictures, two decoys), three seeds. A tenth of the cells is chosen; by chance the cell with
the class mark is among them in 9.4 %.
Gap: 256 training pictures, five decoys, more noise, three seeds. Trunks that begin by their fan-in learn it whole, so it tells nothing
about a regulariser. Scarce: 128 pictures instead, of which the plain trunk learns all and yet names many others wrongly; here the rows are
compared. The pictures are the same for all seeds, order and weights are not. The pair branch doubles a step's time, so the plain row is
there twice: with as many epochs, and with as much time. Differences are seed by seed. The last epoch is measured: nothing is chosen.
A run is kept under --rows as soon as it is there, and a changed recipe makes its rows anew. --smoke takes two steps of eight pictures
and writes nothing.

The budget, in seconds of CPU, one thread, busy machine: easy 36 a run, gap 9 and 24; scarce, 160 steps of 32: plain 7, twice 14,
+ GLCA 8 to 9, + PWCA 15, both 17. 20 seeds x 86 + 210 = 1900 s; less on a quiet machine.
"""

import argparse
import statistics
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from apps.base.optim import Optim
from apps.dcal.calibration import mix
from apps.dcal.options import Glca, Pwca
from apps.dcal.task import Classification
from benchmarks.dcal.fitting import fit
from benchmarks.record import write
from benchmarks.rows import interval_cell, kept, spread
from datamodules.dcal.datamodule import Beetles

OPTIM, WEIGHT_RATE, FEW = Optim(lr=1e-3, weight_decay=0.05, warmup=0.1), 10.0, 3
SETS: dict[str, dict[str, Any]] = {
    "easy": {"batch_size": 64, "train": 512, "decoys": 2, "noise": 0.06},
    "gap": {"batch_size": 64, "train": 256, "decoys": 5, "noise": 0.12},
    "scarce": {"batch_size": 32, "train": 128, "decoys": 5, "noise": 0.12},
}
SMALL = {"width": 48, "depth": 3, "heads": 3}
TRUNKS: dict[str, dict[str, Any]] = {"easy": {}, "gap": SMALL, "scarce": SMALL}
EPOCHS = {"easy": 18, "gap": 30, "scarce": 40}


OFF = Glca(blocks=0)


@dataclass(frozen=True)
class Row:
    title: str
    glca: Glca = OFF
    pwca: int | None = 0  # blocks; None: all
    set: str = "scarce"
    epochs: int = 1  # times those of the others


ROWS = {
    "easy": Row("embedded recipe", Glca(), 2, set="easy"),
    "gap, plain": Row("self-attention alone", set="gap"),
    "gap, both": Row("+ GLCA, cls+mean + PWCA", Glca(), None, set="gap"),
    "plain": Row("self-attention alone"),
    "twice": Row("self-attention alone, twice as long", epochs=2),
    "cls": Row("+ GLCA, cls", Glca(readout="cls")),
    "cls+mean": Row("+ GLCA, cls+mean", Glca()),
    "cls+mean, random": Row("+ GLCA, cls+mean, random", Glca(select="random")),
    "attend": Row("+ GLCA, attend", Glca(readout="attend")),
    "attend, random": Row("+ GLCA, attend, random", Glca(readout="attend", select="random")),
    "pwca": Row("+ PWCA", pwca=None),
    "both": Row("+ GLCA, cls+mean + PWCA", Glca(), None),
}


def task_of(row: Row) -> Classification:
    return Classification(
        "vit_micro", TRUNKS[row.set], row.glca, Pwca(blocks=row.pwca), loss_weight_lr=WEIGHT_RATE, optim=OPTIM
    )  # fmt: skip


def recipe_of(row: Row, seed: int, epochs: int | None) -> dict[str, Any]:
    return {
        "row": asdict(row), "seed": seed, "epochs": epochs_of(row, epochs), "data": SETS[row.set], "trunk": TRUNKS[row.set],
        "optim": vars(OPTIM), "weight_rate": WEIGHT_RATE,
    }  # fmt: skip


def epochs_of(row: Row, epochs: int | None) -> int:
    return (epochs or EPOCHS[row.set]) * row.epochs


def run(row: Row, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    small: dict[str, Any] = {"batch_size": 8, "train": 16, "val": 8, "test": 16} if options.smoke else {}
    data = Beetles(**SETS[row.set] | small, seed=seed)
    task = task_of(row)
    done = fit(task, data, epochs_of(row, options.epochs), seed, None, steps=2 if options.smoke else -1)
    seen = {"train": measure(task, data, "train"), "test": measure(task, data, "test")}
    return {"cpu_seconds": done.cpu_seconds, "train_top1": seen["train"]["sa"], **seen["test"]}


@torch.no_grad()
def measure(task: Classification, data: Beetles, split: str) -> dict[str, float]:
    """Accuracy of each branch and of both, and how often the class mark's cell is among the chosen."""
    made = data.made(split)
    images = torch.stack([data.preprocess(torch.from_numpy(image)) for image in made.images])
    labels, cells = torch.from_numpy(made.labels), torch.from_numpy(made.cells)
    parts = [task.model(chunk) for chunk in images.split(256)]
    logits = {"sa": torch.cat([part.sa_logits for part in parts])[None]}
    found = {}
    if parts[0].glca_logits is not None:
        logits["glca"] = torch.cat([part.glca_logits for part in parts], 1)
        found["cell_hit"] = float((torch.cat([part.selected for part in parts]) == cells[:, None]).any(1).double().mean())
    modes = {name: {name: value} for name, value in logits.items()} | ({"both": logits} if len(logits) > 1 else {})
    return found | {name: _right(mix(own, {}), labels) for name, own in modes.items()}


def _right(probs_NK: Tensor, labels_N: Tensor) -> float:
    return float((probs_NK.argmax(1) == labels_N).double().mean())


def summary(row: Row, runs: list[dict[str, Any]], plain: list[dict[str, Any]] | None) -> dict[str, Any]:
    """Means over the seeds. `top1` is the app's answer: of both branches where there are two."""
    answers = [run.get("both", run["sa"]) for run in runs]
    gaps = [answer - run["sa"] for answer, run in zip(answers, plain, strict=True)] if plain else []
    line = {
        "set": row.set,
        "row": row.title,
        **spread("top1", answers),
        "deviation": f"{statistics.stdev(answers):.4f}" if len(runs) > 1 else "-",
    }
    line |= {"over_plain": f"{statistics.mean(gaps):+.4f}" if gaps else "-", "over_plain_ci95": interval_cell(gaps) if gaps else "-"}
    for branch in ("sa", "glca", "cell_hit"):
        line[branch] = round(statistics.mean(run[branch] for run in runs), 4) if branch in runs[0] else "-"
    line["cell_hit_ci95"] = interval_cell([run["cell_hit"] for run in runs]) if "cell_hit" in runs[0] else "-"
    line["train"] = round(statistics.mean(run["train_top1"] for run in runs), 4)
    return {**line, "seeds": len(runs), "cpu_seconds": round(statistics.mean(run["cpu_seconds"] for run in runs), 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20, metavar="N", help="of the scarce rows; the others take 3 at most")
    parser.add_argument("--epochs", type=int, help="default: 18 easy, 30 gap, 40 scarce")
    parser.add_argument(
        "--only", nargs="+", choices=list(ROWS), default=list(ROWS), metavar="ROW", help=f"{'; '.join(ROWS)}; the table needs all"
    )
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--rows", type=Path, default=Path("benchmarks/results/dcal_beetles"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/dcal_beetles.json"))
    options = parser.parse_args()
    rows = None if options.smoke else options.rows
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in options.only}
    for seed in range(1 if options.smoke else options.seeds):
        for name in options.only:
            if ROWS[name].set != "scarce" and seed >= FEW:
                continue
            make = lambda: run(ROWS[name], seed, options)  # noqa: B023, E731 - called at once
            runs[name].append(kept(rows, f"{name}-{seed}", recipe_of(ROWS[name], seed, options.epochs), make))
            print(name, seed, {key: round(value, 4) for key, value in runs[name][-1].items() if key != "recipe"}, flush=True)
    if options.smoke or len(options.only) < len(ROWS):
        return
    found = [summary(row, runs[name], runs["plain"] if row.set == "scarce" and name != "plain" else None) for name, row in ROWS.items()]
    for row in found:
        print(row)
    write(options.out, "dcal_beetles", found)


if __name__ == "__main__":
    main()
