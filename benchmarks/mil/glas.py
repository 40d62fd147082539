"""Colon glands, benign or malignant, by patient: an image is a bag of tiles, and the encoder has seen the training patients alone.

    OMP_NUM_THREADS=1 python -m benchmarks.mil.glas --data slides/glas [--fields 64 128 256] [--seeds 0 1 2] [--folds 0 1 2 3 4] [--smoke]

The folds are the set's own. A tile is a square of 64, 128 or 256 px of the image, one every 64 px, shown in 64 px: what differs is how much
of a gland it shows. All three are reported, none is chosen. Each fold trains an encoder anew (four strided convolutions and an average,
on tiles that bear their image's label, turned, mirrored and stained at random) and then the bag models on its features. Nothing is chosen
on the way, so all patients of the other folds are trained on; the tested fold is looked at once. The decision is at 0.5. A (seed, fold)
is one file under --rows: what was broken off goes on.
"""

import argparse
import csv
import json
import math
import statistics
import time
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from apps.base.optim import cosine_with_warmup
from apps.base.ranking import auc
from apps.mil.options import Host, Mask
from apps.mil.slides.tile_stats import tile_stats
from benchmarks.mil.bags import error
from benchmarks.mil.training import Recipe, fit, mine, model_of, probabilities, scaled
from benchmarks.record import write
from datamodules.mil.bags import ArrayBags

FIELDS = (64, 128, 256)
SIDE, TREES = 64, 500
WIDTHS = (16, 32, 64, 96)
ENCODER = {"epochs": 10, "batch": 64, "lr": 2e-3, "decay": 1e-2, "smoothing": 0.1, "stain": 0.2}
RECIPE = Recipe(epochs=20, mining=20, batch=8, lr=1e-3, decay=1e-2, momentum=0.99, alpha=0.1)
MASK = Mask(high=0.1)  # 4 of about 39 tiles
HOSTS = {"mean": Host("mean", dim=64), "ab_mil": Host("ab_mil", dim=64, gated=True)}


Data = tuple[list[np.ndarray], np.ndarray, np.ndarray]


def read(folder: Path, field: int, most: int | None) -> Data:
    """(tiles (n,64,64,3) of each image, 1 where malignant, fold)."""
    rows = list(csv.DictReader((folder / "index.csv").read_text().splitlines()))
    if most is not None:
        rows = [row for fold in "01234" for row in [row for row in rows if row["fold"] == fold][:most]]
    bags = []
    with zipfile.ZipFile(folder / "images.zip") as archive:
        for row in rows:
            image = cv2.imdecode(np.frombuffer(archive.read(row["file"]), np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
            places = [range(0, length - field + 1, SIDE) for length in image.shape[:2]]
            shown = [image[y : y + field, x : x + field] for y in places[0] for x in places[1]]
            bags.append(np.stack([cv2.resize(tile, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for tile in shown]))
    return bags, np.array([row["label"] == "malignant" for row in rows], np.int64), np.array([int(row["fold"]) for row in rows])


class Encoder(nn.Module):
    """uint8 (N,64,64,3) to (N,96), by optical density: stains add up there."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in zip((3, *WIDTHS), WIDTHS, strict=False):
            layers += [nn.Conv2d(before, after, 3, 2, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
        self.layers = nn.Sequential(*layers)
        self.head = nn.Linear(WIDTHS[-1], 2)

    def forward(self, density_NCHW: Tensor) -> Tensor:
        return self.layers(density_NCHW).mean((2, 3))


def density(tiles_NHWC: np.ndarray) -> Tensor:
    return -((torch.from_numpy(tiles_NHWC).permute(0, 3, 1, 2).float() + 1) / 256).log()


def varied(x_NCHW: Tensor, generator: torch.Generator) -> Tensor:
    """Each tile stained stronger or weaker; the batch mirrored and turned."""
    strength = 1 + ENCODER["stain"] * (2 * torch.rand(len(x_NCHW), 3, 1, 1, generator=generator) - 1)
    turns, mirrored = torch.randint(4, (), generator=generator), torch.rand((), generator=generator) < 0.5
    x_NCHW = x_NCHW * strength
    x_NCHW = x_NCHW.rot90(int(turns), (2, 3))
    return x_NCHW.flip(3) if mirrored else x_NCHW


def encoder_of(tiles: np.ndarray, label: np.ndarray, seed: int, steps: int | None) -> Encoder:
    torch.manual_seed(seed)
    generator, net = torch.Generator().manual_seed(seed), Encoder()
    batch = int(ENCODER["batch"])
    each = max(1, len(tiles) // batch)
    total = steps or int(ENCODER["epochs"]) * each
    optimizer = torch.optim.AdamW(net.parameters(), lr=ENCODER["lr"], weight_decay=ENCODER["decay"], fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: cosine_with_warmup(step, total, 0.05, 0.0))
    for step in range(total):
        if step % each == 0:
            order = torch.randperm(len(tiles), generator=generator).numpy()
        own = order[step % each * batch :][:batch]
        logits = net.head(net(varied(density(tiles[own]), generator)))
        loss = cross_entropy(logits, torch.from_numpy(label[own]), label_smoothing=ENCODER["smoothing"])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return net.eval()


@torch.no_grad()
def encoded(net: Encoder, tiles: np.ndarray) -> np.ndarray:
    return torch.cat([net(density(tiles[i : i + 256])) for i in range(0, len(tiles), 256)]).numpy()


def run(seed: int, fold: int, data: Data, smoke: bool) -> dict[str, Any]:
    """Probabilities of one tested fold, by every arm."""
    from sklearn.ensemble import ExtraTreesClassifier

    bags, labels, folds = data
    train, test = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
    lengths = np.array([len(bag) for bag in bags])
    offsets, steps = np.concatenate([[0], lengths.cumsum()]), 2 if smoke else None
    tiles, owner = np.concatenate(bags), np.repeat(np.arange(len(bags)), lengths)
    seen = np.isin(owner, train)
    start = time.process_time()
    net = encoder_of(tiles[seen], labels[owner][seen], seed, steps)
    learned = ArrayBags(encoded(net, tiles), offsets)
    seconds = {"encoder": time.process_time() - start}
    stats = ArrayBags(tile_stats(tiles), offsets)
    probs: dict[str, list[float]] = {}
    for features, source in (("encoder", learned), ("tile statistics", stats)):
        own = scaled(source, train, RECIPE.clip)
        for host, options in HOSTS.items():
            net_of_bags = model_of(own.width, options, MASK, seed)
            for arm, step in ((host, fit), (f"mhim, {host}", mine))[: 2 if host == "ab_mil" else 1]:
                start = time.process_time()
                step(net_of_bags, own, labels, train, RECIPE, seed, steps=steps)
                probs[f"{features}: {arm}"] = probabilities(net_of_bags, own, test).tolist()
                seconds[f"{features}: {arm}"] = time.process_time() - start
    table = np.stack([np.concatenate([x.mean(0), x.min(0), x.max(0), x.std(0)]) for x in map(stats.read, range(len(bags)))])
    start = time.process_time()
    trees = ExtraTreesClassifier(2 if smoke else TREES, random_state=seed).fit(table[train], labels[train])
    probs["tile statistics: trees"] = trees.predict_proba(table[test])[:, 1].tolist()
    seconds["tile statistics: trees"] = time.process_time() - start
    return {"probs": probs, "seconds": seconds}


def kept(field: int, seed: int, fold: int, data: Data, folder: Path) -> dict[str, Any]:
    """The row from its file if the recipe is still the same, else a new one."""
    recipe = {
        "encoder": ENCODER,
        "widths": list(WIDTHS),
        "field": field,
        "side": SIDE,
        "trees": TREES,
        "mask": asdict(MASK),
        **asdict(RECIPE),
    }
    path = folder / f"{field}-{seed}-{fold}.json"
    if path.exists() and (row := json.loads(path.read_text()))["recipe"] == recipe:
        return row
    row = {**run(seed, fold, data, False), "recipe": recipe}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(row) + "\n")
    return row


def area(probs: np.ndarray, labels: np.ndarray) -> float:
    return float(auc(torch.from_numpy(probs), torch.from_numpy(labels) == 1))


def summary(field: int, arm: str, found: dict[tuple[int, int], dict[str, Any]], labels: np.ndarray, folds: np.ndarray) -> dict[str, Any]:
    """Means over seeds; the standard error is of the folds, each the mean of its seeds: five sets of patients are few."""
    seeds = sorted({seed for seed, _ in found})
    whole = {seed: np.zeros(len(labels)) for seed in seeds}
    areas: dict[int, list[float]] = {}
    for (seed, fold), row in found.items():
        own = folds == fold
        whole[seed][own] = row["probs"][arm]
        areas.setdefault(fold, []).append(area(np.array(row["probs"][arm]), labels[own]))
    each = [statistics.mean(values) for values in areas.values()]
    tested = np.isin(folds, list(areas))
    return {
        "field": field,
        "arm": arm,
        "fold_auc": round(statistics.mean(each), 3),
        "fold_auc_error": round(error(each), 3),
        "pooled_auc": round(statistics.mean(area(probs[tested], labels[tested]) for probs in whole.values()), 3),
        "accuracy": round(statistics.mean(float(((probs >= 0.5) == labels)[tested].mean()) for probs in whole.values()), 3),
        "seconds": round(sum(row["seconds"][arm] for row in found.values()) / len(found), 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with index.csv and images.zip")
    parser.add_argument("--fields", type=int, nargs="+", choices=FIELDS, default=list(FIELDS), help="the table is written for all only")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--folds", type=int, nargs="+", default=[0, 1, 2, 3, 4], help="the table is written for all only")
    parser.add_argument("--smoke", action="store_true", help="two steps on few images; writes nothing")
    parser.add_argument("--rows", type=Path, default=Path("benchmarks/results/mil_glas"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/mil_glas.json"))
    options = parser.parse_args()
    for name in ("index.csv", "images.zip"):
        if not (options.data / name).is_file():
            parser.error(f"{options.data / name} is not there; the set is GlaS (MICCAI 2015), its images in a zip, with folds by patient")
    rows: list[dict[str, Any]] = []
    for field in options.fields:
        data = read(options.data, field, 4 if options.smoke else None)
        if options.smoke:
            print(field, run(0, 0, data, True)["seconds"])
            continue
        found: dict[tuple[int, int], dict[str, Any]] = {}
        for seed in options.seeds:
            for fold in options.folds:
                found[seed, fold] = kept(field, seed, fold, data, options.rows)
                own = {arm: round(area(np.array(probs), data[1][data[2] == fold]), 3) for arm, probs in found[seed, fold]["probs"].items()}
                print(field, seed, fold, own, {arm: round(value, 1) for arm, value in found[seed, fold]["seconds"].items()}, flush=True)
        if not rows:
            constant = max(data[1].mean(), 1 - data[1].mean())
            rows.append({"field": "-", "arm": "always the commoner class", "fold_auc": 0.5, "fold_auc_error": 0.0, "pooled_auc": 0.5,
                         "accuracy": round(float(constant), 3), "seconds": 0.0})  # fmt: skip
        rows += [summary(field, arm, found, *data[1:]) for arm in next(iter(found.values()))["probs"]]
        seconds = [row["seconds"]["encoder"] for row in found.values()]
        print(f"{field} px: encoder {statistics.mean(seconds):.1f} s a fold, {math.fsum(seconds):.0f} s in all", flush=True)
    for row in rows:
        print(row)
    if rows and len(options.folds) == 5 and len(options.fields) == len(FIELDS):
        write(options.out, "mil_glas", rows)


if __name__ == "__main__":
    main()
