"""Which glyph it is: what stands in a slot, said by a code and by nothing else, the semantic quantizer (2.4).

Shapes: B batch, L slots, D width, G groups, M codes a group, E width of a code.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import gumbel_softmax, normalize

from apps.otsnet.codebook import Codebook, nearest
from apps.otsnet.options import Observe, Quantize

__all__ = ["Quantized", "Quantizer", "joined", "rows_of", "temperature"]

COOLEST, COOL_AT = 0.5, 0.6


class Quantized(NamedTuple):
    s_BLD: Tensor
    codes_BLG: Tensor  # int64; (B,L,0) without codes
    z_BLGE: Tensor  # what chose the codes; (B,L,0,0) without
    q_BLGE: Tensor  # the codes that were chosen, with the gradient that straight-through gives them
    scores_BLGM: Tensor  # gumbel's logits; (B,L,0,0) for others


def joined(said: Sequence[Quantized]) -> Quantized:
    """Several batches as one."""
    return said[0] if len(said) == 1 else Quantized(*(torch.cat(parts) for parts in zip(*said, strict=True)))


def temperature(start: float, progress: float) -> float:
    """From `start` down to 0.5 exponentially, reached at 60 % of the steps."""
    return start * (COOLEST / start) ** min(1.0, progress / COOL_AT)


class Quantizer(nn.Module):
    def __init__(self, observe: Observe, options: Quantize) -> None:
        super().__init__()
        dim, self.assign, self.start = observe.d, options.assign, options.temperature
        self.groups = options.groups
        self.book = None
        if options.assign == "none":
            self.out: nn.Module = nn.Sequential(nn.Linear(dim, dim), nn.LayerNorm(dim, eps=1e-6))
            return
        codes, width = options.codes or observe.row.codes, options.code_width or observe.row.code_width
        if width % options.groups:
            raise ValueError(f"quantize.code_width={width} does not divide by groups={options.groups}")
        gumbel = options.assign == "gumbel"
        # gumbel scores its codes itself, and so has no vector that would look for the nearest one
        self.into = nn.Linear(dim, options.groups * codes if gumbel else width)
        learned = options.assign != "ema"
        self.book = Codebook(
            options.groups,
            codes,
            width // options.groups,
            learned,
            options.decay,
            options.kmeans and not gumbel,
            options.revive and not gumbel,
        )
        self.out = nn.Linear(width, dim)

    def forward(self, g_BLD: Tensor, progress: float = 1.0) -> Quantized:
        """progress: share of training that is done; gumbel cools by it."""
        if self.book is None:
            none = g_BLD[..., :0]
            return Quantized(self.out(g_BLD), none.to(torch.int64), none.unsqueeze(3), none.unsqueeze(3), none.unsqueeze(3))
        codes_GME = self.book.codes()
        if self.assign == "gumbel":
            return self._gumbel(g_BLD, codes_GME, temperature(self.start, progress))
        z_BLGE = normalize(self.into(g_BLD).float().unflatten(-1, (self.groups, -1)), dim=-1)
        codes_BLG = nearest(z_BLGE, codes_GME)
        chosen_BLGE = rows_of(codes_GME, codes_BLG)
        # straight through: exactly the code forward, z backward
        q_BLGE = chosen_BLGE.detach() + (z_BLGE - z_BLGE.detach())
        none = z_BLGE[..., :0]
        return Quantized(self.out(q_BLGE.flatten(2).to(g_BLD.dtype)), codes_BLG, z_BLGE, q_BLGE, none)

    def _gumbel(self, g_BLD: Tensor, codes_GME: Tensor, tau: float) -> Quantized:
        scores_BLGM = self.into(g_BLD).float().unflatten(-1, (self.groups, -1))
        if self.training:
            soft_BLGM = gumbel_softmax(scores_BLGM, tau=tau)
            codes_BLG = soft_BLGM.argmax(-1)
            through_BLGE = torch.einsum("blgm,gme->blge", soft_BLGM, codes_GME.detach())
            # forward exactly the row; backward the row gets the hard choice's gradient, the scores that of the soft one
            q_BLGE = rows_of(codes_GME, codes_BLG) + (through_BLGE - through_BLGE.detach())
        else:
            codes_BLG = scores_BLGM.argmax(-1)
            q_BLGE = rows_of(codes_GME, codes_BLG)
        return Quantized(self.out(q_BLGE.flatten(2).to(g_BLD.dtype)), codes_BLG, q_BLGE[..., :0], q_BLGE, scores_BLGM)

    def losses(self, said: Quantized, valid_BL: Tensor, beta: float) -> dict[str, Tensor]:
        """Unweighted but for beta, over the slots that count: commit, codebook (nearest), diversity (gumbel)."""
        if self.book is None:
            return {}
        if self.assign == "gumbel":
            p_GM = said.scores_BLGM[valid_BL].softmax(-1).mean(0)
            entropy_G = -(p_GM * p_GM.clamp(min=1e-12).log()).sum(-1)
            return {"diversity": (1 - entropy_G.exp() / p_GM.shape[1]).mean()}
        chosen_VGE = rows_of(self.book.codes(), said.codes_BLG[valid_BL])
        z_VGE = said.z_BLGE[valid_BL]
        found = {"commit": beta * (z_VGE - chosen_VGE.detach()).square().sum((-1, -2)).mean()}
        if self.assign == "nearest":
            found["codebook"] = (z_VGE.detach() - chosen_VGE).square().sum((-1, -2)).mean()
        return found

    def follow(self, said: Quantized, valid_BL: Tensor, step: int, progress: float) -> dict[str, Tensor]:
        """After a step of the optimiser, in training only: the codes follow those who chose them. What happened, as numbers to log."""
        if self.book is None or not self.training:
            return {}
        self.book.watch(said.codes_BLG[valid_BL])
        told = {f"sq/{name}": value for name, value in self.book.health().items()}
        if self.assign == "gumbel":
            return told
        generator = torch.Generator().manual_seed(step)  # ours: by the step, so that a resumed run draws the same
        moved = self.book.follow(said.z_BLGE.detach()[valid_BL], generator, reviving=progress < 0.8)
        return told | {f"sq/{name}": value for name, value in moved.items()}


def rows_of(codes_GME: Tensor, index_XG: Tensor) -> Tensor:
    """The chosen row of each group, (...,G,E)."""
    return torch.stack([codes_GME[g][index_XG[..., g]] for g in range(codes_GME.shape[0])], -2)
