import torch

from apps.otsnet.answer import Answer
from apps.otsnet.gather import Answered
from tests.apps.otsnet.tiny import SLOTS, pictures, reader


def test_one_answered_word_is_told_as_many_are() -> None:
    answer = reader("otsnet").read(pictures(3))
    for count in (1, 3):
        answered = Answered()
        for row in range(count):
            one = Answer(*(value[row : row + 1] for value in answer))
            answered.update(torch.tensor([count - row]), one, one.probs)
        found = answered.words()
        assert found is not None
        ids, tokens, first, sure = found
        assert ids.tolist() == list(range(1, count + 1))
        assert tokens.shape == first.shape == (count, SLOTS)
        assert sure.shape == (count,)
