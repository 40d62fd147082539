"""How fast models of one kind are beside each other, said plainly."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from apps.base.bench.measure import median_ms

__all__ = ["NOISE", "faster", "speeds"]

NOISE = 0.03  # differences below this share are not told from none


def speeds(models: Mapping[str, nn.Module], example: Mapping[str, Tensor], rounds: int) -> dict[str, float]:
    """Milliseconds of each on the example, medians of interleaved rounds."""
    device = next(iter(example.values())).device
    with torch.inference_mode():
        return median_ms({name: _call(model.eval(), example) for name, model in models.items()}, rounds, device)


def _call(model: nn.Module, example: Mapping[str, Tensor]) -> Any:
    return lambda: model(**example)


def faster(before: float, after: float) -> str:
    """How much less time it takes; a difference within the noise is none.

    >>> faster(10.0, 9.9), faster(10.0, 8.0), faster(8.0, 10.0)
    ('0 % faster', '25 % faster', '20 % slower')
    """
    if abs(before / after - 1) < NOISE:
        return "0 % faster"
    return f"{100 * (before / after - 1):.0f} % faster" if after < before else f"{100 * (1 - before / after):.0f} % slower"
