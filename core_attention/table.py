"""The table of mixers, written from their specs: `python -m core_attention.table > docs/mixers.md`."""

import core_attention.mixers  # noqa: F401  # pyright: ignore[reportUnusedImport]  (fills the table of mixers)
from core_attention.contract import MixerSpec
from core_attention.registry import list_mixers

__all__ = ["table"]

HEAD = """# Mixers

Written by `python -m core_attention.table > docs/mixers.md` from the specs; `build_mixer(name, dim, heads)` builds one.
Patterns: ns, cs are noncausal and causal self attention, nc, cc noncausal and causal cross attention.
Grid: whether the tokens must be the cells of one. Needs: what `need` may ask for.
Rows: what the rows of a map sum to; free: signed or unnormalised.
Masks: key (B,M) and pair (B,N,M) are bool, bias is added to the logits. Ragged: whether it takes segments.
Cost: multiply-adds besides the projections, N queries, M keys, width D.
"""
COLUMNS = ("name", "patterns", "grid", "needs", "rows", "masks", "ragged", "cost", "source")
PATTERNS = ("ns", "cs", "nc", "cc")
NEEDS = ("none", "row", "mean", "full", "lse", "aux")
MASKS = ("key", "pair", "bias")


def table() -> str:
    """One row a mixer, in markdown."""
    lines = [HEAD, f"| {' | '.join(COLUMNS)} |", f"|{' --- |' * len(COLUMNS)}"]
    lines += [f"| {' | '.join(row(spec))} |" for spec in list_mixers().values()]
    return "\n".join(lines) + "\n"


def row(spec: MixerSpec) -> tuple[str, ...]:
    return (
        f"`{spec.name}`",
        chosen(spec.patterns, PATTERNS),
        "yes" if spec.needs_grid else "-",
        chosen(spec.needs, NEEDS),
        # the rows of what gives no map sum to nothing
        spec.mass if spec.needs & {"row", "mean", "full"} else "-",
        chosen(spec.masks, MASKS),
        "yes" if spec.ragged else "-",
        spec.complexity,
        spec.source,
    )


def chosen(words: frozenset[str], order: tuple[str, ...]) -> str:
    return ", ".join(word for word in order if word in words) or "-"


if __name__ == "__main__":
    print(table(), end="")
