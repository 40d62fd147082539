"""A trunk with a classifier on its vector: the self-attention branch of DCAL.

Shapes: B batch, C channels, H W picture, D width, K classes.
"""

from typing import NamedTuple

from torch import Generator, Tensor, nn

from core_attention.trunks import Trunk

__all__ = ["Dcal", "DcalOutput"]


class DcalOutput(NamedTuple):
    sa_logits: Tensor  # (B,K)
    sa_token: Tensor  # (B,D), what the classifier reads


class Dcal(nn.Module):
    """
    >>> model = Dcal(build_trunk("vit_micro"), num_classes=8)
    >>> model(torch.randn(2, 3, 48, 48)).sa_logits.shape
    torch.Size([2, 8])
    """

    def __init__(self, trunk: Trunk, num_classes: int, generator: Generator | None = None) -> None:
        super().__init__()
        if num_classes < 2:
            raise ValueError(f"a classifier needs two classes or more, not {num_classes}")
        self.trunk = trunk
        self.head_sa = nn.Linear(trunk.dim, num_classes)
        nn.init.trunc_normal_(self.head_sa.weight, std=0.02, generator=generator)
        nn.init.zeros_(self.head_sa.bias)

    def forward(self, images_BCHW: Tensor) -> DcalOutput:
        token_BD = self.trunk(images_BCHW)
        return DcalOutput(self.head_sa(token_BD), token_BD)
