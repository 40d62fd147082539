"""A tight loop around the application's model, losses and masks: for sets so small that a trainer's own work would be most of the time."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from apps.base.optim import cosine_with_warmup
from apps.mil.losses import bag_loss, consistency
from apps.mil.masking import high_share
from apps.mil.mhim import Mhim
from apps.mil.model import BagModel
from apps.mil.options import Consistency, Host, Mask, Teacher
from core_attention.segments import Segments
from datamodules.mil.bags import NOISE, ArrayBags
from datamodules.mil.scaling import fit_deviations, fit_ranks

__all__ = ["Recipe", "fit", "mine", "model_of", "probabilities", "scaled"]


@dataclass(frozen=True)
class Recipe:
    epochs: int
    mining: int  # epochs of it
    batch: int
    lr: float
    decay: float
    momentum: float
    alpha: float
    warmup: float = 0.05
    clip: float | None = 3.0  # of standardised features
    balanced: bool = False


def scaled(source: ArrayBags, train: np.ndarray, clip: float | None, ranks: bool = False) -> ArrayBags:
    """By the training bags: normal scores, or mean 0 and deviation 1."""
    scaler = fit_ranks(source, train.tolist()) if ranks else fit_deviations(source, train.tolist(), clip)
    return ArrayBags(scaler(source.x), source.offsets)


def model_of(features: int, host: Host, mask: Mask, seed: int, classes: int = 2) -> Mhim:
    torch.manual_seed(seed)
    return Mhim(BagModel(features, classes, host), mask, with_teacher=True, teacher=Teacher(epochs=1))


def bags_of(source: ArrayBags, indices: np.ndarray) -> tuple[Tensor, Segments]:
    bags = [source.read(int(i)) for i in indices]
    return torch.from_numpy(np.concatenate(bags)), Segments.from_lengths([len(bag) for bag in bags])


def fit(net: Mhim, source: ArrayBags, labels: np.ndarray, train: np.ndarray, recipe: Recipe, seed: int, steps: int | None = None) -> None:
    """The plain model, or mining once it has begun."""
    mining = bool(net.mining)
    rng, generator = np.random.default_rng([seed, mining]), torch.Generator().manual_seed(2 * seed + mining)
    each = max(1, len(train) // recipe.batch)
    total = steps or (recipe.mining if mining else recipe.epochs) * each
    decayed = [p for p in net.student.parameters() if p.ndim > 1]
    groups = [{"params": decayed}, {"params": [p for p in net.student.parameters() if p.ndim < 2], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=recipe.lr, weight_decay=recipe.decay, fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: cosine_with_warmup(step, total, recipe.warmup, 0.0))
    options = Consistency(recipe.alpha)
    counts = np.bincount(labels[train], minlength=2)
    weights = torch.tensor(counts.sum() / (len(counts) * counts), dtype=torch.float32) if recipe.balanced else None
    net.train()
    for step in range(total):
        if step % each == 0:
            order = rng.permutation(train)
        chosen = order[step % each * recipe.batch :][: recipe.batch]
        x, segments = bags_of(source, chosen)
        label = torch.from_numpy(labels[chosen])
        noise = torch.rand(len(x), NOISE, generator=generator) if mining else None
        output = net(x, segments, noise, label, high_share(net.mask, step / total))
        loss = bag_loss(output.student, label, weights)
        if output.whole is not None:
            loss = loss + net.mask.whole_bag_weight * bag_loss(output.whole, label, weights)
        if output.teacher is not None and recipe.alpha:
            loss = loss + recipe.alpha * consistency(output.teacher, output.student, options)[0]
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.student.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if mining:
            net.follow(recipe.momentum)
    net.eval()


def mine(net: Mhim, *args: Any, **options: Any) -> None:
    """From the trained plain model to a student that had to do without what is easy."""
    net.offer(0.0)
    net.begin()
    fit(net, *args, **options)


@torch.no_grad()
def probabilities(net: Mhim, source: ArrayBags, indices: np.ndarray) -> np.ndarray:
    """Of the second class."""
    return net(*bags_of(source, indices)).student.probs()[:, 1].numpy()


def shortened(recipe: Recipe) -> Recipe:
    """For --smoke."""
    return replace(recipe, epochs=1, mining=1)
