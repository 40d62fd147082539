import io
import pickle
import tarfile
import zipfile

import pytest

from datamodules.archive import MAX_RATIO, Tar, Zip, iterate, safe_extract
from datamodules.errors import DataError


def make_zip(path, members, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, data in members:
            file.writestr(name, data)
    return path


def make_tar(path, members, mode="w:gz"):
    with tarfile.open(path, mode) as file:
        for member, data in members:
            info = member if isinstance(member, tarfile.TarInfo) else tarfile.TarInfo(member)
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))
    return path


MAKERS = {"a.zip": make_zip, "a.tar.gz": make_tar}


@pytest.mark.parametrize("name", MAKERS)
def test_members_come_back_as_they_were(name, tmp_path):
    members = [("a/one.txt", b"1"), ("two.txt", b"22")]
    path = MAKERS[name](tmp_path / name, members)
    assert list(iterate(path)) == members
    safe_extract(path, tmp_path / "out")
    assert (tmp_path / "out/a/one.txt").read_bytes() == b"1"


@pytest.mark.parametrize("member", ["../evil", "/etc/evil", "a/../../evil", "..\\evil", "C:/evil"])
@pytest.mark.parametrize("name", MAKERS)
def test_no_path_leaves_the_folder(name, member, tmp_path):
    path = MAKERS[name](tmp_path / name, [(member, b"x")])
    with pytest.raises(DataError, match="points out of"):
        safe_extract(path, tmp_path / "out/inner")
    assert not list(tmp_path.rglob("*evil*"))


def test_links_are_refused(tmp_path):
    link = tarfile.TarInfo("link")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    with pytest.raises(DataError, match="never followed"):
        list(iterate(make_tar(tmp_path / "a.tar", [(link, b"")], "w")))
    info = zipfile.ZipInfo("link")
    info.external_attr = 0o120777 << 16
    with pytest.raises(DataError, match="never followed"):
        Zip(make_zip(tmp_path / "a.zip", [(info, b"/etc/passwd")]))


@pytest.mark.parametrize("name", MAKERS)
def test_bomb_is_refused(name, tmp_path):
    path = MAKERS[name](tmp_path / name, [("zeros", bytes(8 << 20))])
    assert path.stat().st_size * MAX_RATIO < 8 << 20
    with pytest.raises(DataError, match="unpacks to more than"):
        safe_extract(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_zip_that_lies_about_its_sizes_is_refused(tmp_path):
    path = make_zip(tmp_path / "a.zip", [("data", b"x" * 1000)])
    data = bytearray(path.read_bytes())
    entry = data.rindex(b"PK\1\2")
    data[entry + 24 : entry + 28] = (10).to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(DataError):
        Zip(path).read("data")


@pytest.mark.parametrize("name", MAKERS)
def test_limits_on_count_and_size(name, tmp_path):
    path = MAKERS[name](tmp_path / name, [(str(row), b"12345678") for row in range(5)])
    with pytest.raises(DataError, match="limit of 4"):
        list(iterate(path, max_members=4))
    with pytest.raises(DataError, match="39"):
        list(iterate(path, max_bytes=39))
    assert len(list(iterate(path, max_members=5, max_bytes=40))) == 5


def test_damaged_and_doubled_members_are_named(tmp_path):
    path = make_zip(tmp_path / "a.zip", [("one", b"hello hello hello")], zipfile.ZIP_STORED)
    path.write_bytes(path.read_bytes().replace(b"hello hello", b"hello jello"))
    with pytest.raises(DataError, match="'one' is damaged"):
        Zip(path).read("one")
    with pytest.warns(UserWarning, match="Duplicate name"):
        twice = make_zip(tmp_path / "b.zip", [("one", b"1"), ("one", b"2")])
    with pytest.raises(DataError, match="there twice"):
        Zip(twice)
    (tmp_path / "c.tar").write_bytes(b"no archive at all")
    with pytest.raises(DataError, match="damaged or unknown"):
        list(iterate(tmp_path / "c.tar"))


def test_existing_files_are_not_overwritten(tmp_path):
    (tmp_path / "two.txt").write_text("mine")
    with pytest.raises(DataError, match="empty folder"):
        safe_extract(make_zip(tmp_path / "a.zip", [("two.txt", b"2")]), tmp_path)
    assert (tmp_path / "two.txt").read_text() == "mine"


def test_zip_can_be_sent_to_a_worker(tmp_path):
    archive = Zip(make_zip(tmp_path / "a.zip", [("one", b"1")]))
    assert pickle.loads(pickle.dumps(archive)).read("one") == archive.read("one") == b"1"


def test_a_plain_tar_is_read_at_its_members(tmp_path):
    archive = Tar(make_tar(tmp_path / "a.tar", [("a/one.txt", b"1"), ("./two.txt", b"22"), ("none", b"")], "w"))
    assert {name: archive.read(name) for name in archive.members} == {"a/one.txt": b"1", "two.txt": b"22", "none": b""}
    assert pickle.loads(pickle.dumps(archive)).read("two.txt") == b"22"


@pytest.mark.parametrize("member", ["../evil", "/etc/evil", "a/../../evil", "..\\evil", "C:/evil"])
def test_a_plain_tar_with_a_path_outside_is_refused(member, tmp_path):
    with pytest.raises(DataError, match="points out of"):
        Tar(make_tar(tmp_path / "a.tar", [(member, b"x")], "w"))


def test_a_tar_that_cannot_be_read_at_its_members_says_why(tmp_path):
    link = tarfile.TarInfo("link")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    with pytest.raises(DataError, match="never followed"):
        Tar(make_tar(tmp_path / "a.tar", [(link, b"")], "w"))
    with pytest.raises(DataError, match="there twice"):
        Tar(make_tar(tmp_path / "b.tar", [("one", b"1"), ("./one", b"2")], "w"))
    with pytest.raises(DataError, match="no plain tar"):
        Tar(make_tar(tmp_path / "c.tar", [("one", b"1")], "w:gz"))
    with pytest.raises(DataError, match="No such file"):
        Tar(tmp_path / "gone.tar")
    with pytest.raises(DataError, match="limit of 1"):
        Tar(make_tar(tmp_path / "d.tar", [("one", b"1"), ("two", b"2")], "w"), max_members=1)
    cut = make_tar(tmp_path / "e.tar", [("one", bytes(5000))], "w")
    cut.write_bytes(cut.read_bytes()[:2000])
    with pytest.raises(DataError, match=r"cut short|no plain tar"):
        Tar(cut).read("one")
