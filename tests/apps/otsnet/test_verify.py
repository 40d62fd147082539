from typing import Any

import pytest
import torch
from torch import Tensor

from apps.otsnet.answer import best, chosen, word_confidence
from apps.otsnet.options import Quantize, Verify
from apps.otsnet.verify import Spelled, cloze_mask
from apps.otsnet.vocabulary import close
from tests.apps.otsnet.tiny import PAD, otsnet, pictures, words


def spelled(model: Any, tokens: Tensor) -> tuple[Spelled, Tensor]:
    sources = model.think(pictures(len(tokens)))[0]
    said = model.verifier(tokens, sources)
    return said, model.verifier.judge(said.h_BLD, tokens)


def test_a_slot_never_sees_its_own_character_but_is_judged_by_it() -> None:
    model, slot = otsnet(), 1
    (one, verdict), (other, otherwise) = spelled(model, words("abc", "fed", "a")), spelled(model, words("aec", "fbd", "a"))
    assert torch.equal(one.logits_BLC[:, slot], other.logits_BLC[:, slot])
    assert not torch.isclose(one.logits_BLC[:2, 0], other.logits_BLC[:2, 0]).all()
    assert not torch.isclose(verdict[:2, slot], otherwise[:2, slot]).any()


def test_what_stands_behind_the_end_changes_nothing() -> None:
    model, tokens = otsnet(), words("ab")
    other = torch.tensor([[1, 2, 0, 5, 0, 3]])
    (one, verdict), (two, same) = spelled(model, tokens), spelled(model, other)
    assert torch.equal(one.logits_BLC, two.logits_BLC)
    assert torch.equal(verdict, same)


def test_every_slot_has_something_to_see() -> None:
    mask = cloze_mask(words("a", "abcde", ""))
    assert mask[..., 0].all()  # the beginning
    assert mask[0].tolist() == [[True, t != 0, t != 1, False, False, False, False] for t in range(6)]
    assert not mask[2, :, 2:].any()
    said, verdict = spelled(otsnet(), words("a", ""))
    assert said.logits_BLC.isfinite().all()
    assert verdict.isfinite().all()


def test_a_long_word_without_its_end_is_no_nan() -> None:
    said, _ = spelled(otsnet(), torch.full((1, 6), 3))
    assert said.logits_BLC.isfinite().all()


@pytest.mark.parametrize("names", [("visual",), ("semantic",), ("character",), ("semantic", "character")])
def test_a_modality_that_is_off_has_no_weights_and_others_still_answer(names: Any) -> None:
    model = otsnet(verify=Verify(modalities=names))
    assert set(model.verifier.layers[0].looks) == set(names)  # type: ignore[union-attr,arg-type]
    assert spelled(model, words("abc"))[0].logits_BLC.isfinite().all()


def answers(verify: Verify, iterations: int | None = None, seed: int = 0) -> Any:
    model = otsnet(seed)
    model.verifier.judge_out.bias.data.fill_(-5.0)  # type: ignore[union-attr]  # a judge who finds fault with everything
    twin = otsnet(seed, verify=verify)
    twin.load_state_dict(model.state_dict(), strict=False)
    return twin.read(pictures(12), iterations)


def test_no_iteration_is_no_verifier() -> None:
    plain, none = answers(Verify(), 0), answers(Verify(head="none"))
    assert torch.equal(plain.tokens, none.tokens)
    assert torch.equal(plain.probs, none.probs)
    assert torch.equal(plain.tokens, plain.first)
    assert none.verify.shape == (12, 0)
    with pytest.raises(ValueError, match="cannot refine 2 times"):
        otsnet(verify=Verify(head="none")).read(pictures(1), 2)


def test_a_threshold_of_zero_changes_nothing_and_of_one_everything() -> None:
    assert torch.equal(answers(Verify(verify_threshold=0.0), 3).tokens, answers(Verify(), 0).tokens)
    everything, replaced = answers(Verify(verify_threshold=1.0), 2), answers(Verify(refine="replace"), 2)
    assert torch.equal(everything.tokens, replaced.tokens)
    assert not torch.equal(replaced.tokens, replaced.first)
    assert torch.equal(answers(Verify(verify_threshold=1.0, replace_threshold=1.0), 2).tokens, everything.first)
    assert torch.equal(answers(Verify(head="cloze"), 2).tokens, replaced.tokens)


@pytest.mark.parametrize("verify", [Verify(verify_threshold=0.99), Verify(refine="replace")], ids=["verified", "replace"])
def test_a_word_that_stayed_once_stays(verify: Verify) -> None:
    model = otsnet(verify=verify)
    steps = model.steps(pictures(12), 5)[1]
    assert len(steps) == 6
    assert not torch.equal(steps[0], steps[1])
    for before, after, later in zip(steps, steps[1:], steps[2:], strict=False):
        stays = (before == after).all(1)
        assert torch.equal(later[stays], after[stays])


@pytest.mark.parametrize("iterations", [0, 1, 3])
def test_pictures_are_read_alone_as_in_a_batch_and_in_any_order(iterations: int) -> None:
    model, x, order = otsnet(), pictures(7), torch.randperm(7)
    together, turned = model.read(x, iterations), model.read(x[order], iterations)
    for i in range(7):
        alone = model.read(x[i : i + 1], iterations)
        assert torch.equal(alone.tokens[0], together.tokens[i])
        torch.testing.assert_close(alone.probs[0], together.probs[i], rtol=0, atol=1e-5)
        torch.testing.assert_close(alone.verify[0], together.verify[i], rtol=0, atol=1e-5)
    assert torch.equal(turned.tokens, together.tokens[order])


@pytest.mark.parametrize("assign", ["ema", "gumbel", "none"])
def test_an_answer_is_one_end_then_nothing_and_its_confidence_the_product(assign: Any) -> None:
    answer = otsnet(quantize=Quantize(assign=assign)).read(pictures(12))
    assert torch.equal(close(answer.tokens, 6), answer.tokens)
    behind = answer.tokens == PAD
    assert (answer.probs[behind] == 1).all()
    assert (answer.verify[behind] == 1).all()
    for i in range(12):
        torch.testing.assert_close(word_confidence(answer.probs)[i], answer.probs[i][~behind[i]].prod())


def test_the_last_slot_is_the_end_in_any_case() -> None:
    p = torch.zeros(1, 6, 7)
    p[..., 3] = 1.0
    assert best(p, 6).tolist() == [[3, 3, 3, 3, 3, 0]]
    assert chosen(p, best(p, 6)).tolist() == [[1, 1, 1, 1, 1, 0]]


def test_a_claim_is_judged_letter_by_letter() -> None:
    model = otsnet()
    right, otherwise = model.judge(pictures(2), words("abc", "f"))
    assert right.shape == (2, 6)
    assert ((right > 0) & (right < 1)).all()
    assert otherwise.shape == (2, 6, 7)
    with pytest.raises(ValueError, match="judges nothing"):
        otsnet(verify=Verify(head="cloze")).judge(pictures(1), words("a"))


def test_without_teaching_the_hypothesis_is_the_first_reading() -> None:
    model = otsnet()
    assert torch.equal(model(pictures()).hypothesis, model.read(pictures(), 0).tokens)
    teaching = model.teach(words("abc", "de", "f"), 3, 0.5)
    output = model(pictures(), teaching._replace(own_B=torch.tensor([True, False, False])))
    assert torch.equal(output.hypothesis[0], model(pictures()).hypothesis[0])
    assert torch.equal(output.hypothesis[1:], teaching.spoilt_BL[1:])
