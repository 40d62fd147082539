"""Many rounds at once in torch: nearest neighbour from every node, 2-opt and Or-opt by the best move of each round, side by side.

B instances of N nodes; R rounds, several of each instance. Symmetric distances.
"""

import torch
from torch import Tensor

from datamodules.accord.packs import Pack

__all__ = ["batch_tours"]

KEEP = 8  # ours: of the starts, the shortest rounds that are improved; improving all twenty of twenty nodes gains 0.09 % more
CELLS = 1 << 22  # rounds x N x N at a time
LONGEST = 3


def batch_tours(pack: Pack, seed: int = 0) -> Tensor:
    """(B,N) int64, -1 behind a round's end: of each instance the best local optimum. `seed` draws the starts that are kept among equals."""
    plans_BN = torch.full(pack["distances"].shape[:2], -1, dtype=torch.int64)
    generator = torch.Generator().manual_seed(seed)
    for size in pack["size"].unique().tolist():
        where = (pack["size"] == size).nonzero()[:, 0]
        for rows in where.split(max(1, CELLS // (size * size * min(size, KEEP)))):
            plans_BN[rows, :size] = _best(pack["distances"][rows, :size, :size], generator)
    return plans_BN


def _best(far_BNN: Tensor, generator: torch.Generator) -> Tensor:
    count, size = far_BNN.shape[:2]
    if size <= 3:
        return torch.arange(size).expand(count, size)
    if int(far_BNN.max()) * size < 1 << 30:
        far_BNN = far_BNN.to(torch.int32)
    order_BSN = _nearest(far_BNN)
    length_BS = _lengths(far_BNN, order_BSN)
    kept = min(size, KEEP)
    ranks = (length_BS + torch.rand(length_BS.shape, generator=generator)).argsort(1)[:, :kept]
    order_RN = order_BSN.gather(1, ranks[:, :, None].expand(-1, -1, size)).flatten(0, 1)
    owner_R = torch.arange(count).repeat_interleave(kept)
    order_RN = _descend(far_BNN, owner_R, order_RN)
    order_BSN = order_RN.view(count, kept, size)
    best_B = _lengths(far_BNN, order_BSN).argmin(1)
    return order_BSN[torch.arange(count), best_B]


def _nearest(far_BNN: Tensor) -> Tensor:
    """From every node: (B,S,N), S = N."""
    count, size = far_BNN.shape[:2]
    order_BSN = torch.empty(count, size, size, dtype=torch.int64)
    at_BS = torch.arange(size).expand(count, size)
    left_BSN = torch.ones(count, size, size, dtype=torch.bool)
    most = torch.iinfo(far_BNN.dtype).max
    for step in range(size):
        order_BSN[:, :, step] = at_BS
        left_BSN.scatter_(2, at_BS[:, :, None], False)
        row_BSN = far_BNN.gather(1, at_BS[:, :, None].expand(-1, -1, size))
        at_BS = row_BSN.masked_fill(~left_BSN, most).argmin(2)
    return order_BSN


def _lengths(far_BNN: Tensor, order_BSN: Tensor) -> Tensor:
    rows = torch.arange(len(far_BNN))[:, None, None]
    return far_BNN[rows, order_BSN, order_BSN.roll(-1, 2)].sum(2)


def _descend(far_BNN: Tensor, owner_R: Tensor, order_RN: Tensor) -> Tensor:
    """2-opt until it finds nothing, then one move of Or-opt, and so on; rounds that are done leave the batch."""
    out_RN = order_RN.clone()
    active = torch.arange(len(order_RN))
    while len(active):
        order = out_RN[active]
        table = far_BNN[owner_R[active, None, None], order[:, :, None], order[:, None, :]]  # by places
        gain, turned = _two_opt(table, order)
        stuck = (gain <= 0).nonzero()[:, 0]
        if len(stuck):
            gain[stuck], turned[stuck] = _or_opt(table[stuck], order[stuck])
        moved = gain > 0
        out_RN[active[moved]] = turned[moved]
        active = active[moved]
    return out_RN


def _two_opt(table: Tensor, order: Tensor) -> tuple[Tensor, Tensor]:
    """The places i + 1 .. j turned round: the gain of the best i < j, and the rounds after it."""
    size = order.shape[1]
    step = table.diagonal(1, 1, 2)
    step = torch.cat([step, table[:, -1:, 0]], 1)  # from place k to k + 1
    shifted = table.roll((-1, -1), (1, 2))
    gain = step[:, :, None] + step[:, None, :] - table - shifted
    best, flat = gain.triu_(2).flatten(1).max(1)  # neighbours share a place
    i, j = flat // size, flat % size
    places = torch.arange(size)[None]
    inside = (places > i[:, None]) & (places <= j[:, None])
    return best, order.gather(1, torch.where(inside, i[:, None] + 1 + j[:, None] - places, places))


def _or_opt(table: Tensor, order: Tensor) -> tuple[Tensor, Tensor]:
    """A segment of up to three places goes behind another place, either way round."""
    count, size = order.shape
    rows = torch.arange(count)
    places = torch.arange(size)
    step = torch.cat([table.diagonal(1, 1, 2), table[:, -1:, 0]], 1)
    best = torch.zeros(count, dtype=table.dtype)
    move = torch.zeros(4, count, dtype=torch.int64)  # first place, place it goes behind, length, turned?
    for length in range(1, min(LONGEST, size - 2) + 1):
        last, beyond, before = (places + length - 1) % size, (places + length) % size, (places - 1) % size
        freed = step[:, before] + step[:, last] - table[:, before, beyond]
        outside = ((places[None, :] - places[:, None] + 1) % size) > length
        ahead, behind = table, table.roll(-1, 2)  # from a place to k, and to k + 1
        for turned in (0, 1):
            first_end, last_end = (ahead[:, last], behind) if turned else (ahead, behind[:, last])
            gain = (freed[:, :, None] - first_end - last_end + step[:, None, :]).masked_fill(~outside, 0)
            value, flat = gain.flatten(1).max(1)
            better = value > best
            best = torch.where(better, value, best)
            new = torch.stack([flat // size, flat % size, torch.full_like(flat, length), torch.full_like(flat, turned)])
            move = torch.where(better, new, move)
    first, behind, length, turned = (part[:, None] for part in move)
    k = (behind - first) % size  # the list turned so that the segment comes first
    end = k - length  # the last place before the segment, then
    within = places - end - 1
    source = torch.where(places <= end, places + length, places)
    segment = torch.where(turned.bool(), length - 1 - within, within)
    source = torch.where((places > end) & (places <= k), segment, source)
    return best, order[rows[:, None], (source + first) % size]
