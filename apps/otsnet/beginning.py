"""How new weights begin (2.0), and which of them never decay (section 3)."""

from torch import nn

from core_attention.blocks import initialise

__all__ = ["NO_DECAY", "begin"]

# Names, or ends of names, of matrices that must not decay; norms and biases are vectors and never do.
NO_DECAY = ("place", "key_place", "slots", "queries", "embed.weight", "book.rows")


def begin(model: nn.Module) -> None:
    """Linear and embedding weights: truncated normal of deviation 0.02; convolutions: fan-out normal; positions as embeddings."""
    initialise(model)
    for name, part in model.named_modules():
        if isinstance(part, nn.Embedding):
            nn.init.trunc_normal_(part.weight, std=0.02)
        for table in ("place", "key_place"):
            value = getattr(part, table, None)
            if isinstance(value, nn.Parameter):
                nn.init.trunc_normal_(value, std=0.02)
        if name.endswith("points"):  # points begin at the slot's mean position
            nn.init.zeros_(part.offset.weight)
