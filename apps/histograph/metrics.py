"""What a readout looked at, over a whole split."""

import torch
from torch import Tensor
from torchmetrics import Metric

__all__ = ["LayerWeights"]


class LayerWeights(Metric):
    """Mean and deviation of the weight of each layer, from sums.

    Shapes: R rows of weights, L layers.
    """

    full_state_update = False
    total: Tensor
    square: Tensor
    count: Tensor

    def __init__(self, layers: int) -> None:
        super().__init__()
        for name, shape in (("total", layers), ("square", layers), ("count", 1)):
            self.add_state(name, torch.zeros(shape, dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, weights_RL: Tensor) -> None:
        weights_RL = weights_RL.detach().double()
        self.total += weights_RL.sum(0)
        self.square += weights_RL.square().sum(0)
        self.count += len(weights_RL)

    def compute(self) -> tuple[list[float], list[float]]:
        count = self.count.clamp(min=1)
        mean = self.total / count
        return mean.tolist(), (self.square / count - mean.square()).clamp(min=0).sqrt().tolist()
