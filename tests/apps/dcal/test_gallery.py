import json
import os
import stat
import subprocess
import sys

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from apps.base.errors import UserError
from apps.dcal.gallery import Entry, Gallery, content_digest

MODEL, OTHER = "a" * 64, "b" * 64


def vectors(count, width=16, seed=0):
    return np.random.default_rng(seed).standard_normal((count, width)).astype(np.float32) * 3


def entries(count, prefix="yard"):
    return [Entry(f"{prefix}/{n}.jpg", content_digest(f"{prefix}{n}".encode()), str(n % 2), f"person {n // 4}") for n in range(count)]


def filled(count=12, dtype="float32"):
    return Gallery.empty(MODEL, 16, dtype).append(vectors(count), entries(count), MODEL)


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_a_gallery_comes_back_as_it_was_saved(dtype, tmp_path):
    gallery = filled(dtype=dtype)
    gallery.save(tmp_path / "g")
    again = Gallery.load(tmp_path / "g")
    assert again.entries == gallery.entries
    assert again.model == MODEL
    assert again.vectors.dtype == dtype
    assert np.array_equal(again.vectors, gallery.vectors)


def test_vectors_are_one_contiguous_array_of_rows_of_length_one(tmp_path):
    filled().save(tmp_path / "g")
    plain = load_file(tmp_path / "g")["vectors"]
    assert plain.flags["C_CONTIGUOUS"]
    assert np.allclose(np.linalg.norm(plain, axis=1), 1, atol=1e-6)
    assert np.allclose(plain, vectors(12) / np.linalg.norm(vectors(12), axis=1, keepdims=True), atol=1e-6)


def test_the_file_is_its_owners_only_from_creation(tmp_path):
    """Seen while it is being written, and after it has replaced a file that everybody could read."""
    path = tmp_path / "g"
    path.write_bytes(b"")
    path.chmod(0o644)
    modes = []
    before = os.fsync

    def watch(handle):
        modes.extend(stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir() if file != path)
        before(handle)

    mask = os.umask(0)
    try:
        os.fsync = watch
        filled().save(path)
    finally:
        os.fsync = before
        os.umask(mask)
    assert modes
    assert set(modes) == {0o600}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["g"]


def test_appending_again_changes_nothing_and_copies_are_kept():
    gallery = filled()
    assert gallery.append(vectors(12), entries(12), MODEL).entries == gallery.entries
    copy = entries(1)[0]._replace(name="copy.jpg")
    assert len(gallery.append(vectors(2), [copy, copy], MODEL)) == 13


def test_a_known_name_with_other_contents_is_refused():
    changed = entries(1)[0]._replace(digest=content_digest(b"another"))
    with pytest.raises(UserError, match=r"yard/0\.jpg is in the gallery with other contents; delete it first"):
        filled().append(vectors(1), [changed], MODEL)


def test_vectors_of_another_model_are_refused(tmp_path):
    gallery = filled()
    with pytest.raises(UserError, match="made by model aaaaaaaaaaaa, not by bbbbbbbbbbbb"):
        gallery.append(vectors(1), entries(1, "new"), OTHER)
    gallery.save(tmp_path / "g")
    with pytest.raises(UserError, match="index its pictures anew"):
        Gallery.load(tmp_path / "g").check_model(OTHER)


def test_delete_takes_names_and_leaves_the_rest_in_order():
    gallery = filled().delete(["yard/3.jpg", "yard/0.jpg"])
    assert [entry.name for entry in gallery.entries] == [f"yard/{n}.jpg" for n in range(12) if n not in (0, 3)]
    assert np.array_equal(gallery.vectors, filled().vectors[[n for n in range(12) if n not in (0, 3)]])
    with pytest.raises(UserError, match=r"not in the gallery: yard/3\.jpg; nothing was deleted"):
        gallery.delete(["yard/1.jpg", "yard/3.jpg"])


@pytest.mark.parametrize("by", ["name", "digest"])
def test_forgotten_pictures_leave_no_byte_in_the_file(by, tmp_path):
    path = tmp_path / "g"
    copy = Entry("elsewhere/copy-of-5.jpg", entries(12)[5].digest, "1", "Jane Doe")
    gallery = filled().append(vectors(1, seed=9), [copy], MODEL)
    gallery.save(path)
    gone = [row for row, entry in enumerate(gallery.entries) if entry.digest == copy.digest]
    secrets = [b"yard/5.jpg", b"copy-of-5", b"Jane Doe", bytes.fromhex(copy.digest), copy.digest.encode()]
    secrets += [gallery.vectors[row].tobytes() for row in gone]
    present = path.read_bytes()
    assert all(secret in present for secret in secrets[:4] + secrets[5:])
    Gallery.load(path).forget(getattr(copy, by)).save(path)
    assert len(gone) == 2
    left = path.read_bytes()
    assert not any(secret in left for secret in secrets)
    assert len(Gallery.load(path)) == 11
    assert [file.name for file in tmp_path.iterdir()] == ["g"]


def test_forgetting_what_is_not_there_says_so():
    with pytest.raises(UserError, match="neither a name nor a sha256"):
        filled().forget("yard/99.jpg")


@pytest.mark.parametrize("bad", [np.nan, np.inf, 0.0])
def test_broken_vectors_are_named(bad):
    rows = vectors(3)
    rows[1] = bad
    with pytest.raises(ValueError, match=r"new/1\.jpg: its vector is zero or not finite"):
        filled().append(rows, entries(3, "new"), MODEL)


def test_shapes_digests_and_types_are_checked():
    with pytest.raises(ValueError, match=r"vectors of \(2, 16\) for 3 entries of width 16"):
        filled().append(vectors(2), entries(3), MODEL)
    with pytest.raises(ValueError, match="not a sha256"):
        filled().append(vectors(1), [Entry("x", "1234")], MODEL)
    with pytest.raises(ValueError, match="float16 or float32"):
        Gallery.empty(MODEL, 16, "float64")


def test_no_gallery_or_a_damaged_one_is_one_line(tmp_path):
    with pytest.raises(UserError, match="no such gallery"):
        Gallery.load(tmp_path / "gone")
    filled().save(tmp_path / "g")
    data = (tmp_path / "g").read_bytes()
    (tmp_path / "g").write_bytes(data[:-20])
    with pytest.raises(UserError, match="not a readable gallery"):
        Gallery.load(tmp_path / "g")
    save_file({"vectors": vectors(2)}, tmp_path / "weights")
    with pytest.raises(UserError, match="not a gallery of this version"):
        Gallery.load(tmp_path / "weights")


@pytest.mark.parametrize("texts", [b"[]", b'[["a",null,null]]', b'{"a": 1}', b"nonsense", b'[[1,null,null],["b",null,null]]'])
def test_names_that_do_not_belong_to_the_vectors_are_refused(texts, tmp_path):
    tensors = {"vectors": vectors(2), "digests": np.zeros((2, 32), np.uint8), "entries": np.frombuffer(texts, np.uint8)}
    save_file(tensors, tmp_path / "g", metadata={"format": "discern-gallery-1", "model": MODEL})
    with pytest.raises(UserError, match="do not belong together"):
        Gallery.load(tmp_path / "g")


def test_an_empty_gallery_is_a_gallery(tmp_path):
    Gallery.empty(MODEL, 16).save(tmp_path / "g")
    assert len(Gallery.load(tmp_path / "g")) == 0
    assert json.loads(load_file(tmp_path / "g")["entries"].tobytes()) == []


def test_a_gallery_is_written_and_read_without_torch():
    code = "import apps.dcal.gallery, sys; print('torch' in sys.modules, 'pickle' in sys.modules and 'torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()[0] == "False"
