"""What is held still during a pass, and given back as it was, also after an exception: parameters, buffers, random numbers."""

from collections.abc import Generator, Iterable
from contextlib import contextmanager

import torch
from torch import Tensor, nn

__all__ = ["evaluating_norms", "frozen", "own_casts", "replayed", "still"]

BatchNorm = nn.modules.batchnorm._BatchNorm  # pyright: ignore[reportPrivateUsage]


@contextmanager
def frozen(parameters: Iterable[nn.Parameter]) -> Generator[None]:
    """No gradients for these: not computed, not added to what is there."""
    held = [parameter for parameter in parameters if parameter.requires_grad]
    for parameter in held:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in held:
            parameter.requires_grad_(True)


@contextmanager
def still(model: nn.Module) -> Generator[None]:
    """Buffers end as they began. Batch norms in training still use their batch's statistics; they do not note them."""
    norms = [part for part in model.modules() if isinstance(part, BatchNorm) and part.track_running_stats]
    inside = {id(norm) for norm in norms}
    others = [
        (part, name, buffer, buffer.clone(), buffer._version)
        for part in model.modules()
        if id(part) not in inside
        for name, buffer in part.named_buffers(recurse=False)
    ]
    for norm in norms:
        norm.track_running_stats = not norm.training  # one in evaluation reads what it has noted
    try:
        yield
    finally:
        for norm in norms:
            norm.track_running_stats = True
        with torch.no_grad():
            for part, name, buffer, before, version in others:
                if buffer._version != version:  # to write what is there already would spoil a backward pass that is still to come
                    buffer.copy_(before)
                setattr(part, name, buffer)  # some are replaced, not changed


@contextmanager
def evaluating_norms(model: nn.Module) -> Generator[None]:
    """Batch norms use what they have noted, the rest trains on."""
    norms = [part for part in model.modules() if isinstance(part, BatchNorm) and part.training]
    for norm in norms:
        norm.training = False
    try:
        yield
    finally:
        for norm in norms:
            norm.training = True


@contextmanager
def replayed(device: torch.device) -> Generator[None]:
    """What is drawn inside is drawn again afterwards."""
    cuda = device.type == "cuda"
    state: Tensor = torch.get_rng_state()
    other: Tensor | None = torch.cuda.get_rng_state(device) if cuda else None
    try:
        yield
    finally:
        torch.set_rng_state(state)
        if other is not None:
            torch.cuda.set_rng_state(other, device)


@contextmanager
def own_casts() -> Generator[None]:
    """Autocast keeps the casts of weights while one context lasts, and gates and weights change between passes."""
    torch.clear_autocast_cache()
    try:
        yield
    finally:
        torch.clear_autocast_cache()
