"""That somebody was forgotten is looked up, not believed: their template, pictures and name are searched in the bytes on the disk."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from safetensors.numpy import load

from apps.ahan.gallery.people import People
from apps.base.errors import FailureError

__all__ = ["Absence", "prove_absence"]


class Absence(NamedTuple):
    searched: list[str]  # in vain
    named_by: list[str]  # whose consent note still says the name: a person's own words are not changed by us


def prove_absence(before: People, after: People, who: Sequence[str], files: Sequence[Path], plain: bytes) -> Absence:
    """A FailureError where something is left.

    plain: the new file with its seal taken off. A name is searched as it is written, in quotes, in everything that is text: three letters
    turn up by chance among the numbers of many templates.
    """
    raw = {str(path): path.read_bytes() for path in files}
    texts = {"the gallery's entries": load(plain)["entries"].tobytes()}
    texts |= {path: data for path, data in raw.items() if not path.endswith(".safetensors")}
    for name in who:
        spelled = json.dumps(name, ensure_ascii=False).encode()
        for where, data in texts.items():
            if spelled in data:
                raise FailureError(f"{name!r} is still named in {where}; remove it there by hand")
    templates = [before.vectors[row].tobytes() for row, entry in enumerate(before.entries) if entry.id in who]
    pictures = [file for name in who for file in before.pictures.get(name, ())]
    # somebody else may have been enrolled from the very same image
    kept = {vector.tobytes() for vector in after.vectors} | {file for files in after.pictures.values() for file in files}
    searched = [f"{_count(len(who), 'name')} in {_count(len(texts), 'text')}"]
    for kind, needles in (("template", templates), ("picture", pictures)):
        for needle in needles:
            for where, data in {"the gallery without its seal": plain, **raw}.items():
                if needle not in kept and needle in data:
                    raise FailureError(f"the {kind} is still in {where}; remove that file by hand")
        if needles:
            searched.append(f"{_count(len(needles), kind)} in {_count(1 + len(raw), 'file')}")
    words = [re.compile(rf"(?<!\w){re.escape(name)}(?!\w)") for name in who]
    return Absence(searched, [entry.id for entry in after.entries if any(word.search(entry.consent) for word in words)])


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
