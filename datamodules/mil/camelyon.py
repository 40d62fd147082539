"""What the names of CAMELYON-16's slides say: normal_001, tumor_001, test_001. The challenge's split is by them."""

import re
from collections.abc import Sequence

__all__ = ["is_camelyon16", "label_of", "left_out", "split_of"]

NAME = re.compile(r"(normal|tumor|test)_\d{3}")
BAD = {
    "test_049": "test_049 is a copy that the challenge withdrew",
    "normal_086": "normal_086 has a tumour and came back as tumor_111",
}
BAD_UNDER_PARITY = {"test_114": "test_114 has incomplete outlines"}


def is_camelyon16(names: Sequence[str]) -> bool:
    kinds = {match[1] if (match := NAME.fullmatch(name)) else None for name in names}
    return None not in kinds and {"normal", "tumor"} <= kinds


def label_of(name: str) -> str:
    """Nothing for a test slide, whose label stands in reference.csv."""
    return "" if name.startswith("test") else name.partition("_")[0]


def split_of(name: str) -> str:
    return "test" if name.startswith("test") else "train"


def left_out(names: Sequence[str], protocol: str) -> dict[str, str]:
    """Slide -> why it takes no part; the published comparison leaves out one more."""
    bad = BAD | (BAD_UNDER_PARITY if protocol == "parity" else {})
    return {name: bad[name] for name in names if name in bad}
