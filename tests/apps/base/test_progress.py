"""Long work shows a bar with rate and time left on a terminal, a line every 30 s elsewhere, and nothing under --quiet."""

import io
import json
import sys
from unittest.mock import Mock

import pytest

from apps.base import measuring, progress
from apps.base.callbacks.progress import Progress
from apps.base.engine import progress as pieces
from apps.base.predict import predict
from apps.base.progress import Line
from apps.base.shell import Shell
from tests.apps.base.toy import train


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Clock:
    def __init__(self):
        self.now = 100.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def a_terminal(monkeypatch):
    """Not a fixture: pytest puts its own stderr back between the set-up and the test."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    return terminal


def test_elsewhere_a_line_comes_every_30_seconds_with_rate_and_time_left(clock, capsys):
    line = Line("inputs", 300)
    for done in range(1, 63):
        clock.now += 1
        line.at(done, "2 failed" if done > 40 else "")
    assert capsys.readouterr().err.splitlines() == ["inputs 30/300  1.0/s  4:30 left", "inputs 60/300  1.0/s  4:00 left  2 failed"]


def test_on_a_terminal_a_bar_is_drawn_over_itself_and_taken_away(clock, monkeypatch):
    terminal = a_terminal(monkeypatch)
    with Line("inputs", 4) as line:
        clock.now += 10
        line.at(1)
        clock.now += 0.1
        line.at(2)  # too soon to be read
        clock.now += 9.9
        line.at(2)
    assert terminal.getvalue() == (
        "\r\x1b[K[######..................] inputs 1/4  0.1/s  0:30 left"
        "\r\x1b[K[############............] inputs 2/4  0.1/s  0:20 left\r\x1b[K"
    )


def test_quiet_is_silent(clock, monkeypatch):
    terminal = a_terminal(monkeypatch)
    with Line("inputs", 4, quiet=True) as line:
        clock.now += 100
        line.at(1, now=True)
    assert terminal.getvalue() == ""


def test_what_was_done_before_counts_neither_for_the_rate_nor_for_the_time_left(clock, capsys):
    line = Line("step", 100, first=50)
    clock.now += 30
    line.at(50)
    clock.now += 30
    line.at(80)
    assert capsys.readouterr().err.splitlines() == ["step 50/100  0:30 so far", "step 80/100  0.5/s  0:40 left"]


@pytest.mark.parametrize("total", [None, float("inf"), -1])
def test_without_a_known_end_there_is_no_time_left(clock, capsys, total):
    line = Line("step", total)
    clock.now += 60
    line.at(3)
    assert capsys.readouterr().err == "step 3  3.0 a minute\n"


def test_short_work_is_not_counted_beforehand_and_long_work_once(clock, capsys):
    asked = []
    line = Line("inputs", lambda: asked.append(1) or 9)
    line.at(1)
    assert not asked
    for done in (2, 3):
        clock.now += 30
        line.at(done)
    assert asked == [1]


def test_many_trainings_are_heard_of_while_none_ends(monkeypatch, capsys):
    """The second word of the ticking thread is waited for, not a time."""
    heard, said = pieces.threading.Event(), []

    def at(self, done, values=""):
        said.append((done, values))
        if len(said) == 2:
            heard.set()

    monkeypatch.setattr(pieces, "EVERY_S", 0.001)
    monkeypatch.setattr(Line, "at", at)
    with pieces.Progress(30, "trainings", Shell()) as trainings:
        assert heard.wait(60)
    trainings._ticker.join(60)
    assert said[:2] == [(0, ""), (0, "")]
    assert not trainings._ticker.is_alive()


def test_a_complaint_stands_on_a_line_of_its_own(clock, monkeypatch):
    terminal = a_terminal(monkeypatch)
    trainings = pieces.Progress(2, "trainings", Shell())
    clock.now += 60
    trainings.add(failed=False)
    clock.now += 60
    trainings.add(failed=True, complaint="seed 1: broken")
    trainings.close()
    text = terminal.getvalue()
    assert "\r\x1b[Kdiscern: seed 1: broken\n\r\x1b[K[########################] trainings 2/2  1.0 a minute  0:00 left  1 failed" in text
    assert text.endswith("\r\x1b[K")


@pytest.mark.usefixtures("home")
def test_predict_shows_a_bar_with_the_time_left_where_rows_do_not_tear_it(file, folder, tmp_path, monkeypatch):
    terminal = a_terminal(monkeypatch)
    monkeypatch.setattr(progress, "REDRAW_S", 0.0)
    rows = Terminal()
    monkeypatch.setattr(sys, "stdout", rows)
    assert predict(Shell(), [file, str(folder)]) == 0
    assert terminal.getvalue() == ""
    assert predict(Shell(), [file, str(folder), "-o", str(tmp_path / "rows")]) == 0
    assert "] inputs 7/7  " in terminal.getvalue()
    assert " left" in terminal.getvalue()
    assert terminal.getvalue().endswith("\r\x1b[K")
    assert len([json.loads(row) for row in rows.getvalue().splitlines()]) == 7


def test_training_tells_steps_and_a_long_validation_tells_batches(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(progress, "EVERY_S", 0.0)
    train(tmp_path, plug=Progress())
    said = capsys.readouterr().err
    assert said.startswith("training from step 0 to ")
    assert "  step 1/" in said
    assert "validation batch 1/" in said


def test_a_training_that_is_cut_short_ends_in_the_epoch_that_it_was_in(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(progress, "EVERY_S", 0.0)
    train(tmp_path, plug=Progress(), max_steps=1)
    said = capsys.readouterr().err
    assert "epoch 1/" in said
    assert "epoch 2/" not in said


@pytest.mark.parametrize("quiet", [False, True])
def test_measuring_a_checkpoint_is_heard_of_batch_by_batch_unless_it_is_to_be_quiet(monkeypatch, capsys, quiet):
    seen = Mock(num_test_batches=[2, 1], callbacks=[])

    def test(trainer, verb, task, **options):
        for callback in trainer.callbacks:
            callback.on_test_start(trainer, task)
            for _ in range(3):
                callback.on_test_batch_end(trainer, task)
            callback.on_test_end(trainer, task)
        return ({"test/loss": 1.0},)

    task = Mock(answers=lambda data: [], baselines=lambda data: {}, figures=lambda data: {})
    beginning = Mock(verb="test", run=None, restore=lambda: (Mock(trainer=seen), task, 3))
    monkeypatch.setattr(progress, "EVERY_S", 0.0)
    monkeypatch.setattr(measuring, "run_trainer", test)
    assert measuring.measure(Shell(quiet=quiet), beginning) == {"test/loss": 1.0}
    said = [line.partition("  ")[0] for line in capsys.readouterr().err.splitlines()]
    assert said == ([] if quiet else [f"test batch {number}/3" for number in (1, 2, 3)])
