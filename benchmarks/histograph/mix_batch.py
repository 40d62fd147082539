"""The batch-wide reading of the paper's equations: what its accuracy depends on, and whether a leak explains a published figure.

    OMP_NUM_THREADS=1 python -m benchmarks.histograph.mix_batch --data graphs [--folds 10] [--smoke]

PROTEINS is stored sorted by class, and published at 97.8 +/- 0.4. Each row is one model on the same folds, tested in file order, in a drawn
order, and graph by graph. MIXED models average the layer weights over the batch and let nodes attend to those of other graphs: their
figures are no accuracies of graphs. The oracle knows nothing of a graph but the commonest class of its batch in file order. "best epoch"
is chosen on the tested fold in file order, as the field's habit has it; all other figures are of the epoch that validation chose.
Resumable by fold; about 50 minutes of one core with ten folds.
"""

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from apps.base.crossval.plan import Cut
from apps.base.crossval.summary import score
from apps.base.optim import cosine_with_warmup
from apps.histograph.mixing import allow_batch_mixing
from apps.histograph.options import Read
from apps.histograph.readout import HistoReadout
from benchmarks.histograph.loop import BATCH, CLIP, OPTIM, RECIPE, batches, correct, make_model, read_set, rows_of
from benchmarks.record import write
from datamodules.histograph.table import GraphTable
from datamodules.order import epoch_order

SET, EPOCHS = "PROTEINS", 40
ARMS = {"per graph": (False, True), "MIXED": (True, True), "MIXED, trained in file order": (True, False)}  # (mixed, shuffled)
MEASURES = ("file_order", "drawn_order", "one_by_one", "best_epoch_file_order")


def fold_row(table: GraphTable, rows: dict[str, list[int]], arm: str, smoke: bool) -> dict[str, float]:
    mixed, shuffled = ARMS[arm]
    model = make_model(table, Read(), 0)
    if mixed:
        model.readout = HistoReadout(32, model.backbone.options.states, mix_batch=True)
    optimizer = OPTIM.optimizer(model, (), ())
    own = rows["train"]
    each = len(own) // BATCH
    total = 3 if smoke else EPOCHS * each
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: cosine_with_warmup(step, total, OPTIM.warmup, OPTIM.floor))
    drawn = [rows["test"][i] for i in epoch_order(len(rows["test"]), 0, 2**32)]
    orders = {
        "file_order": batches(table, rows["test"]),
        "drawn_order": batches(table, drawn),
        "one_by_one": batches(table, rows["test"], 1),
    }
    val = batches(table, [rows["val"][i] for i in epoch_order(len(rows["val"]), 0, 2**32)])
    found, lowest, best, step = {}, float("inf"), 0.0, 0
    while step < total:
        model.train()
        order = epoch_order(len(own), 0, step // each).tolist() if shuffled else range(len(own))
        for arguments, y in batches(table, [own[i] for i in order][: each * BATCH]):
            optimizer.zero_grad()
            F.cross_entropy(model(*arguments).out, y).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
            optimizer.step()
            schedule.step()
            step += 1
            if step == total:
                break
        best = max(best, correct(model, orders["file_order"])[0])
        loss = correct(model, val)[1]
        if loss < lowest:
            lowest = loss
            found = {name: correct(model, made)[0] for name, made in orders.items()}
    return {**found, "best_epoch_file_order": best}


def oracle(table: GraphTable, rows: dict[str, list[int]]) -> dict[str, float]:
    """The commonest class of each batch, for all its graphs; of one graph alone, of training."""
    labels = table.labels()

    def by_batch(order: list[int]) -> float:
        parts = [labels[order[i : i + BATCH]] for i in range(0, len(order), BATCH)]
        return sum(int(np.bincount(part).max()) for part in parts) / len(order)

    commonest = np.bincount(labels[rows["train"]]).argmax()
    drawn = [rows["test"][i] for i in epoch_order(len(rows["test"]), 0, 2**32)]
    alone = float((labels[rows["test"]] == commonest).mean())
    return {
        "file_order": by_batch(rows["test"]), "drawn_order": by_batch(drawn), "one_by_one": alone,
        "best_epoch_file_order": by_batch(rows["test"]),
    }  # fmt: skip


def kept(table: GraphTable, arm: str, options: argparse.Namespace) -> list[dict[str, float]]:
    recipe = json.loads(
        json.dumps({**RECIPE, "epochs": EPOCHS, "order": table.order_hash(), "arm": arm, "threads": torch.get_num_threads()})
    )
    path = options.rows / f"{''.join(letter if letter.isalnum() else '_' for letter in arm)}.json"
    old = json.loads(path.read_text()) if path.exists() else {}
    folds: list[dict[str, float]] = old["folds"] if old.get("recipe") == recipe else []
    for fold in range(len(folds), options.folds):
        folds.append(fold_row(table, rows_of(table, options.data, SET, fold), arm, False))
        print(arm, fold, {key: round(value, 3) for key, value in folds[-1].items()}, flush=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"recipe": recipe, "folds": folds}, indent=1) + "\n")
    return folds[: options.folds]


def summary(arm: str, folds: list[dict[str, float]]) -> dict[str, Any]:
    row: dict[str, Any] = {"set": SET, "model": arm, "folds": len(folds)}
    for name in MEASURES:
        row[name] = round(statistics.fmean(fold[name] for fold in folds), 4)
        row[f"{name}_std"] = round(score({Cut(None, i, 0): fold[name] for i, fold in enumerate(folds)}).std_folds, 4)
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help=f"folder with {SET}/raw and {SET}/splits")
    parser.add_argument("--folds", type=int, default=10, help="the table is written for ten only")
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--rows", type=Path, default=Path("benchmarks/results/histograph_mix_batch"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/histograph_mix_batch.json"))
    options = parser.parse_args()
    if not (options.data / SET).exists():
        parser.error(f"{options.data / SET} is not there; see the TU collection, https://chrsmrrs.github.io/datasets")
    table = read_set(options.data, SET)
    rows = [summary("oracle: the commonest class of the batch", [oracle(table, rows_of(table, options.data, SET, f)) for f in range(10)])]
    print(rows[0])
    with allow_batch_mixing("the table that shows what a figure of a mixed model depends on"):
        for arm in ARMS:
            if options.smoke:
                print(arm, fold_row(table, rows_of(table, options.data, SET, 0), arm, True), flush=True)
                continue
            rows.append(summary(arm, kept(table, arm, options)))
            print(rows[-1], flush=True)
    if not options.smoke and options.folds == 10:
        write(options.out, "histograph_mix_batch", rows)


if __name__ == "__main__":
    main()
