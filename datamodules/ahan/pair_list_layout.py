"""Pairs of images and whether they show one person, as a CSV or as lines of text: something to be tested on."""

from pathlib import Path

from datamodules.ahan.pairs import KIN, TWIN
from datamodules.ahan.same_person import people_of
from datamodules.ahan.table import Face, FaceTable, Named, assemble_faces
from datamodules.beside import store_beside
from datamodules.csv_rows import csv_rows, header
from datamodules.errors import DataError

__all__ = ["is_pair_list", "read_pair_list"]

COLUMNS = {"image1", "image2", "same"}
ANSWERS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
TWINS, OTHER_KIN = ("mz", "twin", "twins", "look-alike"), ("dz", "sibling", "siblings", "kin")  # relations that make impostors hard
RELATIONS = {"": "", **dict.fromkeys(("general", "genuine", "none"), ""), **dict.fromkeys(TWINS, TWIN), **dict.fromkeys(OTHER_KIN, KIN)}
HEAD = 1 << 12


def is_pair_list(path: Path) -> bool:
    return bool(_lists(path))


def read_pair_list(path: Path) -> FaceTable:
    found = _lists(path)
    if len(found) > 1:
        raise DataError(f"{path}: several lists ({', '.join(file.name for file in found)}); name one of them")
    file = found[0]
    rows, problems = _csv(file) if file.suffix.lower() == ".csv" else _text(file)
    if not rows:
        raise DataError(f"{problems[0] if problems else f'{file}: no pairs'}; write lines of image1, image2, same")
    pairs, strange = [], set()
    for where, first, second, answer, fold, relation in rows:
        same = ANSWERS.get(answer.lower())
        if same is None:
            problems.append(f"{where}: same is {answer!r}; write 1 or 0")
        elif not (fold or "-1").lstrip("-").isdigit():
            problems.append(f"{where}: fold {fold!r} is no whole number; correct it")
        elif first == second:
            problems.append(f"{where}: {first!r} is paired with itself; remove the line")
        else:
            if relation.lower() not in RELATIONS and not same:
                strange.add(relation)
            pairs.append(Named(first, second, same, int(fold or -1), "" if same else RELATIONS.get(relation.lower(), ""), where))
    person = people_of([(pair.first, pair.second, pair.same) for pair in pairs])
    if torn := [pair for pair in pairs if not pair.same and person[pair.first] == person[pair.second]]:
        problems.append(f"{torn[0].where}: said to be two people, whom other lines make one; correct one of them")
    store = store_beside(file, list(person))
    lacking = {name for name in person if name not in store}
    family = people_of([(person[pair.first], person[pair.second], bool(pair.kind)) for pair in pairs])
    twins = {person[name] for pair in pairs if pair.kind == TWIN for name in (pair.first, pair.second)}
    faces = [
        Face(name, one, family[one], "test", kind="MZ" if one in twins else "none", where=str(file))
        for name, one in person.items()
        if name not in lacking
    ]
    notes = ["nobody is named: images tied by 'same' count as one person, and all are for testing"]
    if strange:
        known = ", ".join((*TWINS, *OTHER_KIN))
        notes.append(f"relations that are not known ({', '.join(sorted(strange)[:5])}) count as strangers; known are {known}")
    return assemble_faces("pair-list", str(path), store, faces, pairs, problems, notes)


def _csv(file: Path) -> tuple[list[tuple[str, str, str, str, str, str]], list[str]]:
    rows, problems, _ = csv_rows(file)
    return [
        (f"{file}:{line}", row["image1"], row["image2"], row["same"], row.get("fold", ""), row.get("relation", "")) for line, row in rows
    ], problems


def _text(file: Path) -> tuple[list[tuple[str, str, str, str, str, str]], list[str]]:
    rows, problems = [], []
    for number, line in enumerate(_lines(file), 1):
        words = line.split("\t") if "\t" in line else line.split()
        if not words:
            continue
        if len(words) != 3:
            problems.append(f"{file}:{number}: {len(words)} fields instead of image1, image2, 0 or 1; correct the line")
        else:
            rows.append((f"{file}:{number}", *words, "", ""))
    return rows, problems


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text("utf-8-sig").splitlines()
    except OSError as error:
        raise DataError(f"{file}: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{file}: not text in UTF-8 ({error.reason}); save it anew") from None


def _lists(path: Path) -> list[Path]:
    files = [file for end in ("*.csv", "*.txt") for file in sorted(path.glob(end))] if path.is_dir() else [path] if path.is_file() else []
    return [file for file in files if _pairs(file)]


def _pairs(file: Path) -> bool:
    if file.suffix.lower() == ".csv":
        return set(header(file)) >= COLUMNS
    if file.suffix.lower() not in (".txt", ".lst"):
        return False
    with file.open("rb") as opened:
        lines = opened.read(HEAD).decode("utf-8", "replace").splitlines()[:3]
    words = [line.split() for line in lines if line.strip()]
    return bool(words) and all(len(row) == 3 and row[2] in ("0", "1") and "." in row[0] and "." in row[1] for row in words[:2])
