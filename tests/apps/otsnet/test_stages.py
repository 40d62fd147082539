"""Places first, then glyphs, then spelling: what begins later learns nothing before."""

from typing import Any

import pytest
import torch

from apps.otsnet.options import Quantize, Verify
from tests.apps.otsnet.tiny import otsnet, pictures, words

TOKENS = words("abc", "fade", "b")
PLACES, GLYPHS, ALL = {"position"}, {"position", "semantic", "commit"}, {"position", "semantic", "commit", "fused", "verify"}


def staged(**quantize: Any) -> Any:
    return otsnet(quantize=Quantize(codes=8, code_width=8, begin=0.2, **quantize), verify=Verify(begin=0.4)).train()


@pytest.mark.parametrize(("progress", "expected"), [(0.0, PLACES), (0.19, PLACES), (0.2, GLYPHS), (0.39, GLYPHS), (0.4, ALL), (1.0, ALL)])
def test_each_part_has_its_losses_from_its_share_of_the_training_on(progress: float, expected: set[str]) -> None:
    model = staged()
    parts = model.losses(model(pictures(), model.teach(TOKENS, 1, progress)), TOKENS)
    assert set(parts) == expected
    torch.stack(list(parts.values())).sum().backward()
    moved = {name.split(".")[0] for name, parameter in model.named_parameters() if parameter.grad.abs().sum() > 0}
    assert {"observer", "locator", "position_head"} <= moved
    assert ("semantic_head" in moved) == ("quantizer" in moved) == ("semantic" in expected)
    assert ("verifier" in moved) == ("fused" in expected)


def test_every_weight_has_a_gradient_in_every_stage_for_processes_that_train_together_wait_for_it() -> None:
    model = staged(assign="nearest")
    for progress in (0.0, 0.3):
        model.zero_grad(set_to_none=True)
        parts = model.losses(model(pictures(), model.teach(TOKENS, 1, progress)), TOKENS)
        torch.stack(list(parts.values())).sum().backward()
        assert all(parameter.grad is not None for parameter in model.parameters())


def test_codes_stay_until_places_are_known_and_begin_at_the_k_means_of_what_comes_then() -> None:
    model = staged()
    rows = model.quantizer.book.rows.clone()
    for progress, moves in ((0.1, False), (0.3, True)):
        output = model(pictures(), model.teach(TOKENS, 1, progress))
        assert bool(model.follow([(output, TOKENS)], 1, progress)) == moves
        assert (not torch.equal(model.quantizer.book.rows, rows)) == moves
        assert (int(model.quantizer.book.filled) > 0) == moves


def test_validation_sees_the_whole_reader_in_every_stage() -> None:
    model = staged().eval()
    assert set(model.losses(model(pictures()), TOKENS)) == ALL


def test_spelling_does_not_begin_before_the_glyphs_it_looks_at() -> None:
    with pytest.raises(ValueError, match=r"verify.begin=0.0 is before quantize.begin=0.2, and spelling looks at glyphs; raise it"):
        otsnet(quantize=Quantize(begin=0.2))
    assert otsnet(quantize=Quantize(begin=0.2), verify=Verify(head="none")).verifier is None
