"""One file a mechanism. Importing this package fills the table of mixers."""

from core_attention.mixers.gpsa import Gpsa
from core_attention.mixers.halo import Halo
from core_attention.mixers.neighborhood import Neighborhood
from core_attention.mixers.softmax import Softmax

__all__ = ["Gpsa", "Halo", "Neighborhood", "Softmax"]
