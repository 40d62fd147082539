"""What a token mixer is: its signature, what it declares about itself, and the table of those that exist.

Shapes: B batch, N query tokens, M key tokens, D width, H heads, T tokens of all segments, S segments.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, ClassVar, NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from kernels.dispatch import is_tracing

__all__ = ["Mixer", "MixerSpec", "PatternError", "Segments", "build_mixer", "call_with_options", "list_mixers", "nearest", "register_mixer"]


class PatternError(ValueError):
    """A use of attention (self or cross, causal or not) that this mixer cannot serve."""


class Segments(NamedTuple):
    """Where each segment of a flat (T, D) tensor begins and ends. Made on the CPU, so that nothing later waits for the device."""

    offsets: Tensor  # int64 (S+1,): the first is 0, the last is T
    longest: int
    count: int  # pyright: ignore[reportIncompatibleMethodOverride]

    @classmethod
    def from_lengths(cls, lengths: list[int]) -> "Segments":
        """
        >>> Segments.from_lengths([2, 0, 3])
        Segments(offsets=tensor([0, 2, 2, 5]), longest=3, count=3)
        """
        return cls.from_offsets(torch.tensor([0, *lengths]).cumsum(0))

    @classmethod
    def from_offsets(cls, offsets: Tensor) -> "Segments":
        if is_tracing():
            # In a trace sizes are tensors, and must stay so: a plain number would be baked into the program.
            return cls(offsets.long(), offsets.diff().max(), offsets.shape[0] - 1)  # pyright: ignore[reportArgumentType]
        if offsets.ndim != 1 or len(offsets) < 2 or offsets.is_floating_point():
            raise ValueError(f"offsets are whole numbers (S+1,) with S >= 1, not {offsets.dtype} {tuple(offsets.shape)}")
        lengths = offsets.diff()
        if offsets[0] != 0 or (lengths < 0).any():
            raise ValueError(f"offsets begin at 0 and never decrease: {offsets}")
        return cls(offsets.long(), int(lengths.max()), len(lengths))

    def to(self, device: torch.device | str) -> "Segments":
        return self._replace(offsets=self.offsets.to(device, non_blocking=True))


@dataclass(frozen=True)
class MixerSpec:
    name: str
    patterns: frozenset[str]  # of ns, cs, nc, cc: (non)causal self, (non)causal cross
    needs: frozenset[str]  # of none, row, mean, full, lse: what `need` may ask for
    masks: frozenset[str]  # of key, pair, bias
    complexity: str  # multiply-adds besides the projections
    source: str
    needs_grid: bool = False
    ragged: bool = False
    permutation: str = "equivariant"  # or grid, none
    training_only: bool = False


class Mixer(nn.Module):
    """Mixes tokens. `x` is (B,N,D), or (T,D) with `segments`; `context` likewise, with a pair of segments (x's, the context's).

    mask: bool, True = may attend: (B,M) keys, (B,N,M), (B,1|H,N,M); float (B,1|H,N,M): added to the logits.
    grid: (height, width) of the tokens, for mixers that need it.
    need: "none" gives y; "row" (y, map row of query 0 (B,H,M)); "mean" (y, head-mean map (B,N,M)); "full" (y, map (B,H,N,M));
    "lse" (y, log-sum-exp (B,H,N)).
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
        raise NotImplementedError

    def check(
        self,
        x: Tensor,
        context: Tensor | None,
        mask: Tensor | None,
        grid: tuple[int, int] | None,
        segments: Segments | tuple[Segments, Segments] | None,
        need: str,
    ) -> None:
        """Refuse what this mixer would ignore or cannot do. The first line of every forward."""
        name = self.spec.name
        if (context is None) != (self.context_dim is None):
            remedy = "pass context" if context is None else "build the mixer with context_dim"
            raise PatternError(f"{name} was built for {'self' if self.context_dim is None else 'cross'} attention; {remedy}")
        if (grid is None) == self.spec.needs_grid:
            raise ValueError(f"{name} {'needs' if self.spec.needs_grid else 'does not take'} a grid")
        if need not in self.spec.needs:
            raise ValueError(f"{name} cannot give need={need!r}; it gives {', '.join(sorted(self.spec.needs))}")
        if segments is None:
            if x.ndim != 3:
                raise ValueError(f"{name}: x is (B, N, D), or (T, D) with segments, not {tuple(x.shape)}")
            self._check_mask(mask)
        else:
            self._check_segments(x, context, mask, segments, need)

    def _check_mask(self, mask: Tensor | None) -> None:
        if mask is None:
            return
        name = self.spec.name
        if mask.dtype != torch.bool and not mask.is_floating_point():
            raise TypeError(f"{name}: mask is {mask.dtype}; bool: True = may attend; float: additive")
        kind = "bias" if mask.is_floating_point() else "key" if mask.ndim == 2 else "pair"
        if kind not in self.spec.masks:
            raise TypeError(f"{name} takes no {kind} mask; it takes {', '.join(sorted(self.spec.masks)) or 'none'}")
        if mask.ndim not in ((4,) if kind == "bias" else (2, 3, 4)):
            raise ValueError(f"{name}: mask is (B,M), (B,N,M) or (B,1|H,N,M), a float one (B,1|H,N,M), not {tuple(mask.shape)}")

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
        pair = segments if context is not None else (segments,)
        if isinstance(segments, Segments) != (context is None):
            raise ValueError(f"{name}: one Segments for x, a pair of them (x's, the context's) with a context")
        for part, tokens, of in zip(("x", "context"), (x, context), pair, strict=False):
            assert tokens is not None
            assert isinstance(of, Segments)
            if tokens.ndim != 2:
                raise ValueError(f"{name}: with segments {part} is (T, D), not {tuple(tokens.shape)}")
            # Reading the offsets of a GPU tensor would wait for the device.
            if not is_tracing() and of.offsets.device.type == "cpu" and of.offsets[-1] != len(tokens):
                raise ValueError(f"{name}: the offsets of {part} end at {int(of.offsets[-1])}, but it has {len(tokens)} tokens")


M = TypeVar("M", bound=type[Mixer])
_MIXERS: dict[str, type[Mixer]] = {}


def register_mixer(cls: M) -> M:
    """Put a mixer on the table under the name in its spec.

    >>> @register_mixer
    ... class Mine(Mixer):
    ...     spec = MixerSpec("mine", ...)
    """
    if cls.spec.name in _MIXERS:
        raise ValueError(f"a mixer {cls.spec.name!r} exists already")
    _MIXERS[cls.spec.name] = cls
    return cls


def list_mixers() -> dict[str, MixerSpec]:
    return {name: _MIXERS[name].spec for name in sorted(_MIXERS)}


def build_mixer(name: str, dim: int, heads: int, **options: Any) -> Mixer:
    """
    >>> build_mixer("softmax", dim=64, heads=4, causal=True)
    """
    if name not in _MIXERS:
        raise ValueError(f"no mixer {name!r}{nearest(name, _MIXERS)}; there are {', '.join(sorted(_MIXERS))}")
    return call_with_options(_MIXERS[name], f"mixer {name!r}", options, dim=dim, heads=heads)


R = TypeVar("R")


def call_with_options(make: Callable[..., R], what: str, options: Mapping[str, Any], **given: Any) -> R:
    """make(**given, **options), with a wrong option named together with the nearest right one."""
    known = [name for name in inspect.signature(make).parameters if name not in given]
    for option in options:
        if option not in known:
            raise ValueError(f"{what} has no option {option!r}{nearest(option, known)}; it has {', '.join(known)}")
    return make(**given, **options)


def nearest(word: str, words: Iterable[str]) -> str:
    """ "; did you mean X?" when something is near, else nothing."""
    close = get_close_matches(word, list(words), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
