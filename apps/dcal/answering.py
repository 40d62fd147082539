"""Whose answer counts: the self-attention branch's (sa), the global-local one's (glca), or both's together.

Read by TorchScript, too. Shapes: M blocks of a branch, N pictures, K classes, D width.
"""

from typing import List, Literal  # noqa: UP035 - TorchScript reads typing's List

import torch
from torch import Tensor
from torch.nn.functional import normalize

__all__ = ["Answer", "answering", "join", "mean", "probabilities", "resolve"]

Answer = Literal["auto", "sa", "glca", "both"]


def resolve(branches: Answer, global_local: bool) -> Literal["sa", "glca", "both"]:
    """auto is both, where there is a global-local branch."""
    if branches in ("glca", "both") and not global_local:
        raise ValueError(f"branches={branches}: the global-local branch is off (glca.blocks=0); take branches=sa, or auto")
    if branches == "auto":
        return "both" if global_local else "sa"
    return branches


def answering(branches: str) -> list[str]:
    """The branches that answer, by name."""
    return ["sa", "glca"] if branches == "both" else [branches]


def probabilities(logits_MNK: Tensor, temperature: float) -> Tensor:
    """(N,K): a branch's probabilities, the mean of its blocks' softmaxes."""
    return (logits_MNK.float() / temperature).softmax(-1).mean(0)


def mean(branches_NK: List[Tensor]) -> Tensor:  # noqa: UP006
    """(N,K): the branches' probabilities are added, not their logits [P]."""
    return torch.stack(branches_NK).mean(0)


def join(tokens_ND: List[Tensor]) -> Tensor:  # noqa: UP006
    """(N,D) of length 1, twice as wide of two branches: each at length 1, side by side; the cosine is the mean of the branches' cosines."""
    return torch.cat([normalize(token_ND, dim=-1) for token_ND in tokens_ND], -1) / len(tokens_ND) ** 0.5
