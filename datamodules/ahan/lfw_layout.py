"""Labeled Faces in the Wild: pairs.txt with its ten folds (View 2), or pairsDevTrain.txt and pairsDevTest.txt (View 1)."""

import tarfile
from pathlib import Path

from datamodules.ahan.lfw_store import find_images
from datamodules.ahan.table import Face, FaceTable, Named, assemble_faces
from datamodules.errors import DataError
from datamodules.headers import probe
from datamodules.store import Store

__all__ = ["CROP", "is_lfw", "parse_pairs", "parse_people", "read_lfw"]

VIEW_2, PEOPLE = "pairs.txt", "people.txt"
VIEW_1 = {"pairsDevTrain.txt": "train", "pairsDevTest.txt": "test"}
ORIGINAL = 250
CROP = (60, 54, 188, 182)  # of an original: brings the mean eyes of the set within a pixel of the template


def is_lfw(path: Path) -> bool:
    if path.is_dir():
        return any(_begins_with_counts(path / name) for name in (VIEW_2, *VIEW_1))
    if path.name in (VIEW_2, *VIEW_1):
        return _begins_with_counts(path)
    return path.suffix == ".tar" and _list_in_tar(path) is not None


def read_lfw(path: Path) -> FaceTable:
    root = path.parent if path.suffix == ".txt" else path
    store, images = find_images(root)
    lists = {name: text for name in (VIEW_2, *VIEW_1) if (text := _text(root, name)) is not None}
    if VIEW_2 in lists:
        lists = {VIEW_2: lists[VIEW_2]}  # View 1 is for choosing models, View 2 for reporting
    pairs, problems, split_of, fold_of = [], [], {}, {}
    for name, text in lists.items():
        where = f"{root / name}" if root.is_dir() else f"{root}:{name}"
        for line, first, second, fold in parse_pairs(text, where):
            lacking = [one for one in (first, second) if one not in images]
            if lacking:
                problems.append(f"{where}:{line}: no image {lacking[0][1]} of {lacking[0][0]!r}; restore it or remove the pair")
                continue
            fold = fold if name == VIEW_2 else -1
            pairs.append(Named(images[first], images[second], first[0] == second[0], fold, where=f"{where}:{line}"))
            for person, _ in (first, second):
                fold_of.setdefault(person, fold)
                split_of.setdefault(person, VIEW_1.get(name, ""))
                if (fold_of[person], split_of[person]) != (fold, VIEW_1.get(name, "")):
                    problems.append(f"{where}:{line}: {person!r} is in two folds; fetch the list again")
    notes = []
    if VIEW_2 in lists and (people := _text(root, PEOPLE)) is not None:
        fold_of = {name: fold for fold, name in parse_people(people, f"{root}/{PEOPLE}")} | fold_of
    crop = CROP if _original(store, images) else None
    if crop:
        notes.append(f"originals of {ORIGINAL} pixels: the part {crop} of each is the aligned face")
    view_1 = VIEW_2 not in lists
    unlisted = [person for person, _ in images if person not in fold_of]
    if unlisted:
        notes.append(f"{len(unlisted)} images of people in no list are left out")
    faces = [
        Face(file, person, person, split_of.get(person, ""), crop=crop, fold=fold_of[person])
        for (person, _), file in sorted(images.items())
        if person in fold_of and (not view_1 or person in split_of)
    ]
    return assemble_faces("lfw", str(path), store, faces, pairs, problems, notes)


def parse_pairs(text: str, where: str) -> list[tuple[int, tuple[str, int], tuple[str, int], int]]:
    """(line, (name, number), (name, number), fold from 1). First `folds n` or `n`; per fold n lines of three fields, then n of four."""
    lines = text.splitlines()
    head = lines[0].split() if lines else []
    if not 1 <= len(head) <= 2 or not all(word.isdigit() for word in head):
        raise DataError(f"{where}:1: no counts of folds and pairs; fetch the list again")
    folds, each = (int(head[0]), int(head[1])) if len(head) == 2 else (1, int(head[0]))
    found = []
    for number, line in enumerate(lines[1:], 2):
        cells = [cell.strip() for cell in line.split("\t")]
        if cells == [""]:
            continue
        if len(cells) not in (3, 4):
            raise DataError(f"{where}:{number}: {len(cells)} fields instead of 3 or 4, between tabs; fetch the list again")
        numbers = cells[1::2] if len(cells) == 4 else cells[1:]
        if not all(word.isdigit() for word in numbers):
            raise DataError(f"{where}:{number}: {numbers} are no image numbers; fetch the list again")
        first = (cells[0], int(numbers[0]))
        second = (cells[0] if len(cells) == 3 else cells[2], int(numbers[1]))
        at = len(found)
        if (len(cells) == 3) != (at % (2 * each) < each if each else False):
            raise DataError(
                f"{where}:{number}: a pair of {'one person' if len(cells) == 3 else 'two people'} out of its place; fetch the list again"
            )
        found.append((number, first, second, at // (2 * each) + 1))
    if len(found) != 2 * folds * each:
        raise DataError(f"{where}: {len(found)} pairs, but its first line says {2 * folds * each}; fetch the list again")
    return found


def parse_people(text: str, where: str) -> list[tuple[int, str]]:
    """(fold from 1, name) of every line."""
    lines = [line for line in text.splitlines() if line.strip()]
    found, fold, left = [], 0, 0
    for number, line in enumerate(lines[1:] if lines else [], 2):
        cells = line.split("\t")
        if left == 0 and len(cells) == 1 and cells[0].strip().isdigit():
            fold, left = fold + 1, int(cells[0])
        elif left > 0 and len(cells) == 2:
            found.append((fold, cells[0].strip()))
            left -= 1
        else:
            raise DataError(f"{where}:{number}: neither a fold's count nor a name and its count; fetch the list again")
    return found


def _begins_with_counts(file: Path) -> bool:
    if not file.is_file():
        return False
    with file.open("rb") as opened:
        head = opened.readline(64).split()
    return 1 <= len(head) <= 2 and all(word.isdigit() for word in head)


def _text(root: Path, name: str) -> str | None:
    """A list's text in a folder or tar, if it is there."""
    try:
        if root.is_dir():
            return (root / name).read_text("utf-8") if (root / name).is_file() else None
        member = _list_in_tar(root, name)
        if member is None:
            return None
        with tarfile.open(root, "r:") as archive:
            opened = archive.extractfile(member)
            return opened.read().decode("utf-8") if opened else None
    except OSError as error:
        raise DataError(f"{root}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise DataError(f"{root / name}: not text in UTF-8; fetch the list again") from None


def _list_in_tar(path: Path, name: str = VIEW_2) -> str | None:
    try:
        with tarfile.open(path, "r:") as archive:
            return next((member.name for member in archive if member.isfile() and member.name.rpartition("/")[2] == name), None)
    except (OSError, tarfile.TarError):
        return None


def _original(store: Store, images: dict[tuple[str, int], str]) -> bool:
    """By the first image: the whole photograph of 250 pixels, and no aligned face."""
    for file in images.values():
        header = probe(store.read(file))
        return header is not None and (header.width, header.height) == (ORIGINAL, ORIGINAL)
    return False
