"""How new weights begin (2.0), and which of them never decay (section 3)."""

from torch import nn

from apps.otsnet.locate import Points
from core_attention.blocks import initialise

__all__ = ["NO_DECAY", "begin"]

# Names, or ends of names, of matrices that must not decay; norms and biases are vectors and never do.
NO_DECAY = ("place", "key_place", "slots", "queries", "embed.weight", "book.rows")


def begin(model: nn.Module) -> None:
    """Embeddings and positions: truncated normal of deviation 0.02; convolutions: fan-out normal.

    ours: linear weights by their fan-in, 1 / sqrt(3 n). 0.02 is that of a width of 833; at nano's 64 it is a quarter of it, and what the
    picture says drowned in the slots' own vectors: no character was learned in 300 steps that are enough otherwise.
    """
    initialise(model, std=None)
    for part in model.modules():
        if isinstance(part, nn.Embedding):
            nn.init.trunc_normal_(part.weight, std=0.02)
        for table in ("place", "key_place"):
            value = getattr(part, table, None)
            if isinstance(value, nn.Parameter):
                nn.init.trunc_normal_(value, std=0.02)
        if isinstance(part, Points):  # they begin at the slot's mean position
            nn.init.zeros_(part.offset.weight)
