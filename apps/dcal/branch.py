"""The global-local branch: the most attended tokens look once more at all of them, and are read out (section 2.3).

Shapes: B batch, N tokens, P patches, D width, K rows (the class token and the chosen), C classes, M blocks.
"""

import torch
from torch import Generator, Tensor, nn

from apps.dcal.heads import make_head
from apps.dcal.options import Glca
from apps.dcal.stream import Passed, rollout_row
from core_attention.blocks import GlobalLocal, initialise, select_top, take
from core_attention.trunks import Vit

__all__ = ["GlobalLocalBranch"]


class GlobalLocalBranch(nn.Module):
    """Its blocks, norms and heads are its own: GLCA shares no weights with self-attention."""

    def __init__(self, trunk: Vit, classes: int, options: Glca, head: str, generator: Generator | None) -> None:
        super().__init__()
        depth = len(trunk.blocks)
        if options.blocks > depth:
            raise ValueError(f"glca.blocks={options.blocks}, but the trunk has {depth} blocks")
        self.options, self.prefix, self.depth = options, trunk.prefix, depth
        make = lambda: GlobalLocal.like(trunk.blocks[-1])  # type: ignore[arg-type]  # noqa: E731
        self.blocks = nn.ModuleList(make() for _ in range(options.blocks))
        self.attend = make() if options.readout == "attend" else None
        heads = 1 if options.stack == "chain" else options.blocks
        self.norms = nn.ModuleList(nn.LayerNorm(trunk.dim, eps=1e-6) for _ in range(heads))
        initialise(self, generator, trunk.init_std)
        self.heads = nn.ModuleList(make_head(head, trunk.dim, classes, generator) for _ in range(heads))

    def start_from(self, trunk: Vit) -> None:
        """Take the weights of the trunk's last block (init="last"): for pretrained trunks, once theirs are loaded."""
        for block in self.blocks:
            block.load_state_dict(trunk.blocks[-1].state_dict())

    def forward(self, passed: Passed) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """(logits (M,B,C), token (B,D), score of each patch (B,P), chosen patches (B,k); a prefix token that was chosen is negative)."""
        reads = [self._read(passed, m) for m in range(len(self.heads))]
        tokens_BD = torch.stack([token for token, _, _ in reads]).mean(0)
        logits_MBC = torch.stack([head(token) for head, (token, _, _) in zip(self.heads, reads, strict=True)])
        _, scores_BN, index_BK = reads[0]
        chosen_BK = index_BK[:, 1:] if self.options.cls == "always" else index_BK
        return logits_MBC, tokens_BD, scores_BN[:, self.prefix :], chosen_BK - self.prefix

    def _read(self, passed: Passed, m: int) -> tuple[Tensor, Tensor, Tensor]:
        """(token, scores, rows' indices) of the block m layers before the last."""
        depth = self.depth - m
        z_BND = passed.tokens[{"last": depth, "penultimate": depth - 1, "embed": 0}[self.options.input]]
        scores_BN = self._scores(passed, depth)
        index_BK = self._choose(scores_BN)
        rows_BKD = take(z_BND, index_BK)
        for block in self.blocks if self.options.stack == "chain" else self.blocks[m : m + 1]:
            rows_BKD = block(rows_BKD, z_BND)
        return self._readout(rows_BKD, z_BND, index_BK, self.norms[m]), scores_BN, index_BK

    def _scores(self, passed: Passed, depth: int) -> Tensor:
        select = self.options.select
        if select == "last_layer":
            return passed.layers[depth - 1].row()
        scores_BN = rollout_row(passed.layers[:depth])
        return torch.rand_like(scores_BN) if select == "random" else scores_BN

    def _choose(self, scores_BN: Tensor) -> Tensor:
        ratio = 1.0 if self.options.select == "all" else self.options.ratio
        if self.options.cls == "auto":
            return select_top(scores_BN, ratio, skip=0)
        chosen_BK = select_top(scores_BN, ratio, skip=self.prefix)
        return torch.cat([torch.zeros_like(chosen_BK[:, :1]), chosen_BK], 1)

    def _readout(self, rows_BKD: Tensor, z_BND: Tensor, index_BK: Tensor, norm: nn.Module) -> Tensor:
        readout = self.options.readout
        if readout in ("scatter", "attend"):
            # Row 0 as it is after all rows were put back: updated only if it was among them.
            hit_BK1 = (index_BK == 0).unsqueeze(-1)
            cls_BD = torch.where(hit_BK1.any(1), (rows_BKD * hit_BK1).sum(1), z_BND[:, 0])
            if readout == "scatter":
                return norm(cls_BD)
            assert self.attend is not None
            return norm(self.attend(cls_BD.unsqueeze(1), rows_BKD)[:, 0])
        y_BKD = norm(rows_BKD)
        if readout == "cls":
            return y_BKD[:, 0]
        local_BK1 = (index_BK != 0).unsqueeze(-1)
        mean_BD = (y_BKD * local_BK1).sum(1) / local_BK1.sum(1).clamp(min=1)
        return mean_BD if readout == "mean" else 0.5 * (y_BKD[:, 0] + mean_BD)
