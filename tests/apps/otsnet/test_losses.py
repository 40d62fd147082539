from typing import Any

import pytest
import torch
from torch import Tensor

from apps.otsnet import losses
from apps.otsnet.options import Quantize, Verify, Weights
from tests.apps.otsnet.tiny import PAD, eyes, otsnet, pictures, reader, words

CELLS = (8, 8)
NOWHERE = torch.full((2, 5, 4), torch.nan)


def boxes() -> Tensor:
    made = NOWHERE.clone()
    made[0, 0] = torch.tensor([0.0, 0.0, 0.25, 1.0])
    return made


def looking(token: int) -> Tensor:
    return torch.eye(64)[token].expand(2, 6, 64).clone().requires_grad_()


def test_attention_in_its_box_costs_nothing_and_outside_of_it_much() -> None:
    assert float(losses.align(looking(0), boxes(), CELLS).detach()) == pytest.approx(0, abs=1e-6)
    assert float(losses.align(looking(7), boxes(), CELLS).detach()) > 10
    random = torch.rand(2, 6, 64).softmax(-1)
    assert float(losses.align(random * (1 + 1e-6), boxes(), CELLS)) >= 0


def test_words_without_boxes_are_left_out_and_have_no_gradient() -> None:
    a = looking(0)
    assert float(losses.align(a, NOWHERE, CELLS)) == 0
    losses.align(a, boxes(), CELLS).backward()
    assert a.grad is not None
    assert (a.grad[1] == 0).all()
    assert (a.grad[0, 1:] == 0).all()


def test_a_box_narrower_than_a_token_still_has_one() -> None:
    narrow = NOWHERE.clone()
    narrow[0, 0] = torch.tensor([0.24, 0.0, 0.26, 1.0])  # between two columns
    narrow[1, 0] = torch.tensor([0.13, 0.4, 0.14, 0.41])
    assert losses.in_boxes(narrow, CELLS)[:, 0].any(-1).all()
    assert not losses.in_boxes(narrow, CELLS)[:, 1:].any()


def test_only_characters_and_their_end_count() -> None:
    tokens, logits = words("ab", "c"), torch.randn(2, 6, 7)
    spoilt = torch.where((tokens == PAD).unsqueeze(-1), 9.0, logits)
    torch.testing.assert_close(losses.characters(logits, tokens), losses.characters(spoilt, tokens))
    by_hand = -torch.cat([logits.log_softmax(-1)[0, [0, 1, 2], [1, 2, 0]], logits.log_softmax(-1)[1, [0, 1], [3, 0]]]).mean()
    torch.testing.assert_close(losses.characters(logits, tokens), by_hand)


def test_a_verdict_is_asked_for_up_to_the_longer_word() -> None:
    verdict, truth, guess = torch.zeros(1, 6, requires_grad=True), words("ab"), words("abcd")
    losses.verdicts(verdict, guess, truth).backward()
    assert verdict.grad is not None
    assert verdict.grad[0].sign().tolist() == [-1, -1, 1, 1, 1, 0]


def test_a_word_needs_a_column_more_for_each_letter_twice() -> None:
    assert losses.needed_columns(words("abc", "aab", "ccccc", "")).tolist() == [3, 4, 9, 0]


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({}, {"position", "semantic", "fused", "verify", "commit", "align"}),
        ({"verify": Verify(head="cloze")}, {"position", "semantic", "fused", "commit", "align"}),
        ({"verify": Verify(head="none")}, {"position", "semantic", "commit", "align"}),
        ({"quantize": Quantize(assign="none")}, {"position", "semantic", "fused", "verify", "align"}),
        ({"quantize": Quantize(assign="nearest")}, {"position", "semantic", "fused", "verify", "commit", "codebook", "align"}),
        ({"quantize": Quantize(assign="gumbel")}, {"position", "semantic", "fused", "verify", "diversity", "align"}),
        ({"weights": Weights(align=0.0)}, {"position", "semantic", "fused", "verify", "commit"}),
        (
            {"weights": Weights(ctc=0.3), "observe": eyes(grid="4x32")},
            {"position", "semantic", "fused", "verify", "commit", "align", "ctc"},
        ),
    ],
)
def test_what_a_model_does_not_have_is_no_loss_and_every_weight_learns(options: dict[str, Any], names: set[str]) -> None:
    model, tokens = otsnet(**options).train(), words("abc", "de")
    output = model(pictures(2), model.teach(tokens, 0, 0.5))
    found = model.losses(output, tokens, boxes())
    assert set(found) == names
    torch.stack(list(found.values())).sum().backward()
    assert [name for name, parameter in model.named_parameters() if parameter.grad is None] == []


@pytest.mark.parametrize("name", ["otsnet", "ctc", "parseq"])
def test_letters_are_learned_from_their_boxes_where_these_are_known(name: str) -> None:
    tokens, unknown = words("abc", "de"), torch.full_like(boxes(), torch.nan)
    for weight in (0.0, 1.0, 2.0):
        model = reader(name, observe=eyes(grid="1x32", boxes=weight)).train()
        output = model(pictures(2), model.teach(tokens, 0, 0.5))
        found = model.losses(output, tokens, boxes())
        assert ("boxes" in found) == (weight > 0)
        assert float(model.losses(output, tokens, unknown).get("boxes", 0.0)) == 0.0
        if weight == 2.0:
            found["boxes"].backward()
            assert (model.observer.stem[0].weight.grad != 0).any()  # type: ignore[index,union-attr]


def test_a_letter_is_named_by_all_that_stands_in_its_box() -> None:
    v_BND = torch.tensor([[[9.0, 0.0], [0.0, 9.0], [0.0, 9.0], [5.0, 5.0]]])  # four columns
    at = torch.tensor([[[0.0, 0.0, 0.25, 1.0], [0.25, 0.0, 0.75, 1.0], [torch.nan] * 4]])
    right, wrong = torch.tensor([[0, 1, 0]]), torch.tensor([[1, 0, 0]])
    low, high = (float(losses.boxed(v_BND, torch.nn.Identity(), at, tokens, (1, 4))) for tokens in (right, wrong))
    assert low == pytest.approx(0.0, abs=1e-3)
    assert high == pytest.approx(9.0, abs=1e-3)


def test_weights_multiply() -> None:
    model, tokens = otsnet(), words("abc", "de")
    output = model(pictures(2), model.teach(tokens, 0, 0.5))
    one = model.losses(output, tokens, boxes())
    model.weights = Weights(position=3.0, verify=0.4, align=0.2)
    two = model.losses(output, tokens, boxes())
    for name, factor in {"position": 3.0, "verify": 2.0, "align": 2.0, "semantic": 1.0}.items():
        torch.testing.assert_close(two[name], factor * one[name])
