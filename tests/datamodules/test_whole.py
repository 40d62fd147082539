import errno
import os

import pytest

from datamodules.whole import put_whole, sha256, write_whole


def test_a_reader_sees_the_old_file_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    with write_whole(path) as file:
        file.write(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left on device")])
def test_what_breaks_off_leaves_the_old_file_and_no_trace(tmp_path, error):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    with pytest.raises(type(error)), write_whole(path) as file:
        file.write(b"half")
        raise error
    assert [p.name for p in tmp_path.iterdir()] == ["a.bin"]
    assert path.read_bytes() == b"old"


def test_a_place_that_takes_no_file_is_named_as_the_user_named_it(tmp_path):
    path = tmp_path / "missing" / "a.bin"
    with pytest.raises(FileNotFoundError) as caught, write_whole(path):
        pass
    assert caught.value.filename == str(path)


def test_a_private_file_is_its_owners_from_the_first_byte(tmp_path):
    with write_whole(tmp_path / "key", private=True) as file:
        assert os.fstat(file.fileno()).st_mode & 0o077 == 0
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600


def test_sha256_is_of_the_content(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert sha256(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_draft_is_on_the_disk_before_it_takes_its_place(tmp_path, monkeypatch):
    (tmp_path / "draft").write_bytes(b"new")
    (tmp_path / "a").write_bytes(b"old")
    honest, seen = os.fsync, []

    def fsync(handle):
        seen.append((tmp_path / "a").read_bytes())
        honest(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    put_whole(tmp_path / "draft", tmp_path / "a")
    assert seen == [b"old", b"new"]  # the file, then the folder
    assert [p.name for p in tmp_path.iterdir()] == ["a"]
