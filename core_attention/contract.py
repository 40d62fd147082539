"""What a token mixer and a pool are: their signatures, what they declare about themselves, what they refuse.

Shapes: B batch, N query tokens, M key tokens, D width, H heads, T tokens of all segments, S segments, K pooled rows.
"""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from core_attention.segments import Segments
from core_attention.tokens import four_dims, pad, sanitise, unpad
from kernels.dispatch import is_tracing

__all__ = ["Cost", "Mixer", "MixerSpec", "PatternError", "Pool", "PoolSpec"]


class PatternError(ValueError):
    """A use of attention (self or cross, causal or not) that this mixer cannot serve."""


class Cost(NamedTuple):
    """Of one sample, forward: the least that any implementation must do. Benchmarks take it as the floor."""

    flops: int  # two for a multiply-add
    bytes: int  # parameters, inputs and outputs once, in float32
    params: int


@dataclass(frozen=True)
class MixerSpec:
    name: str
    patterns: frozenset[str]  # of ns, cs, nc, cc: (non)causal self, (non)causal cross
    needs: frozenset[str]  # of none, row, mean, full, lse, aux: what `need` may ask for
    masks: frozenset[str]  # of key, pair, bias
    complexity: str  # multiply-adds besides the projections
    source: str
    equation: str = ""  # in a line, with S = s Q K^T the logits
    read: str = ""  # what of the source was read
    refuses: tuple[str, ...] = ()  # besides what the other fields say
    needs_grid: bool = False
    ragged: bool = False
    permutation: str = "equivariant"  # or grid, none
    mass: str = "one"  # what the rows of a map sum to: one, or free (signed, unnormalised)
    shift_invariant: bool = True  # the same number added to all logits of a row changes nothing
    training_only: bool = False


class Mixer(nn.Module):
    """Mixes tokens. `x` is (B,N,D), or (T,D) with `segments`; `context` likewise, with a pair of segments (x's, the context's).

    mask: bool, True = may attend: (B,M) keys, (B,N,M), (B,1|H,N,M); float (B,1|H,N,M): added to the logits.
    grid: (height, width) of the tokens, for mixers that need it.
    need: "none" gives y; "row" (y, map row of query 0 (B,H,M)); "mean" (y, head-mean map (B,N,M)); "full" (y, map (B,H,N,M));
    "lse" (y, log-sum-exp (B,H,N)); "aux" (y, a loss that the mechanism wants besides, one number).

    A mixer fills in `mix`, which gets what is left to do: padded tokens, hidden ones already zero, the mask in four dimensions.
    """

    spec: ClassVar[MixerSpec]

    def __init__(self, causal: bool = False, context_dim: int | None = None) -> None:
        super().__init__()
        pattern = ("c" if causal else "n") + ("s" if context_dim is None else "c")
        if pattern not in self.spec.patterns:
            raise PatternError(f"{self.spec.name} has no pattern {pattern}; it has {', '.join(sorted(self.spec.patterns))}")
        self.causal = causal
        self.context_dim = context_dim

    def forward(
        self,
        x: Tensor,
        context: Tensor | None = None,
        mask: Tensor | None = None,
        grid: tuple[int, int] | None = None,
        segments: Segments | tuple[Segments, Segments] | None = None,
        need: str = "none",
    ) -> Tensor | tuple[Tensor, Tensor]:
        self._check(x, context, mask, grid, segments, need)
        if segments is not None:
            return self._ragged(x, context, segments)
        return self.mix(*cleaned(x, context, mask), grid, need)

    def mix(
        self, x_BND: Tensor, context_BMC: Tensor | None, mask: Tensor | None, grid: tuple[int, int] | None, need: str
    ) -> Tensor | tuple[Tensor, Tensor]:
        """The mechanism. `mask` is (B,1|H,1|N,M) or None."""
        raise NotImplementedError

    def macs(self, n: int, m: int, grid: tuple[int, int] | None) -> int:
        """Multiply-adds of one sample, projections included."""
        raise NotImplementedError

    def cost(self, n: int, m: int | None = None, grid: tuple[int, int] | None = None) -> Cost:
        """Of n queries and m keys (cross attention only)."""
        if (m is None) != (self.context_dim is None):
            raise ValueError(f"{self.spec.name}: m is the number of context tokens; a mixer of cross attention needs it, another has none")
        params = sum(p.numel() for p in self.parameters())
        dim = self.width()
        moved = params + 2 * n * dim + (0 if m is None or self.context_dim is None else m * self.context_dim)
        return Cost(2 * self.macs(n, n if m is None else m, grid), 4 * moved, params)

    def width(self) -> int:
        """D, the width of what comes in and goes out."""
        raise NotImplementedError

    def own_init(self) -> None:
        """Set the parameters that begin otherwise than blocks/init.py says, which calls this last."""

    def pull(
        self,
        r_BN: Tensor,
        x_BND: Tensor,
        context_BMC: Tensor | None = None,
        mask: Tensor | None = None,
        grid: tuple[int, int] | None = None,
    ) -> Tensor:
        """r times the head-mean map, (B,M): one step of a rollout. Mixers that can do so never form the map."""
        _, map_BNM = self(x_BND, context_BMC, mask, grid, need="mean")
        return torch.einsum("bn,bnm->bm", r_BN.to(map_BNM.dtype), map_BNM)

    def _ragged(self, x_TD: Tensor, context_TC: Tensor | None, segments: Segments | tuple[Segments, Segments]) -> Tensor:
        """Segment by segment, padded side by side."""
        own, other = (segments, None) if isinstance(segments, Segments) else segments
        x_SLD, valid_SL = pad(x_TD, own)
        context_SLC = None
        if context_TC is not None and other is not None:
            context_SLC, valid_SL = pad(context_TC, other)
        y_SLD = self.mix(x_SLD, context_SLC, four_dims(valid_SL), None, "none")
        assert isinstance(y_SLD, Tensor)
        return unpad(y_SLD, own, x_TD)

    def _check(
        self,
        x: Tensor,
        context: Tensor | None,
        mask: Tensor | None,
        grid: tuple[int, int] | None,
        segments: Segments | tuple[Segments, Segments] | None,
        need: str,
    ) -> None:
        """Refuse what this mixer would ignore or cannot do."""
        name = self.spec.name
        if (context is None) != (self.context_dim is None):
            remedy = "pass context" if context is None else "build the mixer with context_dim"
            raise PatternError(f"{name} was built for {'self' if self.context_dim is None else 'cross'} attention; {remedy}")
        if (grid is None) == self.spec.needs_grid:
            raise ValueError(f"{name} {'needs' if self.spec.needs_grid else 'does not take'} a grid")
        if need not in self.spec.needs:
            raise ValueError(f"{name} cannot give need={need!r}; it gives {', '.join(sorted(self.spec.needs))}")
        if segments is not None:
            self._check_segments(x, context, mask, segments, need)
            return
        if x.ndim != 3:
            raise ValueError(f"{name}: x is (B, N, D), or (T, D) with segments, not {tuple(x.shape)}")
        check_mask(name, self.spec.masks, mask)

    def _check_segments(
        self,
        x: Tensor,
        context: Tensor | None,
        mask: Tensor | None,
        segments: Segments | tuple[Segments, Segments],
        need: str,
    ) -> None:
        name = self.spec.name
        if not self.spec.ragged:
            raise ValueError(f"{name} does not take segments")
        if mask is not None:
            raise ValueError(f"{name}: segments and a mask exclude each other; leave the hidden tokens out")
        if need != "none":
            raise ValueError(f"{name}: with segments there is only need='none', not {need!r}")
        if isinstance(segments, Segments) != (context is None):
            raise ValueError(f"{name}: one Segments for x, a pair of them (x's, the context's) with a context")
        if isinstance(segments, Segments):
            segments.check(x, f"{name}: x")
            return
        assert context is not None
        own, other = segments
        own.check(x, f"{name}: x")
        other.check(context, f"{name}: context")
        if not isinstance(own.count, Tensor) and own.count != other.count:
            raise ValueError(f"{name}: x has {own.count} segments, the context has {other.count}")


def cleaned(x: Tensor, context: Tensor | None, mask: Tensor | None) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """What `mix` gets: hidden tokens zero, the mask in four dimensions."""
    if mask is not None and mask.ndim == 2:  # only a key mask names tokens that nobody sees
        if context is None:
            x = sanitise(x, mask)
        else:
            context = sanitise(context, mask)
    return x, context, four_dims(mask)


def check_mask(name: str, masks: frozenset[str], mask: Tensor | None) -> None:
    if mask is None:
        return
    if mask.dtype != torch.bool and not mask.is_floating_point():
        raise TypeError(f"{name}: mask is {mask.dtype}; bool: True = may attend; float: additive")
    kind = "bias" if mask.is_floating_point() else "key" if mask.ndim == 2 else "pair"
    if kind not in masks:
        raise TypeError(f"{name} takes no {kind} mask; it takes {', '.join(sorted(masks)) or 'none'}")
    if mask.ndim not in ((4,) if kind == "bias" else (2, 3, 4)):
        raise ValueError(f"{name}: mask is (B,M), (B,N,M) or (B,1|H,N,M), a float one (B,1|H,N,M), not {tuple(mask.shape)}")


@dataclass(frozen=True)
class PoolSpec:
    name: str
    needs: frozenset[str]  # of none, full
    complexity: str
    source: str


class Pool(nn.Module):
    """Many tokens to one vector. `x` is (B,N,D), or (T,D) with `segments`; the answer (B or S, out).

    mask: bool (B,N), True = counts. need: "none" gives z; "full" (z, weights (B,N,K) or (T,K)), K rows of attention.
    A sample without tokens gives zeros.

    A pool fills in `pool`, which sees flat tokens only: a batch is as many segments of the same length.
    """

    spec: ClassVar[PoolSpec]
    out: int  # width of the answer

    def forward(
        self, x: Tensor, mask: Tensor | None = None, segments: Segments | None = None, need: str = "none"
    ) -> Tensor | tuple[Tensor, Tensor]:
        name = self.spec.name
        if need not in self.spec.needs:
            raise ValueError(f"{name} cannot give need={need!r}; it gives {', '.join(sorted(self.spec.needs))}")
        if segments is not None:
            if mask is not None:
                raise ValueError(f"{name}: segments and a mask exclude each other; leave the hidden tokens out")
            segments.check(x, f"{name}: x")
            z_SO, weights_TK = self.pool(x, segments, None, need)
            return z_SO if weights_TK is None else (z_SO, weights_TK)
        if x.ndim != 3:
            raise ValueError(f"{name}: x is (B, N, D), or (T, D) with segments, not {tuple(x.shape)}")
        if mask is not None:
            check_mask(name, frozenset({"key"}), mask)
            if not is_tracing() and mask.shape != x.shape[:2]:
                raise ValueError(f"{name}: mask {tuple(mask.shape)} does not fit x {tuple(x.shape)}; it is (B, N)")
            x = sanitise(x, mask)
        batch, length = x.shape[:2]
        # new_ones and not arange(device=...): a trace would bake the device in
        offsets = (x.new_ones((batch + 1,), dtype=torch.int64).cumsum(0) - 1) * length
        z_BO, weights_TK = self.pool(x.flatten(0, 1), Segments(offsets, length, batch), None if mask is None else mask.flatten(), need)
        return z_BO if weights_TK is None else (z_BO, weights_TK.reshape(batch, length, -1))

    def pool(self, x_TD: Tensor, segments: Segments, valid_T: Tensor | None, need: str) -> tuple[Tensor, Tensor | None]:
        """(z (S,out), weights (T,K) if need is "full", else None). `valid_T`: the tokens that count, None: all."""
        raise NotImplementedError
