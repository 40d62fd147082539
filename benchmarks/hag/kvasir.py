"""Terciles of the polyp's area from the frame alone: 848 frames of Kvasir-SEG in five folds of near-duplicate groups, and 328 frames of
CVC-ClinicDB, another centre, that nobody trains on. A proxy: it asks for the polyp and its apparent size, not for millimetres.

    OMP_NUM_THREADS=1 python -m benchmarks.hag.kvasir --data ../shared/data/polyp [--seeds 3] [--only NAME ...] [--smoke]

The recipe kvasir (96 px, bfloat16, frames zoomed, where the polyp is learned beside) for every network, at half its epochs, and with the
first seed once at all of them; the last epoch is measured. Macro F1 of each fold's test and, mean over the folds' networks, of all CVC
frames. `chosen`: of the arms whose gates learn the one that the folds' validation likes best with the first seed; the further seeds are of
it, of no gates, and of the trees.
constant: the most frequent class; trees: histograms of gradients and colours.
A run is kept under --rows as soon as it is there. --smoke takes two steps of one fold and writes nothing.
"""

import argparse
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from torch.utils.data import ConcatDataset, DataLoader

from apps.base.optim import Optim
from apps.base.routing import RoutingOptions
from apps.hag.metrics import class_metrics, confusion_matrix
from apps.hag.options import Gates, Head, Losses
from apps.hag.task import Sizing
from benchmarks.dcal.classical import colour, hog
from benchmarks.hag.fitting import classified, fit, row_of
from benchmarks.record import write
from benchmarks.rows import interval_cell, kept, spread
from datamodules.hag.datamodule import Polyps

EPOCHS, FOLDS, SIDE, ZOOM = 120, 5, 96, 1.5
SPLITS = ("train", "val", "test")
OPTIM = Optim(lr=2e-3, weight_decay=0.05, warmup=0.05)
LOSS = Losses(smoothing=0.1, where=1.0)


@dataclass(frozen=True)
class Row:
    title: str
    kind: str = "network"  # or constant, trees
    sites: tuple[str, ...] = ("stage",)
    routing: RoutingOptions | None = None
    times: int = 1  # as many epochs as the others

    @property
    def held(self) -> float:
        return 0.15 if self.routing is not None and self.routing.gate_data == "val" else 0.0

    def task(self) -> Sizing:
        routing = self.routing or RoutingOptions()
        return Sizing("resnet18_half", gates=Gates(self.sites), head=Head("classify", 0), loss=LOSS, routing=routing, optim=OPTIM)  # type: ignore[arg-type]


ROWS = {
    "constant": Row("always the most frequent", "constant"),
    "trees": Row("gradients, colours, extra trees", "trees"),
    "plain": Row("no gates", sites=()),
    "long": Row("no gates, twice the epochs", sites=(), times=2),
    "joint": Row("gates and weights together, at a price", routing=RoutingOptions("joint", lam="auto")),
    "same": Row("gates apart, same batch, at a price", routing=RoutingOptions("gr", lam="auto")),
    "val": Row("gates apart, groups of their own", routing=RoutingOptions("gr", "val", lam="auto")),
}
LEARNED = ("joint", "same", "val")  # gates that learn


def run(row: Row, fold: int, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    data = Polyps(str(options.data / "kvasir_seg_160"), SIDE, target="area", fold=fold, gates=row.held, seed=seed, turn=180.0, zoom=ZOOM)
    other = Polyps(str(options.data / "cvc_clinicdb_160"), SIDE, target="area")
    if row.kind != "network":
        return floor(row, data, other, seed)
    task = row.task()
    seconds = fit(task, data, row.times * options.epochs, seed, steps=2 if options.smoke else -1, half=True)
    everything = DataLoader(ConcatDataset([other._set(split) for split in SPLITS]), batch_size=32)
    parts = {"validation": data.val_dataloader(), "test": data.test_dataloader(), "cvc": everything}
    return {"cpu_seconds": seconds, **{name: f1(*classified(task, loader)) for name, loader in parts.items()}}


def floor(row: Row, data: Polyps, other: Polyps, seed: int) -> dict[str, Any]:
    train = data.facts("train").label
    sets = {"test": (data, ("test",)), "cvc": (other, SPLITS)}
    true = {name: np.concatenate([of.facts(split).label for split in splits]) for name, (of, splits) in sets.items()}
    if row.kind == "constant":
        given = {name: np.full(len(label), np.bincount(train).argmax()) for name, label in true.items()}
    else:
        from sklearn.ensemble import ExtraTreesClassifier

        trees = ExtraTreesClassifier(500, random_state=seed).fit(features(data, ("train",)), train)
        given = {name: trees.predict(features(of, splits)) for name, (of, splits) in sets.items()}
    return {"cpu_seconds": 0.0, **{name: f1(given[name], true[name]) for name in sets}}


def features(data: Polyps, splits: tuple[str, ...]) -> np.ndarray:
    found = []
    for split in splits:
        frames = data.frames(split)
        for at in range(len(frames)):
            picture = cv2.resize(frames.image(at), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
            found.append(np.concatenate([hog(picture), colour(picture)]))
    return np.array(found)


def f1(given: Any, true: Any) -> float:
    return float(class_metrics(confusion_matrix(np.asarray(true), np.asarray(given), 3), ("small", "middle", "large"))["macro_f1"])


def recipe_of(row: Row, fold: int, seed: int, epochs: int) -> dict[str, Any]:
    told = {"row": row_of(row), "fold": fold, "seed": seed, "side": SIDE}
    network = {"epochs": row.times * epochs, "zoom": ZOOM, "optim": vars(OPTIM), "loss": vars(LOSS), "precision": "bfloat16, channels last"}
    return {**told, **(network if row.kind == "network" else {})}


def validated(runs: list[list[dict[str, Any]]]) -> float:
    return statistics.mean(run["validation"] for folds in runs for run in folds)


def summary(row: Row, runs: list[list[dict[str, Any]]], plain: list[list[dict[str, Any]]], chosen: Row) -> dict[str, Any]:
    """runs: of each seed its folds. Gaps are of the same folds, seed by seed."""
    tests = [statistics.mean(run["test"] for run in folds) for folds in runs]
    line: dict[str, Any] = {"row": row.title, **spread("macro_f1", tests)}
    gaps = [statistics.mean(a["test"] - b["test"] for a, b in zip(one, two, strict=True)) for one, two in zip(runs, plain, strict=False)]
    line["over_plain"] = "-" if runs is plain else f"{statistics.mean(gaps):+.4f}"
    line["over_plain_ci95"] = "-" if runs is plain else interval_cell(gaps)
    line["chosen"] = "yes" if row is chosen else ""
    line["cvc_macro_f1"] = round(statistics.mean(run["cvc"] for folds in runs for run in folds), 4)
    return {**line, "seeds": len(runs), "cpu_seconds": round(statistics.mean(run["cpu_seconds"] for folds in runs for run in folds), 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder of kvasir_seg_160 and cvc_clinicdb_160")
    parser.add_argument("--seeds", type=int, default=3, metavar="N")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument(
        "--only", nargs="+", choices=list(ROWS), default=list(ROWS), metavar="ROW", help=f"{'; '.join(ROWS)}; the table needs all"
    )
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--rows", type=Path, default=Path("benchmarks/results/hag_kvasir"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/hag_kvasir.json"))
    options = parser.parse_args()
    folder = None if options.smoke else options.rows
    runs: dict[str, list[list[dict[str, Any]]]] = {name: [] for name in options.only}
    whole = len(options.only) == len(ROWS) and not options.smoke
    chosen = ""
    for seed in range(1 if options.smoke else options.seeds):
        for name in options.only if not seed else ["trees", "plain", chosen] if whole else []:
            runs[name].append([])
            for fold in range(1 if options.smoke else FOLDS):
                make = lambda: run(ROWS[name], fold, seed, options)  # noqa: B023, E731 - called at once
                runs[name][-1].append(kept(folder, f"{name}-{seed}-{fold}", recipe_of(ROWS[name], fold, seed, options.epochs), make))
                values = {key: round(value, 4) for key, value in runs[name][-1][-1].items() if isinstance(value, float)}
                print(name, seed, fold, values, flush=True)
        chosen = chosen or max(LEARNED, key=lambda name: validated(runs[name]) if runs.get(name) else 0.0)
    if not whole:
        return
    found = [summary(row, runs[name], runs["plain"], ROWS[chosen]) for name, row in ROWS.items()]
    for line in found:
        print(line)
    write(options.out, "hag_kvasir", found)


if __name__ == "__main__":
    main()
