import pytest
import torch
from torch import Generator, Tensor

from apps.otsnet.corrupt import corrupt, draw_hypotheses, look_alikes
from apps.otsnet.vocabulary import close
from tests.apps.otsnet.tiny import words

ALIKE = look_alikes("abcdef")


def spoil(tokens: Tensor, rate: float, seed: int = 0, shift: float = 0.15) -> tuple[Tensor, Tensor]:
    return corrupt(tokens, torch.full((len(tokens),), rate), Generator().manual_seed(seed), ALIKE, 6, shift)


def many() -> Tensor:
    return words("abc", "f", "", "abcde", "cece").repeat(100, 1)


def test_without_a_rate_the_truth_comes_back() -> None:
    made, right = spoil(many(), 0.0, shift=1.0)
    assert torch.equal(made, many())
    assert right.all()


@pytest.mark.parametrize("rate", [0.1, 0.3, 1.0])
def test_labels_say_where_the_hypothesis_is_the_truth_and_words_stay_in_their_slots(rate: float) -> None:
    made, right = spoil(many(), rate, shift=0.5)
    assert torch.equal(right, made == many())
    assert not right.all()
    assert made.shape == many().shape
    assert torch.equal(close(made, 6, last=True), made)
    assert ((made == 0).any(1)).all()


def test_the_seed_decides() -> None:
    assert torch.equal(spoil(many(), 0.3, 1)[0], spoil(many(), 0.3, 1)[0])
    assert not torch.equal(spoil(many(), 0.3, 1)[0], spoil(many(), 0.3, 2)[0])


def test_a_shift_adds_or_takes_one_character() -> None:
    truth = words("abc").repeat(400, 1)
    made, _ = spoil(truth, 1e-9, shift=1.0)
    lengths = (made == 0).int().argmax(1)
    assert set(lengths.tolist()) == {2, 4}
    for row in made[lengths == 2].tolist():
        assert row[:2] in ([1, 2], [1, 3], [2, 3])
    for row in made[lengths == 4].tolist():
        assert any(row[:i] + row[i + 1 : 4] == [1, 2, 3] for i in range(4))


def test_half_of_what_is_spoilt_looks_alike_and_a_quarter_is_hidden() -> None:
    truth = words("ccccc").repeat(2000, 1)  # c is mistaken for e
    made, _ = spoil(truth, 1.0, shift=0.0)
    letters = made[:, :5].flatten()
    assert (letters == 5).double().mean() == pytest.approx(0.5 + 0.25 / 6, abs=0.02)
    assert (letters == 9).double().mean() == pytest.approx(0.25, abs=0.02)


def test_look_alikes_are_those_of_the_charset() -> None:
    rows = look_alikes("O0oQxI1l")
    assert sorted(token for token in rows[1].tolist() if token > 0) == [2, 3, 4]
    assert (rows[5] == -1).all()
    assert (rows[[0, 9, 10, 11]] == -1).all()


def test_hypotheses_hang_on_the_step_and_the_own_ones_come_after_the_warm_up() -> None:
    truth = many()
    one, again, other = (draw_hypotheses(truth, step, 0.5, ALIKE, 6) for step in (7, 7, 8))
    assert torch.equal(one.spoilt_BL, again.spoilt_BL)
    assert torch.equal(one.own_B, again.own_B)
    assert not torch.equal(one.spoilt_BL, other.spoilt_BL)
    assert one.own_B.double().mean() == pytest.approx(0.4, abs=0.1)
    assert not draw_hypotheses(truth, 7, 0.05, ALIKE, 6).own_B.any()
