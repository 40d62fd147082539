"""Learning the nodes of a graph that is too large to train on whole: what memory and time it takes as the graph grows.

    OMP_NUM_THREADS=1 python -m benchmarks.histograph.large_graph [--nodes 10000 100000 1000000] [--smoke]

Two blocks of nodes, made by code, 7.5 directed edges a node (three in four within the block); surroundings of fanout [10, 5], 4
convolutions, 62 steps of 64 nodes, 1,000 nodes to test on. Each size has a process of its own: the memory is everything that it ever held,
libraries, the making of the graph and the test included. Beside it: the same without message passing (a threshold at the one feature that
says something, which no rule on the node's own features beats). A million nodes: about four minutes of one core.
"""

import argparse
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

from apps.base.optim import Optim
from apps.base.quiet import quiet_lightning, run_trainer
from apps.histograph.node_task import NodeClassification
from apps.histograph.options import Backbone, Read
from benchmarks.memory import apart, high_water_kib
from benchmarks.record import write
from datamodules.histograph.nodes import TwoBlocks

WITHIN, ACROSS = 5.625, 1.875  # neighbours of a node, on average
FANOUT, BATCH, STEPS, CLIP, TEST = [10, 5], 64, 62, 5.0, 1000


def row(nodes: int, steps: int) -> dict[str, Any]:
    """In a process of its own."""
    start, cpu = time.perf_counter(), time.process_time()
    block = nodes // 2
    data = TwoBlocks(
        batch_size=BATCH, block=block, p_in=WITHIN / block, p_out=ACROSS / block, labelled=steps * BATCH // 2, val=BATCH, test=TEST,
        fanout=FANOUT,
    )  # fmt: skip
    data.say = lambda words: None
    data.setup("fit")
    graph, making = data.table.graph, time.process_time() - cpu
    pl.seed_everything(0, workers=True, verbose=False)
    task = NodeClassification(Backbone(name="gcn", layers=4, width=16, norm="none"), Read(), 0.0, optim=Optim(lr=1e-2, weight_decay=0.0))
    task.build(task.gather(data))
    with quiet_lightning():
        trainer = pl.Trainer(
            accelerator="cpu", max_epochs=1, gradient_clip_val=CLIP, limit_val_batches=0, logger=False, enable_checkpointing=False,
            enable_progress_bar=False, enable_model_summary=False, use_distributed_sampler=False,
        )  # fmt: skip
    cpu = time.process_time()
    run_trainer(trainer, "fit", task, datamodule=data)
    training = time.process_time() - cpu
    found = run_trainer(trainer, "test", task, datamodule=data, verbose=False)[0]
    rows = torch.from_numpy(data.table.rows["test"])
    own = ((graph.x[rows, 0] < 0).long() == graph.y[rows]).double().mean()
    return {
        "nodes": nodes,
        "directed_edges": graph.edge_index.shape[1],
        "graph_mib": round(sum(part.nbytes for part in (graph.x, graph.edge_index, graph.y)) / 2**20),
        "peak_mib": round(high_water_kib() / 1024),
        "accuracy": round(float(found["test/accuracy"]), 3),
        "own_features": round(float(own), 3),
        "making_seconds": round(making, 1),
        "training_seconds": round(training, 1),
        "seconds_in_all": round(time.perf_counter() - start, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--smoke", action="store_true", help="four thousand nodes, two steps; writes nothing")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/histograph_large_graph.json"))
    options = parser.parse_args()
    rows = []
    for nodes in [4000] if options.smoke else options.nodes:
        rows.append(apart(row, nodes, 2 if options.smoke else STEPS))
        print(rows[-1], flush=True)
    if not options.smoke:
        write(options.out, "one graph, learned by drawn surroundings", rows)


if __name__ == "__main__":
    main()
