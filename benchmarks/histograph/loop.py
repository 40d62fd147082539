"""A bare training loop over the application's own data, model and optimiser: what all tables of graphs share.

The recipe is configs/histograph/small.yaml with fewer epochs: GIN of 4 layers, width 32, batches of 32, clip 5, a cosine, dropout 0.5
before the answer; the epoch of the lowest validation loss, of equals the more accurate; the tested fold is looked at once, at that epoch.
"""

import copy
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from apps.base.optim import Optim, cosine_with_warmup
from apps.histograph.model import Histograph
from apps.histograph.options import Backbone, Read
from core_attention.segments import Segments
from datamodules.histograph.graph import collate
from datamodules.histograph.layouts import detect, splits
from datamodules.histograph.table import GraphTable
from datamodules.order import epoch_order

__all__ = ["BATCH", "OPTIM", "RECIPE", "batches", "correct", "make_model", "read_set", "rows_of", "train"]

BATCH, CLIP, DROPOUT = 32, 5.0, 0.5
BACKBONE = Backbone(name="gin", layers=4, width=32)
OPTIM = Optim(lr=1e-3, weight_decay=0.0)
RECIPE = {"backbone": vars(BACKBONE), "optim": vars(OPTIM), "batch": BATCH, "clip": CLIP, "dropout": DROPOUT}
FOLDS = "10fold_stratified.json"


class Tested(NamedTuple):
    model: Histograph  # of the chosen epoch
    epoch: int
    val: float  # accuracy
    seconds: float  # of CPU, training and validation


def read_set(data: Path, name: str) -> GraphTable:
    return detect(data / name).read()


def rows_of(table: GraphTable, data: Path, name: str, fold: int) -> dict[str, list[int]]:
    return splits(table, fold, str(data / name / "splits" / FOLDS))


def make_model(table: GraphTable, read: Read, seed: int) -> Histograph:
    torch.manual_seed(seed)
    return Histograph(len(table.features), table.edge_width, len(table.classes), BACKBONE, read, dropout=DROPOUT)


def batches(table: GraphTable, rows: Sequence[int], size: int = BATCH) -> list[tuple[tuple[Any, ...], Tensor]]:
    """(the model's arguments, labels) of each batch, in the order of the rows."""
    found = []
    for start in range(0, len(rows), size):
        batch = collate([(table.graphs[row], row) for row in rows[start : start + size]])
        nodes = batch["nodes"]
        found.append(((nodes.flat, batch["edge_index"], batch["edges"], Segments(*nodes[1:])), batch["y"]))
    return found


@torch.no_grad()
def correct(model: Histograph, made: Sequence[tuple[tuple[Any, ...], Tensor]]) -> tuple[float, float]:
    """(accuracy, mean loss) of batches."""
    model.eval()
    right = loss = count = 0.0
    for arguments, y in made:
        out = model(*arguments).out
        right += float((out.argmax(1) == y).sum())
        loss += float(F.cross_entropy(out, y, reduction="sum"))
        count += len(y)
    return right / count, loss / count


def train(model: Histograph, table: GraphTable, rows: dict[str, list[int]], seed: int, epochs: int, most: int | None = None) -> Tested:
    """most: leave after so many steps."""
    start = time.process_time()
    own = rows["train"]
    each = len(own) // BATCH  # an incomplete last batch is left out, as in the application
    optimizer = OPTIM.optimizer(model, (), ())
    total = epochs * each
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: cosine_with_warmup(step, total, OPTIM.warmup, OPTIM.floor))
    val = batches(table, rows["val"], 256)
    best, kept, step = (math.inf, 0.0, 0), copy.deepcopy(model.state_dict()), 0
    for epoch in range(epochs):
        model.train()
        order = [own[i] for i in epoch_order(len(own), seed, epoch)][: each * BATCH]
        for arguments, y in batches(table, order):
            optimizer.zero_grad()
            F.cross_entropy(model(*arguments).out, y).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
            optimizer.step()
            schedule.step()
            step += 1
            if step == most:
                break
        accuracy, loss = correct(model, val)
        if (loss, -accuracy) < best[:2]:
            best, kept = (loss, -accuracy, epoch), copy.deepcopy(model.state_dict())
        if step == most:
            break
    model.load_state_dict(kept)
    return Tested(model, best[2], -best[1], time.process_time() - start)
