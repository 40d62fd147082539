"""y = W x + s B_e A_e x with an adapter e for each sample (Hu et al., arXiv 2106.09685; scale of Kalajdzievski, arXiv 2312.03732).

Shapes: B samples, N rows of a sample, C width in, O width out, E adapters, R rank, X = E R.
"""

import math

import torch
from torch import Tensor, nn

from core_attention.lora.groups import Groups

__all__ = ["LoRAStack"]


class LoRAStack(nn.Module):
    """`linear` with `experts` adapters beside it; at first each of them is the identity.

    rank 0: no adapters, so that targets can be chosen without other names for the weights.
    rslora: s = alpha / sqrt(rank), else alpha / rank.

    >>> stack = LoRAStack(nn.Linear(64, 64), experts=6, rank=8, alpha=8.0)
    >>> y = stack(x_BNC, torch.tensor([0, 5, -1]))  # -1: the linear map alone
    """

    A: Tensor
    B: Tensor

    def __init__(self, linear: nn.Linear, experts: int, rank: int, alpha: float, rslora: bool = True) -> None:
        super().__init__()
        if experts < 1 or rank < 0:
            raise ValueError(f"a stack has at least one adapter of rank 0 or more, not {experts} of {rank}")
        self.linear = linear
        self.rank = rank
        self.experts = experts
        self.scale = alpha / (math.sqrt(rank) if rslora else rank) if rank else 0.0
        self.merged = -1  # the adapter that is in the weight now
        self._weight = linear.weight.data  # the weight without it, while one is merged
        a_ERC, b_EOR = self._fresh(experts)
        if rank:
            self.register_parameter("A", nn.Parameter(a_ERC))
            self.register_parameter("B", nn.Parameter(b_EOR))
        else:
            self.register_buffer("A", a_ERC, persistent=False)
            self.register_buffer("B", b_EOR, persistent=False)

    def _fresh(self, count: int) -> tuple[Tensor, Tensor]:
        """A ~ kaiming_uniform(a = sqrt 5) of each adapter, B = 0."""
        weight = self.linear.weight
        a_ERC = weight.new_empty(count, self.rank, weight.shape[1])
        if self.rank:
            for a_RC in a_ERC:
                nn.init.kaiming_uniform_(a_RC, a=math.sqrt(5))
        return a_ERC, weight.new_zeros(count, weight.shape[0], self.rank)

    def forward(self, x: Tensor, route: Tensor | None = None, groups: Groups | None = None) -> Tensor:
        """x: (B,...,C). route: int64 (B,), -1 = no adapter; or float (B,E), a mixture; None: no adapter for any.

        groups: of this route, by `group`: the products are taken adapter by adapter, which pays for many rows.
        """
        y = self.linear(x)
        if route is None or self.rank == 0:
            return y
        if self.merged >= 0:
            raise ValueError("an adapter is merged into the weight; unmerge it before routes are given")
        x_BNC = x.reshape(x.shape[0], -1, x.shape[-1])
        if route.is_floating_point():
            more_BNO = self._mixed(x_BNC, route)
        elif groups is not None:
            more_BNO = self._grouped(x_BNC, groups)
        else:
            more_BNO = self._gathered(x_BNC, route)
        return y + self.scale * more_BNO.reshape(y.shape)

    def _gathered(self, x_BNC: Tensor, route_B: Tensor) -> Tensor:
        """Two gathers and two batched products; -1 takes the row of zeros in front."""
        place_B = route_B + 1
        a_BRC = torch.cat([torch.zeros_like(self.A[:1]), self.A]).index_select(0, place_B)
        b_BOR = torch.cat([torch.zeros_like(self.B[:1]), self.B]).index_select(0, place_B)
        return torch.bmm(torch.bmm(x_BNC, a_BRC.transpose(1, 2)), b_BOR.transpose(1, 2))

    def _grouped(self, x_BNC: Tensor, groups: Groups) -> Tensor:
        alone = -1
        for e, size in enumerate(groups.sizes):
            if size == x_BNC.shape[0]:
                alone = e
        if alone > 0:  # one adapter for all: nothing to sort
            return self._of(x_BNC, alone - 1)
        sorted_BNC = x_BNC.index_select(0, groups.order)
        begin = groups.sizes[0]
        answers = [x_BNC.new_zeros(begin, x_BNC.shape[1], self.B.shape[1])]
        for e in range(1, len(groups.sizes)):
            answers.append(self._of(sorted_BNC[begin : begin + groups.sizes[e]], e - 1))
            begin += groups.sizes[e]
        return torch.cat([answer.to(answers[-1].dtype) for answer in answers]).index_select(0, groups.back)

    def _of(self, x_BNC: Tensor, expert: int) -> Tensor:
        return x_BNC @ self.A[expert].t() @ self.B[expert].t()

    def _mixed(self, x_BNC: Tensor, weights_BE: Tensor) -> Tensor:
        a_XC, b_XO = self.A.flatten(0, 1), self.B.transpose(1, 2).flatten(0, 1)
        each_BX = weights_BE.repeat_interleave(self.rank, 1)
        return ((x_BNC @ a_XC.t()) * each_BX.unsqueeze(1)) @ b_XO

    def merge(self, expert: int) -> None:
        """An ordinary linear map from now on, with W + s B_e A_e."""
        if not 0 <= expert < self.experts:
            raise ValueError(f"there is no adapter {expert}; there are {self.experts}")
        if self.merged >= 0:
            raise ValueError(f"adapter {self.merged} is merged already; unmerge it first")
        # The data are exchanged, not written to: what a graph has saved, and the optimiser's parameter, stay as they are.
        self._weight = self.linear.weight.data
        if self.rank:
            self.linear.weight.data = self._weight + self.scale * (self.B.data[expert] @ self.A.data[expert])
        self.merged = expert

    def unmerge(self) -> None:
        """The weight as it was, bit for bit."""
        if self.merged < 0:
            raise ValueError("no adapter is merged")
        self.linear.weight.data = self._weight
        self.merged = -1

    def add_expert(self) -> int:
        """One more adapter, the identity at first; its number. The parameters are new ones: make the optimiser afterwards."""
        for name, old, new in zip(("A", "B"), (self.A, self.B), self._fresh(1), strict=True):
            more = torch.cat([old.data, new])
            setattr(self, name, nn.Parameter(more, old.requires_grad) if self.rank else more)
        self.experts += 1
        return self.experts - 1
