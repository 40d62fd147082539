"""Promise 4.5: a file from elsewhere is a program, and runs only when its hash is known or the user says so."""

import os
import subprocess
import sys

import pytest

from apps.base import trust
from apps.base.errors import UserError
from tests.system.command import environment

HASH = "ab" * 32


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_unknown_hash_is_refused_with_the_hash_and_both_remedies():
    with pytest.raises(UserError) as refusal:
        trust.require("birds.ts", HASH)
    text = str(refusal.value)
    assert "birds.ts" in text
    assert HASH in text
    assert "--trust" in text
    assert str(trust.trusted_list()) in text
    assert "\n" not in text


def test_trust_is_for_once(home):
    trust.require("birds.ts", HASH, trust=True)
    assert not trust.trusted(HASH)
    assert list(home.iterdir()) == []


def test_added_hash_is_trusted_and_others_are_not():
    trust.add(HASH, "birds.ts")
    trust.require("birds.ts", HASH)
    assert trust.trusted(HASH.upper())
    assert not trust.trusted("cd" * 32)


def test_adding_twice_is_adding_once():
    trust.add(HASH, "one")
    trust.add(HASH, "two")
    assert trust.trusted_list().read_text() == f"{HASH}  # one\n"


def test_comments_and_other_lines_stay():
    trust.add(HASH, "ours")
    with trust.trusted_list().open("a") as file:
        file.write(f"\n# from a colleague\n{'cd' * 32}\n")
    trust.add("ef" * 32)
    assert trust.trusted("cd" * 32)
    assert "# from a colleague" in trust.trusted_list().read_text()


def test_comment_cannot_smuggle_a_line():
    trust.add(HASH, f"x\n{'cd' * 32}")
    assert not trust.trusted("cd" * 32)


def test_list_is_private_to_its_owner():
    trust.add(HASH)
    assert trust.trusted_list().stat().st_mode & 0o777 == 0o600
    assert trust.trusted_list().parent.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_list_that_others_can_write_says_nothing(mode):
    trust.add(HASH)
    trust.trusted_list().chmod(mode)
    with pytest.raises(UserError, match="written by others"):
        trust.trusted(HASH)


def test_list_of_another_user_says_nothing(monkeypatch):
    trust.add(HASH)
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(UserError, match="another user"):
        trust.trusted(HASH)
    with pytest.raises(UserError, match="another user"):
        trust.add("cd" * 32)


def test_line_that_broke_off_spoils_no_later_one():
    trust.add(HASH)
    with trust.trusted_list().open("a") as file:
        file.write("cdcd")  # the disk was full
    trust.add("ef" * 32)
    assert trust.trusted(HASH)
    assert trust.trusted("ef" * 32)


def test_of_exports_at_once_no_hash_is_lost(home):
    code = "import sys; from apps.base import trust\nfor i in range(100): trust.add(f'{sys.argv[1]}{i:062}')"
    command = [sys.executable, "-c", code]
    writers = [subprocess.Popen([*command, name], env=environment(HOME=str(home))) for name in ("aa", "bb", "cc")]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    lines = trust.trusted_list().read_text().splitlines()
    assert len(lines) == len(set(lines)) == 300


def test_without_a_home_folder_the_refusal_says_what_to_do(monkeypatch):
    def nobody():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(trust.Path, "home", nobody)
    with pytest.raises(UserError, match=r"you have none here; set HOME, or take --trust"):
        trust.require("birds.ts", HASH)
    trust.require("birds.ts", HASH, trust=True)


def test_the_list_is_read_where_the_system_has_neither_fcntl_nor_owners(home):
    """As on Windows."""
    trust.add(HASH)
    code = "import os, sys; sys.modules['fcntl'] = None; del os.geteuid\n"
    code += "import discern, apps.base.predict.program_file; from apps.base import trust; sys.exit(not trust.trusted(sys.argv[1]))"
    assert subprocess.run([sys.executable, "-c", code, HASH], env=environment(HOME=str(home))).returncode == 0
