"""The page of mechanisms, written from their specs: `python -m core_attention.table > docs/mechanisms.md`."""

import inspect

import core_attention.mixers  # pyright: ignore[reportUnusedImport]  (fills the table of mixers)
import core_attention.pools  # noqa: F401  # pyright: ignore[reportUnusedImport]  (fills the table of pools)
from core_attention.contract import Mixer, MixerSpec, Pool, PoolSpec
from core_attention.registry import list_mixers, list_pools, mixer_class, pool_class

__all__ = ["page"]

HEAD = """# Mechanisms

Written by `python -m core_attention.table > docs/mechanisms.md` from the specs; `build_mixer(name, dim, heads, **options)` builds one.
Patterns: ns, cs are noncausal and causal self attention, nc, cc noncausal and causal cross attention.
Grid: whether the tokens must be the cells of one. Needs: what `need` may ask for.
Rows: what the rows of a map sum to; free: signed or unnormalised.
Masks: key (B,M) and pair (B,N,M) are bool, bias is added to the logits. Ragged: whether it takes segments.
Cost: multiply-adds besides the projections, N queries, M keys, width D.
What each is worth in one small trunk, `discern bench mixers --study` shows.
"""
POOLS = """
# Pools

Many tokens to one vector: `build_pool(name, dim, **options)`; masks and segments as for mixers.
Cost: as above, K queries, H hidden units, M heads. What a value must be, the message of a wrong one says."""
COLUMNS = ("name", "patterns", "grid", "needs", "rows", "masks", "ragged", "cost")
PATTERNS = ("ns", "cs", "nc", "cc")
NEEDS = ("none", "row", "mean", "full", "lse", "aux")
MASKS = ("key", "pair", "bias")
SHARED = frozenset({"dim", "heads", "causal", "context_dim", "qkv_bias", "qk_norm", "attn_drop", "proj_drop"})  # in every second one


def page() -> str:
    """One table of all mixers, then a section for each; then the pools."""
    lines = [HEAD, f"| {' | '.join(COLUMNS)} |", f"|{' --- |' * len(COLUMNS)}"]
    lines += [f"| {' | '.join(row(spec))} |" for spec in list_mixers().values()]
    lines += [section(name, spec) for name, spec in list_mixers().items()]
    return "\n".join([*lines, POOLS, *(pool_section(name, spec) for name, spec in list_pools().items())]) + "\n"


def row(spec: MixerSpec) -> tuple[str, ...]:
    return (
        f"[`{spec.name}`](#{spec.name})",
        chosen(spec.patterns, PATTERNS),
        "yes" if spec.needs_grid else "-",
        chosen(spec.needs, NEEDS),
        # the rows of what gives no map sum to nothing
        spec.mass if spec.needs & {"row", "mean", "full"} else "-",
        chosen(spec.masks, MASKS),
        "yes" if spec.ragged else "-",
        spec.complexity,
    )


def section(name: str, spec: MixerSpec) -> str:
    kind = mixer_class(name)
    lacking = [pattern for pattern in PATTERNS if pattern not in spec.patterns]
    refused = [*([f"the patterns {', '.join(lacking)}"] if lacking else []), *spec.refuses]
    lines = [
        f"\n## {name}\n",
        f"    {spec.equation}\n",
        *([f"{described(kind)}\n"] if kind.__doc__ else []),
        f"- Source: {spec.source}. Read: {spec.read}.",
        f"- Options: {options(kind)}.",
        f"- Refuses: {'; '.join(refused)}.",
        *(["- In training only: evaluation is softmax."] if spec.training_only else []),
    ]
    return "\n".join(lines)


def pool_section(name: str, spec: PoolSpec) -> str:
    """What its file says of it, but for the letters of shapes."""
    kind = pool_class(name)
    told, _, _ = inspect.cleandoc(inspect.getmodule(kind).__doc__ or "").partition("\nShapes:")
    lines = [
        f"\n### {name}\n",
        f"{told.strip()}\n",
        f"- Source: {spec.source}. Needs: {chosen(spec.needs, NEEDS)}. Cost: {spec.complexity}.",
        f"- Options: {options(kind) or 'none'}.",
    ]
    return "\n".join(lines)


def described(kind: type[Mixer]) -> str:
    """Its docstring, the examples as code."""
    text = inspect.cleandoc(kind.__doc__ or "")
    return "\n".join(f"    {line}" if line.startswith(">>>") else line for line in text.splitlines())


def options(kind: type[Mixer] | type[Pool]) -> str:
    """Its own, with their defaults, then the names of those that most have."""
    known = inspect.signature(kind.__init__).parameters
    shared = SHARED if issubclass(kind, Mixer) else frozenset({"dim"})
    own = [f"`{name}={value.default!r}`" for name, value in known.items() if name not in shared | {"self"}]
    usual = [f"`{name}`" for name in known if name in shared - {"dim", "heads"}]
    return "; ".join(part for part in (", ".join(own), "usual: " + ", ".join(usual) if usual else "") if part)


def chosen(words: frozenset[str], order: tuple[str, ...]) -> str:
    return ", ".join(word for word in order if word in words) or "-"


if __name__ == "__main__":
    print(page(), end="")
