"""The same by the kernels of reversed_attend, a query's weight being its one value.

Shapes: B batch, H heads, N queries, M keys, D width.
"""

from torch import Tensor

from kernels.apply_transposed.reference import by_head
from kernels.launch import full_dtype, worth
from kernels.reversed_attend.triton_form import forward
from kernels.shared.attention import known_lse, softmax_scale, unable_to_attend

__all__ = ["apply_transposed", "declines", "pays"]

NAME = "apply_transposed"


def apply_transposed(
    q_BHND: Tensor, k_BHMD: Tensor, r: Tensor, lse: Tensor | None = None, mask: Tensor | None = None, scale: float | None = None
) -> Tensor:
    factor = softmax_scale(q_BHND, scale)
    r_BHN1 = by_head(r).to(full_dtype(q_BHND, r)).expand(q_BHND.shape[:3]).unsqueeze(-1)
    return forward(q_BHND, k_BHMD, r_BHN1, known_lse(lse, q_BHND, k_BHMD, mask, factor), mask, factor).squeeze(-1)


def declines(
    q_BHND: Tensor, k_BHMD: Tensor, r: Tensor, lse: Tensor | None = None, mask: Tensor | None = None, scale: float | None = None
) -> str | None:
    return unable_to_attend(q_BHND, k_BHMD, mask, r, lse, width=q_BHND.shape[3])


def pays(
    q_BHND: Tensor, k_BHMD: Tensor, r: Tensor, lse: Tensor | None = None, mask: Tensor | None = None, scale: float | None = None
) -> str | None:
    return worth(NAME, q_BHND[..., 0].numel() * k_BHMD.shape[2], q_BHND, q_BHND.shape[2], k_BHMD.shape[2])
