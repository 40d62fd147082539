"""One file a pool. Importing this package fills the table of pools."""

from core_attention.pools.ab_mil import AbMil
from core_attention.pools.attentive import Attentive
from core_attention.pools.cls import Cls
from core_attention.pools.ep import Ep
from core_attention.pools.lama import Lama
from core_attention.pools.max import Max
from core_attention.pools.mean import Mean
from core_attention.pools.simpool import SimPool

__all__ = ["AbMil", "Attentive", "Cls", "Ep", "Lama", "Max", "Mean", "SimPool"]
