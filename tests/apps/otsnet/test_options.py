from typing import Any

import pytest
import torch

from apps.otsnet.options import Ctc, Decoder, Locate, Observe, Quantize, Verify, Weights
from apps.otsnet.readers import build_reader
from tests.apps.otsnet.tiny import eyes, pictures


@pytest.mark.parametrize(
    ("part", "options", "said"),
    [
        (Observe, {"height": 30}, "observe.height=30 .* 4x8 pixels"),
        (Observe, {"width": 0}, "whole tokens"),
        (Observe, {"dim": 18}, "observe.dim=18 does not divide by 4 x pairs=1"),
        (Observe, {"attention": "dual", "macaron": False}, "observe.macaron=false: attention=dual"),
        (Locate, {"layers": 0}, "locate.layers is at least 1, not 0"),
        (Locate, {"dropout": 1.0}, r"locate.dropout is in \[0, 1\), not 1.0"),
        (Quantize, {"assign": "none", "codes": 32}, "quantize.codes=32: assign=none has no codes"),
        (Quantize, {"assign": "gumbel", "revive": False}, "quantize.revive=False: assign=gumbel learns its codes by gradient"),
        (Quantize, {"assign": "ema", "temperature": 1.0}, "quantize.temperature=1.0: it belongs to assign=gumbel, not to ema"),
        (Quantize, {"assign": "gumbel", "temperature": 0.1}, "quantize.temperature is at least 0.5"),
        (Verify, {"head": "none", "layers": 2}, "verify.layers=2: head=none"),
        (Verify, {"head": "cloze", "refine": "verified"}, "head=cloze judges nothing"),
        (Verify, {"refine": "replace", "verify_threshold": 0.3}, "verify.verify_threshold belongs to refine=verified"),
        (Verify, {"iterations": 6}, "verify.iterations is 0 to 5, not 6"),
        (Verify, {"begin": 1.0}, r"verify.begin is in \[0, 1\), not 1.0"),
        (Quantize, {"begin": -0.1}, r"quantize.begin is in \[0, 1\), not -0.1"),
        (Verify, {"modalities": ()}, "verify.modalities names one or more"),
        (Verify, {"modalities": ("visual", "visual")}, "each once"),
        (Observe, {"boxes": -1.0}, "observe.boxes is 0 or more"),
        (Observe, {"stem": "patch", "grid": "1x32"}, "grid=1x32 goes with stem=conv"),
        (Weights, {"align": -1.0}, "weights.align is 0 or more"),
        (Ctc, {"hidden": 8}, "ctc.hidden=8 belongs to ctc.encoder=lstm"),
        (Decoder, {"permutations": 5}, "an even number from 2 on, not 5"),
    ],
)
def test_a_choice_that_could_not_act_is_refused_by_its_name(part: Any, options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        part(**options)


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("ctc", {"verify": Verify(iterations=2)}, "verify belongs to reader=otsnet, not to ctc"),
        ("otsnet", {"decoder": Decoder(refine=2)}, "decoder belongs to reader=parseq, not to otsnet"),
        ("ctc", {"observe": eyes()}, "reader=ctc needs observe.grid=4x32 or 1x32"),
        ("ctc", {"observe": eyes(grid="4x32", depth=3), "ctc": Ctc(encoder="lstm")}, "ctc.encoder=lstm has no blocks"),
        ("otsnet", {"weights": Weights(ctc=0.3)}, "weights.ctc=0.3 needs observe.grid=4x32 or 1x32"),
        ("otsnet", {"quantize": Quantize(code_width=10, groups=3)}, "quantize.code_width=10 does not divide by groups=3"),
    ],
)
def test_options_that_do_not_go_together_are_refused(name: Any, options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        build_reader(name, "abc", 6, **options)


def test_a_charset_and_slots_are_checked() -> None:
    for charset, slots, said in (("", 6, "one or more characters"), ("aba", 6, "each once, not 'aba'"), ("ab", 1, "slots are at least 2")):
        with pytest.raises(ValueError, match=said):
            build_reader("otsnet", charset, slots)


def test_lists_of_a_recipe_are_taken() -> None:
    assert Verify(modalities=["visual"]).modalities == ("visual",)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("size", "told", "drops"), [("nano", None, False), ("small", None, True), ("nano", 0.3, True), ("small", 0.0, False)]
)
def test_what_follows_the_eyes_drops_as_the_size_says_or_as_it_is_told(size: Any, told: float | None, drops: bool) -> None:
    reader = build_reader("otsnet", "abc", 6, eyes(size=size, pairs=1), Locate(dropout=told), verify=Verify(dropout=told)).train()
    once, again = (reader(pictures()) for _ in range(2))
    assert torch.equal(once.fused_logits, again.fused_logits) != drops


def test_a_recipe_that_says_the_dropout_of_before_where_it_cannot_act_is_still_read() -> None:
    assert Verify(head="none", dropout=0.1).head == "none"
    build_reader("ctc", "abc", 6, eyes(grid="4x32"), Locate(dropout=0.1), verify=Verify(dropout=0.1), decoder=Decoder(dropout=0.1))
    with pytest.raises(ValueError, match="locate belongs to reader=otsnet"):
        build_reader("ctc", "abc", 6, eyes(grid="4x32"), Locate(dropout=0.2))
