"""Trunks from scratch on a thousand photographs of birds: what each reaches with the same recipe, and how long it takes.

    OMP_NUM_THREADS=1 python -m benchmarks.core.trunks --data cub38 [--seeds 0 1] [--only moat vit] [--smoke]

Pictures of 96 px, ten epochs, AdamW, cosine with warm-up, mild augmentation; trunks of 90 to 200 million multiply-adds a picture.
Nothing is chosen on the way, and the test split is looked at once, after the last step. A run is one row, kept under --rows as soon as
it is there: what was broken off goes on with the next row, and a changed recipe makes its rows anew. --smoke takes three steps of each
trunk and writes nothing.
"""

import argparse
import math
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from apps.base.optim import Optim, cosine_with_warmup
from apps.dcal.model import Dcal
from benchmarks.record import write
from benchmarks.rows import kept
from core_attention.trunks import build_trunk
from datamodules.dcal.datamodule import Pictures

SIDE, BATCH, CLIP, SMOOTHING = 96, 32, 1.0, 0.1
OPTIM = Optim(lr=1e-3, weight_decay=0.05, warmup=0.1)
NO_DECAY = ("trunk.pos_embed", "trunk.cls_token")
VIT = {"image": SIDE, "width": 128, "depth": 6, "heads": 4}

TRUNKS: dict[str, tuple[str, dict[str, Any]]] = {
    "vit": ("vit_mini", {**VIT, "stem": "patch"}),
    "vit, conv stem": ("vit_mini", VIT),
    "vit, gpsa start": ("vit_mini", {**VIT, "stem": "patch", "mixer": ["gpsa"] * 4 + ["softmax"] * 2, "class_token": 4}),
    "moat": ("moat_micro", {}),
    "hybrid": ("hybrid_mini", {"width": 128, "heads": 4}),
    "resnet18, half width": ("resnet18_half", {}),
}


def pictures(path: Path, seed: int) -> Pictures:
    data = Pictures(str(path), batch_size=BATCH, seed=seed, image_size=SIDE, crop_scale=(0.5, 1.0), jitter=0.2)
    data.setup("fit")
    return data


def model_of(name: str, seed: int, classes: int) -> Dcal:
    trunk, options = TRUNKS[name]
    return Dcal(build_trunk(trunk, seed, **options), classes, generator=torch.Generator().manual_seed(seed))


def train(model: Dcal, data: Pictures, epochs: int, most: int | None) -> int:
    layers = [[f"trunk.{name}" for name in group] for group in model.trunk.layer_groups()]
    optimizer = OPTIM.optimizer(model, layers, NO_DECAY)
    loader = data.train_dataloader()
    total = most or epochs * len(loader)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: cosine_with_warmup(step, total, OPTIM.warmup, OPTIM.floor))
    model.train()
    step = 0
    while step < total:
        for batch in loader:
            optimizer.zero_grad()
            F.cross_entropy(model(batch["image"]).sa_logits, batch["label"], label_smoothing=SMOOTHING).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
            optimizer.step()
            schedule.step()
            step += 1
            if step == total:
                break
    return step


@torch.no_grad()
def top1(model: Dcal, data: Pictures, most: int | None) -> float:
    model.eval()
    right = count = 0
    for batch in data.test_dataloader():
        right += int((model(batch["image"]).sa_logits.argmax(1) == batch["label"]).sum())
        count += len(batch["label"])
        if most is not None and count >= most:
            break
    return right / count


def size(name: str, classes: int) -> dict[str, float]:
    model = model_of(name, 0, classes).eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, 3, SIDE, SIDE))
    return {"parameters_m": sum(p.numel() for p in model.parameters()) / 1e6, "macs_m": counter.get_total_flops() / 2e6}


def run(name: str, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    data = pictures(options.data, seed)
    model = model_of(name, seed, len(data.classes))
    torch.manual_seed(seed)
    start = time.process_time()
    steps = train(model, data, options.epochs, 3 if options.smoke else None)
    seconds = time.process_time() - start
    return {"top1": top1(model, data, BATCH if options.smoke else None), "seconds": seconds, "steps": steps}


def recipe_of(name: str, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    return {
        "trunk": TRUNKS[name], "seed": seed, "epochs": options.epochs, "side": SIDE, "batch": BATCH, "clip": CLIP,
        "smoothing": SMOOTHING, "optim": vars(OPTIM),
    }  # fmt: skip


def baselines(data: Pictures) -> list[dict[str, Any]]:
    """Chance, and logistic regression on pictures of 12 px."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    def small(split: str) -> tuple[np.ndarray, np.ndarray]:
        dataset = data._dataset(split)
        items = [dataset[i] for i in range(len(dataset))]
        x = F.adaptive_avg_pool2d(torch.stack([item["image"] for item in items]), 12).flatten(1)
        return x.numpy(), np.array([item["label"] for item in items])

    (x, y), (test_x, test_y) = small("train"), small("test")
    start = time.process_time()
    scale = StandardScaler().fit(x)
    linear = LogisticRegression(C=1e-3, max_iter=500).fit(scale.transform(x), y)
    seconds = time.process_time() - start
    return [
        summary("chance", len(test_y), {}, [{"top1": 1 / len(data.classes), "seconds": 0.0}]),
        summary(
            "logistic regression, 12 px", len(test_y), {}, [{"top1": linear.score(scale.transform(test_x), test_y), "seconds": seconds}]
        ),
    ]


def summary(name: str, tested: int, sizes: dict[str, float], runs: list[dict[str, Any]]) -> dict[str, Any]:
    """The mean over the seeds, the lowest and the highest of them, and the standard error that so few test pictures bring by themselves."""
    tops = [row["top1"] for row in runs]
    mean = statistics.mean(tops)
    return {
        "trunk": name,
        "parameters_m": round(sizes["parameters_m"], 2) if sizes else "-",
        "macs_m": round(sizes["macs_m"]) if sizes else "-",
        "top1": round(mean, 4),
        "lowest": round(min(tops), 4),
        "highest": round(max(tops), 4),
        "seeds": len(tops),
        "tested": tested,
        "test_error": round(math.sqrt(mean * (1 - mean) / tested), 4),
        "seconds": round(statistics.mean(row["seconds"] for row in runs), 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with index.csv and images.zip")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--only", nargs="+", choices=list(TRUNKS), default=list(TRUNKS), help="trunks; the table is written for all only")
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--rows", type=Path, default=Path("benchmarks/results/core_trunks"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/core_trunks.json"))
    options = parser.parse_args()
    if not options.data.exists():
        parser.error(f"{options.data} is not there; see CUB-200-2011, https://www.vision.caltech.edu/datasets/cub_200_2011")
    runs = {name: [] for name in options.only}
    for seed in options.seeds[: 1 if options.smoke else None]:
        for name in options.only:
            rows = None if options.smoke else options.rows
            make = lambda: run(name, seed, options)  # noqa: B023, E731 - called at once
            runs[name].append(kept(rows, f"{name}-{seed}", recipe_of(name, seed, options), make))
            print(name, seed, {key: value for key, value in runs[name][-1].items() if key != "recipe"}, flush=True)
    if options.smoke or len(options.only) < len(TRUNKS):
        return
    data = pictures(options.data, 0)
    rows = baselines(data)
    rows += [summary(name, rows[0]["tested"], size(name, len(data.classes)), runs[name]) for name in TRUNKS]
    for row in rows:
        print(row)
    write(options.out, "core_trunks", rows)


if __name__ == "__main__":
    main()
