"""The trained network (model.py) once more, in numpy alone: one text at a time, without the second that importing torch takes.

Shapes: N tokens, W width of the table, D width, H heads, E width of a head, K kinds.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from apps.accord.router.tokens import Token

__all__ = ["Forward", "shapes"]

Array = NDArray[np.float32]
EPS = 1e-5  # of the norms, as in torch


def shapes(kinds: int, buckets: int, width: int, dim: int, heads: int, layers: int, hidden: int) -> dict[str, tuple[int, ...]]:
    """Of the weights by name; `heads` is told for completeness: no weight depends on it."""
    found: dict[str, tuple[int, ...]] = {"table.weight": (buckets, width), "widen.weight": (dim, width)}
    for k in range(layers):
        block = {"norm1": (dim,), "norm2": (dim,), "qkv": (3 * dim, dim), "out": (dim, dim), "up": (hidden, dim), "down": (dim, hidden)}
        for name, shape in block.items():
            found[f"blocks.{k}.{name}.weight"] = shape
            if name not in ("qkv", "out"):
                found[f"blocks.{k}.{name}.bias"] = shape[:1]
    for name, shape in {"norm": (dim,), "pool": (1, dim), "head": (kinds, dim)}.items():
        found |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
    return found


class Forward:
    """`weights` as they are in the file, by name."""

    def __init__(self, weights: Mapping[str, NDArray[np.floating]], heads: int) -> None:
        self.weights = {name: np.asarray(value, dtype=np.float32) for name, value in weights.items()}
        self.heads = heads
        self.layers = sum(name.endswith(".qkv.weight") for name in weights)

    def __call__(self, found: Sequence[Token]) -> tuple[Array, Array]:
        """Logits (K,) and the weight of each token in the pooling (N,); no token counts as one of nothing."""
        table = self.weights["table.weight"]
        words_NW = [table[list(token.buckets)].mean(0) for token in found] or [np.zeros(table.shape[1], np.float32)]
        x_ND = self._linear(np.stack(words_NW), "widen")
        for k in range(self.layers):
            x_ND = x_ND + self._attention(self._norm(x_ND, f"blocks.{k}.norm1"), f"blocks.{k}")
            up = self._linear(self._norm(x_ND, f"blocks.{k}.norm2"), f"blocks.{k}.up")
            x_ND = x_ND + self._linear(_gelu(up), f"blocks.{k}.down")
        x_ND = self._norm(x_ND, "norm")
        weight_N = _softmax(self._linear(x_ND, "pool")[:, 0])
        return self._linear(weight_N @ x_ND, "head"), weight_N

    def _linear(self, x: Array, name: str) -> Array:
        y = x @ self.weights[f"{name}.weight"].T
        bias = self.weights.get(f"{name}.bias")
        return y if bias is None else y + bias

    def _norm(self, x_ND: Array, name: str) -> Array:
        centred = x_ND - x_ND.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + EPS)
        return scaled * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]

    def _attention(self, x_ND: Array, name: str) -> Array:
        n, d = x_ND.shape
        q_HNE, k_HNE, v_HNE = self._linear(x_ND, f"{name}.qkv").reshape(n, 3, self.heads, d // self.heads).transpose(1, 2, 0, 3)
        weight_HNN = _softmax(q_HNE @ k_HNE.transpose(0, 2, 1) / np.float32((d // self.heads) ** 0.5))
        return self._linear((weight_HNN @ v_HNE).transpose(1, 0, 2).reshape(n, d), f"{name}.out")


def _softmax(x: Array) -> Array:
    powers = np.exp(x - x.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def _gelu(x: Array) -> Array:
    """x times the share of a normal variable below x; erf after Abramowitz and Stegun 7.1.26, right to 1.5e-7."""
    z = np.abs(x) / np.float32(2**0.5)
    t = 1 / (1 + np.float32(0.3275911) * z)
    tail = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429)))) * np.exp(-z * z)
    return x * np.where(x >= 0, 1 - tail / 2, tail / 2).astype(np.float32)
