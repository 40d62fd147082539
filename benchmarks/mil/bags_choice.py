"""What helps on classical bags, by inner validation alone: the folds of repeat 4, which benchmarks.mil.bags does not report.

    OMP_NUM_THREADS=1 python -m benchmarks.mil.bags_choice --data mil_bags [--sets musk1] [--folds 3] [--smoke]

Gated AB-MIL without mining, one thing changed at a time; of each outer fold the other bags are answered by the five inner models, pooled.
Prints; nothing is written, and no tested bag is looked at. About a quarter of an hour of one core.
"""

import argparse
import statistics
from dataclasses import replace
from pathlib import Path

import numpy as np

from apps.mil.options import Host
from benchmarks.mil.bags import HOSTS, INNER, MASK, RECIPE, SETS, area, read
from benchmarks.mil.training import Recipe, fit, model_of, probabilities, scaled
from datamodules.mil.folds import grouped_folds

REPEAT = 4
HOST, FIRST = HOSTS["ab_mil"], replace(RECIPE, lr=2e-3)
ARMS: dict[str, tuple[Host, Recipe, bool]] = {  # (host, recipe, normal scores)
    "rate 2e-3, 24 epochs, width 64": (HOST, FIRST, False),
    "width 128": (replace(HOST, dim=128), FIRST, False),
    "48 epochs": (HOST, replace(FIRST, epochs=48), False),
    "rate 5e-3": (HOST, RECIPE, False),
    "dropout 0.5": (replace(HOST, dropout=0.5), FIRST, False),
    "decay 0.1": (HOST, replace(FIRST, decay=0.1), False),
    "normal scores": (HOST, FIRST, True),
    "normal scores, rate 5e-3": (HOST, RECIPE, True),
}


def validation(path: Path, arm: str, folds: int, steps: int | None) -> float:
    """AUC, the mean over the outer folds."""
    host, recipe, ranks = ARMS[arm]
    source, labels, cut = read(path)
    found = []
    for fold in range(folds):
        dev = np.flatnonzero(cut[REPEAT] != fold)
        inner = grouped_folds(labels[dev].tolist(), [str(i) for i in dev], INNER, seed=REPEAT * 1009 + fold + 1)
        held = np.zeros(len(labels))
        for member in range(INNER):
            train, val = dev[inner != member], dev[inner == member]
            own = scaled(source, train, recipe.clip, ranks)
            seed = (REPEAT * 100 + fold) * INNER + member
            net = model_of(source.width, host, MASK, seed)
            fit(net, own, labels, train, recipe, seed, steps)
            held[val] = probabilities(net, own, val)
        found.append(area(held[dev], labels[dev]))
    return statistics.mean(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with musk1.npz, elephant.npz, fox.npz, mutagenesis1.npz")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--folds", type=int, default=3, help="outer folds")
    parser.add_argument("--smoke", action="store_true", help="two steps of each model on one fold")
    options = parser.parse_args()
    for name in options.sets:
        path = options.data / f"{name}.npz"
        if not path.is_file():
            parser.error(f"{path} is not there; the sets are repackaged in github.com/komartom/MIDatasets.jl")
        for arm in ARMS:
            value = validation(path, arm, 1 if options.smoke else options.folds, 2 if options.smoke else None)
            print(name, arm, round(value, 3), flush=True)


if __name__ == "__main__":
    main()
