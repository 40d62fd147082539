"""What selects features: gates trained with the weights, apart from them, or on groups that the weights never see.

    OMP_NUM_THREADS=1 python -m benchmarks.hag.toys [--seeds 5] [--only none joint ...] [--smoke]

Two tables of made-up features (datamodules/hag/synth_features.py), an MLP 128-128 with a gate on each input, AdamW, 64 rows a step, the
same steps for every row. Noise: 400 rows of 16 informative features and 48 of noise. Memorisable: 240 groups of 8 rows, 12 true features,
12 decoys that tell the groups apart and nothing else, 40 of noise; the test is of new groups. Held-out gates learn from 40 of the 240
groups (80 of the 400 rows) and the weights from the others: the same data in all. Early stopping takes those groups to choose its step.
AUC: how often a useful feature's gate is above that of one of noise (a decoy's); of networks without gates the norms of the columns.
lambda multiplies the mean gate. The last step is measured but for early stopping: nothing is chosen. Intervals are of the mean over
seeds, gaps of the same seeds. A run is kept under --rows as soon as it is there. --smoke takes a few steps and writes nothing.

The budget: 600 and 900 steps, 3 ms each with two passes: about four minutes for all rows of 5 seeds on one thread.
"""

import argparse
import statistics
import time
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from apps.base.optim import constant_with_warmup, cosine_with_warmup
from benchmarks.record import write
from benchmarks.rows import interval_cell, kept, spread
from core_attention.gates import Routing, Site, wrap
from datamodules.hag.synth_features import Features, synth_features

BATCH, LR, DECAY, CHECK = 64, 1e-3, 1e-2, 25


@dataclass(frozen=True)
class Table:
    features: dict[str, Any]  # of synth_features
    train: int  # groups
    held_out: int  # of them, for gates or for early stopping
    test: int
    steps: int


TABLES = {
    "noise": Table({"informative": 16, "noise": 48, "decoys": 0, "rows": 1, "label_noise": 0.3}, 400, 80, 2000, 600),
    "memorisable": Table({"informative": 12, "noise": 40, "decoys": 12, "rows": 8, "label_noise": 0.7}, 240, 40, 250, 900),
}


@dataclass(frozen=True)
class Row:
    title: str
    mode: str | None = None  # None: no gates
    gate_data: str = "same"
    lam: float = 0.0
    lr_g: float = 0.05
    stop: bool = False  # at the best step on the held-out groups


ROWS = {
    "none": Row("no gates"),
    "frozen": Row("gates frozen at a half", "frozen_gates"),
    "joint": Row("joint", "joint"),
    "gr": Row("GR, same batch", "gr"),
    "gr-slow": Row("GR, same batch", "gr", lr_g=0.003),
    "gr-split": Row("GR, halves of each batch", "gr", "split"),
    "gr-val": Row("GR, gates on held-out groups", "gr", "val"),
    "joint-l": Row("joint", "joint", lam=0.5),
    "gr-l": Row("GR, same batch", "gr", lam=0.5),
    "gr-val-l": Row("GR, gates on held-out groups", "gr", "val", lam=0.5),
    "joint-ll": Row("joint", "joint", lam=1.5),
    "gr-ll": Row("GR, same batch", "gr", lam=1.5),
    "stop": Row("no gates, early stopping", stop=True),
    "joint-stop": Row("joint, early stopping", "joint", stop=True),
    "joint-l-stop": Row("joint, early stopping", "joint", lam=0.5, stop=True),
}


def r2(model: nn.Module, data: Features) -> float:
    model.eval()
    with torch.no_grad():
        error = mse_loss(model(torch.from_numpy(data.x_NF))[:, 0], torch.from_numpy(data.y_N))
    model.train()
    return 1 - float(error) / float(data.y_N.var())


def auc(high: Tensor, low: Tensor) -> float:
    """How often one of the first is above one of the second; ties count a half."""
    gap = high[:, None] - low[None]
    return float(((gap > 0).double() + 0.5 * (gap == 0).double()).mean())


def run(table: Table, row: Row, seed: int, steps: int) -> dict[str, Any]:
    data = synth_features(groups=table.train + table.test, seed=seed, **table.features)
    apart = row.stop or row.gate_data == "val"
    learned = table.train - table.held_out if apart else table.train
    train, held_out = data.rows(range(learned)), data.rows(range(table.train - table.held_out, table.train))
    test = data.rows(range(table.train, table.train + table.test))
    torch.manual_seed(seed)
    width = data.x_NF.shape[1]
    model = nn.Sequential(nn.Linear(width, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 1))
    start = time.process_time()
    best = _fit(model, row, train, held_out, steps, seed)
    if best is not None:
        model.load_state_dict(best[1])
    seconds = time.process_time() - start
    value_F = _worth(model)
    useful, noise, decoy = (value_F[torch.from_numpy(data.role_F == role)] for role in ("informative", "noise", "decoy"))
    return {
        "r2": r2(model, test),
        "auc_noise": auc(useful, noise),
        "auc_decoy": auc(useful, decoy) if len(decoy) else None,
        "mean_useful": float(useful.mean()),
        "mean_noise": float(noise.mean()),
        "mean_decoy": float(decoy.mean()) if len(decoy) else None,
        "stopped": best[0] if best is not None else steps,
        "cpu_seconds": seconds,
    }


def _fit(
    model: nn.Sequential, row: Row, train: Features, held_out: Features, steps: int, seed: int
) -> tuple[int, dict[str, Tensor]] | None:
    """Train; with early stopping (the best step, its weights)."""
    order = np.random.default_rng(seed)
    weights: Any
    of_gates: Any
    if row.mode is None:
        routing, of_gates = None, None
        weights = torch.optim.AdamW(model.parameters(), LR, weight_decay=DECAY)
    else:
        routing = Routing(wrap(model, Site("0", side="input", consumers=("0",)), init="half"), row.mode, row.gate_data, lam=row.lam)
        weights, of_gates = routing.optimizers(LR, row.lr_g, DECAY)
    peaks = [(group, group["lr"], group.get("name") == "gates") for opt in (weights, of_gates) if opt for group in opt.param_groups]

    def loss(batch: tuple[Tensor, Tensor]) -> Tensor:
        return mse_loss(model(batch[0])[:, 0], batch[1])

    best: tuple[float, int, dict[str, Tensor]] | None = None
    for step in range(steps):
        for group, peak, gates in peaks:
            group["lr"] = peak * (constant_with_warmup(step, steps, 0.05) if gates else cosine_with_warmup(step, steps, 0.05, 0.0))
        batch = _draw(train, order)
        if routing is None:
            weights.zero_grad()
            loss(batch).backward()
            weights.step()
        else:
            extra = [_draw(held_out, order)] if row.gate_data == "val" else []
            routing.step(loss, batch, weights=weights, gates=of_gates, gate_batches=extra)
        if row.stop and (step + 1) % CHECK == 0 and (best is None or r2(model, held_out) > best[0]):
            best = (r2(model, held_out), step + 1, {name: value.clone() for name, value in model.state_dict().items()})
    return None if best is None else best[1:]


def _draw(data: Features, order: np.random.Generator) -> tuple[Tensor, Tensor]:
    chosen = order.choice(len(data.y_N), min(BATCH, len(data.y_N)), replace=False)
    return torch.from_numpy(data.x_NF[chosen]), torch.from_numpy(data.y_N[chosen])


def _worth(model: nn.Sequential) -> Tensor:
    """Of each input: its gate, without gates the norm of its column."""
    first = model[0]
    return first.weight.detach().norm(dim=0) if isinstance(first, nn.Linear) else first.gate.eval().values().detach()  # type: ignore[union-attr]


def summary(name: str, row: Row, runs: list[dict[str, Any]], plain: list[dict[str, Any]]) -> dict[str, Any]:
    def mean(key: str) -> Any:
        return round(statistics.mean(run[key] for run in runs), 3) if runs[0][key] is not None else "-"

    gaps = [run["r2"] - other["r2"] for run, other in zip(runs, plain, strict=True)]
    gated = row.mode is not None
    return {
        "set": name,
        "row": row.title,
        "lambda": row.lam if gated else "-",
        "lr_g": row.lr_g if gated and row.mode != "frozen_gates" else "-",
        **spread("r2", [run["r2"] for run in runs], 3),
        "over_none": f"{statistics.mean(gaps):+.3f}" if row is not ROWS["none"] else "-",
        "over_none_ci95": interval_cell(gaps, 3) if row is not ROWS["none"] else "-",
        "auc_noise": mean("auc_noise") if row.mode != "frozen_gates" else "-",
        "auc_decoy": mean("auc_decoy") if row.mode != "frozen_gates" else "-",
        "gate_useful": mean("mean_useful") if gated else "-",
        "gate_decoy": mean("mean_decoy") if gated else "-",
        "gate_noise": mean("mean_noise") if gated else "-",
        "step": round(statistics.mean(run["stopped"] for run in runs)),
        "seeds": len(runs),
        "cpu_seconds": mean("cpu_seconds"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument(
        "--only", nargs="+", choices=list(ROWS), default=list(ROWS), metavar="ROW", help=f"{', '.join(ROWS)}; the table needs all"
    )
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--rows", type=Path, default=Path("benchmarks/results/hag_toys"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/hag_toys.json"))
    options = parser.parse_args()
    found: list[dict[str, Any]] = []
    for name, table in TABLES.items():
        runs: dict[str, list[dict[str, Any]]] = {}
        for key in options.only:
            row, steps = ROWS[key], CHECK + 1 if options.smoke else table.steps
            runs[key] = []
            for seed in range(1 if options.smoke else options.seeds):
                recipe = {"table": asdict(table), "row": asdict(row), "seed": seed, "steps": steps, "optim": [BATCH, LR, DECAY, CHECK]}
                make = partial(run, table, row, seed, steps)
                runs[key].append(kept(None if options.smoke else options.rows, f"{name}-{key}-{seed}", recipe, make))
            found.append(summary(name, row, runs[key], runs["none"] if "none" in runs else runs[key]))
            print({column: value for column, value in found[-1].items() if column != "seeds"}, flush=True)
    if not options.smoke and len(options.only) == len(ROWS):
        write(options.out, "hag_toys", found)


if __name__ == "__main__":
    main()
