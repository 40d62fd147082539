"""What leaves this machine or is shown to others names no picture and no folder of the data: such a name may be a person's."""

import re
from collections.abc import Mapping
from typing import Any

__all__ = ["discreet", "public"]

_KEYS = ("path", "source")  # of a configuration or a data card; what they hold is shortened to its last part

_SUFFIXES = "jpe?g|jpe|jfif|png|tiff?|bmp|webp|gif|hei[cf]|avif|jp2|j2k|jxl|p[bgnp]m|dcm|dicom|nii|svs|ndpi|mrxs|scn|vms|bif|czi|raw|dng"
_PICTURE = re.compile(rf"[^\n\"',:\[\]{{}}]+\.(?:{_SUFFIXES})\b", re.IGNORECASE)
_FOLDERS = re.compile(r"(?<![\w.:/\\])(?:[A-Za-z]:[\\/]|~?/|\\\\)(?:[^/\\\s'\",\[\]{}][^/\\\n'\",\[\]{}]*[/\\])+")


def discreet(text: str) -> str:
    """Pictures go with the folders before them; of other absolute paths the last part stays."""
    return _FOLDERS.sub("", _PICTURE.sub("[picture]", text))


def public(value: Any, key: str = "") -> Any:
    """Nested plain values with every text made discreet."""
    if isinstance(value, Mapping):
        return {discreet(str(name)): public(branch, str(name).rpartition(".")[2]) for name, branch in value.items()}
    if isinstance(value, list | tuple):
        return [public(branch, key) for branch in value]
    if not isinstance(value, str):
        return value
    text = discreet(value)
    return re.split(r"[/\\]", text.rstrip("/\\"))[-1] if key in _KEYS else text
