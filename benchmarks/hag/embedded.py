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
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from apps.base.optim import Optim
from apps.base.routing import RoutingOptions
from apps.hag.metrics import Answers, auroc, polyps_of
from apps.hag.options import Gates, Head, Streams
from apps.hag.summaries import floors, summed
from apps.hag.task import Sizing
from benchmarks.hag.fitting import answered, fit, row_of
from benchmarks.record import write
from benchmarks.rows import kept, spread, there
from core_attention.gates import harden
from datamodules.csv_rows import csv_rows
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
    "sizes read by eye": {"planes": ("loc",), "label_noise": 0.2},
}


@dataclass(frozen=True)
class Row:
    title: str
    set: str = "cue"
    sites: tuple[str, ...] = SITES
    routing: RoutingOptions | None = None
    head: str = "both"
    stop: bool = False  # at the best epoch on the 15 % of polyps that gates of their own would have
    budgets: tuple[float, ...] = ()  # shares of gates that stay open after the training

    def task(self) -> Sizing:
        planes = SETS[self.set]["planes"]
        use = ("rgb", "loc", *(("depth",) if "depth" in planes else ()), *(("planes",) if len(planes) > 2 else ()))
        routing = self.routing or RoutingOptions()
        return Sizing("resnet18", TRUNK, Streams(use, "early"), Gates(self.sites), Head(self.head, 64), routing=routing, optim=OPTIM)  # type: ignore[arg-type]

    def data(self, seed: int, smoke: bool) -> SynthPolyps:
        small: dict[str, Any] = {"train": 24, "val": 4, "test": 12, "frames": 4} if smoke else {}
        options = {**SETS[self.set], **VIEWS, "planes": list(SETS[self.set]["planes"])}
        held = 0.15 if self.stop or (self.routing is not None and self.routing.gate_data == "val") else 0.0
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
# Made where --only names them; the table has those that are there.
MORE = {
    "frozen": Row("gates frozen as they begin", routing=RoutingOptions("frozen_gates")),
    "stop": Row("no gates, epoch chosen on those polyps", sites=(), stop=True),
    "joint, stop": Row("gates and weights together, epoch chosen on those polyps", routing=JOINT, stop=True),
    "budgets": Row("gates and weights together, then closed", routing=JOINT, budgets=(0.75, 0.5, 0.25)),
    "plain, by eye": Row("no gates", "sizes read by eye", sites=()),
    "joint, by eye": Row("gates and weights together", "sizes read by eye", routing=JOINT),
    "val, by eye": Row("gates apart, groups of their own", "sizes read by eye", routing=VAL),
}


def run(row: Row, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    task, data = row.task(), row.data(seed, options.smoke)
    seconds = fit(task, data, options.epochs, seed, steps=2 if options.smoke else -1, half=True, stop=row.stop)
    answers = truly(answered(task, data.test_dataloader()), data)
    found = {"cpu_seconds": seconds, **errors(answers), **floors(data.facts("train"), data.boxes("train"), answers, data.boxes("test"))}
    found |= gate_scores(task) if row.set == "planes" else {}
    return found | {f"mae_open_{budget:g}": mae for budget, mae in closed(task, data, row.budgets).items()}


def truly(answers: Answers, data: SynthPolyps) -> Answers:
    """Judged by the true sizes, also where those to learn from were read by eye."""
    return replace(answers, true=data.made.scenes.mm[data.rows("test")].astype(np.float64)) if data.knobs["label_noise"] else answers


def closed(task: Sizing, data: SynthPolyps, budgets: tuple[float, ...]) -> dict[float, float]:
    """mm of error with ever fewer gates open, without learning on: what hardening costs."""
    found = {}
    for budget in budgets:
        assert task.gate_set is not None
        harden(task.gate_set, budget=budget)
        found[budget] = errors(answered(task, data.test_dataloader()))["mae"]
    return found


def errors(answers: Answers) -> dict[str, float]:
    told = ("mae", "tri_macro_f1", "bin10_macro_f1", "bin5_macro_f1", "bin10_weighted_f1")
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
        "row": row_of(row),
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
    for name in ("bin5_macro_f1", "bin10_weighted_f1", "mae_open_0.75", "mae_open_0.5", "mae_open_0.25"):
        line[name] = round(statistics.mean(run[name] for run in runs), 3) if all(name in run for run in runs) else "-"
    for kind in ("noise", "decoy"):
        scores = [run[f"gate_auc_{kind}"] for run in runs if f"gate_auc_{kind}" in run]
        line[f"gate_auc_{kind}"] = round(statistics.mean(scores), 3) if scores else "-"
    return {**line, "seeds": len(runs), "cpu_seconds": round(statistics.mean(run["cpu_seconds"] for run in runs), 1)}


def sun(file: Path) -> dict[str, Any]:
    """Always the median, 5 mm, on the polyps of SUN (cases.csv: size_mm, censored): what a figure of real sizes is read against."""
    rows, problems, _ = csv_rows(file)
    if problems:
        raise SystemExit(f"{file}: {problems[0]}")
    mm = np.array([float(row["size_mm"]) for _, row in rows])
    answers = Answers(np.arange(len(mm)), mm, np.full(len(mm), np.median(mm)), np.array([row["censored"] == "1" for _, row in rows]))
    values = {name: round(value, 3) for name, value in errors(answers).items() if not name.startswith("polyp_")}
    return {"set": f"{len(mm)} polyps of SUN", "row": f"always {np.median(mm):g} mm", **values, "seeds": "-", "cpu_seconds": "-"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3, metavar="N")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument(
        "--only",
        nargs="+",
        choices=[*ROWS, *MORE],
        default=list(ROWS),
        metavar="ROW",
        help=f"{'; '.join(ROWS)}; the table needs all. {'; '.join(MORE)}: it takes them where they are",
    )
    parser.add_argument("--sun", type=Path, metavar="FILE", help="sizes of SUN's polyps, a CSV with size_mm and censored: a floor more")
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--rows", type=Path, default=Path("benchmarks/results/hag_embedded"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/hag_embedded.json"))
    options = parser.parse_args()
    folder = None if options.smoke else options.rows
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in options.only}
    for seed in range(1 if options.smoke else options.seeds):
        for name in options.only:
            row = {**ROWS, **MORE}[name]
            make = lambda: run(row, seed, options)  # noqa: B023, E731 - called at once
            runs[name].append(kept(folder, f"{name}-{seed}", recipe_of(row, seed, options.epochs), make))
            print(name, seed, {key: round(value, 4) for key, value in runs[name][-1].items() if isinstance(value, float)}, flush=True)
    floor = [] if options.sun is None else [sun(options.sun)]
    for line in floor:
        print(line)
    if options.smoke or not set(ROWS) <= set(options.only):
        return
    for name, row in MORE.items():
        made = [there(options.rows, f"{name}-{seed}", recipe_of(row, seed, options.epochs)) for seed in range(options.seeds)]
        runs[name] = [] if any(run is None for run in made) else [run for run in made if run is not None]
    found = [summary(row, runs[name]) for name, row in {**ROWS, **MORE}.items() if runs[name]] + floor
    for line in found:
        print(line)
    write(options.out, "hag_embedded", found)


if __name__ == "__main__":
    main()
