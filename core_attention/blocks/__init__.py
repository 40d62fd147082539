"""What mixers stand in."""

from core_attention.blocks.cross import Cross
from core_attention.blocks.droppath import DropPath
from core_attention.blocks.prenorm import LayerScale, Mlp, PreNorm

__all__ = ["Cross", "DropPath", "LayerScale", "Mlp", "PreNorm"]
