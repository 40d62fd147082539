"""DCAL: one trunk, trained with a self-attention branch, a global-local branch and, in training only, a pair branch.

Shapes: B batch, C channels, H W picture, N tokens, P patches, D width, K classes, M global-local blocks, T pair blocks, k chosen patches.
"""

from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn

from apps.dcal.branch import GlobalLocalBranch
from apps.dcal.heads import make_head
from apps.dcal.options import Glca, Pwca
from apps.dcal.stream import Keys, Passed, pair_stream, self_attention
from apps.dcal.weights import UncertaintyWeights
from core_attention.mixers.softmax import Softmax
from core_attention.trunks import Trunk, Vit

__all__ = ["Dcal", "DcalOutput", "transformer"]


class DcalOutput(NamedTuple):
    sa_logits: Tensor  # (B,K)
    sa_token: Tensor  # (B,D), what the classifier reads
    glca_logits: Tensor | None = None  # (M,B,K)
    glca_token: Tensor | None = None  # (B,D)
    rollout: Tensor | None = None  # (B,P), by which patches were chosen
    selected: Tensor | None = None  # (B,k), the chosen patches
    pwca_logits: Tensor | None = None  # (B,K), in training
    pwca_token: Tensor | None = None  # (B,D)
    leakage: Tensor | None = None  # (T,), share of attention that the distractor got, where it was watched


class Dcal(nn.Module):
    """
    >>> model = Dcal(build_trunk("vit_micro"), num_classes=8, glca=Glca())
    >>> model(torch.randn(2, 3, 48, 48)).glca_logits.shape
    torch.Size([1, 2, 8])

    head: "linear", or "neck" for re-identification. learned_weights: the branches' losses are weighed by parameters of the model.
    """

    def __init__(
        self,
        trunk: Trunk,
        num_classes: int,
        glca: Glca | None = None,
        pwca: Pwca | None = None,
        head: str = "linear",
        learned_weights: bool = False,
        generator: Generator | None = None,
    ) -> None:
        super().__init__()
        glca, pwca = glca or Glca(blocks=0), pwca or Pwca(blocks=0)
        self.trunk = trunk
        self.pwca = pwca
        self.pair_blocks = 0
        self.head_sa = make_head(head, trunk.dim, num_classes, generator)
        self.glca = None
        self.look = "no"
        if glca.blocks or pwca.blocks != 0:
            vit = transformer(trunk)
            self.pair_blocks = pwca.of(len(vit.blocks))
            if glca.blocks:
                self.glca = GlobalLocalBranch(vit, num_classes, glca, head, generator)
                self.look = glca.rollout
        names = ["sa", *(["glca"] if self.glca is not None else []), *(["pwca"] if self.pair_blocks else [])]
        self.loss_weights = UncertaintyWeights(names) if learned_weights and len(names) > 1 else None

    def forward(
        self, images_BCHW: Tensor, partner_B: Tensor | None = None, others_BCHW: Tensor | None = None, watch: bool = True
    ) -> DcalOutput:
        """partner: index of each picture's partner in the batch; others: a second picture each. Both in training only.

        watch: measure the leakage of the pair branch, too.
        """
        paired = self.pair_blocks > 0 and (partner_B is not None or others_BCHW is not None)
        if (partner_B is not None or others_BCHW is not None) and not self.pair_blocks:
            raise ValueError("this model has no pair branch: leave out partner and others, or set pwca.blocks")
        if self.glca is None and not paired:
            token_BD = self.trunk(images_BCHW)
            return DcalOutput(self.head_sa(token_BD), token_BD)
        trunk = transformer(self.trunk)
        passed = self_attention(list(trunk.blocks), trunk.embed(images_BCHW), self.look, paired)  # type: ignore[arg-type]
        return self.read(passed, partner_B, others_BCHW, watch)

    def read(self, passed: Passed, partner_B: Tensor | None = None, others_BCHW: Tensor | None = None, watch: bool = True) -> DcalOutput:
        """What all branches say of pictures that have passed the trunk; with a partner or others, the pair branch, too."""
        trunk = transformer(self.trunk)
        token_BD = trunk.pool(trunk.norm(passed.tokens[-1]))
        output = DcalOutput(self.head_sa(token_BD), token_BD)
        if self.glca is not None:
            logits_MBK, glca_BD, rollout_BP, selected_Bk = self.glca(passed)
            output = output._replace(glca_logits=logits_MBK, glca_token=glca_BD, rollout=rollout_BP, selected=selected_Bk)
        if partner_B is not None or others_BCHW is not None:
            u_BND, leakage_T = self._pair(trunk, passed, partner_B, others_BCHW, watch)
            pair_BD = trunk.pool(trunk.norm(u_BND))
            output = output._replace(pwca_logits=self.head_sa(pair_BD), pwca_token=pair_BD, leakage=leakage_T)
        return output

    def _pair(
        self, trunk: Vit, passed: Passed, partner_B: Tensor | None, others_BCHW: Tensor | None, watch: bool
    ) -> tuple[Tensor, Tensor | None]:
        options, batch = self.pwca, passed.tokens[0].shape[0]
        for name, given in (("partner", partner_B), ("others", others_BCHW)):
            if given is not None and given.shape[0] != batch:
                raise ValueError(f"{name} is of {given.shape[0]} pictures, the batch of {batch}")
        blocks = list(trunk.blocks)
        source = passed.keys
        if options.needs_others:
            if others_BCHW is None:
                raise ValueError("this pair branch needs a second picture for each (others): set data.partners")
            source = self_attention(blocks, trunk.embed(others_BCHW), "no", True).keys  # type: ignore[arg-type]
            partner_B = None

        def extra(i: int, own: Keys) -> Keys:
            k_BHNE, v_BHNE = own if options.partner == "pwca" else source[i]
            if options.distractor == "noise":
                return _noise_like(k_BHNE), _noise_like(v_BHNE)
            if partner_B is not None:
                k_BHNE, v_BHNE = k_BHNE.index_select(0, partner_B), v_BHNE.index_select(0, partner_B)
            return (k_BHNE.detach(), v_BHNE.detach()) if options.detach else (k_BHNE, v_BHNE)

        return pair_stream(blocks, passed, self.pair_blocks, extra, watch)  # type: ignore[arg-type]

    def plain(self) -> "Dcal":
        """The self-attention branch alone, on the same weights: costs what the trunk costs."""
        twin = Dcal.__new__(Dcal)
        nn.Module.__init__(twin)
        twin.trunk, twin.head_sa = self.trunk, self.head_sa
        twin.glca, twin.loss_weights, twin.look, twin.pair_blocks, twin.pwca = None, None, "no", 0, Pwca(blocks=0)
        return twin


def _noise_like(x_BHNE: Tensor) -> Tensor:
    """Gaussian, with the batch's mean and deviation of each head and channel."""
    x_BHNE = x_BHNE.detach()
    mean, deviation = x_BHNE.mean((0, 2), keepdim=True), x_BHNE.std((0, 2), keepdim=True)
    return mean + deviation * torch.randn_like(x_BHNE)


def transformer(trunk: Trunk) -> Vit:
    """The trunk, if its attention is what both branches and the rollout are made of; else a ValueError that says why not."""
    if not isinstance(trunk, Vit):
        raise ValueError(f"glca and pwca need a transformer trunk, not {type(trunk).__name__}; set glca.blocks and pwca.blocks to 0")
    if trunk.class_token != 0:
        raise ValueError(f"glca and pwca start from a class token that is there from the first block, not class_token={trunk.class_token}")
    if wrong := {str(block.attn.spec.name) for block in trunk.blocks if not isinstance(block.attn, Softmax)}:  # type: ignore[union-attr]
        raise ValueError(f"glca and pwca share the keys of softmax attention, not of {', '.join(sorted(wrong))}; set their blocks to 0")
    return trunk
