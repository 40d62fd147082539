"""Which parts of a reader come one after the other, for layer-wise rates; and what stays as it is when the first of them are frozen."""

from collections.abc import Sequence

from torch import nn

from apps.otsnet.readers import Reader

__all__ = ["layer_groups", "still"]


def layer_groups(model: Reader) -> list[list[str]]:
    """Parameter-name prefixes from the picture to the word: stem, each block, the rest of the eyes; of the pipeline then where, and which
    glyph. What is left, heads and verifier or decoder, is the output.
    """
    stem, rest = ["observer.stem.", "observer.place"], ["observer.", "lstm."]
    blocks = [[f"observer.blocks.{i}."] for i in range(len(model.observer.blocks))]
    parts = [[f"{name}."] for name in ("locator", "quantizer") if hasattr(model, name)]
    return [stem, *blocks, rest, *parts]


def still(model: nn.Module, groups: Sequence[Sequence[str]]) -> None:
    """Leave the parts of these groups in evaluation mode: weights without a gradient are not all that moves.

    Running statistics of the stem would follow the new pictures, codes the slots that choose them, and dropout would go on.
    """
    prefixes = tuple(prefix for group in groups for prefix in group)
    for name, part in model.named_modules():
        if prefixes and f"{name}.".startswith(prefixes):
            part.eval()
