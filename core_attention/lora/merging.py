"""A network with one adapter merged into every stack, for as long as a block lasts."""

from collections.abc import Generator
from contextlib import contextmanager

from torch import nn

from core_attention.lora.stack import LoRAStack

__all__ = ["merged"]


@contextmanager
def merged(network: nn.Module, expert: int) -> Generator[None]:
    """Within the block the network is an ordinary one: no adapter costs anything. -1: none is merged, and none is taken."""
    stacks = [module for module in network.modules() if isinstance(module, LoRAStack)] if expert >= 0 else []
    done: list[LoRAStack] = []
    try:
        for stack in stacks:
            stack.merge(expert)
            done.append(stack)
        yield
    finally:
        for stack in done:
            stack.unmerge()
