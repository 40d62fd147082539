"""The codes themselves: rows on the sphere that move to the vectors that choose them, begin at k-means and come back to life (2.4).

Shapes: V valid slots, G groups, M codes a group, E width of a code.
"""

import math

import torch
from torch import Generator, Tensor, nn
from torch.distributed import all_reduce, broadcast, is_available, is_initialized
from torch.nn.functional import normalize, one_hot

from apps.otsnet.health import usage_health

__all__ = ["Codebook", "kmeans", "nearest"]

ROUNDS = 10
WINDOW = 100  # updates that health looks back, and that a code may be idle before it is revived
IDLE = 0.1  # of an equal share: a code below it is idle


def nearest(z_VGE: Tensor, codes_GME: Tensor) -> Tensor:
    """Index of the nearest code of each group, (...,G): on the sphere that of the largest cosine."""
    return torch.einsum("...ge,gme->...gm", z_VGE.float(), codes_GME.float()).argmax(-1)


class Codebook(nn.Module):
    """learned: the rows are a parameter; else they are moved by `follow` alone. kmeans, revive: as of Quantize; with learned they move
    the parameter.

    All statistics are in float32, and all-reduced where several processes train: call `follow` once a step of the optimiser.
    """

    rows: Tensor
    weight_GM: Tensor
    sum_GME: Tensor
    idle_GM: Tensor
    first_KGE: Tensor
    filled: Tensor
    window_WGM: Tensor
    updates: Tensor

    def __init__(self, groups: int, codes: int, width: int, learned: bool, decay: float, kmeans: bool, revive: bool) -> None:
        super().__init__()
        self.decay, self.kmeans, self.revive, self.learned = decay, kmeans, revive, learned
        rows_GME = normalize(torch.randn(groups, codes, width), dim=-1)
        if learned:
            self.rows = nn.Parameter(rows_GME)  # pyright: ignore[reportIncompatibleVariableOverride]
        else:
            self.register_buffer("rows", rows_GME)
        self.register_buffer("weight_GM", torch.ones(groups, codes))  # n: how much each was chosen of late
        self.register_buffer("sum_GME", rows_GME.clone())  # m
        self.register_buffer("idle_GM", torch.zeros(groups, codes, dtype=torch.int64))
        self.register_buffer("updates", torch.zeros((), dtype=torch.int64))
        # what k-means will see, and how much of it there is: kept in checkpoints, so that a resumed run begins as the first one did
        self.register_buffer("first_KGE", torch.zeros(8 * codes if kmeans else 0, groups, width))
        self.register_buffer("filled", torch.zeros((), dtype=torch.int64))
        self.register_buffer("window_WGM", torch.zeros(WINDOW, groups, codes), persistent=False)

    def codes(self) -> Tensor:
        """The rows as they are used, of length one."""
        return normalize(self.rows, dim=-1)

    @torch.no_grad()
    def follow(self, z_VGE: Tensor, generator: Generator, reviving: bool = True) -> dict[str, Tensor]:
        """One update from the slots that count: what happened, as numbers to log."""
        z_VGE = z_VGE.float()
        chosen_VG = nearest(z_VGE, self.codes())
        count_GM, sum_GME = self._sums(z_VGE, chosen_VG)
        self.weight_GM.mul_(self.decay).add_(count_GM, alpha=1 - self.decay)
        self.sum_GME.mul_(self.decay).add_(sum_GME, alpha=1 - self.decay)
        if not self.learned:
            # E = m / n, of length one again: the smoothing of n by epsilon cancels. A row that nothing is left of stays.
            size_GM1 = self.sum_GME.norm(dim=-1, keepdim=True)
            self.rows.copy_(torch.where(size_GM1 > 1e-12, self.sum_GME / size_GM1.clamp(min=1e-12), self.rows))
        share_GM = self.weight_GM / self.weight_GM.sum(-1, keepdim=True)
        self.idle_GM.copy_(torch.where(share_GM < IDLE / share_GM.shape[1], self.idle_GM + 1, 0))
        revived = z_VGE.new_zeros(())
        if self.kmeans and int(self.filled) < len(self.first_KGE):
            self._gather(z_VGE, generator)
        elif self.revive and reviving:
            revived = revived + self._revive(z_VGE, generator)
        return {"revived": revived}

    @torch.no_grad()
    def watch(self, chosen_VG: Tensor) -> None:
        """Keep what was chosen in this step, for health over the last hundred."""
        count_GM = one_hot(chosen_VG, self.rows.shape[1]).sum(0).to(self.window_WGM.dtype)
        if together():
            all_reduce(count_GM)
        self.window_WGM[int(self.updates) % WINDOW] = count_GM
        self.updates += 1

    @torch.no_grad()
    def health(self) -> dict[str, Tensor]:
        """Of what was chosen in the last hundred steps, as a mean over the groups."""
        perplexity_G, dead_G, entropy_G = zip(*map(usage_health, self.window_WGM.sum(0)), strict=True)
        named = {"perplexity": perplexity_G, "dead": dead_G, "entropy": entropy_G}
        return {name: torch.stack(value_G).mean() for name, value_G in named.items()}

    def _sums(self, z_VGE: Tensor, chosen_VG: Tensor) -> tuple[Tensor, Tensor]:
        """How often each code was chosen, and the sum of those who chose it; over all processes."""
        chosen_VGM = one_hot(chosen_VG, self.rows.shape[1]).to(z_VGE.dtype)
        count_GM, sum_GME = chosen_VGM.sum(0), torch.einsum("vgm,vge->gme", chosen_VGM, z_VGE)
        if together():
            all_reduce(count_GM)
            all_reduce(sum_GME)
        return count_GM, sum_GME

    def _gather(self, z_VGE: Tensor, generator: Generator) -> None:
        """Keep vectors until there are eight a code, then begin at their k-means."""
        z_VGE = of_the_first(z_VGE)
        start, room = int(self.filled), len(self.first_KGE)
        stop = min(room, start + len(z_VGE))
        self.first_KGE[start:stop] = z_VGE[: stop - start]
        self.filled.fill_(stop)
        if stop < room:
            return
        for g in range(self.rows.shape[0]):
            rows_ME, sizes_M = kmeans(self.first_KGE[:, g], self.rows.shape[1], generator)
            self.rows[g] = rows_ME
            self.weight_GM[g] = sizes_M * self.weight_GM[g].sum() / sizes_M.sum()
        self.sum_GME.copy_(self.weight_GM.unsqueeze(-1) * self.rows)
        self.idle_GM.zero_()

    def _revive(self, z_VGE: Tensor, generator: Generator) -> int:
        """Idle codes move to slots of this batch; their counts begin at the mean, or they would be idle again at once."""
        if not bool((self.idle_GM >= WINDOW).any()):
            return 0
        z_VGE, revived = of_the_first(z_VGE), 0
        most = math.ceil(0.1 * self.rows.shape[1])
        for g in range(self.rows.shape[0] if len(z_VGE) else 0):
            dead = (self.idle_GM[g] >= WINDOW).nonzero().flatten()[:most]
            pick = torch.randint(len(z_VGE), (len(dead),), generator=generator).to(z_VGE.device)
            noise = 0.01 * torch.randn(len(dead), z_VGE.shape[2], generator=generator).to(z_VGE)
            rows = normalize(z_VGE[pick, g] + noise, dim=-1)
            self.rows[g, dead] = rows.to(self.rows.dtype)
            self.weight_GM[g, dead] = self.weight_GM[g].mean()
            self.sum_GME[g, dead] = self.weight_GM[g, dead].unsqueeze(-1) * rows
            self.idle_GM[g, dead] = 0
            revived += len(dead)
        return revived


def kmeans(z_KE: Tensor, count: int, generator: Generator) -> tuple[Tensor, Tensor]:
    """(rows of length one (M,E), how many vectors each has (M,)) after ten rounds of Lloyd's from vectors drawn by the generator."""
    order_K = torch.randperm(len(z_KE), generator=generator).to(z_KE.device)
    rows_ME = normalize(z_KE[order_K[:count]], dim=-1)
    sizes_M = z_KE.new_zeros(count)
    for _ in range(ROUNDS):
        chosen_KM = one_hot((z_KE @ rows_ME.T).argmax(1), count).to(z_KE.dtype)
        sizes_M, sums_ME = chosen_KM.sum(0), chosen_KM.T @ z_KE
        rows_ME = torch.where(sizes_M[:, None] > 0, normalize(sums_ME, dim=-1), rows_ME)
    return rows_ME, sizes_M


def together() -> bool:
    return is_available() and is_initialized()


def of_the_first(z_VGE: Tensor) -> Tensor:
    """The vectors of the first process, on all of them: what is drawn from them is then the same everywhere."""
    if not together():
        return z_VGE
    length = torch.tensor([len(z_VGE)], device=z_VGE.device)
    broadcast(length, 0)
    shared_VGE = z_VGE.new_zeros(int(length), *z_VGE.shape[1:])
    if len(z_VGE) == len(shared_VGE):
        shared_VGE = z_VGE.clone()
    broadcast(shared_VGE, 0)
    return shared_VGE
