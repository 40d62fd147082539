"""What the operations on queries and keys refuse alike."""

import torch
from torch import Tensor

__all__ = ["check_lse", "check_mask", "check_queries_and_keys"]


def check_queries_and_keys(name: str, q_BHND: Tensor, k_BHMD: Tensor) -> None:
    shapes = f"q {tuple(q_BHND.shape)}, k {tuple(k_BHMD.shape)}"
    if not q_BHND.ndim == k_BHMD.ndim == 4:
        raise ValueError(f"{name}: q and k are (B, H, tokens, width), not {shapes}")
    if q_BHND.shape[:2] != k_BHMD.shape[:2] or q_BHND.shape[3] != k_BHMD.shape[3]:
        raise ValueError(f"{name}: shapes do not fit: {shapes}")
    if q_BHND.shape[2] == 0 or k_BHMD.shape[2] == 0:
        raise ValueError(f"{name}: there must be a query and a key, not {shapes}")


def check_mask(name: str, mask: Tensor | None, q_BHND: Tensor, k_BHMD: Tensor, what: str = "mask") -> None:
    if mask is None:
        return
    if mask.dtype != torch.bool and not mask.is_floating_point():
        raise TypeError(f"{name}: {what} is {mask.dtype}; bool: True = may attend; float: added to the logits")
    whole = (*q_BHND.shape[:3], k_BHMD.shape[2])
    # wanted first: a free size that is asked whether it is 1 would be exported with a guard that it is not
    fits = 2 <= mask.ndim <= 4 and all(size in (wanted, 1) for size, wanted in zip(reversed(mask.shape), reversed(whole), strict=False))
    if not fits:
        raise ValueError(f"{name}: {what} {tuple(mask.shape)} does not broadcast to (B, H, N, M) = {whole}")


def check_lse(name: str, lse: Tensor | None, q_BHND: Tensor) -> None:
    if lse is not None and lse.shape != q_BHND.shape[:3]:
        raise ValueError(f"{name}: lse is (B, H, N) = {tuple(q_BHND.shape[:3])}, not {tuple(lse.shape)}")
