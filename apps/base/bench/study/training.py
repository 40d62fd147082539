"""One training of the study: a mixer, a seed."""

import time
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, pad

from apps.base.bench.study.pictures import Part, Pictures
from apps.base.bench.study.trunks import build
from apps.base.optim import cosine_with_warmup

__all__ = ["RECIPE", "Piece", "loss_of", "standard", "train"]

BATCH, LR, DECAY, CLIP, WARMUP, SHIFT, BALANCE = 32, 1e-3, 0.05, 1.0, 0.05, 1 / 16, 0.01
RECIPE = {
    "batch": BATCH, "lr": LR, "weight_decay": DECAY, "clip": CLIP, "warmup": WARMUP, "shift": SHIFT, "optimiser": "AdamW, cosine to 0",
    "auxiliary losses": BALANCE, "weights tested": "the last",
}  # fmt: skip


class Piece(NamedTuple):
    """What a worker process is given."""

    mixer: str
    seed: int
    steps: int
    pictures: Pictures


def train(piece: Piece) -> dict[str, Any]:
    """The row of this training. Nothing is chosen, so there is no validation; the test is looked at once."""
    torch.set_num_threads(1)
    mixer, seed, steps, data = piece
    model = build(mixer, data.side, data.classes, seed)
    wide = [p for p in model.parameters() if p.ndim > 1]
    narrow = [p for p in model.parameters() if p.ndim < 2]
    optimiser = torch.optim.AdamW([{"params": wide, "weight_decay": DECAY}, {"params": narrow, "weight_decay": 0.0}], lr=LR)
    draw = torch.Generator().manual_seed(seed)
    left = torch.empty(0, dtype=torch.long)
    start = time.process_time()
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = LR * cosine_with_warmup(step, steps, WARMUP, 0.0)
        if len(left) < BATCH:
            left = torch.randperm(len(data.train.labels), generator=draw)
        chosen, left = left[:BATCH], left[BATCH:]
        x = augmented(standard(data.train.pictures[chosen]), draw, data.mirrors)
        optimiser.zero_grad()
        loss_of(model, x, data.train.labels[chosen]).backward()
        nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimiser.step()
    return {
        "mixer": mixer,
        "seed": seed,
        "top1": right(model, data.test),
        "cpu_seconds": round(time.process_time() - start, 1),
        "parameters": sum(p.numel() for p in model.parameters()),
    }


def loss_of(model: nn.Sequential, x_BCHW: Tensor, labels_B: Tensor) -> Tensor:
    extra: dict[str, Tensor] = {}
    trunk, head = model
    loss = cross_entropy(head(trunk(x_BCHW, extra)), labels_B)
    return loss + BALANCE * torch.stack(list(extra.values())).sum() if extra else loss


def standard(pictures_BCHW: Tensor) -> Tensor:
    return (pictures_BCHW.float() / 255 - 0.5) / 0.25


def augmented(x_BCHW: Tensor, draw: torch.Generator, mirrors: bool) -> Tensor:
    """Shifted by up to a sixteenth of the side, and mirrored or not where the class stays the same."""
    count, _, side, _ = x_BCHW.shape
    if mirrors:
        x_BCHW = torch.where(torch.rand(count, 1, 1, 1, generator=draw) < 0.5, x_BCHW.flip(3), x_BCHW)
    reach = round(SHIFT * side)
    around = pad(x_BCHW, (reach,) * 4)
    down, across = torch.randint(0, 2 * reach + 1, (2, count), generator=draw).tolist()
    return torch.stack([around[i, :, down[i] : down[i] + side, across[i] : across[i] + side] for i in range(count)])


def right(model: nn.Module, part: Part) -> float:
    """The share of pictures that are named right."""
    model.eval()
    with torch.no_grad():
        found = [model(standard(x)).argmax(1) == y for x, y in zip(part.pictures.split(250), part.labels.split(250), strict=True)]
    return round(float(torch.cat(found).double().mean()), 5)
