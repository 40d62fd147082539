"""What mixers stand in."""

from core_attention.blocks.droppath import DropPath
from core_attention.blocks.duo import DuoBlock
from core_attention.blocks.macaron import Macaron
from core_attention.blocks.mbconv import MbConv
from core_attention.blocks.moat import MoatBlock
from core_attention.blocks.prenorm import LayerScale, Mlp, PreNorm

__all__ = ["DropPath", "DuoBlock", "LayerScale", "Macaron", "MbConv", "Mlp", "MoatBlock", "PreNorm"]
