"""What mixers stand in."""

from core_attention.blocks.cross import Cross
from core_attention.blocks.droppath import DropPath
from core_attention.blocks.global_local import GlobalLocal, select_top, take
from core_attention.blocks.init import initialise
from core_attention.blocks.prenorm import LayerScale, Mlp, PreNorm

__all__ = ["Cross", "DropPath", "GlobalLocal", "LayerScale", "Mlp", "PreNorm", "initialise", "select_top", "take"]
