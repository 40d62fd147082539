"""Who is enrolled stays its owner's, comes back whole, and is gone when forgotten."""

import gc
import getpass
import json
import os
import signal
import stat
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load

from apps.ahan.gallery import Entry, GalleryFolder, GalleryLocked, People, TemplateMismatch
from apps.ahan.gallery import folder as folder_module
from apps.ahan.gallery import seal as seal_module
from apps.ahan.gallery.folder import STORE
from apps.ahan.gallery.seal import read_secret
from apps.base.errors import FailureError, UserError
from apps.base.only_writer import lock_beside
from tests.system.command import ROOT, environment

MODEL, ALIGNER, WIDTH = "a" * 64, "arcface-112", 16
NAMES = ("ann", "bea", "Zoë O'Neill-1987")
PICTURE = b"\x89PNG a picture of ann"


@pytest.fixture(autouse=True)
def cheap_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seal_module, "COST", {"n": 1 << 4, "r": 8, "p": 1})


def quiet(_: str) -> None:
    pass


def entry(name: str, **more) -> Entry:
    return Entry(name, "signed", "2030-01-01T00:00:00+00:00", 2, **more)


def vector(name: str) -> np.ndarray:
    return np.random.default_rng(sum(name.encode())).standard_normal(WIDTH)


def filled(*names: str) -> People:
    people = People.empty(MODEL, ALIGNER, WIDTH)
    for name in names or NAMES:
        people = people.add(entry(name), vector(name), [PICTURE] if name == "ann" else [])
    return people


def made(path: Path, secret: bytes | None = None) -> GalleryFolder:
    folder = GalleryFolder(path, secret)
    folder.create(People.empty(MODEL, ALIGNER, WIDTH), quiet)
    folder.change(lambda _: filled(), quiet)
    return folder


@pytest.mark.parametrize("secret", [None, b"a long word"])
def test_a_gallery_comes_back_as_it_was_written(tmp_path: Path, secret: bytes | None) -> None:
    people = made(tmp_path / "g", secret).read()
    assert people.entries == filled().entries
    assert people.pictures == {"ann": (PICTURE,)}
    np.testing.assert_array_equal(people.vectors, filled().vectors)
    np.testing.assert_allclose(np.linalg.norm(people.vectors, axis=1), 1, atol=1e-6)


# --- its owner's only ------------------------------------------------------------------------------------------------


def test_folder_and_files_are_their_owners_only_also_while_they_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modes: list[int] = []
    sync = os.fsync

    def watch(handle: int) -> None:
        modes.extend(stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "g").iterdir())
        sync(handle)

    monkeypatch.setattr(os, "fsync", watch)
    mask = os.umask(0)
    try:
        made(tmp_path / "g")
    finally:
        os.umask(mask)
    assert set(modes) == {0o600}
    assert stat.S_IMODE((tmp_path / "g").stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "g").iterdir()} == {0o600}


@pytest.mark.parametrize(
    ("name", "mode", "remedy"), [(".", 0o750, "chmod 700"), (STORE, 0o640, "chmod 600"), ("other", 0o604, "chmod 600")]
)
def test_what_others_can_read_is_refused_unless_one_does_not_mind(tmp_path: Path, name: str, mode: int, remedy: str) -> None:
    folder = made(tmp_path / "g")
    (tmp_path / "g" / "other").touch(0o600)
    (tmp_path / "g" / name).chmod(mode)
    for call in (folder.read, lambda: folder.change(lambda people: people, quiet)):
        with pytest.raises(UserError, match=f"others may read it.*{remedy}"):
            call()
    assert len(replace(folder, insecure=True).read()) == 3


# --- sealed ----------------------------------------------------------------------------------------------------------


def test_sealed_bytes_hold_no_name_no_template_no_picture_and_only_the_key_opens_them(tmp_path: Path) -> None:
    folder = made(tmp_path / "g", b"right")
    data = folder.store.read_bytes()
    needles = [name.encode() for name in NAMES] + [row.tobytes()[:8] for row in filled().vectors] + [PICTURE[4:], b"signed"]
    assert not [needle for needle in needles if needle in data]
    assert MODEL.encode() in data
    assert all(needle in made(tmp_path / "plain").store.read_bytes() for needle in needles)
    for secret, reason in ((b"wrong", "another key"), (None, "give --key")):
        with pytest.raises(GalleryLocked, match=reason):
            GalleryFolder(tmp_path / "g", secret).read()
    with pytest.raises(UserError, match="not sealed"):
        GalleryFolder(tmp_path / "plain", b"right").read()


def test_a_sealed_gallery_that_was_changed_does_not_open(tmp_path: Path) -> None:
    folder = made(tmp_path / "g", b"right")
    whole = folder.store.read_bytes()
    changed = [
        whole.replace(MODEL.encode(), b"b" * 64),
        whole[:-1] + bytes([whole[-1] ^ 1]),
        whole.replace(b'\\"n\\": 16', b'\\"n\\": 32'),
        whole.replace(b'\\"n\\": 16', b'\\"n\\": ' + str(1 << 40).encode()),  # which would take more memory than there is
        whole[:-20],
        whole[:9],
        b"",
    ]
    for data in changed:
        assert data != whole
        folder.store.write_bytes(data)
        with pytest.raises(UserError) as told:
            folder.read()
        assert "\n" not in str(told.value)


def test_each_writing_has_a_nonce_of_its_own_and_resealing_a_new_key(tmp_path: Path) -> None:
    folder = made(tmp_path / "g", b"old")
    before = folder.store.read_bytes()
    folder.change(lambda people: people, quiet)
    assert folder.store.read_bytes() != before
    folder.reseal(b"new", quiet)
    assert len(GalleryFolder(tmp_path / "g", b"new").read()) == 3
    with pytest.raises(GalleryLocked):
        GalleryFolder(tmp_path / "g", b"old").read()
    folder.reseal(None, quiet)
    assert len(GalleryFolder(tmp_path / "g").read()) == 3


def test_a_key_is_a_private_file_a_variable_or_a_word_typed_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "key"
    file.write_bytes(b"secret\n")
    file.chmod(0o600)
    monkeypatch.setenv("FACES", "secret")
    monkeypatch.setattr("getpass.getpass", lambda _: "secret")
    assert {read_secret(str(file)), read_secret("env:FACES"), read_secret("prompt", twice=True)} == {b"secret"}
    words = iter(["one", "two"])
    monkeypatch.setattr("getpass.getpass", lambda _: next(words))
    with pytest.raises(UserError, match="differ"):
        read_secret("prompt", twice=True)
    file.chmod(0o644)
    with pytest.raises(UserError, match="chmod 600"):
        read_secret(str(file))
    for word in ("env:NOTHING_THERE", str(tmp_path / "none"), str(tmp_path)):
        with pytest.raises(UserError, match="--key"):
            read_secret(word)


@pytest.mark.parametrize("problem", [EOFError(), getpass.GetPassWarning("Can not control echo on the terminal.")])
def test_a_key_is_asked_for_only_where_nobody_sees_it(monkeypatch: pytest.MonkeyPatch, problem: Exception) -> None:
    def no_terminal(question: str) -> str:
        if isinstance(problem, Warning):
            warnings.warn(problem, stacklevel=1)  # as getpass does before it reads with an echo
            return "secret"
        raise problem

    monkeypatch.setattr("getpass.getpass", no_terminal)
    with pytest.raises(UserError, match="--key prompt: no terminal to ask at; name a key file or env:NAME"):
        read_secret("prompt")


def test_without_the_extra_a_seal_names_it_and_nothing_is_left_half_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(UserError, match=r"pip install 'discern\[faces\]'"):
        made(tmp_path / "g", b"word")
    assert not (tmp_path / "g" / STORE).exists()
    assert len(made(tmp_path / "plain").read()) == 3


# --- forgotten -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("secret", [None, b"word"])
def test_who_is_forgotten_is_in_no_byte_of_the_folder(tmp_path: Path, secret: bytes | None) -> None:
    folder = made(tmp_path / "g", secret)
    folder.change(lambda people: people.relate("ann", "bea"), quiet)
    draft = tmp_path / "g" / f".{STORE}.left"  # of a writer that died
    draft.write_bytes(write_of(folder))
    draft.chmod(0o600)
    left, absence = folder.forget(["ann"], quiet)
    assert [person.id for person in left.entries] == list(NAMES[1:])
    assert any("1 template in" in words for words in absence.searched)
    assert any("1 picture in" in words for words in absence.searched)
    for path in (tmp_path / "g").iterdir():
        data = path.read_bytes()
        assert not [needle for needle in (b'"ann"', filled().vectors[0].tobytes(), PICTURE) if needle in data]
    with pytest.raises(UserError, match="nothing was forgotten"):
        folder.forget(["ann"], quiet)


def write_of(folder: GalleryFolder) -> bytes:
    from apps.ahan.gallery.file import write_people

    return write_people(folder.read(), None)


def test_what_is_left_elsewhere_in_the_folder_is_found(tmp_path: Path) -> None:
    folder = made(tmp_path / "g")
    for name, data in (("copy.safetensors", folder.store.read_bytes()), ("notes.json", json.dumps({"ann": 1}).encode())):
        other = tmp_path / "g" / name
        other.write_bytes(data)
        other.chmod(0o600)
        with pytest.raises(FailureError, match=f"still .*{name}"):
            folder.forget(["ann"], quiet)
        other.unlink()
        folder.change(lambda people: filled(), quiet)


def test_a_short_name_and_one_within_another_are_told_apart(tmp_path: Path) -> None:
    folder = made(tmp_path / "g")
    noted = Entry("x", "annual form, signed with ann", "2030-01-01T00:00:00+00:00", 1)
    folder.change(lambda people: people.add(entry("a"), vector("a")).add(entry("anna"), vector("anna")).add(noted, vector("x")), quiet)
    _, absence = folder.forget(["a"], quiet)
    assert absence.named_by == []
    left, absence = folder.forget(["ann"], quiet)
    assert "anna" in left
    assert absence.named_by == ["x"]


def test_a_forgotten_twin_leaves_no_name_but_the_rule_stays() -> None:
    for one, other in (("ann", "bea"), ("bea", "ann")):
        people = filled().relate(one, other)
        assert people.twins("ann").enrolled == ("bea",)
        left = people.forget("ann")
        assert (left.twins("bea").enrolled, left.twins("bea").absent) == ((), 1)
        assert "ann" not in repr(left.entries)
    later = filled("ann").relate("ann", "cat")
    assert later.twins("ann").absent == 1
    both = later.add(entry("cat"), vector("cat"))
    assert both.twins("cat").enrolled == ("ann",)
    assert both.forget("ann").twins("cat").absent == 1
    assert later.forget("cat").twins("ann").absent == 1


def test_of_several_twins_the_nearest_counts_and_who_is_enrolled_anew_keeps_them_all() -> None:
    people = filled().relate("ann", "bea").relate("ann", NAMES[2]).relate("ann", "nobody")
    query = people.vectors[1].astype(np.float64)
    others = [people.score(query, name) for name in ("bea", NAMES[2])]
    assert people.nearest_twin(query, "ann") == max(others) == pytest.approx(1)
    assert filled().nearest_twin(query, "ann") is None
    anew = people.forget(NAMES[2]).replace(entry("ann"), vector("other"))
    assert [person.id for person in anew.entries] == ["ann", "bea"]
    assert (anew.twins("ann").enrolled, anew.twins("ann").absent) == (("bea",), 2)
    np.testing.assert_allclose(anew.vectors[0], vector("other") / np.linalg.norm(vector("other")), atol=1e-6)


# --- whole, whatever happens -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("moment", ["fsync", "replace"])
def test_a_crash_during_a_write_leaves_the_old_gallery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    folder = made(tmp_path / "g")

    def crash(*_) -> None:
        raise OSError("the machine stopped")

    with monkeypatch.context() as patched:
        patched.setattr(*((os, "fsync", crash) if moment == "fsync" else (Path, "replace", crash)))
        with pytest.raises(OSError, match="the machine stopped"):
            folder.change(lambda people: people.forget("ann"), quiet)
    assert len(folder.read()) == 3


WRITER = """
import sys, os, signal
import numpy as np
from pathlib import Path
from apps.ahan.gallery import Entry, GalleryFolder
from datamodules import whole
folder, who, die = GalleryFolder(Path(sys.argv[1])), sys.argv[2], sys.argv[3] == "die"
if die:
    os.fsync = lambda handle: os.kill(os.getpid(), signal.SIGKILL)
for i in range(5):
    vector = np.random.default_rng(i).standard_normal(16)
    folder.change(lambda people: people.add(Entry(f"{who}{i}", "signed", "2030-01-01T00:00:00+00:00", 1), vector), lambda _: None)
"""


def writer(folder: Path, who: str, how: str = "live") -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-c", WRITER, str(folder), who, how], cwd=ROOT, env=environment())


def test_processes_that_enrol_at_once_lose_nobody_and_one_that_is_killed_takes_nobody_along(tmp_path: Path) -> None:
    folder = made(tmp_path / "g")
    processes = [writer(tmp_path / "g", who) for who in ("p", "q")] + [writer(tmp_path / "g", "dead", "die")]
    codes = [process.wait(120) for process in processes]
    assert codes == [0, 0, -signal.SIGKILL]
    names = {person.id for person in folder.read().entries}
    assert names == {*NAMES, *(f"{who}{i}" for who in "pq" for i in range(5))}
    folder.change(lambda people: people, quiet)
    assert {path.name for path in (tmp_path / "g").iterdir()} == {STORE, lock_beside(folder.store).name}


# --- what does not fit -----------------------------------------------------------------------------------------------


def test_templates_of_another_model_or_frame_are_refused(tmp_path: Path) -> None:
    folder = made(tmp_path / "g")
    for model, aligner in (("b" * 64, ALIGNER), (MODEL, "other-112")):
        with pytest.raises(TemplateMismatch, match="enrol anew"):
            folder.read().check_made_by(model, aligner)
        with pytest.raises(TemplateMismatch):
            folder.create(People.empty(model, aligner, WIDTH), quiet)


def test_a_file_whose_parts_disagree_is_refused(tmp_path: Path) -> None:
    from safetensors.numpy import save

    folder = made(tmp_path / "g")
    whole = load(folder.store.read_bytes())
    header = {"format": "discern-faces-1", "model": MODEL, "aligner": ALIGNER}
    rows = json.loads(whole["entries"].tobytes())
    lame = [
        {**whole, "vectors": whole["vectors"][:2]},
        {**whole, "vectors": whole["vectors"] * 2},
        {**whole, "vectors": whole["vectors"] * np.nan},
        {**whole, "ends": whole["ends"] + 1},
        {name: value for name, value in whole.items() if name != "ends"},
        {**whole, "entries": np.frombuffer(json.dumps([rows[0]] * 3).encode(), np.uint8)},
        {**whole, "entries": np.frombuffer(json.dumps([{**row, "images": "two"} for row in rows]).encode(), np.uint8)},
        {**whole, "entries": np.frombuffer(json.dumps([{**row, "extra": 1} for row in rows]).encode(), np.uint8)},
        {**whole, "entries": np.frombuffer(b"[" * 10_000, np.uint8)},
        *(
            {**whole, "entries": np.frombuffer(json.dumps([{**row, name: value} for row in rows]).encode(), np.uint8)}
            for name, value in (("quality", ["good"]), ("quality", {"coarse": 1}), ("quality", [{"detector": 3}]), ("captured", "2030"))
        ),
    ]
    for tensors in lame:
        folder.store.write_bytes(save(tensors, metadata=header))
        with pytest.raises(UserError, match="do not belong together"):
            folder.read()
    folder.store.write_bytes(save(whole, metadata={**header, "format": "other"}))
    with pytest.raises(UserError, match="not a gallery of this version"):
        folder.read()
    assert gc.isenabled()  # it rests while a file is read, and no longer


def test_people_are_enrolled_once_with_consent_and_a_name_that_can_be_written() -> None:
    with pytest.raises(UserError, match="enrolled already"):
        filled().add(entry("ann"), vector("ann"))
    for name in ("", " ann", "a\nb", "a" * 201, "a\x00b"):
        with pytest.raises(UserError, match="an ID is"):
            entry(name)
    for consent in ("", "  ", "x" * 3000):
        with pytest.raises(UserError, match="consent"):
            Entry("ann", consent, "2030-01-01T00:00:00+00:00", 1)
    with pytest.raises(UserError, match="no day"):
        entry("ann", expires="31.12.2030")
    for bad in (np.zeros(WIDTH), np.full(WIDTH, np.nan), np.ones(WIDTH + 1)):
        with pytest.raises(ValueError, match="template"):
            filled().add(entry("cat"), bad)


def test_a_template_is_usable_to_the_last_day_of_its_consent() -> None:
    until = entry("ann", expires="2030-06-01")
    assert not until.expired("2030-06-01")
    assert until.expired("2030-06-02")
    assert not entry("ann").expired("2999-01-01")


def test_nothing_is_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder"):
        GalleryFolder(tmp_path / "none").read()
    (tmp_path / "empty").mkdir(mode=0o700)
    with pytest.raises(UserError, match="holds no gallery"):
        GalleryFolder(tmp_path / "empty").read()
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="is a file"):
        GalleryFolder(tmp_path / "file").create(filled(), quiet)
    with pytest.raises(UserError, match="in one that is there"):
        GalleryFolder(tmp_path / "no" / "g").create(filled(), quiet)
    assert folder_module.CALIBRATION == "calibration.json"
