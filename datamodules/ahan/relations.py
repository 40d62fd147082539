"""Who is whose twin, from a JSON file: [["p1", "p2"], ...]; three or more in a row are a group."""

import json
from pathlib import Path
from typing import Any

from datamodules.errors import DataError

__all__ = ["families_of", "load_json"]

MOST = 1 << 30


def load_json(file: Path) -> Any:
    try:
        if file.stat().st_size > MOST:
            raise DataError(f"{file}: more than {MOST >> 30} GiB; write it in parts")
        return json.loads(file.read_text("utf-8-sig"))
    except OSError as error:
        raise DataError(f"{file}: {error.strerror or error}") from None
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise DataError(f"{file}: not JSON in UTF-8 ({error}); write it anew") from None


def families_of(file: Path | None, people: set[str]) -> tuple[dict[str, tuple[str, str]], list[str], list[str]]:
    """(person -> (family, kind), problems, who has no image, by entry). Whoever is in no row is a family of one's own.

    people: those who have images
    """
    found: dict[str, tuple[str, str]] = {}
    problems, lacking = [], []
    rows = [] if file is None else load_json(file)
    if not isinstance(rows, list):
        raise DataError(f'{file}: {type(rows).__name__} instead of a list of pairs; write [["p1", "p2"], ...]')
    for number, row in enumerate(rows, 1):
        if not isinstance(row, list) or len(row) < 2 or not all(isinstance(name, str) and name for name in row):
            problems.append(f"{file}: entry {number} is {json.dumps(row)[:60]}, not two names or more; correct it")
            continue
        if len(set(row)) < len(row):
            problems.append(f"{file}: entry {number} names {row[0]!r} as a twin of the same person; correct it")
            continue
        if twice := [name for name in row if name in found]:
            problems.append(f"{file}: entry {number}: {twice[0]!r} is in two pairs; write all of them in one entry, as a group")
            continue
        if absent := [name for name in row if name not in people]:
            lacking.append(f"{file}: entry {number}: no image of {', '.join(map(repr, absent))}")
        found |= {name: (f"{row[0]}+{row[1]}", "MZ" if len(row) == 2 else "group") for name in row}
    return found | {name: (name, "none") for name in people - set(found)}, problems, lacking
