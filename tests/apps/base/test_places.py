"""Where a verb writes is looked at before the work."""

import os

import pytest

from apps.base.errors import UserError
from apps.base.places import output_file, output_folder


def test_a_file_in_an_existing_folder_can_be_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert output_file("-o", "out.png").name == "out.png"
    assert output_file("-o", tmp_path / "out.png") == tmp_path / "out.png"


@pytest.mark.parametrize("name", ["", ".", "there", "missing/out.png"])
def test_a_folder_and_a_file_without_folder_are_refused_by_the_option_s_name(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").mkdir()
    with pytest.raises(UserError, match=f"--sheet {name} names no file in an existing folder"):
        output_file("--sheet", name)


def test_a_folder_that_is_not_the_user_s_is_refused_before_the_work(monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write anywhere
    with pytest.raises(UserError, match=r"-o /out\.png: that folder cannot be written to"):
        output_file("-o", "/out.png")


def test_a_folder_is_made_with_those_above_it(tmp_path):
    assert output_folder("--out", tmp_path / "a" / "b").is_dir()
    assert output_folder("--out", tmp_path / "a" / "b").is_dir()


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("")
    for place, why in (("file", " is a file; name a folder"), ("file/below", ": Not a directory")):
        with pytest.raises(UserError, match=f"--out .*{place}{why}"):
            output_folder("--out", tmp_path / place)
