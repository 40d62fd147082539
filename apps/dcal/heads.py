"""What turns a token into class scores: a linear map, or for re-identification a normalised bottleneck before it (BNNeck)."""

from torch import Generator, Tensor, nn

__all__ = ["Neck", "make_head"]


def make_head(kind: str, dim: int, classes: int, generator: Generator | None) -> nn.Module:
    """kind: linear, or neck."""
    if classes < 2:
        raise ValueError(f"a classifier needs two classes or more, not {classes}")
    if kind == "neck":
        return Neck(dim, classes, generator)
    head = nn.Linear(dim, classes)
    nn.init.trunc_normal_(head.weight, std=0.02, generator=generator)
    nn.init.zeros_(head.bias)
    return head


class Neck(nn.Module):
    """Distances are learned before the normalisation, identities behind it (Luo et al., arXiv 1903.07071; as TransReID has it)."""

    def __init__(self, dim: int, classes: int, generator: Generator | None) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(dim)
        self.norm.bias.requires_grad_(False)
        self.classify = nn.Linear(dim, classes, bias=False)
        nn.init.normal_(self.classify.weight, std=0.001, generator=generator)

    def forward(self, token_BD: Tensor) -> Tensor:
        return self.classify(self.norm(token_BD))
