"""How probable a claim is said to be, and how often it is true."""

from pathlib import Path

import pytest
import torch

from apps.base.calibration import calibration_error
from apps.base.shell import Shell
from apps.otsnet.claim_scale import RAW, ClaimScale, fit_scale, least_right, one_wrong
from apps.otsnet.claims import verdicts
from apps.otsnet.corrupt import look_alikes
from apps.otsnet.gather import Claimed
from apps.otsnet.source import open_source
from tests.apps.otsnet.tiny import CHARSET, otsnet, pictures, words
from tests.apps.otsnet.tiny_files import FACTS, weights_file

CHARACTERS = len(CHARSET)


def humble(n: int = 2000) -> tuple[torch.Tensor, torch.Tensor]:
    """What a judge says who is too humble by one and a half, and who is right as often as his logit and that."""
    generator = torch.Generator().manual_seed(0)
    logit = 3 * torch.randn(n, generator=generator)
    return (logit - 1.5).sigmoid(), torch.rand(n, generator=generator) < logit.sigmoid()


def test_a_scaled_claim_is_true_as_often_as_it_says() -> None:
    least, right = humble()
    found = fit_scale(least, right)
    assert found.slope == pytest.approx(1, abs=0.15)
    assert found.shift == pytest.approx(1.5, abs=0.3)
    scaled = torch.tensor([found.of(p) for p in least.tolist()])
    assert calibration_error(scaled, right) < calibration_error(least, right) / 2
    assert scaled.argsort().tolist() == least.argsort().tolist()  # no claim overtakes another


def test_a_judge_who_knows_nothing_or_the_wrong_way_round_is_left_as_he_is() -> None:
    least, right = humble()
    assert fit_scale(least, ~right) == fit_scale(least, right | True) == fit_scale(least[:0], right[:0]) == RAW
    assert [RAW.of(p) for p in (0.0, 0.3, 1.0)] == [0.0, 0.3, 1.0]
    perfect = fit_scale(right.float(), right)
    assert 0.99 < perfect.of(1.0) < 1
    assert 0 < perfect.of(0.0) < 0.01


def test_a_spoilt_claim_has_one_other_character() -> None:
    true = words("abc", "f", "aa", "abcde")
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        spoilt = one_wrong(true, generator, look_alikes(CHARSET), CHARACTERS)
        assert (spoilt != true).sum(1).tolist() == [1, 1, 1, 1]
        assert ((spoilt != true) <= ((true >= 1) & (true <= CHARACTERS))).all()
        assert ((spoilt[spoilt != true] >= 1) & (spoilt[spoilt != true] <= CHARACTERS)).all()


def test_every_word_is_asked_about_as_it_is_and_spoilt_and_runs_repeat() -> None:
    model, claimed, again = otsnet(), Claimed(), Claimed()
    true = words("abc", "de", "f")
    for _ in range(2):
        claimed.update(model, pictures(3), true)
    for _ in range(2):
        again.update(model, pictures(3), true)
    assert claimed.held == 6
    assert [row.tolist() for row in claimed.right] == [[True] * 3, [False] * 3] * 2  # type: ignore[union-attr]
    assert torch.equal(claimed.least[0], least_right(model, pictures(3), true))  # type: ignore[index]
    assert claimed.compute() == again.compute()
    claimed.reset()
    assert not claimed.held


def test_files_with_a_scale_tell_it_and_others_tell_the_judges_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (raw,) = verdicts(open_source(Shell(quiet=True), str(weights_file(tmp_path))), pictures(1), ["ab"])
    monkeypatch.setitem(FACTS, "claims", {"slope": 0.8, "shift": 1.2})
    source = open_source(Shell(quiet=True), str(weights_file(tmp_path)))
    assert source.about["claims"] == {"slope": 0.8, "shift": 1.2}
    (scaled,) = verdicts(source, pictures(1), ["ab"])
    assert [slot.probability for slot in scaled.slots] == pytest.approx([ClaimScale(0.8, 1.2).of(slot.probability) for slot in raw.slots])
    assert scaled.probability == min(slot.probability for slot in scaled.slots)
    assert scaled.holds == (not any(slot.contradicts for slot in scaled.slots))
