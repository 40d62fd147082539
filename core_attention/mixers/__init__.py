"""One file a mechanism. Importing this package fills the table of mixers."""

from core_attention.mixers.affine import Affine
from core_attention.mixers.differential import Differential
from core_attention.mixers.gpsa import Gpsa
from core_attention.mixers.grouped_differential import GroupedDifferential
from core_attention.mixers.halo import Halo
from core_attention.mixers.hilo import HiLo
from core_attention.mixers.lka import Lka
from core_attention.mixers.neighborhood import Neighborhood
from core_attention.mixers.selective import Selective
from core_attention.mixers.sigmoid import Sigmoid
from core_attention.mixers.softmax import Softmax
from core_attention.mixers.topk import TopK

__all__ = [
    "Affine", "Differential", "Gpsa", "GroupedDifferential", "Halo", "HiLo", "Lka", "Neighborhood",
    "Selective", "Sigmoid", "Softmax", "TopK",
]  # fmt: skip
