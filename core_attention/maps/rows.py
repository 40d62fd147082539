"""Rows of a map as shares of one: checked, or made so.

Shapes: N query tokens, M key tokens; `...` any dimensions before.
"""

from torch import Tensor

__all__ = ["check_shares", "entropy_of", "shares"]


def entropy_of(shares_M: Tensor) -> Tensor:
    """-sum p log p over the last dimension, with 0 log 0 = 0; a share of exactly 0 has no gradient."""
    return -(shares_M * shares_M.masked_fill(shares_M == 0, 1.0).log()).sum(-1)


def check_shares(map_NM: Tensor, what: str) -> None:
    """Refuse a map (..., N, M) whose rows are no shares of one. A row of zeros is a query that sees nothing, and is fine."""
    rows_N = map_NM.sum(-1)
    wrong_N = ((rows_N - 1).abs() > 1e-3) & (rows_N != 0)
    if bool((map_NM < 0).any()) or bool(wrong_N.any()):
        raise ValueError(f"{what} is of rows that are shares of one; these are signed or sum to another number (make them so: maps.shares)")


def shares(map_NM: Tensor) -> Tensor:
    """|A| with rows that sum to one: what signed and unnormalised maps can say where shares are asked for. Zeros stay zeros."""
    size_NM = map_NM.abs()
    sum_N1 = size_NM.sum(-1, keepdim=True)
    return size_NM / sum_N1.masked_fill(sum_N1 == 0, 1.0)
