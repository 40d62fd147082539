"""One file a mechanism. Importing this package fills the table of mixers."""

from core_attention.mixers.differential import Differential
from core_attention.mixers.grouped_differential import GroupedDifferential
from core_attention.mixers.sigmoid import Sigmoid
from core_attention.mixers.softmax import Softmax
from core_attention.mixers.topk import TopK

__all__ = ["Differential", "GroupedDifferential", "Sigmoid", "Softmax"]
