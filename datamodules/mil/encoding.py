"""How features were made: by which encoder, of tiles of which size and resolution. A model belongs to the features it was trained on.

What is not known is None, and is never taken for equal or different.
"""

from collections.abc import Mapping
from typing import Any

__all__ = ["KEYS", "compared", "encoding_of"]

KEYS = ("encoder", "encoder_sha256", "dim", "transform", "mpp_target", "tile_px")
ALIKE = 0.02  # of the resolution: what tiling tolerates
WORDS = {
    "encoder": "the encoder", "encoder_sha256": "the encoder's weights (sha256)", "dim": "the number of features",
    "transform": "the encoder's transform", "mpp_target": "um per pixel of a tile", "tile_px": "pixels of a tile",
}  # fmt: skip


def encoding_of(about: Mapping[str, Any], width: int | None = None) -> dict[str, Any]:
    """From what a file of features says of itself; TRIDENT's say it beside the coordinates. `width`: that its rows have."""
    coords = about.get("coords") or {}
    found = {key: about.get(key) for key in KEYS}
    found["mpp_target"] = found["mpp_target"] or coords.get("mpp_target")
    found["tile_px"] = found["tile_px"] or coords.get("patch_size")
    if width is not None:
        found["dim"] = width
    return found


def compared(one: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """(keys that both know, a line for each in which they differ).

    Weights say more than a name: where both hashes are known, names are not compared.
    """
    known = [key for key in KEYS if one.get(key) is not None and other.get(key) is not None]
    if "encoder_sha256" in known and "encoder" in known:
        known.remove("encoder")
    wrong = [f"{WORDS[key]}: {_told(one[key])} and {_told(other[key])}" for key in known if not _same(key, one[key], other[key])]
    return known, wrong


def _same(key: str, one: Any, other: Any) -> bool:
    if key == "mpp_target":
        return abs(one / other - 1) <= ALIKE
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return {name: _plain(value) for name, value in one.items()} == {name: _plain(value) for name, value in other.items()}
    return one == other


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _told(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return value[:12] if isinstance(value, str) and len(value) == 64 else str(value)
