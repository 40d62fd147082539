"""Small bags and models for the tests."""

import torch
from torch import Tensor

from apps.mil.mhim import Mhim
from apps.mil.model import BagModel
from apps.mil.options import Host, Mask, Recycle, Teacher
from core_attention.segments import Segments

FEATURES = 6

HOSTS = {
    "mean": Host("mean", dim=16),
    "max": Host("max", dim=16),
    "ab_mil": Host("ab_mil", dim=16),
    "gated": Host("ab_mil", dim=16, gated=True, act="relu"),
    "ds_mil": Host("ds_mil", dim=16),
    "trans_mil": Host("trans_mil", dim=16, landmarks=4),
    "trans_mil_exact": Host("trans_mil", dim=16, landmarks=0),
}
SETS = ("mean", "max", "ab_mil", "gated", "ds_mil")  # that know no order


def model(name: str, classes: int = 2, seed: int = 0) -> BagModel:
    torch.manual_seed(seed)
    return BagModel(FEATURES, classes, HOSTS[name]).eval()


def bags(*lengths: int, seed: int = 0) -> tuple[Tensor, Segments]:
    return torch.randn(sum(lengths), FEATURES, generator=torch.Generator().manual_seed(seed)), Segments.from_lengths(list(lengths))


def mhim(name: str = "ab_mil", seed: int = 0, mask: Mask | None = None, recycle: Recycle | None = None, **teacher: object) -> Mhim:
    """A student and a teacher that are already mining."""
    made = Mhim(model(name, seed=seed), mask, recycle, True, Teacher(epochs=1, **teacher))  # type: ignore[arg-type]
    made.mining.fill_(True)
    return made.train()


def noise(count: int, seed: int = 0) -> Tensor:
    return torch.rand(count, 3, generator=torch.Generator().manual_seed(seed))
