"""Attention: token mixers under one contract, the blocks and trunks that hold them. Needs torch only.

>>> mixer = build_mixer("softmax", dim=64, heads=4)
>>> y = mixer(torch.randn(2, 10, 64))
"""

import core_attention.mixers  # pyright: ignore[reportUnusedImport]  (fills the table of mixers)
import core_attention.pools  # noqa: F401  # pyright: ignore[reportUnusedImport]  (and of pools)
from core_attention.contract import Cost, Mixer, MixerSpec, PatternError, Pool, PoolSpec
from core_attention.registry import build_mixer, build_pool, list_mixers, list_pools, register_mixer, register_pool
from core_attention.segments import Segments

__all__ = [
    "Cost", "Mixer", "MixerSpec", "PatternError", "Pool", "PoolSpec", "Segments",
    "build_mixer", "build_pool", "list_mixers", "list_pools", "register_mixer", "register_pool",
]  # fmt: skip
