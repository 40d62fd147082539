import errno
import os
import subprocess
import sys

import pytest

from apps import cli
from apps.base import dispatch, errors
from tests.system.command import ROOT, discern, environment, one_line

HEAVY = ("torch", "numpy", "pytorch_lightning", "mlflow", "jsonargparse", "cv2", "yaml")


@pytest.mark.parametrize("words", [["--help"], ["apps"], ["dcal", "--help"], ["--version"], ["demmo"], ["dcal", "fitt"], ["bench"], []])
def test_cheap_words_load_nothing_heavy(words):
    code = f"import sys; from apps.cli import main; main({words!r}); print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment(), capture_output=True, text=True)
    assert done.stdout.strip().splitlines()[-1] == "[]"


def test_a_wrong_word_names_the_nearest_right_one(tmp_path):
    done = discern("demmo", home=tmp_path, check=False)
    assert done.returncode == 2
    assert "'demo'" in one_line(done)


def test_a_wrong_verb_names_the_nearest_right_one(tmp_path):
    done = discern("dcal", "exprt", home=tmp_path, check=False)
    assert done.returncode == 2
    assert "'export'" in one_line(done)


def test_a_wrong_flag_names_the_nearest_right_one(tmp_path):
    done = discern("apps", "--jsn", home=tmp_path, check=False)
    assert done.returncode == 2
    assert "--json" in one_line(done)


def test_a_home_that_is_not_there_is_the_users_mistake(tmp_path):
    done = discern("--home", tmp_path / "nowhere", "apps", home=tmp_path, check=False)
    assert done.returncode == 2
    assert "nowhere" in one_line(done)


LONG = "x" * 300


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--home", LONG, "apps"], "name another"),
        (["--home", "~nosuchuser", "apps"], "--home ~nosuchuser: there is no such user"),
        (["data", "check", LONG], "name another"),
        (["dcal", "fit", "--config", "~nosuchuser/a.yaml"], "--config ~nosuchuser/a.yaml: there is no such user"),
        (["dcal", "fit", "--name="], "a name is not empty"),
        (["dcal", "fit", "--seeds", "0"], "'0' is not a count of 1 or more"),
        (["histograph", "crossval", "--jobs", "0"], "'0' is not a count of 1 or more"),
        (["histograph", "crossval", "--threads", "0"], "'0' is not a count of 1 or more"),
        (["histograph", "crossval", "--repeats", "0"], "'0' is not a count of 1 or more"),
        (["--version", "foo"], "--version stands alone; leave out foo"),
        (["help", "fit"], "no such word: 'fit'"),
        (["predict", "a.ts", "a.png", "--batch", "9" * 26], "too large; at most 2147483647"),
        (["predict", "a.ts", "a.png", "--threads", "9" * 11], "too large; at most 1024"),
    ],
)
def test_names_and_numbers_that_cannot_be_are_the_users_mistake(tmp_path, monkeypatch, capsys, words, says):
    monkeypatch.chdir(tmp_path)
    assert cli.main(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert says in line
    assert len(line) < 300


def test_a_store_whose_address_is_none_is_the_users_mistake(monkeypatch, capsys):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://[x")
    assert cli.main(["ui"]) == 2
    assert "MLFLOW_TRACKING_URI is no address" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["help", "runs", "list"], ["--help", "runs", "list"], ["help", "help", "runs", "list"]])
def test_help_before_the_words_is_help_after_them(capsys, words):
    assert cli.main(words) == 0
    asked = capsys.readouterr().out
    assert cli.main(["runs", "list", "--help"]) == 0
    assert asked == capsys.readouterr().out
    assert asked.startswith("usage: discern runs list")


def raising(error):
    def verb(shell, argv):
        raise error

    return verb


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.UserError("a"), 2),
        (errors.FailureError("b"), 1),
        (KeyboardInterrupt(), 130),
        (cli.Terminated(), 143),
        (RuntimeError("c"), 70),
        (SystemExit(3), 3),
        (OSError(errno.ENOSPC, "No space left on device", "out.csv"), 1),
        (PermissionError(errno.EACCES, "Permission denied", "out.csv"), 1),
    ],
)
def test_what_goes_wrong_decides_the_exit_code(monkeypatch, capsys, error, code):
    monkeypatch.setattr(dispatch, "_load", lambda verb: raising(error))
    assert cli.main(["apps"]) == code
    assert "Traceback" not in capsys.readouterr().err


class OutOfMemoryError(RuntimeError):
    """As torch's, which is named so."""


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total"), "batch_size"),
        (RuntimeError("[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried"), "batch_size"),
        (MemoryError("Unable to allocate 728. TiB for an array"), "batch_size"),
        (MemoryError(), "batch_size"),
        (RuntimeError("DataLoader worker (pid 12) is killed by signal: Killed. "), "data.workers"),
        (RuntimeError("DataLoader worker (pid(s) 12, 13) exited unexpectedly"), "data.workers"),
        (ValueError("Expected more than 1 value per channel when training, got input size torch.Size([1, 8])"), "2 or more"),
    ],
)
def test_what_the_machine_cannot_do_is_said_with_a_remedy(monkeypatch, capsys, error, remedy):
    monkeypatch.setattr(dispatch, "_load", lambda verb: raising(error))
    assert cli.main(["apps"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert remedy in line
    assert "bug" not in line


def test_a_bug_shows_its_traceback_under_debug_only(monkeypatch, capsys):
    monkeypatch.setattr(dispatch, "_load", lambda verb: raising(RuntimeError("c")))
    cli.main(["apps", "--debug"])
    assert "Traceback" in capsys.readouterr().err


def test_options_after_a_bare_dash_dash_belong_to_the_verb(monkeypatch):
    seen = []
    monkeypatch.setattr(dispatch, "_load", lambda verb: lambda shell, argv: seen.append((shell, argv)) or 0)
    cli.main(["apps", "--quiet", "--", "--debug"])
    ((shell, argv),) = seen
    assert shell.quiet
    assert not shell.debug
    assert argv == ["--", "--debug"]


def test_an_app_whose_extra_is_missing_says_which_to_install(monkeypatch, capsys):
    from dataclasses import replace

    from apps.dcal.card import CARD

    monkeypatch.setattr(dispatch, "find_cards", lambda: {"dcal": replace(CARD, requires=(("no_such_module", "slides"),))})
    assert cli.main(["dcal", "fit"]) == 2
    assert "pip install 'discern[slides]'" in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="a process cannot send itself Ctrl-C there")
def test_ctrl_c_while_the_command_is_still_imported_is_one_line(tmp_path):
    code = """
import os, signal, sys
class Impatient:
    def find_spec(self, name, *_):
        if name == "apps.base.dispatch":
            os.kill(os.getpid(), signal.SIGINT)
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background inherits Ctrl-C as ignored
import apps.start
sys.meta_path.insert(0, Impatient())
apps.start.run()
"""
    done = subprocess.run([sys.executable, "-c", code, "apps"], cwd=tmp_path, env=environment(), capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "discern: interrupted\n")


def test_the_installed_command_is_the_whole_command(tmp_path):
    code = "import sys; sys.argv = ['discern', '--version']; import apps.start; apps.start.run()"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stdout.startswith("discern ")
