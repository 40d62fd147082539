"""Colonoscopies made by code: what is read of a polyp's size, with a scale cue and without, and what the gates keep.

    OMP_NUM_THREADS=1 python -m benchmarks.hag.embedded [--seeds 3] [--only NAME ...] [--smoke]

The embedded recipe (20 epochs) for every row; the same frames for all seeds, order and weights are not. 168 polyps to learn from, a part
of which the gates keep for themselves where they learn apart, 36 for validation, which nobody looks at, 36 to test. The last epoch is
measured: nothing is chosen. Floors (constant, apparent size, box alone) answer the same frames. `no cue`: neither texture nor forceps, and
depth relative: nobody can be better than apparent size there (the negative control). planes: metric depth, six planes of noise, two that
mark each polyp; gate_auc: how well the input's gates tell useful planes from noise, and from marks.
A run is kept under --rows as soon as it is there. --smoke takes two steps of a few polyps and writes nothing.
"""

import argparse
import statistics
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from apps.base.optim import Optim
from apps.base.routing import RoutingOptions
from apps.hag.metrics import Answers, auroc, polyps_of
from apps.hag.options import Gates, Head, Streams
from apps.hag.summaries import floors, summed
from apps.hag.task import Sizing
from benchmarks.hag.fitting import answered, fit
from benchmarks.record import write
from benchmarks.rows import kept, spread
from datamodules.hag.datamodule import SynthPolyps
from datamodules.hag.synth_planes import useful

EPOCHS = 20
TRUNK = {"width": 0.25}
OPTIM = Optim(lr=3e-3, weight_decay=0.05, warmup=0.05)
VIEWS = {"turn": 0.0, "noise": 0.0, "jitter": 0.05}
ALL_PLANES = ("loc", "depth", *(f"noise{n}" for n in range(6)), "decoy0", "decoy1")
SITES = ("input", "stage")
SETS: dict[str, dict[str, Any]] = {
    "cue": {"planes": ("loc",)},
    "cue and depth": {"planes": ("loc", "depth")},
    "no cue": {"planes": ("loc", "depth"), "cue": "none", "depth": "relative"},
    "planes": {"planes": ALL_PLANES},
}


@dataclass(frozen=True)
class Row:
    title: str
    set: str = "cue"
    sites: tuple[str, ...] = SITES
    routing: RoutingOptions | None = None
    head: str = "both"

    def task(self) -> Sizing:
        planes = SETS[self.set]["planes"]
        use = ("rgb", "loc", *(("depth",) if "depth" in planes else ()), *(("planes",) if len(planes) > 2 else ()))
        routing = self.routing or RoutingOptions()
        return Sizing("resnet18", TRUNK, Streams(use, "early"), Gates(self.sites), Head(self.head, 64), routing=routing, optim=OPTIM)  # type: ignore[arg-type]

    def data(self, seed: int, smoke: bool) -> SynthPolyps:
        small: dict[str, Any] = {"train": 24, "val": 4, "test": 12, "frames": 4} if smoke else {}
        options = {**SETS[self.set], **VIEWS, "planes": list(SETS[self.set]["planes"])}
        held = 0.15 if self.routing is not None and self.routing.gate_data == "val" else 0.0
        return SynthPolyps(**options, **small, gates=held, seed=seed)


JOINT = RoutingOptions("joint", lam="auto")
SAME = RoutingOptions("gr", every=2, lam="auto")
VAL = RoutingOptions("gr", "val", every=2, lam="auto")
ROWS = {
    "plain": Row("no gates", sites=()),
    "joint": Row("gates and weights together", routing=JOINT),
    "same": Row("gates apart, same batch", routing=SAME),
    "val": Row("gates apart, groups of their own", routing=VAL),
    "depth": Row("gates apart, groups of their own", "cue and depth", routing=VAL),
    "no cue": Row("gates apart, groups of their own", "no cue", routing=VAL),
    "planes, joint": Row("gates and weights together", "planes", ("input",), JOINT),
    "planes, same": Row("gates apart, same batch", "planes", ("input",), SAME),
    "planes, val": Row("gates apart, groups of their own", "planes", ("input",), VAL),
}


def run(row: Row, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    task, data = row.task(), row.data(seed, options.smoke)
    seconds = fit(task, data, options.epochs, seed, steps=2 if options.smoke else -1, half=True)
    answers = answered(task, data.test_dataloader())
    found = {"cpu_seconds": seconds, **errors(answers), **floors(data.facts("train"), data.boxes("train"), answers, data.boxes("test"))}
    return found | (gate_scores(task) if row.set == "planes" else {})


def errors(answers: Answers) -> dict[str, float]:
    told = ("mae", "tri_macro_f1", "bin10_macro_f1")
    levels = {"": summed(answers, "mm"), "polyp_": summed(polyps_of(answers), "mm")}
    return {prefix + name: float(values[name]) for prefix, values in levels.items() for name in told}


def gate_scores(task: Sizing) -> dict[str, float]:
    """Area under the ROC curve of the input's gates: loc and depth against noise, and against the marks."""
    assert task.gate_set is not None
    (value_C,) = task.gate_set.values().values()
    by_plane = dict(zip(["red", "green", "blue", *ALL_PLANES], value_C.double().tolist(), strict=True))
    good = [by_plane[name] for name in ALL_PLANES if useful(name)]
    found = {f"gate_{name}": value for name, value in by_plane.items()}
    for kind in ("noise", "decoy"):
        others = [value for name, value in by_plane.items() if name.startswith(kind)]
        score = auroc(np.array(good + others), np.array([True] * len(good) + [False] * len(others)))
        assert score is not None
        found[f"gate_auc_{kind}"] = score
    return found


def recipe_of(row: Row, seed: int, epochs: int) -> dict[str, Any]:
    return {
        "row": {**asdict(row), "title": ""},
        "seed": seed,
        "epochs": epochs,
        "data": SETS[row.set] | VIEWS,
        "half": True,
        "trunk": TRUNK,
        "optim": vars(OPTIM),
    }


def summary(row: Row, runs: list[dict[str, Any]]) -> dict[str, Any]:
    line: dict[str, Any] = {"set": row.set, "row": row.title, **spread("mae", [run["mae"] for run in runs])}
    names = ("tri_macro_f1", "bin10_macro_f1", "polyp_mae", "polyp_tri_macro_f1", "apparent_size_mae", "box_only_mae", "constant_mae")
    line |= {name: round(statistics.mean(run[name] for run in runs), 3) for name in names}
    for kind in ("noise", "decoy"):
        scores = [run[f"gate_auc_{kind}"] for run in runs if f"gate_auc_{kind}" in run]
        line[f"gate_auc_{kind}"] = round(statistics.mean(scores), 3) if scores else "-"
    return {**line, "seeds": len(runs), "cpu_seconds": round(statistics.mean(run["cpu_seconds"] for run in runs), 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3, metavar="N")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument(
        "--only", nargs="+", choices=list(ROWS), default=list(ROWS), metavar="ROW", help=f"{'; '.join(ROWS)}; the table needs all"
    )
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--rows", type=Path, default=Path("benchmarks/results/hag_embedded"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/hag_embedded.json"))
    options = parser.parse_args()
    folder = None if options.smoke else options.rows
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in options.only}
    for seed in range(1 if options.smoke else options.seeds):
        for name in options.only:
            row = ROWS[name]
            make = lambda: run(row, seed, options)  # noqa: B023, E731 - called at once
            runs[name].append(kept(folder, f"{name}-{seed}", recipe_of(row, seed, options.epochs), make))
            print(name, seed, {key: round(value, 4) for key, value in runs[name][-1].items() if isinstance(value, float)}, flush=True)
    if options.smoke or len(options.only) < len(ROWS):
        return
    found = [summary(row, runs[name]) for name, row in ROWS.items()]
    for line in found:
        print(line)
    write(options.out, "hag_embedded", found)


if __name__ == "__main__":
    main()
