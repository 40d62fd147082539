"""What the words of the command line mean: files, folders, patterns, and `-` for a list of paths on stdin. Lazy, folder by folder."""

import os
from collections.abc import Callable, Iterable, Iterator
from glob import has_magic, iglob
from pathlib import Path
from typing import IO

__all__ = ["Inputs", "looks_like_picture"]

SUFFIXES = {".jpg", ".jpeg", ".jpe", ".png", ".bmp", ".tif", ".tiff", ".webp", ".gif", ".jp2", ".ppm", ".pgm", ".pbm", ".avif"}
MAGIC = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM", b"II*\0", b"MM\0*", b"GIF8", b"P5", b"P6", b"\0\0\0\x0cjP  ")


def looks_like_picture(path: str) -> bool:
    """By name or by first bytes: a broken .jpg counts, so that it is named as broken; a picture without a suffix counts too."""
    if Path(path).suffix.lower() in SUFFIXES:
        return True
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            head = file.read(12)
    except OSError:
        return False
    return head.startswith(MAGIC) or (head[:4] == b"RIFF" and head[8:] == b"WEBP") or head[4:12] == b"ftypavif"


def _is_folder(word: str) -> bool:
    """A name that no file can have is a row with its error later, like any that is not there."""
    return os.path.isdir(word)  # noqa: PTH112 (Path.is_dir raises for it)


class Inputs:
    """Iterate over the paths. `skipped` counts files of folders that are no pictures, `unmatched` names words that matched nothing.

    expand: the inputs that a word stands for that need not be a path; None where it is one
    """

    def __init__(
        self, words: Iterable[str], stdin: IO[str], pictures: bool = True, expand: Callable[[str], list[str] | None] | None = None
    ) -> None:
        self.words = list(words)
        self.stdin = stdin
        self.pictures = pictures
        self.expand = expand
        self.skipped = 0
        self.unmatched: list[str] = []

    def __iter__(self) -> Iterator[str]:
        for word in self.words:
            found = False
            for path in self._stdin() if word == "-" else self._word(word):
                found = True
                yield path
            if not found:
                self.unmatched.append("stdin" if word == "-" else word)

    def _stdin(self) -> Iterator[str]:
        for line in self.stdin:
            if path := line.rstrip("\r\n"):
                yield path

    def _word(self, word: str) -> Iterator[str]:
        meant = self.expand(word) if self.expand is not None else None
        if meant is not None:
            yield from meant
        elif _is_folder(word):
            yield from self._folder(word)
        elif has_magic(word) and not os.path.lexists(word):
            for path in sorted(iglob(word, recursive=True)):  # noqa: PTH207 (Path.glob takes no absolute pattern)
                yield from self._folder(path) if _is_folder(path) else (path,)
        else:
            yield word

    def _folder(self, folder: str) -> Iterator[str]:
        for where, folders, files in os.walk(folder):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(files):
                if name.startswith("."):
                    continue
                path = str(Path(where, name))
                if self.pictures and not looks_like_picture(path):
                    self.skipped += 1
                    continue
                yield path
