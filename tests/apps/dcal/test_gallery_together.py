"""Several processes change one gallery at once: none loses what another wrote."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from apps.base import trust
from apps.base.only_writer import only_writer
from apps.base.tracking.lock import held
from apps.dcal.gallery import Entry, Gallery, content_digest
from apps.dcal.verbs import index as verb
from datamodules.whole import sha256
from tests.apps.dcal.tiny_files import embed_file, yard
from tests.system.command import Here

MODEL = "a" * 64


def added(gallery: Gallery, name: str) -> Gallery:
    return gallery.append(np.ones((1, 4)), [Entry(name, content_digest(name.encode()))], MODEL)


def test_writers_take_turns_and_every_entry_stays(tmp_path: Path) -> None:
    """Locks of two handles exclude each other in one process as in two."""
    path = tmp_path / "g"
    Gallery.empty(MODEL, 4).save(path)

    def write(name: str) -> None:
        for i in range(5):
            with only_writer(path, lambda _: None, pause=0):
                added(Gallery.load(path), f"{name}{i}").save(path)

    threads = [threading.Thread(target=write, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(entry.name for entry in Gallery.load(path).entries) == sorted(f"{name}{i}" for name in "abc" for i in range(5))


def test_who_has_to_wait_says_so_once(tmp_path: Path) -> None:
    said: list[str] = []
    done = threading.Event()

    def say(text: str) -> None:
        said.append(text)
        done.set()

    def wait() -> None:
        with only_writer(tmp_path / "g", say, pause=0):
            pass

    with held(tmp_path / ".g.lock") as mine:
        assert mine
        thread = threading.Thread(target=wait)
        thread.start()
        assert done.wait(30)
    thread.join()
    assert len(said) == 1
    assert "another process writes it; waiting" in said[0]


@pytest.fixture
def during(monkeypatch: pytest.MonkeyPatch) -> Any:
    """during(change): what another process does to the gallery while this one embeds its pictures."""

    def install(change: Any) -> None:
        embed = verb._embed

        def embed_beside(*args: Any) -> Any:
            change()
            return embed(*args)

        monkeypatch.setattr(verb, "_embed", embed_beside)

    return install


def test_what_another_call_indexed_or_took_out_meanwhile_is_kept(here: Here, during: Any) -> None:
    trust.add(sha256(embed_file()))
    pictures = yard(Path.cwd() / "yard")
    assert here("dcal", "index", embed_file(), *pictures[:4], "-o", "g").returncode == 0
    alone = verb._embed

    def other() -> None:
        verb._embed = alone  # type: ignore[assignment]
        assert here("dcal", "index", embed_file(), *pictures[3:8], "-o", "g", "--forget", pictures[0]).returncode == 0

    during(other)
    said = here("dcal", "index", embed_file(), *pictures[6:], "-o", "g", "--delete", pictures[0], "--delete", pictures[1])
    assert said.returncode == 0, said.stderr
    assert [entry.name for entry in Gallery.load("g").entries] == pictures[2:]
    assert '"added": 4, "there_already": 2, "removed": 1,' in said.stdout
