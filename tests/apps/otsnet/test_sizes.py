"""Table 2.6."""

import string

import pytest
import torch

from apps.otsnet.options import Observe
from apps.otsnet.readers import build_reader

CHARSET = string.printable[:94]


def millions(size: str, attention: str) -> float:
    with torch.device("meta"):
        made = build_reader("otsnet", CHARSET, observe=Observe(size=size, attention=attention))  # type: ignore[arg-type]
    return sum(parameter.numel() for parameter in made.parameters()) / 1e6


@pytest.mark.parametrize(("size", "wanted"), [("nano", 0.35), ("tiny", 1.49), ("small", 5.21), ("base", 34.1)])
def test_a_size_has_as_many_weights_as_the_table_says(size: str, wanted: float) -> None:
    assert millions(size, "differential") == pytest.approx(wanted, rel=0.01)
    assert millions(size, "softmax") == pytest.approx(millions(size, "differential"), rel=0.01)


def test_three_quarters_of_the_depth_make_dual_attention_as_large() -> None:
    assert millions("base", "dual") == pytest.approx(millions("base", "differential"), rel=0.01)
