"""DCAL from scratch on sixty persons seen by two cameras, beside colour histograms, under both protocols.

    OMP_NUM_THREADS=1 python -m benchmarks.dcal.pku59 --data pku59 [--seeds 0 1 2] [--only plain dcal] [--smoke]

`cross` comes first: every test picture asks the other camera's pictures. `market`: the marked queries ask a gallery of both cameras; there
colour misleads, because strangers by the query's own camera look more alike than the same person by the other one. Centred: each
camera's mean vector is taken off first. Reranked: by k-reciprocal neighbours, which use all queries at once.

The last epoch is measured, by the vectors of both branches where there are two (section 3): nothing is chosen, because four validation
persons cannot. In a first round, where they did, one run ended at its fourth epoch. A run is kept under --rows as soon as it is there, and
a changed recipe makes its rows anew. --smoke takes two steps of few pictures and writes nothing.

The budget: 128x64 in patches of 8, width 128, 4 blocks, 8 persons x 4 pictures a step. Seconds of CPU a step, one thread, busy machine:
plain 0.5, DCAL 1.1. 18 epochs of 13 steps, 36 of the longer plain row: 3 seeds x 234 x (0.5 + 1.0 + 1.1) = 1800 s; less on a quiet machine.
"""

import argparse
import statistics
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from apps.base.optim import Optim
from apps.dcal.metrics import Vectors
from apps.dcal.options import Glca, Pwca
from apps.dcal.ranking import Gathered, Ranking, evaluate, measure
from apps.dcal.reid import Reidentification
from apps.dcal.rerank import rerank
from benchmarks.dcal.classical import colours_by_stripe
from benchmarks.dcal.fitting import fit
from benchmarks.record import write
from benchmarks.rows import kept, spread
from datamodules.dcal.reid import Reid
from datamodules.pictures import decode

PERSONS, PICTURES, WEIGHT_RATE = 8, 4, 10.0
OPTIM = Optim(lr=5e-4, weight_decay=0.05, warmup=0.1)
DATA: dict[str, Any] = {"image_size": (128, 64), "pad": 4, "erase": 0.5}
TRUNK: tuple[str, dict[str, Any]] = ("vit_mini", {"width": 128, "depth": 4, "heads": 4})


@dataclass(frozen=True)
class Row:
    title: str
    branches: bool = False
    epochs: int = 1  # times those of the others


NETWORKS = {
    "plain": Row("self-attention alone"),
    "twice": Row("self-attention alone, twice as long", epochs=2),
    "dcal": Row("+ GLCA + PWCA", branches=True),
}
CLASSICAL = {"chance": "random vectors", "stripes": "HSV histograms of 8 stripes"}


def sightings(options: argparse.Namespace, seed: int) -> Reid:
    persons, pictures = (2, 4) if options.smoke else (PERSONS, PICTURES)
    data = Reid(str(options.data), persons, pictures, seed=seed, **DATA)
    data.say = lambda words: None
    return data


def task_of(row: Row) -> Reidentification:
    glca = Glca(blocks=int(row.branches), ratio=0.3)
    pwca = Pwca(blocks="all" if row.branches else 0, pair_source="inter")
    return Reidentification(*TRUNK, glca, pwca, loss_weight_lr=WEIGHT_RATE, optim=OPTIM)


def recipe_of(name: str, seed: int, epochs: int) -> dict[str, Any]:
    if name in CLASSICAL:
        return {"row": name, "seed": seed}
    row = NETWORKS[name]
    task = task_of(row)
    return {
        "row": asdict(row), "trunk": TRUNK, "glca": asdict(task.glca), "pwca": asdict(task.pwca), "seed": seed,
        "epochs": epochs * row.epochs, "data": DATA, "batch": (PERSONS, PICTURES), "optim": vars(OPTIM), "weight_rate": WEIGHT_RATE,
    }  # fmt: skip


# --- rankings ----------------------------------------------------------------------------------------------------------


def centred(data: Gathered, gallery_N: Tensor) -> Gathered:
    """Each camera's mean gallery vector is taken off its pictures' vectors."""
    vectors_ND = F.normalize(data.vectors.double(), dim=1)
    for camera in data.camera.unique():
        own_N = data.camera == camera
        vectors_ND[own_N] -= vectors_ND[own_N & gallery_N].mean(0)
    return data._replace(vectors=vectors_ND)


def reranked_cross(data: Gathered) -> Ranking:
    """Each camera's pictures ask the others'; cameras have as many pictures, so the mean over queries is that over cameras."""
    found = []
    for camera in data.camera.unique():
        asks = data.camera == camera
        scores_QG = rerank(data.vectors[asks], data.vectors[~asks])
        found.append(measure(scores_QG, data.identity[asks], data.camera[asks], data.identity[~asks], data.camera[~asks], "cross"))
    weights = [ranking.queries for ranking in found]

    def mean(values: list[float]) -> float:
        return float(np.average(values, weights=weights))

    return found[0]._replace(
        mean_ap=mean([r.mean_ap for r in found]),
        cmc={k: mean([r.cmc[k] for r in found]) for k in found[0].cmc},
        mean_inp=mean([r.mean_inp for r in found]),
        queries=sum(weights),
        unmatched=sum(r.unmatched for r in found),
        average_precisions=np.concatenate([r.average_precisions for r in found]),
    )


def reranked_market(data: Gathered) -> Ranking:
    asks = data.is_query
    scores_QG = rerank(data.vectors[asks], data.vectors[~asks])
    return measure(scores_QG, data.identity[asks], data.camera[asks], data.identity[~asks], data.camera[~asks], "market")


def marks(data: Gathered) -> dict[str, dict[str, float]]:
    """mAP, rank 1 and mINP by protocol, from one look."""
    everyone = torch.ones_like(data.is_query)
    rankings = {
        "cross": evaluate(data, "cross", asking="all"),
        "cross, centred": evaluate(centred(data, everyone), "cross", asking="all"),
        "cross, reranked": reranked_cross(data),
        "market": evaluate(data, "market"),
        "market, centred": evaluate(centred(data, ~data.is_query), "market"),
        "market, reranked": reranked_market(data),
    }
    return {name: {"mAP": r.mean_ap, "R1": r.cmc[1], "mINP": r.mean_inp, "queries": r.queries} for name, r in rankings.items()}


# --- rows --------------------------------------------------------------------------------------------------------------


@torch.no_grad()
def gathered(task: Reidentification, loader: Any) -> Gathered:
    """The vectors of a split."""
    found = Vectors()
    for batch in loader:
        vectors_ND = task.vector(task.model(batch["image"]))
        found.update(vectors_ND, batch["identity"], batch["camera"], batch["is_query"])
    return found.compute()


def train(name: str, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    row, data = NETWORKS[name], sightings(options, seed)
    task = task_of(row)

    done = fit(task, data, options.epochs * row.epochs, seed, None, steps=2 if options.smoke else -1)
    return {
        "cpu_seconds": done.cpu_seconds, "parameters": sum(p.numel() for p in task.model.parameters()),
        "marks": marks(gathered(task, data.test_dataloader())),  # the one look
    }  # fmt: skip


def classical(name: str, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """Without training: vectors by chance, or of colour."""
    data = sightings(options, seed)
    data.setup("test")
    start = time.process_time()
    test: Any = data.test_set
    store, records = test.store, test.records
    if name == "chance":
        vectors_ND = torch.randn(len(records), 128, generator=torch.Generator().manual_seed(seed))
    else:
        pictures = [decode(store.read(record.file), store.where(record.file)) for record in records]
        vectors_ND = torch.from_numpy(np.stack([colours_by_stripe(picture) for picture in pictures]))
    identity_N, camera_N = torch.tensor(test.numbers).T
    found = Gathered(vectors_ND, identity_N, camera_N, torch.tensor(test.is_query))
    return {"marks": marks(found), "cpu_seconds": time.process_time() - start}


def summaries(title: str, runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A line for each protocol: means over the seeds."""
    lines = []
    for protocol in runs[0]["marks"]:
        values = {mark: [run["marks"][protocol][mark] for run in runs] for mark in ("mAP", "R1", "mINP")}
        line = {"row": title, "protocol": protocol}
        for mark in values:
            line |= spread(mark, values[mark])
        line |= {
            "seeds": len(runs),
            "queries": runs[0]["marks"][protocol]["queries"],
            "cpu_seconds": round(statistics.mean(run["cpu_seconds"] for run in runs), 1),
        }
        lines.append(line)
    return lines


def main() -> None:
    names = [*CLASSICAL, *NETWORKS]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with index.csv and images.zip")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=18)
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="ROW", help=f"{', '.join(names)}; the table needs all")
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--rows", type=Path, default=Path("benchmarks/results/dcal_pku59"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/dcal_pku59.json"))
    options = parser.parse_args()
    if not options.data.exists():
        parser.error(f"{options.data} is not there; see PKU-Reid, https://github.com/charliememory/PKU-Reid-Dataset")
    rows = None if options.smoke else options.rows
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in options.only}
    for name in options.only:
        for seed in options.seeds[: 1 if options.smoke or name == "stripes" else None]:
            make = lambda: (classical if name in CLASSICAL else train)(name, seed, options)  # noqa: B023, E731 - called at once
            runs[name].append(kept(rows, f"{name}-{seed}", recipe_of(name, seed, options.epochs), make))
            found = runs[name][-1]["marks"]["cross"]
            print(name, seed, {key: round(value, 4) for key, value in found.items()}, runs[name][-1].get("validation", ""), flush=True)
    if options.smoke or len(options.only) < len(names):
        return
    lines = [line for name in names for line in summaries((CLASSICAL | {n: r.title for n, r in NETWORKS.items()})[name], runs[name])]
    order = list(runs["stripes"][0]["marks"])
    lines.sort(key=lambda line: order.index(line["protocol"]))  # one protocol's rows together: others cannot be compared
    for line in lines:
        print(line)
    write(options.out, "dcal_pku59", lines)


if __name__ == "__main__":
    main()
