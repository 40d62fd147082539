"""Does the history keep a deep graph network from forgetting? Cora's public split, GCN of 2 to 64 layers, several readouts of its states.

`python -m benchmarks.histograph.depth --data FOLDER`, where FOLDER holds Planetoid's raw files or an npz of Cora. Every row has the same
recipe: features as they are (divided by their sums, as many recipes have them, the gradients through many layers are smaller than the
decay, and most readouts learn nothing), width 64, no norm, dropout 0.5 on the features, between the layers and in the head, Adam at 1e-2
with decay 5e-4, gradients clipped at 5, 150 epochs of one step, stopped after 40 without a better validation accuracy (then loss). The
epoch is chosen on validation; the test nodes are looked at once, with its weights. Seconds are of the CPU. A run is one row, kept under
--rows as soon as it is there: what was broken off goes on with the next row, and a changed recipe makes its rows anew. --smoke takes three
steps of each and writes nothing.
"""

import argparse
import copy
import json
import statistics
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from apps.histograph.model import NodeModel
from apps.histograph.options import Backbone, Read
from benchmarks.record import write
from core_attention.segments import Segments
from datamodules.histograph.nodes import read_one_graph
from datamodules.histograph.one_graph import OneGraph

DEPTHS = (2, 8, 32, 64)
WIDTH, DROPOUT, LR, DECAY, CLIP, EPOCHS, PATIENCE = 64, 0.5, 1e-2, 5e-4, 5.0, 150, 40

ARMS: dict[str, tuple[str, Read]] = {
    "last state": ("gcn", Read(name="last")),
    "jk-cat": ("gcn", Read(name="jk-cat")),
    "mean of the layers": ("gcn", Read(name="uniform")),
    "gcnii, last state": ("gcnii", Read(name="last")),
    "histograph, signed": ("gcn", Read(norm="signed")),
    "histograph, l1": ("gcn", Read(norm="l1")),
    "histograph, softmax": ("gcn", Read(norm="softmax")),
    "stage 1, signed": ("gcn", Read(norm="signed", node_attention="none")),
    "stage 1, l1": ("gcn", Read(norm="l1", node_attention="none")),
    "stage 1, l1, by node": ("gcn", Read(norm="l1", node_attention="none", score_pool="node")),
}


def train(one: OneGraph, arm: str, layers: int, seed: int, epochs: int) -> dict[str, float]:
    convolution, read = ARMS[arm]
    torch.manual_seed(seed)
    backbone = Backbone(name=convolution, layers=layers, width=WIDTH, dropout=DROPOUT, input_dropout=DROPOUT, norm="none")  # type: ignore[arg-type]
    model = NodeModel(len(one.features), 0, len(one.classes), backbone, read, dropout=DROPOUT)
    optimizer = torch.optim.Adam(
        [
            {"params": [p for name, p in model.named_parameters() if name != "head.linear.bias"], "weight_decay": DECAY},
            {"params": [model.head.linear.bias], "weight_decay": 0.0},
        ],
        lr=LR,
    )
    graph = one.graph
    inputs = (graph.x, graph.edge_index, graph.edges, Segments.from_lengths([len(graph.x)]))
    rows = {split: torch.from_numpy(own) for split, own in one.rows.items()}
    best, chosen, weights = (-1.0, 0.0), 0, model.state_dict()
    start = time.process_time()
    for epoch in range(epochs):
        model.train()
        optimizer.zero_grad()
        F.cross_entropy(model(*inputs, rows["train"]).out, graph.y[rows["train"]]).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()
        out = answer(model, inputs, rows["val"])
        score = (accuracy(out, graph.y[rows["val"]]), -float(F.cross_entropy(out, graph.y[rows["val"]])))
        if score > best:
            best, chosen, weights = score, epoch, copy.deepcopy(model.state_dict())
        if epoch - chosen >= PATIENCE:
            break
    seconds = time.process_time() - start
    model.load_state_dict(weights)
    test = accuracy(answer(model, inputs, rows["test"]), graph.y[rows["test"]])
    return {"val": best[0], "test": test, "epoch": chosen, "seconds": seconds}


@torch.no_grad()
def answer(model: NodeModel, inputs: tuple[Any, ...], rows: torch.Tensor) -> torch.Tensor:
    return model.eval()(*inputs, rows).out


def accuracy(out: torch.Tensor, y: torch.Tensor) -> float:
    return float((out.argmax(1) == y).double().mean())


def kept(one: OneGraph, arm: str, layers: int, seed: int, folder: Path) -> dict[str, Any]:
    """The row from its file if the recipe is still the same, else a new one."""
    convolution, read = ARMS[arm]
    recipe = {
        "backbone": convolution, "readout": asdict(read), "layers": layers, "seed": seed, "width": WIDTH, "dropout": DROPOUT, "lr": LR,
        "decay": DECAY, "clip": CLIP, "epochs": EPOCHS, "patience": PATIENCE, "data": one.fingerprint(),
    }  # fmt: skip
    words = "".join(letter if letter.isalnum() else "_" for letter in arm)
    path = folder / f"{words}-{layers}-{seed}.json"
    if path.exists() and (row := json.loads(path.read_text()))["recipe"] == recipe:
        return row
    row = {**train(one, arm, layers, seed, EPOCHS), "recipe": recipe}
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(row, indent=1) + "\n")
    return row


def summary(arm: str, layers: int, runs: list[dict[str, Any]]) -> dict[str, Any]:
    tests = [100 * run["test"] for run in runs]
    return {
        "readout": arm,
        "layers": layers,
        "test": round(statistics.mean(tests), 1),
        "lowest": round(min(tests), 1),
        "highest": round(max(tests), 1),
        "val": round(100 * statistics.mean(run["val"] for run in runs), 1),
        "seeds": len(runs),
        "seconds": round(statistics.mean(run["seconds"] for run in runs), 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="Cora: a folder of Planetoid's raw files, or an npz")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--depths", type=int, nargs="+", choices=DEPTHS, default=list(DEPTHS))
    parser.add_argument("--only", nargs="+", choices=list(ARMS), default=list(ARMS), help="rows; the table is written for all only")
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--rows", type=Path, default=Path("benchmarks/results/histograph_depth"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/histograph_depth.json"))
    options = parser.parse_args()
    if not Path(options.data).exists():
        parser.error(f"{options.data} is not there; Cora's raw files are at https://github.com/kimiyoung/planetoid (data/ind.cora.*)")
    torch.set_num_threads(1)
    one = read_one_graph(options.data, normalise=False)
    runs: dict[tuple[str, int], list[dict[str, Any]]] = {(arm, depth): [] for arm in options.only for depth in options.depths}
    for seed in options.seeds[: 1 if options.smoke else None]:
        for arm, depth in runs:
            row = train(one, arm, depth, seed, 3) if options.smoke else kept(one, arm, depth, seed, options.rows)
            runs[arm, depth].append(row)
            print(arm, depth, seed, {key: value for key, value in row.items() if key != "recipe"}, flush=True)
    if options.smoke or len(options.only) < len(ARMS) or len(options.depths) < len(DEPTHS):
        return
    counts = torch.bincount(one.graph.y[torch.from_numpy(one.rows["test"])])
    rows = [summary("always the commonest class", 0, [{"test": float(counts.max() / counts.sum()), "val": 0.0, "seconds": 0.0}])]
    rows += [summary(arm, depth, found) for (arm, depth), found in runs.items()]
    write(options.out, "histograph_depth", rows)


if __name__ == "__main__":
    main()
