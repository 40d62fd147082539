import torch

from apps.base.calibration import calibration_error
from apps.otsnet import vocabulary
from apps.otsnet.answer import best, chosen, word_confidence
from apps.otsnet.calibration import PLAIN, fit_temperatures, sharpen
from tests.apps.otsnet.tiny import pictures, reader

CHARACTERS = 6


def too_sure(n: int = 400, factor: float = 4.0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Tables whose truth was drawn from them, but told with logits that are too large by the factor."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(n, 4, CHARACTERS + 1, generator=generator) * 1.5
    logits[:, 3, 0] += 9
    truth = torch.multinomial(logits.softmax(-1).flatten(0, 1), 1, generator=generator).view(n, 4)
    table = (factor * logits).softmax(-1)
    return table, best(table, CHARACTERS), vocabulary.close(truth, CHARACTERS, last=True)


def test_too_sure_a_reader_is_told_to_be_less_so_and_is_right_as_often_as_it_says() -> None:
    table, tokens, truth = too_sure()
    found = fit_temperatures(chosen, table, tokens, truth)
    assert found.characters > 1.5
    assert found.words > 1.5
    right = (tokens == truth).all(1)
    before, after = (calibration_error(word_confidence(chosen(sharpen(table, t), tokens)), right) for t in (1.0, found.words))
    assert after < before / 2


def test_where_nothing_is_wrong_the_temperature_is_still_a_number() -> None:
    table, tokens, _ = too_sure(20)
    found = fit_temperatures(chosen, table, tokens, tokens)
    assert 0.05 < found.characters < 20
    assert 0.05 < found.words < 20


def test_without_words_nothing_changes() -> None:
    table, tokens, truth = too_sure(5)
    assert fit_temperatures(chosen, table[:0], tokens[:0], truth[:0]) == PLAIN
    assert sharpen(table, 1.0) is table


def test_a_temperature_changes_no_choice() -> None:
    table, tokens, _ = too_sure(50)
    for temperature in (0.3, 3.0):
        assert torch.equal(best(sharpen(table, temperature), CHARACTERS), tokens)


def test_every_reader_tells_the_confidences_of_its_own_table() -> None:
    for name in ("otsnet", "ctc", "parseq"):
        made = reader(name)
        answer = made.read(pictures(3))
        torch.testing.assert_close(made.confidences(answer.table, answer.tokens), answer.probs)
        torch.testing.assert_close(answer.table.sum(-1), torch.ones(answer.table.shape[:2]))
