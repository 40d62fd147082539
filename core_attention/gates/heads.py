"""Attention heads that nobody reads leave with their queries, keys and values. A head's width stays; blocks may differ in their number."""

from typing import NamedTuple, cast

from torch import nn

from core_attention.gates.cut import Cuts
from core_attention.gates.dead import zero_columns
from core_attention.gates.graph import modules_of
from core_attention.mixers.heads import Heads

__all__ = ["cut_heads"]

PARTS = {"qkv", "proj", "q_norm", "k_norm"}


class Told(NamedTuple):
    """The attributes by which a module knows its heads."""

    heads: str
    width: int
    inner: str | None  # heads * width, where it is kept


def cut_heads(model: nn.Module, cuts: Cuts) -> list[tuple[str, int, int]]:
    """Adds to the cuts, and tells the modules; (name, heads before, after) of those that lose some."""
    found: list[tuple[str, int, int]] = []
    for path, module in modules_of(model):
        told = told_by(module)
        if told is None:
            continue
        count = int(getattr(module, told.heads))
        proj, qkv = (cast(nn.Linear, module.get_submodule(part)) for part in ("proj", "qkv"))
        dead_H = zero_columns(proj.weight).reshape(count, told.width).all(1)
        if dead_H.all():
            dead_H[0] = False
        if not dead_H.any():
            continue
        keep = ~dead_H.repeat_interleave(told.width)
        cuts.columns(f"{path}.proj" if path else "proj", keep)
        for name, _ in qkv.named_parameters():
            cuts.keep(f"{path}.qkv.{name}" if path else f"qkv.{name}", 0, keep.repeat(3))
        left = count - int(dead_H.sum())
        setattr(module, told.heads, left)
        if told.inner is not None:
            setattr(module, told.inner, left * told.width)
        found.append((path, count, left))
    return found


def told_by(module: nn.Module) -> Told | None:
    """None: no attention whose heads are known to lie side by side in `qkv` and `proj`, with nothing else that counts them."""
    parts = dict(module.named_children())
    if any(type(parts.get(name)) is not nn.Linear for name in ("qkv", "proj")):
        return None
    if isinstance(module, Heads):
        kind = type(module)
        plain = kind.mix is Heads.mix and kind.project is Heads.project and kind.finish is Heads.finish
        own = {name.partition(".")[0] for name, _ in module.named_parameters()} <= PARTS
        return Told("heads", module.dim // module.heads, None) if plain and own and module.qkv.out_features == 3 * module.dim else None
    if all(isinstance(getattr(module, name, None), int) for name in ("num_heads", "head_dim", "attn_dim")):  # as in timm
        width, inner = int(getattr(module, "head_dim")), int(getattr(module, "attn_dim"))  # noqa: B009
        counted = getattr(module, "gate", None) is None and isinstance(getattr(module, "norm", nn.Identity()), nn.Identity)
        both = cast(nn.Linear, parts["qkv"]).out_features == 3 * inner and cast(nn.Linear, parts["proj"]).in_features == inner
        return Told("num_heads", width, "attn_dim") if counted and both else None
    return None
