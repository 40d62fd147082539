"""The faces of this machine that can set every character, and which of them training never sees."""

import importlib.util
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path

from PIL import ImageFont

from datamodules.errors import DataError
from datamodules.otsnet.generator.built_in_faces import built_in_faces
from datamodules.otsnet.generator.face import SIZE, Face, FileFace

__all__ = ["all_faces", "covers", "held_out_families", "weights"]

ENDINGS = (".ttf", ".otf")
NOT_LETTERS = (
    "math", "symbol", "emoji", "icon", "awesome", "dingbat", "wingding", "webding", "stixsiz", "stixnonuni", "lastresort", "barcode",
    "music", "braille", "cmex", "cmsy", "cmmi", "cmr10", "cmtt10", "cmss10", "cmb10", "cmti10",
)  # fmt: skip # Computer Modern's files have other signs where ASCII has its own
ABSENT = "\U0010fffe"  # no character: what a face shows for it is what it shows for everything that it does not have
MOST = 400  # ours: files that are tried; a machine with thousands would keep every process waiting
HELD_OUT = 0.2


def _folders() -> list[Path]:
    home = Path.home()
    found = [Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), home / ".local/share/fonts", home / ".fonts"]
    matplotlib = importlib.util.find_spec("matplotlib")  # found, not imported
    if matplotlib is not None and matplotlib.origin is not None:
        found.append(Path(matplotlib.origin).parent / "mpl-data" / "fonts" / "ttf")
    return found


def _files(places: Iterable[Path]) -> list[Path]:
    """One file a name, in the order of the names, so that the same fonts elsewhere make the same list."""
    names: dict[str, Path] = {}
    for place in places:
        for path in [place] if place.is_file() else sorted(place.rglob("*")):
            if path.suffix.lower() in ENDINGS and not any(word in path.name.lower() for word in NOT_LETTERS):
                names.setdefault(path.name.lower(), path)
    paths = [names[name] for name in sorted(names)]
    return paths[:: -(-len(paths) // MOST)] if paths else []


def covers(face: Face, characters: str) -> bool:
    """No character without ink, and none drawn as the box that stands for a missing one."""
    missing = face.glyph(ABSENT, 0).mask
    for character in characters:
        mask = face.glyph(character, 0).mask
        if not mask.size or (mask.shape == missing.shape and bool((mask == missing).all())):
            return False
    return True


def _open(path: Path) -> FileFace | None:
    try:
        font = ImageFont.truetype(str(path), SIZE, layout_engine=ImageFont.Layout.BASIC)
        family = font.getname()[0] or path.stem
    except (OSError, ValueError):
        return None  # a damaged file among the system's is not this user's business
    return FileFace(font, path.name, family)


@lru_cache(maxsize=4)
def all_faces(characters: str, fonts: tuple[Path, ...] | None) -> tuple[Face, ...]:
    """Faces that cover the characters: of the system, or of the given files and folders alone, and the built-in ones."""
    for place in fonts or ():
        if not place.exists():
            raise DataError(f"fonts: {place} is not there; name a font file or a folder of them")
    files = [face for path in _files(_folders() if fonts is None else fonts) if (face := _open(path)) is not None]
    good: list[Face] = [face for face in files if covers(face, characters)]
    if fonts and not good:
        raise DataError(f"fonts: none of {len(files)} faces in {fonts[0]} has all {len(characters)} characters; name others")
    if not fonts:  # ours: fonts of the user's own choice stand alone
        good += [face for face in built_in_faces() if not face.name.startswith("opencv") or characters.isascii()]
        good = [face for face in good if covers(face, characters)] if not characters.isascii() else good
    if not good:
        raise DataError(f"no face on this machine has all {len(characters)} characters; give fonts= with one that has them")
    return tuple(good)


def held_out_families(faces: Sequence[Face]) -> set[str]:
    """Whole families, about a fifth of the weight, in the order of their hashes: a bold cut of a training face is not a new face."""
    families = sorted({face.family for face in faces}, key=lambda name: zlib.crc32(name.encode()))
    if len(families) == 1:
        return set()
    share = Counter[str]()
    for face, weight in zip(faces, weights(faces), strict=True):
        share[face.family] += weight  # type: ignore[assignment]
    goal, held, sum_held = HELD_OUT * sum(share.values()), set[str](), 0.0
    for family in families:
        if sum_held + share[family] <= 1.25 * goal:
            held.add(family)
            sum_held += share[family]
    return held or {families[0]}


def weights(faces: Sequence[Face]) -> list[float]:
    """A family counts once however many cuts it has; the eight stroke faces together once, or four times where files are none."""
    cuts = Counter(face.family for face in faces)
    strokes = sum(family.startswith("opencv") for family in cuts)
    each = (1 if len(cuts) > strokes + 1 else 4) / max(1, strokes)
    return [(each if face.family.startswith("opencv") else 1.0) / cuts[face.family] for face in faces]
