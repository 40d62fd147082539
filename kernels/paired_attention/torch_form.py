"""The same by torch's fused attention over both sets side by side. The own mass comes out of one more column of values.

Shapes: B batch, H heads, N queries, M keys of the first set, K of the second, S = M + K, D head width, E value width.
"""

import torch
from torch import Tensor
from torch.nn.functional import pad

from kernels.attend.torch_form import attend
from kernels.paired_attention.reference import join_masks

__all__ = ["declines", "paired_attention"]

COLUMNS = 8  # one would do, but fused kernels like widths of eights


def paired_attention(
    q_BHND: Tensor,
    k1_BHMD: Tensor,
    v1_BHME: Tensor,
    k2_BHKD: Tensor,
    v2_BHKE: Tensor,
    mask1: Tensor | None = None,
    mask2: Tensor | None = None,
    scale: float | None = None,
    need_own: bool = True,
) -> tuple[Tensor, Tensor | None]:
    mask = join_masks(q_BHND, k1_BHMD, k2_BHKD, mask1, mask2)
    k_BHSD = torch.cat([k1_BHMD, k2_BHKD], -2)
    if not need_own:
        return attend(q_BHND, k_BHSD, torch.cat([v1_BHME, v2_BHKE], -2), mask, False, scale)[0], None
    width = v1_BHME.shape[-1]
    # 1 at the own keys, 0 at the others: their mean under the map is the share of the own
    wide1 = torch.cat([v1_BHME, torch.ones_like(v1_BHME[..., :1]).expand(*v1_BHME.shape[:-1], COLUMNS)], -1)
    wide_BHSE = torch.cat([wide1, pad(v2_BHKE, (0, COLUMNS))], -2)
    out_BHNE, _ = attend(q_BHND, k_BHSD, wide_BHSE, mask, False, scale)
    own_BHN = out_BHNE[..., width].detach().to(torch.promote_types(q_BHND.dtype, torch.float32))
    return out_BHNE[..., :width], own_BHN


def declines(
    q_BHND: Tensor,
    k1_BHMD: Tensor,
    v1_BHME: Tensor,
    k2_BHKD: Tensor,
    v2_BHKE: Tensor,
    mask1: Tensor | None = None,
    mask2: Tensor | None = None,
    scale: float | None = None,
    need_own: bool = True,
) -> str | None:
    return None
