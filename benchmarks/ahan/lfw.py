"""LFW, View 2, from scratch without outside data: ArcFace on a trunk, all losses on it, and AHAN on the same trunk.

    OMP_NUM_THREADS=2 python -m benchmarks.ahan.lfw --data DIR [--epochs 20] [--minutes 160] [--trunk auto] [--only plain ahan] [--smoke]

DIR holds the set in any layout that `discern data check` knows as lfw. Protocol: unrestricted, no outside data. The official ten folds,
five trainings: each leaves out two folds, which are tested, and one more, from which the threshold is taken; people are in one fold alone,
so that nobody of a tested or a validated pair is trained on. The last epoch is measured, with averaged weights: nothing is chosen but the
trunk, on the validation fold of the first training (--trunk auto: a residual network, and the same stages below two blocks of attention,
--choose epochs each), by the plain row alone. All rows have the same batches, epochs and augmentation, plain and
ahan the same losses, too; seconds say what the streams cost. Epochs are --epochs, or fewer where --minutes hold no more by the seconds of a
step, which are measured before and kept. Accuracy is the mean of the ten folds with its standard error; a gap is of the same pairs, with an
interval of a bootstrap of people. Convolutions are in bfloat16 and channels last, in 0.57 of the seconds: one thread and a step of 64 faces
then take 0.4 s (plain) and 0.6 s (AHAN) with the residual trunk, 1.1 and 2.0 s with attention above it; 1,500 steps a training.
A training is kept under --rows as soon as it is there. --smoke takes two steps of the first training, and writes nothing.
"""

import argparse
import statistics
import time
import warnings
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from apps.ahan.metrics import auc, eer, tar_at_far
from apps.ahan.options import ORDER, Faam, Hca, Losses, Stream, Streams, Tapwca
from apps.ahan.scenarios import thresholds
from apps.ahan.task import Verification
from apps.base.optim import Optim
from benchmarks.ahan.fitting import fit, paired, scored
from benchmarks.record import write
from benchmarks.rows import kept
from datamodules.ahan.datamodule import Faces
from datamodules.ahan.table import FaceTable

FOLDS, EMA = 10, 0.995
OPTIM = Optim(lr=1e-3, weight_decay=0.05, warmup=0.05)
LOSS = Losses(1.0, 32.0, 0.3, warmup=0.2, contrastive=1.0)
PURE = Losses(1.0, 32.0, 0.3, warmup=0.2, triplet=0.0)
STEPS = 4  # of which the seconds are measured
TRUNKS: dict[str, tuple[str, dict[str, Any]]] = {
    "resnet": ("resnet18_half", {}),
    "hybrid": ("hybrid_mini", {"depth": 2}),
}
# measured beside the data, and not trained on who is who; PCA is of half of all images: slightly optimistic
KNOWN = (
    ("colour histogram 3 x 16, square root", 0.6055, 0.0057, 0.3940, 0.0457),
    ("48 x 48 grey values, standardised", 0.6243, 0.0093, 0.3777, 0.0810),
    ("48 x 48 grey values, PCA 150, half whitening", 0.6692, 0.0056, 0.3293, 0.1453),
    ("48 x 48 grey values, PCA 150, full whitening", 0.6838, 0.0063, 0.3213, 0.1880),
    ("HOG", 0.6567, 0.0037, 0.3493, 0.2040),
    ("HOG, PCA 200, half whitening", 0.7393, 0.0063, 0.2747, 0.2793),
    ("HOG, PCA 200, full whitening", 0.7382, 0.0056, 0.2760, 0.2930),
)


@dataclass(frozen=True)
class Row:
    title: str
    streams: tuple[Stream, ...]
    loss: Losses = LOSS

    def task(self, trunk: str) -> Verification:
        name, options = TRUNKS[trunk]
        attends, whole = name != "resnet18_half", "hca" in self.streams
        return Verification(
            name, options, 256, Streams(use=self.streams, pool="cls" if attends else "mean"), Hca(share="scale") if whole else None,
            Faam(mode="abs") if whole else None, Tapwca(partner="random" if attends and whole else "none"), self.loss, optim=OPTIM,
        )  # fmt: skip


ROWS = {
    "arcface": Row("ArcFace on the trunk", ("global",), PURE),
    "plain": Row("all losses on the trunk", ("global",)),
    "ahan": Row("AHAN on the trunk", ORDER),
}

GAPS = ("arcface", "plain")  # rows that the others are compared with


class Folded(Faces):
    """LFW with these folds tested and this one validated."""

    def __init__(self, path: str, tested: tuple[int, ...], validated: int, **options: Any) -> None:
        super().__init__(path, layout="lfw", twin_ratio=0.0, hflip=0.5, **options)
        self.tested, self.validated = tested, validated

    @cached_property
    def table(self) -> FaceTable:
        whole = super().table
        named = {**dict.fromkeys(self.tested, "test"), self.validated: "val"}
        return replace(whole, records=[record._replace(split=named.get(record.fold, "train")) for record in whole.records])


def data_of(part: int, seed: int, options: argparse.Namespace) -> Folded:
    """part: which of the five trainings."""
    first = 2 * part + 1
    sizes = {"groups": 4, "images": 2} if options.smoke else {"groups": 16, "images": 4}
    data = Folded(str(options.data), (first, first + 1), (first + 1) % FOLDS + 1, seed=seed, workers=0 if options.smoke else 1, **sizes)
    data.say = lambda words: None
    return data


def epochs_within(options: argparse.Namespace, trunk: str) -> dict[str, Any]:
    """How many epochs of all rows and parts --minutes hold, by the seconds of some steps of each; one at least."""
    seconds = {}
    for name, row in ROWS.items():
        data, start = data_of(0, 0, options), time.monotonic()
        fit(row.task(trunk), data, 1, 0, steps=1, ema=EMA, half=True)
        first = time.monotonic() - start  # with what is done once
        start = time.monotonic()
        fit(row.task(trunk), data_of(0, 0, options), 1, 0, steps=1 + STEPS, ema=EMA, half=True)
        seconds[name] = max(1e-3, time.monotonic() - start - first) / STEPS
    steps = len(data.train_dataloader())
    an_epoch = steps * sum(seconds.values()) * FOLDS / 2
    return {"epochs": max(1, min(options.epochs, int(60 * options.minutes / an_epoch))), "step_seconds": seconds, "steps": steps}


def run(row: Row, trunk: str, part: int, epochs: int, options: argparse.Namespace, choosing: bool = False) -> dict[str, Any]:
    task, data = row.task(trunk), data_of(part, part, options)
    seconds = fit(task, data, epochs, part, steps=2 if options.smoke else -1, ema=EMA, half=True)
    val = scored(task, data, "val")
    at = thresholds(val)["general"]
    found: dict[str, Any] = {"cpu_seconds": seconds, "val_auc": auc(val["general"].score, val["general"].same)}
    if choosing:
        return found
    pairs = scored(task, data, "test")["general"]
    right = (pairs.score >= at) == pairs.same
    return {
        **found,
        "folds": {str(fold): float(right[pairs.fold == fold].mean()) for fold in np.unique(pairs.fold)},
        "eer": eer(pairs.score, pairs.same),
        "tar_far_1e-2": tar_at_far(pairs.score, pairs.same, 0.01).value,
        "right": "".join("01"[int(one)] for one in right),
        "same": "".join("01"[int(one)] for one in pairs.same),
        "people": pairs.family.tolist(),
    }


def recipe_of(name: str, trunk: str, part: int, epochs: int) -> dict[str, Any]:
    return {
        "row": name, "trunk": TRUNKS[trunk], "part": part, "epochs": epochs, "optim": vars(OPTIM), "ema": EMA,
        "loss": asdict(ROWS[name].loss if name in ROWS else LOSS), "precision": "bfloat16, channels last",
        "protocol": "2 folds tested, 1 validated, 7 trained on",
    }  # fmt: skip


def choose(options: argparse.Namespace, folder: Path | None) -> str:
    """By the plain row, on the validation fold of the first training."""
    scores = {}
    for trunk in TRUNKS:
        recipe = recipe_of("choice", trunk, 0, options.choose)
        make = lambda: run(ROWS["plain"], trunk, 0, options.choose, options, choosing=True)  # noqa: B023, E731 - called at once
        scores[trunk] = kept(folder, f"trunk choice {trunk}", recipe, make)["val_auc"]
        print("trunk choice", trunk, round(scores[trunk], 4), flush=True)
    return max(scores, key=lambda trunk: scores[trunk])


def summary(row: Row, trunk: str, runs: list[dict[str, Any]], others: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    folds = [value for run in runs for value in run["folds"].values()]
    error = statistics.stdev(folds) / len(folds) ** 0.5
    line: dict[str, Any] = {
        "row": f"{row.title} ({trunk})",
        "accuracy": round(statistics.mean(folds), 4),
        "accuracy_error": round(error, 4),
    }
    people = np.concatenate([np.array(run["people"]) + 10**6 * at for at, run in enumerate(runs)])
    for name in GAPS:
        line |= {f"over_{name}": "-", f"over_{name}_ci95": "-"}
        if name in others:
            first = others[name]
            one, other, same = ("".join(run[key] for run in each) for each, key in ((runs, "right"), (first, "right"), (runs, "same")))
            value, low, high = paired([bits(one)], [bits(other)], bits(same).astype(bool), people)
            line |= {f"over_{name}": f"{value:+.4f}", f"over_{name}_ci95": f"{low:+.4f} to {high:+.4f}"}
    for name in ("eer", "tar_far_1e-2"):
        line[name] = round(statistics.mean(run[name] for run in runs), 4)
    return {**line, "trainings": len(runs), "cpu_seconds": round(statistics.mean(run["cpu_seconds"] for run in runs))}


def bits(text: str) -> np.ndarray:
    return np.array([letter == "1" for letter in text], np.int64)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=20, help="of 75 steps or so, at most; default: 20")
    parser.add_argument("--minutes", type=float, default=160, metavar="M", help="that all trainings may take together; default: 160")
    parser.add_argument("--choose", type=int, default=5, metavar="EPOCHS", help="of the trainings that choose the trunk; default: 5")
    parser.add_argument("--trunk", choices=["auto", *TRUNKS], default="auto")
    parser.add_argument("--parts", type=int, nargs="+", choices=range(FOLDS // 2), default=list(range(FOLDS // 2)), help="of the five")
    parser.add_argument("--only", nargs="+", choices=list(ROWS), default=list(ROWS), metavar="ROW", help="; ".join(ROWS))
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--rows", type=Path, default=Path("benchmarks/results/ahan_lfw"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/ahan_lfw.json"))
    options = parser.parse_args()
    if not options.data.exists():
        parser.error(f"{options.data} is not there; get LFW (View 2: images, pairs.txt, people.txt) and give its folder")
    warnings.filterwarnings("ignore")
    folder = None if options.smoke else options.rows
    trunk = choose(options, folder) if options.trunk == "auto" else options.trunk
    budget = {"minutes": options.minutes, "most": options.epochs, "trunk": TRUNKS[trunk]}
    told = kept(folder, f"epochs {trunk}", budget, lambda: epochs_within(options, trunk))
    epochs = told["epochs"]
    print("epochs", epochs, told["step_seconds"], flush=True)
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in options.only}
    for part in options.parts[:1] if options.smoke else options.parts:
        for name in options.only:
            make = lambda: run(ROWS[name], trunk, part, epochs, options)  # noqa: B023, E731 - called at once
            found = kept(folder, f"{name}-{trunk}-{part}", recipe_of(name, trunk, part, epochs), make)
            runs[name].append(found)
            print(name, trunk, part, {key: found[key] for key in ("folds", "eer", "val_auc", "cpu_seconds")}, flush=True)
    if options.smoke or len(options.only) < len(ROWS) or len(options.parts) < FOLDS // 2:
        return
    names = ("row", "accuracy", "accuracy_error", "eer", "tar_far_1e-2")
    empty = dict.fromkeys(("trainings", "cpu_seconds", *(f"over_{name}{end}" for name in GAPS for end in ("", "_ci95"))), "-")
    table = [{**dict(zip(names, known, strict=True)), **empty} for known in KNOWN]
    table += [summary(row, trunk, runs[name], {other: runs[other] for other in GAPS if other != name}) for name, row in ROWS.items()]
    for line in table:
        print(line)
    write(options.out, "ahan_lfw", table)


if __name__ == "__main__":
    main()
