"""Readouts on five public sets of graphs: ten folds, the epoch chosen on validation, every difference paired by fold and seed.

    OMP_NUM_THREADS=1 python -m benchmarks.histograph.tu --data graphs [--sets MUTAG] [--only mean histo] [--smoke]

GIN below all of them, the same folds, seeds, batches and epochs a set; see loop.py for the recipe. Nothing else is chosen. A file of --rows
holds the folds of one set, readout and seed: what was broken off goes on with the next fold, and a changed recipe makes its rows anew.
About 150 minutes of one core in all. --smoke trains three steps of each and writes nothing.
"""

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

import torch

from apps.base.crossval.plan import Cut
from apps.base.crossval.summary import paired, score
from apps.histograph.bounds import alarms
from apps.histograph.leakcheck import leakcheck
from apps.histograph.options import Read
from benchmarks.histograph.loop import RECIPE, batches, correct, make_model, read_set, rows_of, train
from benchmarks.record import write
from datamodules.histograph.table import GraphTable

# Epochs of a set: small sets have few steps in an epoch. The same for every readout.
EPOCHS = {"MUTAG": 120, "PTC_MR": 80, "PROTEINS": 36, "IMDB-BINARY": 40, "IMDB-MULTI": 36}
READS = {
    "mean": Read(name="mean"),
    "deepsets": Read(name="deepsets"),
    "histo": Read(),
    "histo-l1": Read(norm="l1"),
    "histo-l1-sum": Read(norm="l1", pool="sum"),
    "histo-softmax-layers": Read(norm="softmax", node_attention="none", project="per_layer"),
    "gmt": Read(name="gmt"),
    "jk-cat": Read(name="jk-cat"),
}
SEEDS = {name: 3 if name in ("mean", "deepsets", "histo") else 1 for name in READS}
FOLDS, CHECKED = 10, 16

Folds = dict[str, dict[str, float]]  # by fold: test, val, epoch, seconds


def fold_row(table: GraphTable, data: Path, name: str, readout: str, seed: int, fold: int, smoke: bool) -> dict[str, float]:
    rows = rows_of(table, data, name, fold)
    tested = train(make_model(table, READS[readout], seed), table, rows, seed, EPOCHS[name], 3 if smoke else None)
    graphs = [table.graphs[row] for row in rows["test"][:CHECKED]]
    leakcheck(tested.model, [(graph.x, graph.edge_index, graph.edges) for graph in graphs])
    accuracy, _ = correct(tested.model, batches(table, rows["test"], 256))
    return {"test": accuracy, "val": tested.val, "epoch": tested.epoch, "seconds": tested.seconds}


def kept(table: GraphTable, name: str, readout: str, seed: int, options: argparse.Namespace) -> Folds:
    """All folds, those from the file that are there already for the same recipe."""
    recipe = {
        **RECIPE, "set": name, "order": table.order_hash(), "readout": vars(READS[readout]), "seed": seed,
        "epochs": EPOCHS[name], "threads": torch.get_num_threads(),
    }  # fmt: skip
    recipe = json.loads(json.dumps(recipe))
    path = options.rows / f"{name}-{readout}-{seed}.json"
    old = json.loads(path.read_text()) if path.exists() else {}
    folds: Folds = old["folds"] if old.get("recipe") == recipe else {}
    for fold in range(FOLDS):
        if str(fold) not in folds:
            folds[str(fold)] = fold_row(table, options.data, name, readout, seed, fold, False)
            print(name, readout, f"seed {seed} fold {fold}", {key: round(value, 4) for key, value in folds[str(fold)].items()}, flush=True)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps({"recipe": recipe, "folds": folds}, indent=1) + "\n")
    return folds


def majority(table: GraphTable, data: Path, name: str) -> dict[Cut, float]:
    """Always the commonest class of training."""
    labels, found = table.labels(), {}
    for fold in range(FOLDS):
        rows = rows_of(table, data, name, fold)
        commonest = statistics.mode(labels[rows["train"]].tolist())
        found[Cut(None, fold, 0)] = float((labels[rows["test"]] == commonest).mean())
    return found


def summary(name: str, readout: str, runs: dict[str, dict[Cut, float]], val: dict[str, float], seconds: dict[str, float]) -> dict[str, Any]:
    own = score(runs[readout])
    gap, pairs = paired(runs[readout], runs["mean"])
    for line in alarms(name, "accuracy", own.mean):
        print(line)
    return {
        "set": name,
        "readout": readout,
        "val": round(val[readout], 4) if readout in val else "-",  # of the chosen epochs
        "accuracy": round(own.mean, 4),
        "half_interval": round(own.half_interval, 4),
        "std_folds": round(own.std_folds, 4),
        "less_mean": "-" if readout == "mean" or not pairs else round(gap.mean, 4),
        "less_mean_half_interval": "-" if readout == "mean" or not pairs else round(gap.half_interval, 4),
        "pairs": pairs,
        "seeds": len(own.per_seed),
        "selected_on": "-" if readout == "majority" else "validation",
        "alarm": bool(alarms(name, "accuracy", own.mean)),
        "seconds": round(seconds.get(readout, 0.0), 1),
    }


def set_rows(name: str, options: argparse.Namespace) -> list[dict[str, Any]]:
    table = read_set(options.data, name)
    runs, val, seconds = {"majority": majority(table, options.data, name)}, {}, {}
    for readout in SEEDS:
        folds = {seed: kept(table, name, readout, seed, options) for seed in range(SEEDS[readout])}
        runs[readout] = {Cut(None, int(fold), seed): row["test"] for seed, own in folds.items() for fold, row in own.items()}
        val[readout] = statistics.fmean(row["val"] for own in folds.values() for row in own.values())
        seconds[readout] = statistics.fmean(row["seconds"] for own in folds.values() for row in own.values())
    # majority has no seeds: it is paired with every seed of the mean
    runs["majority"] = {cut: runs["majority"][Cut(None, cut.fold, 0)] for cut in runs["mean"]}
    return [summary(name, readout, runs, val, seconds) for readout in ("majority", *SEEDS)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the sets, each with raw/ and splits/")
    parser.add_argument("--sets", nargs="+", choices=list(EPOCHS), default=list(EPOCHS), help="the table is written for all only")
    parser.add_argument("--only", nargs="+", choices=list(SEEDS), help="make the rows of these readouts, no table")
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--rows", type=Path, default=Path("benchmarks/results/histograph_tu"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/histograph_tu.json"))
    options = parser.parse_args()
    for name in options.sets:
        if not (options.data / name).exists():
            parser.error(f"{options.data / name} is not there; see the TU collection, https://chrsmrrs.github.io/datasets")
    rows = []
    for name in options.sets:
        if options.smoke or options.only:
            table = read_set(options.data, name)
            for readout in options.only or SEEDS:
                for seed in range(1 if options.smoke else SEEDS[readout]):
                    made = (
                        fold_row(table, options.data, name, readout, seed, 0, True)
                        if options.smoke
                        else kept(table, name, readout, seed, options)
                    )
                    print(name, readout, made if options.smoke else f"seed {seed}", flush=True)
            continue
        for row in set_rows(name, options):
            rows.append(row)
            print(row, flush=True)
    if len(rows) == len(EPOCHS) * (1 + len(SEEDS)):
        write(options.out, "histograph_tu", rows)


if __name__ == "__main__":
    main()
