"""DCAL from scratch on a thousand photographs of birds: what each branch brings, the same recipe and seeds for every row.

    OMP_NUM_THREADS=1 python -m benchmarks.dcal.cub38 --data cub38 [--seeds 0 1 2] [--only plain both] [--trunk conv|hybrid] [--smoke]

The trunk is chosen first, on validation, one plain training of 15 epochs each (a seed of its own, the test split untouched); then a row
is trained for each seed. Validation is a tenth of the official training split. It chooses the epoch and whose probabilities answer
(self-attention, global-local, both); the test split is looked at once a run, after that. A run is kept under --rows as soon as it is
there: what was broken off goes on with the next, and a changed recipe makes its rows anew. --smoke takes two steps of eight pictures
and writes nothing.

The budget: 96 px in patches of 8, width 128, 4 blocks, 32 pictures a step. Seconds of CPU a step, one thread, busy machine: plain conv
0.60, hybrid 0.70, + GLCA 0.75, + PWCA 1.35, both 1.4, ResNet 0.25. A step of every row, one of them twice: 5.9. 30 epochs of 32 steps:
3 seeds x 960 x 5.9 = 17000 s, the choice of the trunk 1200 s, trees 200 s; less on a quiet machine. With 15 epochs the plain row was not
trained out: 28.7 % of the test pictures with seed 0, and 38.6 % with 30.
"""

import argparse
import statistics
import time
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from apps.base.optim import Optim
from apps.dcal.branch_task import BranchTask
from apps.dcal.calibration import fit_temperature, mix
from apps.dcal.options import Glca, Pwca
from apps.dcal.task import Classification
from benchmarks.dcal.classical import colour, hog
from benchmarks.dcal.fitting import fit, logits_of
from benchmarks.record import write
from benchmarks.rows import interval_cell, kept, spread
from datamodules.dcal.datamodule import Pictures
from datamodules.dcal.dataset import load_picture

SIDE, BATCH, SMOOTHING, WEIGHT_RATE, TREES = 96, 32, 0.1, 10.0, 500
OPTIM = Optim(lr=1e-3, weight_decay=0.05, warmup=0.1)
DATA: dict[str, Any] = {"image_size": SIDE, "crop_scale": (0.5, 1.0), "jitter": 0.2}
TRUNKS: dict[str, tuple[str, dict[str, Any]]] = {
    "conv": ("vit_mini", {"width": 128, "depth": 4, "heads": 4}),
    "hybrid": ("hybrid_mini", {"width": 128, "depth": 4, "heads": 4}),
    "resnet18_half": ("resnet18_half", {}),
}
CHOICE_SEED, CHOICE_EPOCHS = 1000, 15  # of the trunk's choice: a seed that is none of the table's
MODES = {"both": ("sa", "glca"), "glca": ("glca",), "sa": ("sa",)}  # of equal ones the first answers


@dataclass(frozen=True)
class Row:
    title: str
    glca: bool = False
    pwca: bool = False
    epochs: int = 1  # times those of the others
    trunk: str | None = None  # None: the chosen one


NETWORKS = {
    "plain": Row("self-attention alone"),
    "twice": Row("self-attention alone, twice as long", epochs=2),
    "glca": Row("+ GLCA", glca=True),
    "pwca": Row("+ PWCA", pwca=True),
    "both": Row("+ GLCA + PWCA", glca=True, pwca=True),
    "resnet18": Row("ResNet-18, half width", trunk="resnet18_half"),
}
CLASSICAL = {"trees": "HOG + HSV histograms, extra trees", "trees-box": "the same, cut to the box"}


def pictures(options: argparse.Namespace, seed: int) -> Pictures:
    data = Pictures(str(options.data), batch_size=8 if options.smoke else BATCH, seed=seed, **DATA)
    data.say = lambda words: None
    return data


def task_of(row: Row, trunk: str) -> Classification:
    name, trunk_options = TRUNKS[row.trunk or trunk]
    return Classification(
        name,
        trunk_options,
        Glca(blocks=int(row.glca)),
        Pwca(blocks="all" if row.pwca else 0),
        loss_weight_lr=WEIGHT_RATE,
        label_smoothing=SMOOTHING,
        optim=OPTIM,
    )


def recipe_of(row: Row, trunk: str, seed: int, epochs: int) -> dict[str, Any]:
    task = task_of(row, trunk)
    return {
        "row": asdict(row), "trunk": TRUNKS[row.trunk or trunk], "glca": asdict(task.glca), "pwca": asdict(task.pwca), "seed": seed,
        "epochs": epochs * row.epochs, "data": DATA, "batch": BATCH, "optim": vars(OPTIM),
        "smoothing": SMOOTHING, "weight_rate": WEIGHT_RATE,
    }  # fmt: skip


def accuracy(probs_NK: Tensor, labels_N: Tensor) -> tuple[float, float]:
    """Of pictures, and the mean over classes."""
    right_N = (probs_NK.argmax(1) == labels_N).double()
    return float(right_N.mean()), statistics.mean(float(right_N[labels_N == label].mean()) for label in labels_N.unique())


def train(row: Row, trunk: str, seed: int, epochs: int, options: argparse.Namespace, test: bool = True) -> dict[str, Any]:
    data = pictures(options, seed)
    task, batches = task_of(row, trunk), 1 if options.smoke else None

    def score(task: BranchTask) -> tuple[float, dict[str, Any]]:
        """Top-1 of validation by the best mode, and how the branches are to be tempered."""
        logits, labels = logits_of(task.model, data.val_dataloader(), batches)
        tops = {name: accuracy(mix(_of(logits, name), {}), labels)[0] for name in MODES if set(MODES[name]) <= logits.keys()}
        mode = max(tops, key=lambda name: tops[name])
        return tops[mode], {"mode": mode, "temperature": {name: fit_temperature(value, labels) for name, value in logits.items()}}

    chosen = fit(task, data, epochs * row.epochs, seed, score, steps=2 if options.smoke else -1)
    found = {"validation": chosen.score, "epoch": chosen.epoch, "cpu_seconds": chosen.cpu_seconds, "mode": chosen.note["mode"]}
    if not test:
        return found
    logits, labels = logits_of(task.model, data.test_dataloader(), batches)  # the one look
    temperature = chosen.note["temperature"]
    by_mode = {name: accuracy(mix(_of(logits, name), temperature), labels) for name in MODES if set(MODES[name]) <= logits.keys()}
    top1, per_class = by_mode[found["mode"]]
    parameters = sum(p.numel() for p in task.model.parameters())
    return {**found, "top1": top1, "per_class": per_class, "by_mode": by_mode, "tested": len(labels), "parameters": parameters}


def _of(logits: dict[str, Tensor], mode: str) -> dict[str, Tensor]:
    return {name: logits[name] for name in MODES[mode]}


def choose_trunk(options: argparse.Namespace, rows: Path | None) -> str:
    """The better of two on validation, one plain training each; conv where they are equal."""
    found = {}
    for trunk in ("conv", "hybrid"):
        row = NETWORKS["plain"]
        recipe = recipe_of(row, trunk, CHOICE_SEED, CHOICE_EPOCHS)
        make = partial(train, row, trunk, CHOICE_SEED, CHOICE_EPOCHS, options, test=False)
        found[trunk] = kept(rows, f"trunk choice-{trunk}", recipe, make)
        print("trunk choice", trunk, _shown(found[trunk]), flush=True)
    return max(found, key=lambda trunk: found[trunk]["validation"])


def trees(name: str, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """All training pictures, validation's too: nothing is chosen here."""
    from sklearn.ensemble import ExtraTreesClassifier

    table, step = pictures(options, seed).table, 10 if options.smoke else 1
    start = time.process_time()
    x: dict[bool, list[np.ndarray]] = {True: [], False: []}
    y: dict[bool, list[int]] = {True: [], False: []}
    for record in table.records[::step]:
        picture = cv2.resize(load_picture(table.store, record, name == "trees-box"), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        test = record.split == "test"
        x[test].append(np.concatenate([hog(picture), colour(picture), colour(picture, (3, 3))]))
        y[test].append(record.label)
    model = ExtraTreesClassifier(10 if options.smoke else TREES, random_state=seed, n_jobs=1).fit(np.stack(x[False]), y[False])
    seconds = time.process_time() - start
    probs_NK = torch.zeros(len(y[True]), len(table.classes), dtype=torch.float64)
    probs_NK[:, model.classes_] = torch.from_numpy(model.predict_proba(np.stack(x[True])))
    top1, per_class = accuracy(probs_NK, torch.tensor(y[True]))
    return {"top1": top1, "per_class": per_class, "cpu_seconds": seconds, "tested": len(y[True])}


def summary(title: str, runs: list[dict[str, Any]], plain: list[dict[str, Any]] | None) -> dict[str, Any]:
    """Means over the seeds; the difference to the plain row seed by seed."""
    tops = [run["top1"] for run in runs]
    gaps = [top - run["top1"] for top, run in zip(tops, plain, strict=True)] if plain else []
    return {
        "row": title,
        "parameters_m": round(runs[0]["parameters"] / 1e6, 2) if "parameters" in runs[0] else "-",
        **spread("top1", tops),
        **spread("per_class", [run["per_class"] for run in runs]),
        "over_plain": f"{statistics.mean(gaps):+.4f}" if gaps else "-",
        "over_plain_ci95": interval_cell(gaps) if gaps else "-",
        "validation": round(statistics.mean(run["validation"] for run in runs), 4) if "validation" in runs[0] else "-",
        "answers": " ".join(run["mode"] for run in runs) if "mode" in runs[0] else "-",
        "seeds": len(runs),
        "tested": runs[0]["tested"],
        "cpu_seconds": round(statistics.mean(run["cpu_seconds"] for run in runs), 1),
    }


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    return {key: round(value, 4) if isinstance(value, float) else value for key, value in row.items() if key != "recipe"}


def main() -> None:
    names = [*NETWORKS, *CLASSICAL]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with index.csv and images.zip")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--trunk", choices=["conv", "hybrid"], help="default: the better on validation")
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="ROW", help=f"{', '.join(names)}; the table needs all")
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--rows", type=Path, default=Path("benchmarks/results/dcal_cub38"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/dcal_cub38.json"))
    options = parser.parse_args()
    if not options.data.exists():
        parser.error(f"{options.data} is not there; see CUB-200-2011, https://www.vision.caltech.edu/datasets/cub_200_2011")
    rows = None if options.smoke else options.rows
    trunk = options.trunk or choose_trunk(options, rows)
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in options.only}
    for seed in options.seeds[: 1 if options.smoke else None]:
        for name in options.only:
            if name in NETWORKS:
                row, epochs = NETWORKS[name], options.epochs
                recipe, make = recipe_of(row, trunk, seed, epochs), partial(train, row, trunk, seed, epochs, options)
            else:
                recipe, make = {"row": name, "seed": seed, "side": SIDE, "trees": TREES}, partial(trees, name, seed, options)
            runs[name].append(kept(rows, f"{name}-{seed}", recipe, make))
            print(name, seed, _shown(runs[name][-1]), flush=True)
    if options.smoke or len(options.only) < len(names):
        return
    titles = {name: f"{row.title} ({row.trunk or trunk})" for name, row in NETWORKS.items()} | CLASSICAL
    compared = ("twice", "glca", "pwca", "both")
    found = [summary(titles[name], runs[name], runs["plain"] if name in compared else None) for name in names]
    for row in found:
        print(row)
    write(options.out, "dcal_cub38", found)


if __name__ == "__main__":
    main()
