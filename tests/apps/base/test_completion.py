"""Pressing TAB: what the script offers, asked of the shells themselves."""

import json
import shutil
import subprocess
from dataclasses import replace

import pytest

from apps.base.card import Card, Verb
from apps.base.completion import completion
from apps.base.shell import Shell

LIST = Verb("list", "help", "apps.base.runs.listing:list_runs")
CARD = Card("mil", "help", "paper", "task", "data", (), "metric", "baseline", verbs=(Verb("several", "help", words=(LIST,)),))

HOUSE = (
    LIST,
    Verb("doctor", "help", "apps.base.doctor:doctor"),
    Verb("predict", "help", "apps.base.predict:predict"),
    Verb("report", "help", "apps.base.report:report"),
)

# zsh calls a function written for bash like this; what is typed already it compares by itself
CALL = "call() {{ {before} COMP_WORDS=({typed}); COMP_CWORD={at}; _discern; printf '%s\\n' \"${{COMPREPLY[@]}}\"; }}; . ./script; call"
BEFORE = {"bash": "", "zsh": "emulate -L sh; setopt kshglob noshglob braceexpand;"}


@pytest.fixture(params=["bash", "zsh"])
def offered(request, tmp_path, capsys, monkeypatch):
    name = request.param
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    for module in ("apps.base.completion", "apps.base.dispatch"):
        monkeypatch.setattr(f"{module}.find_cards", lambda: {"mil": CARD})
        monkeypatch.setattr(f"{module}.SHARED", ())  # their helps take seconds
        monkeypatch.setattr(f"{module}.HOUSE", HOUSE)
    completion(Shell(), [name])
    (tmp_path / "script").write_text(capsys.readouterr().out)

    def ask(*words):
        typed = " ".join(f'"{word}"' for word in ("discern", *words))
        code = CALL.format(before=BEFORE[name], typed=typed, at=len(words))
        done = subprocess.run([name, "-c", code], cwd=tmp_path, capture_output=True, text=True)
        return [word for word in done.stdout.split() if word.startswith(words[-1])]

    return ask


def test_words_follow_words(offered):
    assert offered("") == ["mil", "list", "doctor", "predict", "report"]
    assert offered("d") == ["doctor"]
    assert offered("mil", "") == ["several"]
    assert offered("mil", "several", "l") == ["list"]


def test_options_are_those_of_the_word_before(offered):
    assert offered("mil", "several", "list", "--a") == ["--app"]
    assert offered("doctor", "--a") == []
    assert "--home" in offered("doctor", "--")


def test_other_options_between_the_words_do_not_matter(offered):
    assert offered("--quiet", "mil", "--home", "there", "sev") == ["several"]


def test_recipes_follow_config(offered):
    assert "embedded" in offered("mil", "several", "list", "--config", "")
    assert offered("mil", "-c", "sm") == ["small"]


def test_runs_of_the_home_follow_run_and_report(offered, tmp_path):
    for home, app, name in ((".", "mil", "first"), (".", "dcal", "second"), ("there", "mil", "third")):
        folder = tmp_path / home / "mlruns" / "runs" / app / name
        folder.mkdir(parents=True)
        (folder / "run.json").write_text(json.dumps({"schema": 1, "name": name, "app": app}, indent=1))
    assert offered("mil", "several", "list", "--run", "") == ["first"]
    assert offered("--home", "there", "mil", "several", "list", "--run", "") == ["third"]
    assert sorted(offered("report", "")) == ["first", "second"]
    assert offered("report", "s") == ["second"]


def test_values_follow_an_option_that_has_a_few(offered):
    assert offered("predict", "a.ts", "--format", "") == ["jsonl", "csv"]
    assert offered("predict", "--format", "c") == ["csv"]


def test_the_version_is_offered(offered):
    assert offered("--ver") == ["--version"]


def test_where_no_word_is_known_files_are_left_to_the_shell(offered):
    assert offered("doctor", "x") == []


def test_a_verb_of_another_package_that_cannot_be_loaded_takes_no_script_away(monkeypatch, capsys):
    birds = replace(CARD, name="birds", recipes="configs.mil", verbs=(Verb("sing", "help", "no_such_package:sing"),))
    for module in ("apps.base.completion", "apps.base.dispatch"):
        monkeypatch.setattr(f"{module}.find_cards", lambda: {"mil": CARD, "birds": birds})
        monkeypatch.setattr(f"{module}.SHARED", ())
        monkeypatch.setattr(f"{module}.HOUSE", ())
    assert completion(Shell(), ["bash"]) == 0
    said = capsys.readouterr()
    assert "birds sing: its options are not known: ModuleNotFoundError" in said.err
    assert '"mil several list") echo "--app' in said.out
