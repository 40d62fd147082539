"""Caches, stores, splits, checks."""

from collections import Counter, OrderedDict

import numpy as np

from datamodules.cache import cached
from datamodules.checks import copies, digest, lonely, near_copies, thumbnail, unequal
from datamodules.splits import share_out
from datamodules.store import FolderStore, fingerprint


def test_cache_makes_once_again_for_other_parameters_and_after_damage(tmp_path):
    made = []

    def ask(**parameters):
        def make():
            made.append(parameters)
            return {"x": np.arange(parameters["n"])}

        return cached(tmp_path / "cache", "numbers", parameters, make)["x"].tolist()

    assert ask(n=3) == ask(n=3) == [0, 1, 2]
    assert len(made) == 1
    assert ask(n=4) == [0, 1, 2, 3]
    assert len(made) == 2
    for file in (tmp_path / "cache").iterdir():
        file.write_bytes(file.read_bytes()[:50])
    assert ask(n=3) == [0, 1, 2]
    assert len(made) == 3


def test_without_a_folder_the_last_few_stay_in_memory(monkeypatch):
    monkeypatch.setattr("datamodules.cache._made", OrderedDict())
    made = []

    def ask(n):
        return cached(None, "numbers", {"n": n}, lambda: {"x": np.full(2, made.append(n) or n)})["x"].tolist()

    assert [ask(n) for n in (1, 2, 1, 3, 2)] == [[1, 1], [2, 2], [1, 1], [3, 3], [2, 2]]
    assert made == [1, 2, 3]
    assert ask(4) == [4, 4]  # takes the place of the one that was asked for longest ago
    ask(1)
    assert made == [1, 2, 3, 4, 1]


def test_cache_reads_no_pickles(tmp_path):
    cached(tmp_path, "numbers", {}, lambda: {"x": np.arange(3)})
    (file,) = tmp_path.iterdir()
    np.savez(file, x=np.array([object()]))
    assert cached(tmp_path, "numbers", {}, lambda: {"x": np.arange(3)})["x"].tolist() == [0, 1, 2]


def test_fingerprint_changes_with_names_sizes_times_or_contents(tmp_path):
    store = FolderStore(tmp_path)
    (tmp_path / "a").write_text("1")
    first, by_content = fingerprint(store, ["a"]), fingerprint(store, ["a"], hash_content=True)
    assert fingerprint(store, ["a"]) == first != fingerprint(store, ["a", "b"])
    (tmp_path / "a").write_text("12")
    assert fingerprint(store, ["a"]) != first
    (tmp_path / "a").write_text("1")
    assert fingerprint(store, ["a"], hash_content=True) == by_content


def test_share_is_taken_of_every_group_whatever_the_order():
    names = [f"{group}/{row}" for group, size in (("a", 20), ("b", 3), ("c", 1), ("d", 2)) for row in range(size)]
    groups = [name[0] for name in names]
    taken = share_out(names, groups, 0.1)
    assert Counter(name[0] for name in taken) == {"a": 2, "b": 1, "d": 1}
    assert share_out(names[::-1], groups[::-1], 0.1) == taken


def test_copies_are_found_by_content():
    digests = {name: digest(data) for name, data in (("a", b"1"), ("b", b"2"), ("c", b"1"))}
    assert copies(digests) == [["a", "c"]]


def test_near_copies_are_found_across_blocks_and_nothing_else():
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (40, 50, 3), dtype=np.uint8) for _ in range(9)]
    pictures[7] = np.clip(pictures[2] * 0.8 + 20, 0, 255).astype(np.uint8)  # darker, same picture
    found = near_copies(np.stack([thumbnail(picture) for picture in pictures]), rows=4)
    assert [pair[:2] for pair in found] == [(2, 7)]


def test_lonely_and_unequal_classes():
    counts = Counter(a=1, b=10, c=2)
    assert lonely(counts) == ["a"]
    assert unequal(counts) == 10


def test_constant_pictures_have_a_thumbnail():
    assert np.isfinite(thumbnail(np.zeros((4, 4, 3), np.uint8))).all()
