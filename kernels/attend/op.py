"""The public `attend`.

Shapes as in reference.py: B batch, H heads, N queries, M keys, D head width, E value width.
"""

import torch
from torch import Tensor

from kernels.attend import reference, torch_form
from kernels.dispatch import Form, Operation

__all__ = ["attend"]


def check(
    q_BHND: Tensor,
    k_BHMD: Tensor,
    v_BHME: Tensor,
    mask: Tensor | None = None,
    causal: bool = False,
    scale: float | None = None,
    need_lse: bool = False,
) -> None:
    shapes = f"q {tuple(q_BHND.shape)}, k {tuple(k_BHMD.shape)}, v {tuple(v_BHME.shape)}"
    if not q_BHND.ndim == k_BHMD.ndim == v_BHME.ndim == 4:
        raise ValueError(f"attend: q, k, v are (B, H, tokens, width), not {shapes}")
    if q_BHND.shape[:2] != k_BHMD.shape[:2] or k_BHMD.shape[:3] != v_BHME.shape[:3] or q_BHND.shape[3] != k_BHMD.shape[3]:
        raise ValueError(f"attend: shapes do not fit: {shapes}")
    if causal and q_BHND.shape[2] != k_BHMD.shape[2]:
        raise ValueError(f"attend: causal needs as many queries as keys, not {q_BHND.shape[2]} and {k_BHMD.shape[2]}")
    if mask is not None and mask.dtype != torch.bool and not mask.is_floating_point():
        raise TypeError(f"attend: mask is {mask.dtype}; bool: True = may attend; float: added to the logits")


attend = Operation(reference.attend, check, torch=Form(torch_form.attend, torch_form.declines))
