"""Take rows and columns out of layers for good."""

from collections.abc import Iterator
from typing import cast

import torch
from torch import Tensor, nn

__all__ = ["Cuts", "Narrow", "Take"]

LINEAR, CONVS = (nn.Linear,), (nn.Conv1d, nn.Conv2d, nn.Conv3d)


class Take(nn.Module):
    """The channels that are left, for a shortcut past layers that lost some."""

    index: Tensor

    def __init__(self, keep: Tensor, axis: int) -> None:
        super().__init__()
        self.axis = axis
        self.before = len(keep)
        self.register_buffer("index", keep.nonzero().flatten())

    def forward(self, x: Tensor) -> Tensor:
        return x.index_select(self.axis, self.index)

    def extra_repr(self) -> str:
        return f"{len(self.index)} channels, axis={self.axis}"


class Narrow(nn.Module):
    """A layer that reads only some of the channels it is given."""

    def __init__(self, inner: nn.Module, keep: Tensor, axis: int) -> None:
        super().__init__()
        self.take = Take(keep, axis)
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(self.take(x))


class Cuts:
    """What is left of each tensor, gathered from several decisions in the numbering before all cuts, and then done at once."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.left: dict[tuple[str, int], Tensor] = {}  # (tensor, dimension) -> which of its slices stay

    def keep(self, name: str, dim: int, keep: Tensor) -> None:
        before = self.left.get((name, dim))
        self.left[name, dim] = keep if before is None else before & keep

    def can(self, module: nn.Module) -> bool:
        """Whether it is a layer whose rows and columns may be taken out."""
        if type(module) not in LINEAR + CONVS:
            return False
        return type(module) in LINEAR or cast(nn.Conv2d, module).groups == 1

    def rows(self, path: str, keep: Tensor) -> None:
        """Of a layer, and as many entries of its bias; all of a batch norm or depthwise convolution."""
        module = self.model.get_submodule(path)
        for name, tensor in [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]:
            if tensor.ndim:
                self.keep(f"{path}.{name}" if path else name, 0, keep)

    def columns(self, path: str, keep: Tensor) -> None:
        self.keep(f"{path}.weight" if path else "weight", 1, keep)

    def __iter__(self) -> Iterator[tuple[str, int, int, int]]:
        """(tensor, dimension, slices before, after) of what loses some."""
        for (name, dim), keep in self.left.items():
            if not keep.all():
                yield name, dim, len(keep), int(keep.sum())

    @torch.no_grad()
    def do(self) -> None:
        for (name, dim), keep in self.left.items():
            path, _, own = name.rpartition(".")
            module = self.model.get_submodule(path)
            tensor = cast(Tensor, getattr(module, own))
            cut = tensor.detach().index_select(dim, keep.nonzero().flatten().to(tensor.device))
            if isinstance(tensor, nn.Parameter):
                setattr(module, own, nn.Parameter(cut, tensor.requires_grad))
            else:
                setattr(module, own, cut)
            retell(module)


def retell(module: nn.Module) -> None:
    """The layer's own numbers after a cut."""
    if isinstance(module, nn.Linear):
        module.out_features, module.in_features = module.weight.shape
    elif isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d):
        rows, columns = module.weight.shape[:2]
        depthwise = module.groups > 1
        module.out_channels, module.in_channels, module.groups = rows, rows if depthwise else columns, rows if depthwise else 1
    elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d):
        module.num_features = len(module.weight)
