"""Attention: token mixers under one contract, the blocks and trunks that hold them. Needs torch only.

>>> mixer = build_mixer("softmax", dim=64, heads=4)
>>> y = mixer(torch.randn(2, 10, 64))
"""

import core_attention.mixers  # noqa: F401  # pyright: ignore[reportUnusedImport]  (fills the table)
from core_attention.contract import Mixer, MixerSpec, PatternError, Segments, build_mixer, list_mixers, register_mixer

__all__ = ["Mixer", "MixerSpec", "PatternError", "Segments", "build_mixer", "list_mixers", "register_mixer"]
