"""How many channels a module has at its answer or at its input, and along which axis: told by its type, else by running an example."""

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn

from core_attention.blocks.prenorm import LayerScale, Mlp
from core_attention.gates.gated import Gated

__all__ = ["axis_of", "channels_of", "shapes"]

Convolution = nn.modules.conv._ConvNd  # pyright: ignore[reportPrivateUsage]
BatchNorm = nn.modules.batchnorm._NormBase  # pyright: ignore[reportPrivateUsage]
LIKE_INPUT = (
    nn.Identity, nn.ReLU, nn.LeakyReLU, nn.PReLU, nn.GELU, nn.SiLU, nn.ReLU6, nn.Hardswish, nn.Sigmoid, nn.Tanh,
    nn.Dropout, nn.Dropout2d, nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d,
)  # fmt: skip


def channels_of(module: nn.Module, side: str) -> int | None:
    """None: the type does not tell."""
    if isinstance(module, Gated):
        return channels_of(module.inner, side)
    if isinstance(module, nn.Linear | nn.Bilinear):
        if side == "output":
            return module.out_features
        return module.in_features if isinstance(module, nn.Linear) else None
    if isinstance(module, Convolution):
        return module.out_channels if side == "output" else module.in_channels
    if isinstance(module, BatchNorm):
        return module.num_features
    if isinstance(module, nn.GroupNorm):
        return module.num_channels
    if isinstance(module, nn.LayerNorm | nn.RMSNorm):
        return int(module.normalized_shape[-1])
    if isinstance(module, nn.MultiheadAttention):
        return int(module.embed_dim)  # pyright: ignore
    if isinstance(module, nn.Embedding):
        return module.embedding_dim if side == "output" else None
    if isinstance(module, LayerScale):
        return len(module.gamma)
    if isinstance(module, Mlp):
        return channels_of(module.fc2 if side == "output" else module.fc1, side)
    if isinstance(module, nn.Sequential):
        return _along(module, side)
    return None


def axis_of(module: nn.Module) -> int | None:
    """1 for maps, -1 for tokens and vectors; None: the type does not tell."""
    if isinstance(module, Gated):
        return axis_of(module.inner)
    if isinstance(module, Convolution | BatchNorm | nn.GroupNorm):
        return 1
    if isinstance(module, nn.Linear | nn.Bilinear | nn.LayerNorm | nn.RMSNorm | nn.MultiheadAttention | nn.Embedding | LayerScale | Mlp):
        return -1
    if isinstance(module, nn.Sequential):
        return next((axis for part in reversed(list(module)) if (axis := axis_of(part)) is not None), None)
    return None


def _along(sequence: nn.Sequential, side: str) -> int | None:
    """Of the last (input: first) part that is not of the kind that leaves channels alone."""
    for part in reversed(list(sequence)) if side == "output" else sequence:
        if not isinstance(part, LIKE_INPUT):
            return channels_of(part, side)
    return None


def shapes(model: nn.Module, modules: dict[str, nn.Module], example: Any) -> dict[str, tuple[torch.Size | None, torch.Size | None]]:
    """(of the first input, of the first answer) of each module in one run of the model in evaluation; those not called are left out."""
    found: dict[str, tuple[torch.Size | None, torch.Size | None]] = {}

    def note(name: str) -> Callable[..., None]:
        def hook(_: nn.Module, args: Any, answer: Any) -> None:
            found[name] = (_shape(args), _shape(answer))

        return hook

    handles = [module.register_forward_hook(note(name)) for name, module in modules.items()]
    training = {part: part.training for part in model.modules()}
    try:
        with torch.no_grad():
            model.eval()
            if isinstance(example, dict):
                model(**cast(dict[str, Any], example))
            else:
                model(*example) if isinstance(example, tuple) else model(example)
    finally:
        for part, was in training.items():
            part.training = was
        for handle in handles:
            handle.remove()
    return found


def _shape(value: Any) -> torch.Size | None:
    if isinstance(value, tuple | list):
        return _shape(cast(Any, value)[0]) if value else None
    return value.shape if isinstance(value, Tensor) else None
