"""Position bias: what a map says about places, whatever stands there.

Shapes: B batch, H heads, N queries, M keys, D width; N = prefix + P.
"""

from collections.abc import Callable

import torch
from torch import Generator, Tensor

__all__ = ["position_bias"]


def position_bias(
    map_of: Callable[[Tensor], Tensor], content_BND: Tensor, prefix: int = 0, rounds: int | None = None, generator: Generator | None = None
) -> Tensor:
    """Mean weight of each key's place (H,M) over samples, queries and orders of the content; prefix tokens keep theirs.

    `map_of` takes content (B,N,D), before any positions are added, and gives the full map (B,H,N,M).
    ours: the orders are `rounds` shifts of a random one, evenly spaced. In all P of them (the default) each token stands at each
    place once, so that a mixer that knows no places shows exactly none.

    >>> position_bias(lambda x: mixer(x + positions, need="full")[1], tokens)
    """
    places = content_BND.shape[1] - prefix
    rounds = places if rounds is None else rounds
    if prefix < 0 or not 1 <= rounds <= places:
        raise ValueError(
            f"position_bias: prefix={prefix} of {content_BND.shape[1]} tokens leaves {places} orders; rounds is 1 to that many"
        )
    order = torch.randperm(places, generator=generator, device=None if generator is None else generator.device).to(content_BND.device)
    sums: list[Tensor] = []
    for i in range(rounds):
        shifted = order.roll(i * places // rounds) + prefix
        permuted_BND = torch.cat([content_BND[:, :prefix], content_BND[:, shifted]], 1)
        map_BHNM = map_of(permuted_BND)
        if map_BHNM.ndim != 4:
            raise ValueError(f"position_bias: map_of gives the full map (B, H, N, M), not {tuple(map_BHNM.shape)}")
        sums.append(map_BHNM.mean((0, 2)))
    return torch.stack(sums).mean(0)
