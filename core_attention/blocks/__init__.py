"""What mixers stand in."""

from core_attention.blocks.cross import Cross
from core_attention.blocks.droppath import DropPath
from core_attention.blocks.dual_macaron import DualMacaron
from core_attention.blocks.duo import DuoBlock
from core_attention.blocks.global_local import GlobalLocal, select_top, take
from core_attention.blocks.init import initialise
from core_attention.blocks.macaron import Macaron
from core_attention.blocks.mbconv import MbConv
from core_attention.blocks.moat import MoatBlock
from core_attention.blocks.prenorm import LayerScale, Mlp, PreNorm

__all__ = [
    "Cross", "DropPath", "DualMacaron", "DuoBlock", "GlobalLocal", "LayerScale", "Macaron", "MbConv", "Mlp", "MoatBlock", "PreNorm",
    "initialise", "select_top", "take",
]  # fmt: skip
