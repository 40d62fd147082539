"""Pictures whose names say who and which camera, as most public re-identification sets have them."""

import re
from pathlib import Path

from datamodules.dcal.reid_table import Sighting

__all__ = ["fits", "pictures", "sightings"]

EXTENSIONS = (".jpg", ".jpeg", ".png", ".bmp")


def pictures(folder: Path) -> list[str]:
    """Names in order; what is no picture (Thumbs.db, hidden files) is nobody's."""
    if not folder.is_dir():
        return []
    return sorted(file.name for file in folder.iterdir() if file.suffix.lower() in EXTENSIONS and not file.name.startswith("."))


def fits(folder: Path, pattern: re.Pattern[str]) -> bool:
    """The folder has pictures, and the first ones are named so."""
    names = pictures(folder)[:10]
    return bool(names) and all(pattern.match(name) for name in names)


def sightings(
    root: Path, folder: str, split: str, pattern: re.Pattern[str], problems: list[str], names: dict[str, str] | None = None
) -> list[Sighting]:
    """Of every picture in the folder, or of those that a list names (name -> list:line). The pattern has the groups identity and camera."""
    found = []
    for name in names if names is not None else pictures(root / folder):
        match = pattern.match(name)
        if match is None:
            where = names[name] if names else root / folder / name
            problems.append(f"{where}: {name!r} does not say identity and camera as the set's names do; rename or remove it")
        else:
            camera = str(int(match["camera"]))
            found.append(Sighting(f"{folder}/{name}", match["identity"], camera, split, names[name] if names else ""))
    return found
