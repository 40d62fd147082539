"""One file a mechanism. Importing this package fills the table of mixers."""

from core_attention.mixers.softmax import Softmax

__all__ = ["Softmax"]
