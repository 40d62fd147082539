"""One file a mechanism. Importing this package fills the table of mixers."""

from core_attention.mixers.affine import Affine
from core_attention.mixers.hilo import HiLo
from core_attention.mixers.lka import Lka
from core_attention.mixers.selective import Selective
from core_attention.mixers.softmax import Softmax
from core_attention.mixers.topk import TopK

__all__ = ["Affine", "HiLo", "Lka", "Selective", "Softmax", "TopK"]
