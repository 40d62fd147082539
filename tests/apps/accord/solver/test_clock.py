import math
import sys

import pytest

from apps.accord.solver import clock as module
from apps.accord.solver.clock import Clock, Pace, entered


class Time:
    """A clock that stands until it is moved."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(module.time, "monotonic", lambda: self.now)


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    return Time(monkeypatch)


def test_what_was_spent_before_the_solver_counts(time: Time) -> None:
    clock = Clock(limit=5.0, began=97.0)
    assert clock.elapsed() == 3.0
    assert clock.left() == 2.0
    assert clock.deadline == 102.0


def test_without_a_limit_there_is_always_time(time: Time) -> None:
    clock = Clock()
    time.now = 1e9
    assert not clock.over()
    assert clock.left() == math.inf
    assert clock.deadline is None
    assert clock.until(0.5) is None


def test_a_share_is_of_what_is_left(time: Time) -> None:
    clock = Clock(limit=10.0)
    time.now += 6
    assert clock.until(0.5) == 108.0


def test_batches_grow_while_they_fit(time: Time) -> None:
    pace, sizes = Pace(Clock(limit=100.0), most=50), []
    for _ in range(5):
        sizes.append(pace.next(wanted=1000))
        pace.did(sizes[-1], seconds=0.01 * sizes[-1])
    assert sizes == [1, 4, 16, 50, 50]


def test_a_batch_that_would_overshoot_is_shrunk(time: Time) -> None:
    pace = Pace(Clock(limit=10.0), most=1000)
    pace.did(68, seconds=4.0)  # a twenty-fifth of a second for each rollout, and 32 of these for the batch
    time.now += 7
    assert pace.next(wanted=1000) == 28  # of the 3 s that are left 2.4 may be used
    assert pace.fits(28)
    assert not pace.fits(29)
    time.now += 1.5
    assert pace.next(wanted=1000) == 0


def test_no_more_than_wanted(time: Time) -> None:
    pace = Pace(Clock(), most=1000)
    pace.did(64, seconds=1.0)
    assert pace.next(wanted=5) == 5


def test_only_the_command_itself_counts_from_the_start_of_its_process(monkeypatch: pytest.MonkeyPatch) -> None:
    before = module.time.monotonic()
    monkeypatch.setattr(sys, "argv", ["/usr/bin/something"])
    assert entered() >= before
    monkeypatch.setattr(sys, "argv", ["/some/where/bin/discern"])
    if sys.platform == "linux":
        assert entered() < before
