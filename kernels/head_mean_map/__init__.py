"""The mean of the heads' softmax maps."""

from kernels.head_mean_map.op import head_mean_map

__all__ = ["head_mean_map"]
