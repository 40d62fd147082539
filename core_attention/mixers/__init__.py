"""One file a mechanism. Importing this package fills the table of mixers."""

from core_attention.mixers.affine import Affine
from core_attention.mixers.biformer import BiFormer
from core_attention.mixers.care import Care
from core_attention.mixers.contmix import ContMix
from core_attention.mixers.differential import Differential
from core_attention.mixers.gpsa import Gpsa
from core_attention.mixers.grouped_differential import GroupedDifferential
from core_attention.mixers.halo import Halo
from core_attention.mixers.hierarchical import Hierarchical
from core_attention.mixers.hilo import HiLo
from core_attention.mixers.infsa import InfSA
from core_attention.mixers.infsa_linear import InfSALinear
from core_attention.mixers.linear import Linear
from core_attention.mixers.lka import Lka
from core_attention.mixers.moh import MoH
from core_attention.mixers.neighborhood import Neighborhood
from core_attention.mixers.reversed import Reversed
from core_attention.mixers.routing import Routing
from core_attention.mixers.selective import Selective
from core_attention.mixers.sigmoid import Sigmoid
from core_attention.mixers.softmax import Softmax
from core_attention.mixers.subsampled import Subsampled
from core_attention.mixers.topk import TopK
from core_attention.mixers.ulsam import Ulsam

__all__ = [
    "Affine", "BiFormer", "Care", "ContMix", "Differential", "Gpsa", "GroupedDifferential", "Halo", "HiLo",
    "Hierarchical", "InfSA", "InfSALinear", "Linear", "Lka", "MoH", "Neighborhood", "Reversed", "Routing",
    "Selective", "Sigmoid", "Softmax", "Subsampled", "TopK", "Ulsam",
]  # fmt: skip
