"""Twins made by code: what each stream and the twin's keys bring, and whether each cue is read by the part that is meant for it.

    OMP_NUM_THREADS=1 python -m benchmarks.ahan.embedded [--seeds 3] [--minutes 170] [--only global full ...] [--smoke]

The embedded recipe (17 epochs of 32 steps of 56 faces) for every row. 150 families to learn from, 20 of which the threshold is taken, 30 to
test: genuine pairs of two visits against the twin (chance 50 %) and against strangers. The faces are the same for all seeds, order and
weights are not. The last epoch is measured: nothing is chosen. Gaps to the first row of a set are of the same pairs, with the interval of
a bootstrap of families over the mean of the seeds.
Sets: all - marks and asymmetry; marks - marks alone; asymmetry - mirrored twins that differ in the side of their asymmetry alone;
unmirrored - twins whose asymmetries are of their own, and no marks; genes - twins differ in nothing: whoever is above chance there found a
leak; shuffled - names of people shuffled: nothing can be learned of them.
A run is kept under --rows as soon as it is there, and a changed recipe makes its row anew. The first seed of all rows says what a seed
costs; as many more are taken as --minutes of the processor hold. --smoke takes two steps of a few faces and writes nothing.
"""

import argparse
import statistics
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from apps.ahan.metrics import auc, eer, tar_at_far
from apps.ahan.options import ORDER, Faam, Hca, Losses, Stream, Streams, Tapwca
from apps.ahan.scenarios import accuracy_at, thresholds
from apps.ahan.task import Verification
from apps.base.optim import Optim
from benchmarks.ahan.fitting import fit, paired, scored
from benchmarks.record import write
from benchmarks.rows import kept, spread
from datamodules.ahan.datamodule import TwinFaces
from datamodules.order import sample_rng

EPOCHS, MINUTES = 17, 170
Boxes = Literal["template", "landmarks"]
TRUNK = {"patch": 8, "width": 64, "depth": 2, "heads": 4, "stem": "conv"}
OPTIM = Optim(lr=2e-3, weight_decay=0.01, warmup=0.05)
LOSS = Losses(0.1, 16.0, 0.0, contrastive=1.0)
SETS: dict[str, dict[str, Any]] = {
    "all": {},
    "marks": {"asym": 0.0},
    "asymmetry": {"marks": 0, "mirror": 1.0},
    "unmirrored": {"marks": 0},
    "genes": {"marks": 0, "asym": 0.0},
    "shuffled": {},
}


STILL = {"turn": 0.0, "shift": 0.0}  # as the recipe


class Shuffled(TwinFaces):
    """The training's people and families go to any of its faces."""

    @cached_property
    def _named(self) -> np.ndarray:
        numbers = super().numbers("train").copy()
        numbers[:, :2] = numbers[sample_rng(self.seed, 0, 0).permutation(len(numbers)), :2]
        return numbers

    def numbers(self, split: str) -> np.ndarray:
        return self._named if split == "train" else super().numbers(split)


@dataclass(frozen=True)
class Row:
    title: str
    streams: tuple[Stream, ...] = ORDER
    partner: str = "none"
    set: str = "all"
    faam: Faam = field(default_factory=Faam)
    hflip: Any = 0.0
    boxes: Boxes = "template"
    tap: int = -1
    tied: bool = False  # a place and its mirror image have one position vector

    def task(self) -> Verification:
        streams = Streams(self.streams, self.boxes, self.tap, pos_embed="mirror_tied" if self.tied else "free")
        return Verification(
            "vit_micro", TRUNK, 128, streams, Hca(share="all") if "hca" in self.streams else None,
            self.faam if "faam" in self.streams else None, Tapwca(partner=self.partner), LOSS, optim=OPTIM,  # type: ignore[arg-type]
        )  # fmt: skip


ALONE: tuple[Stream, ...] = ("faam",)
SIGNED, ABS = Faam(mode="signed"), Faam(mode="abs")
MODES = {"abs": ("by size", ABS), "signed": ("by sign", SIGNED), "both": ("by both", Faam())}
ROWS = {
    "global": Row("global stream alone", ("global",)),
    "faam": Row("+ FAAM", ("global", "faam")),
    "hca": Row("+ HCA", ("global", "hca")),
    "tapwca": Row("+ TA-PWCA", ("global",), "twin"),
    "hca+faam": Row("+ HCA + FAAM"),
    "hca+tapwca": Row("+ HCA + TA-PWCA", ("global", "hca"), "twin"),
    "faam+tapwca": Row("+ FAAM + TA-PWCA", ("global", "faam"), "twin"),
    "full": Row("all", ORDER, "twin"),
    "random": Row("all, a stranger's keys for the twin's", ORDER, "random"),
    "hard": Row("all, the nearest other person's keys", ORDER, "hard"),
    "self": Row("all, the own keys twice", ORDER, "self"),
    "tap": Row("all, HCA and FAAM read the first block", ORDER, "twin", tap=0),
    "landmarks": Row("all, regions where each face's points are", ORDER, "twin", boxes="landmarks"),
    "marks, global": Row("global stream alone", ("global",), set="marks"),
    "marks, hca": Row("+ HCA", ("global", "hca"), set="marks"),
    "asymmetry, global": Row("global stream alone", ("global",), set="asymmetry"),
    **{f"asymmetry, {mode}": Row(f"FAAM alone, {how}", ALONE, set="asymmetry", faam=faam) for mode, (how, faam) in MODES.items()},
    **{
        f"asymmetry, {mode}, flipped": Row(f"FAAM alone, {how}, half of the faces mirrored", ALONE, set="asymmetry", faam=faam, hflip=0.5)
        for mode, (how, faam) in MODES.items()
    },
    **{
        f"asymmetry, {mode}, tied": Row(f"FAAM alone, {how}, places tied to mirrored ones", ALONE, set="asymmetry", faam=faam, tied=True)
        for mode, (how, faam) in MODES.items()
        if mode != "both"
    },
    "unmirrored, global": Row("global stream alone", ("global",), set="unmirrored"),
    **{f"unmirrored, {mode}": Row(f"FAAM alone, {how}", ALONE, set="unmirrored", faam=faam) for mode, (how, faam) in MODES.items()},
    "genes, full": Row("all", ORDER, "twin", set="genes"),
    "shuffled, full": Row("all", ORDER, "twin", set="shuffled"),
}
FIRST = {"all": "global", "marks": "marks, global", "asymmetry": "asymmetry, global", "unmirrored": "unmirrored, global"}
ONCE = ("genes", "shuffled")  # one seed says it


def data_of(row: Row, seed: int, smoke: bool) -> TwinFaces:
    small: dict[str, Any] = {"train": 8, "val": 4, "test": 4, "groups": 4, "images": 2, "each": 4} if smoke else {}
    make = Shuffled if row.set == "shuffled" else TwinFaces
    data = make(**{**STILL, **SETS[row.set], **small}, hflip=row.hflip, seed=seed)
    data.say = lambda words: None
    return data


def run(row: Row, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    task, data = row.task(), data_of(row, seed, options.smoke)
    seconds = fit(task, data, options.epochs, seed, steps=2 if options.smoke else -1)
    at = thresholds(scored(task, data, "val"))
    found: dict[str, Any] = {"cpu_seconds": seconds}
    for name, pairs in scored(task, data, "test").items():
        found |= {
            f"{name}_accuracy": accuracy_at(pairs.score, pairs.same, np.ones(len(pairs.same)), at[name]),
            f"{name}_eer": eer(pairs.score, pairs.same),
            f"{name}_auc": auc(pairs.score, pairs.same),
            f"{name}_tar": tar_at_far(pairs.score, pairs.same, 0.01).value,
        }
        if name == "twin":
            right = (pairs.score >= at[name]) == pairs.same
            found["twin_pairs"] = {
                "right": "".join("01"[int(one)] for one in right), "same": "".join("01"[int(one)] for one in pairs.same),
                "family": pairs.family[:, 0].tolist(),
            }  # fmt: skip
    return found


def recipe_of(row: Row, seed: int, epochs: int) -> dict[str, Any]:
    return {
        "row": {**asdict(row), "title": ""}, "seed": seed, "epochs": epochs, "data": {**STILL, **SETS[row.set]}, "trunk": TRUNK,
        "optim": vars(OPTIM), "loss": asdict(LOSS),
    }  # fmt: skip


def summary(row: Row, runs: list[dict[str, Any]], first: list[dict[str, Any]] | None) -> dict[str, Any]:
    line: dict[str, Any] = {"set": row.set, "row": row.title, **spread("twin", [run["twin_accuracy"] for run in runs])}
    line |= {"over_first": "-", "over_first_ci95": "-"}
    if first is not None:
        told = runs[0]["twin_pairs"]
        one, other = ([bits(run["twin_pairs"]["right"]) for run in each] for each in (runs, first))
        family = np.stack([np.array(told["family"])] * 2, 1)
        value, low, high = paired(one, other, bits(told["same"]).astype(bool), family)
        line |= {"over_first": f"{value:+.4f}", "over_first_ci95": f"{low:+.4f} to {high:+.4f}"}
    for name in ("twin_eer", "twin_tar", "twin_auc", "general_accuracy", "general_auc"):
        line[name] = round(statistics.mean(run[name] for run in runs), 4)
    return {**line, "seeds": len(runs), "cpu_seconds": round(statistics.mean(run["cpu_seconds"] for run in runs), 1)}


def seeds_within(options: argparse.Namespace, runs: dict[str, list[dict[str, Any]]]) -> int:
    """By what the first seed has cost: one, or as many as there is time for."""
    seconds = sum(made[0]["cpu_seconds"] for name, made in runs.items() if ROWS[name].set not in ONCE)
    return min(options.seeds, 1 + max(0, int((60 * options.minutes - seconds) / max(seconds, 1e-9))))


def bits(text: str) -> np.ndarray:
    return np.array([letter == "1" for letter in text], np.int64)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="of the sets genes and shuffled one")
    parser.add_argument("--minutes", type=float, default=MINUTES, metavar="M", help=f"of the processor, for all; default: {MINUTES}")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument(
        "--only", nargs="+", choices=list(ROWS), default=list(ROWS), metavar="ROW", help=f"{'; '.join(ROWS)}; the table needs all"
    )
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--rows", type=Path, default=Path("benchmarks/results/ahan_embedded"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/ahan_embedded.json"))
    options = parser.parse_args()
    folder = None if options.smoke else options.rows
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in options.only}
    for seed in range(1 if options.smoke else options.seeds):
        if seed == 1 and (more := seeds_within(options, runs)) < options.seeds:
            print(f"{more} seeds instead of {options.seeds}: that is what {options.minutes:g} minutes hold", flush=True)
            options.seeds = more
        if seed and seed >= options.seeds:
            break
        for name in options.only:
            row = ROWS[name]
            if seed and row.set in ONCE:
                continue
            make = lambda: run(row, seed, options)  # noqa: B023, E731 - called at once
            runs[name].append(kept(folder, f"{name}-{seed}", recipe_of(row, seed, options.epochs), make))
            values = {key: round(value, 4) for key, value in runs[name][-1].items() if isinstance(value, float)}
            print(name, seed, values, flush=True)
    if options.smoke or len(options.only) < len(ROWS):
        return
    found = [
        summary(row, runs[name], runs[FIRST[row.set]] if row.set in FIRST and name != FIRST[row.set] else None)
        for name, row in ROWS.items()
    ]
    for line in found:
        print(line)
    write(options.out, "ahan_embedded", found)


if __name__ == "__main__":
    main()
