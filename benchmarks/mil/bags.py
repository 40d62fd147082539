"""Classical bags under the clean protocol, by the files' own folds: what mining adds to a host, and what trees do without either.

    OMP_NUM_THREADS=1 python -m benchmarks.mil.bags --data mil_bags [--sets musk1] [--repeats 0 1 2] [--smoke]

Each tested fold is answered by five models: the other bags are cut into five inner folds, each model is trained on four of them and scaled
with their statistics, its fifth is its validation. The answer is the mean of the five. What is tested is looked at once, at the end.
Epochs, rate, width and the clipping of features were chosen by the inner validation of two folds of repeat 4, which is not among the
three that are reported; normal scores (", ranks") came from there, too, and are rows of their own. The decision is at
0.5 in every row. A (set, host, repeat) is one file under --rows: what was broken off goes on.
"""

import argparse
import json
import math
import statistics
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from apps.base.ranking import auc
from apps.mil.options import Host, Mask
from apps.mil.stats import TREES, bag_statistics
from benchmarks.mil.training import Recipe, fit, mine, model_of, probabilities, scaled
from benchmarks.record import write
from datamodules.mil.bags import ArrayBags
from datamodules.mil.folds import grouped_folds

SETS = ("musk1", "elephant", "fox", "mutagenesis1")
INNER = 5
HOSTS = {"mean": Host("mean", dim=64), "ab_mil": Host("ab_mil", dim=64, gated=True), "ds_mil": Host("ds_mil", dim=64)}
MINED = ("ab_mil", "ds_mil")
RANKS = ", ranks"  # at the end of an arm: features as normal scores, see datamodules.mil.scaling
ARMS = (*HOSTS, *(f"{host}{RANKS}" for host in HOSTS))
MASK = Mask(high=0.1)  # one instance of a bag of 5 to 14
RECIPE = Recipe(epochs=24, mining=24, batch=16, lr=5e-3, decay=1e-2, momentum=0.99, alpha=0.1)


def read(path: Path) -> tuple[ArrayBags, np.ndarray, np.ndarray]:
    with np.load(path, allow_pickle=False) as file:
        return ArrayBags(file["x"].astype(np.float32), file["offsets"]), file["y"].astype(np.int64), file["fold"]


def run(name: str, plain: str, repeat: int, options: argparse.Namespace) -> dict[str, Any]:
    """Out-of-fold probabilities of the plain model and, where it is mined, of the student."""
    host, ranks = plain.removesuffix(RANKS), plain.endswith(RANKS)
    source, labels, folds = read(options.data / f"{name}.npz")
    arms = {plain: np.zeros(len(labels))} | ({f"mhim, {plain}": np.zeros(len(labels))} if host in MINED else {})
    valid = {arm: [] for arm in arms}
    seconds = dict.fromkeys(arms, 0.0)
    for fold in range(1 if options.smoke else int(folds.max()) + 1):
        test, dev = np.flatnonzero(folds[repeat] == fold), np.flatnonzero(folds[repeat] != fold)
        inner = grouped_folds(labels[dev].tolist(), [str(i) for i in dev], INNER, seed=repeat * 1009 + fold + 1)
        held = {arm: np.zeros(len(labels)) for arm in arms}
        for member in range(1 if options.smoke else INNER):
            train, val = dev[inner != member], dev[inner == member]
            own = scaled(source, train, RECIPE.clip, ranks)
            seed = (repeat * 100 + fold) * INNER + member
            net = model_of(source.width, HOSTS[host], MASK, seed)
            for arm in arms:
                start = time.process_time()
                (fit if arm == plain else mine)(net, own, labels, train, RECIPE, seed, steps=2 if options.smoke else None)
                seconds[arm] += time.process_time() - start
                arms[arm][test] += probabilities(net, own, test) / INNER
                held[arm][val] = probabilities(net, own, val)
        for arm in arms:
            valid[arm].append(area(held[arm][dev], labels[dev]))
    return {"probs": {arm: values.tolist() for arm, values in arms.items()}, "val_auc": valid, "seconds": seconds}


def trees(name: str, repeat: int, options: argparse.Namespace) -> dict[str, Any]:
    """Minimum, mean and maximum of the instances, unscaled."""
    from sklearn.ensemble import ExtraTreesClassifier

    source, labels, folds = read(options.data / f"{name}.npz")
    table = np.stack([bag_statistics(source.read(i)) for i in range(len(labels))])
    probs = np.zeros(len(labels))
    start = time.process_time()
    for fold in range(1 if options.smoke else int(folds.max()) + 1):
        test = folds[repeat] == fold
        made = ExtraTreesClassifier(2 if options.smoke else TREES, random_state=repeat).fit(table[~test], labels[~test])
        probs[test] = made.predict_proba(table[test])[:, 1]
    return {"probs": {"trees": probs.tolist()}, "val_auc": {}, "seconds": {"trees": time.process_time() - start}}


def kept(name: str, host: str, repeat: int, options: argparse.Namespace) -> dict[str, Any]:
    """The row from its file if the recipe is still the same, else a new one."""
    recipe: dict[str, Any] = (
        {"trees": TREES} if host == "trees" else {"host": asdict(HOSTS[host.removesuffix(RANKS)]), "mask": asdict(MASK), **asdict(RECIPE)}
    )
    path = options.rows / f"{name}-{host.replace(', ', '-')}-{repeat}.json"
    if path.exists() and (row := json.loads(path.read_text()))["recipe"] == recipe:
        return row
    row = {**(trees(name, repeat, options) if host == "trees" else run(name, host, repeat, options)), "recipe": recipe}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(row) + "\n")
    return row


def area(probs: np.ndarray, labels: np.ndarray) -> float:
    return float(auc(torch.from_numpy(probs), torch.from_numpy(labels) == 1))


def scores(probs: np.ndarray, labels: np.ndarray, folds: np.ndarray) -> tuple[list[float], list[float]]:
    """AUC and accuracy of each fold; an AUC of one class alone is left out."""
    each = [folds == k for k in range(int(folds.max()) + 1)]
    areas = [area(probs[own], labels[own]) for own in each]
    return areas, [float(((probs[own] >= 0.5) == labels[own]).mean()) for own in each]


def error(values: list[float]) -> float:
    return statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else math.nan


def summary(name: str, arm: str, rows: list[dict[str, Any]], repeats: list[int], options: argparse.Namespace) -> dict[str, Any]:
    """Means over folds and repeats with the standard error of the folds; the pooled AUC is the mean of the repeats'."""
    _, labels, folds = read(options.data / f"{name}.npz")
    areas: list[float] = []
    right: list[float] = []
    gains: list[float] = []
    for repeat, row in zip(repeats, rows, strict=True):
        found, correct = scores(np.array(row["probs"][arm]), labels, folds[repeat])
        areas += found
        right += correct
        host = arm.removeprefix("mhim, ")
        if host != arm:
            gains += [a - b for a, b in zip(found, scores(np.array(row["probs"][host]), labels, folds[repeat])[0], strict=True)]
    known = [value for value in areas if not math.isnan(value)]
    gains = [value for value in gains if not math.isnan(value)]
    return {
        "set": name,
        "arm": arm,
        "accuracy": round(statistics.mean(right), 3),
        "accuracy_error": round(error(right), 3),
        "fold_auc": round(statistics.mean(known), 3),
        "fold_auc_error": round(error(known), 3),
        "pooled_auc": round(statistics.mean(area(np.array(row["probs"][arm]), labels) for row in rows), 3),
        "over_host": f"{statistics.mean(gains):+.3f} ± {error(gains):.3f}" if gains else "-",
        "folds": f"{len(known)} of {len(areas)}",
        "seconds": round(sum(row["seconds"][arm] for row in rows), 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with musk1.npz, elephant.npz, fox.npz, mutagenesis1.npz")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS), help="the table is written for all only")
    parser.add_argument("--repeats", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--smoke", action="store_true", help="two steps of each model on one fold; writes nothing")
    parser.add_argument("--rows", type=Path, default=Path("benchmarks/results/mil_bags"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/mil_bags.json"))
    options = parser.parse_args()
    for name in options.sets:
        if not (options.data / f"{name}.npz").is_file():
            parser.error(f"{options.data / name}.npz is not there; the sets are repackaged in github.com/komartom/MIDatasets.jl")
    table = []
    for name in options.sets:
        for host in ("trees", *ARMS):
            if options.smoke:
                row = trees(name, 0, options) if host == "trees" else run(name, host, 0, options)
                print(name, host, {arm: round(value, 2) for arm, value in row["seconds"].items()}, flush=True)
                continue
            rows = [kept(name, host, repeat, options) for repeat in options.repeats]
            for arm in rows[0]["probs"]:
                table.append(summary(name, arm, rows, options.repeats, options))
                print(table[-1], flush=True)
    if not options.smoke and len(options.sets) == len(SETS):
        write(options.out, "mil_bags", table)


if __name__ == "__main__":
    main()
