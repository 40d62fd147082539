"""Where the features of slides lie: folders as CLAM, TRIDENT and we write them, and folders with a file a slide."""

from dataclasses import dataclass, field
from pathlib import Path

from datamodules.checks import shorten
from datamodules.errors import DataError
from datamodules.mil.slide_name import BAGS, slide_name

__all__ = ["LOOKS_FOR", "FeatureFolder", "find_features", "has_features"]

ROOMS = ("h5_files", "pt_files", "pt")  # CLAM's; the published CAMELYON-16 features lie in pt/
LOOKS_FOR = (
    "features of slides (CLAM's h5_files/ or pt_files/, TRIDENT's features_<encoder>/ or the job above it, .safetensors of "
    "'discern mil slides', or a folder with one .h5, .pt, .npz or .npy a slide)"
)


@dataclass(frozen=True)
class FeatureFolder:
    layout: str  # clam, trident, native, or files
    root: Path
    files: dict[str, Path]  # by slide
    notes: list[str] = field(default_factory=list)


def has_features(path: Path) -> bool:
    return path.is_dir() and bool(_candidates(path))


def find_features(path: Path) -> FeatureFolder:
    if not path.exists():
        raise DataError(f"{path}: no such file or folder")
    found = _candidates(path) if path.is_dir() else []
    if not found:
        raise DataError(f"{path}: not recognised; looked for {LOOKS_FOR}")
    if len(found) > 1:
        raise DataError(f"{path}: features of several kinds ({shorten([str(root.relative_to(path)) for _, root in found])}); name one")
    layout, root = found[0]
    rooms = [root / room for room in ROOMS if (root / room).is_dir()] if layout == "clam" else []
    files, twice = _files(rooms or [root])
    # CLAM writes every slide in both of its rooms
    notes = [f"{twice} slides have several files: .h5 is read before .safetensors, .pt, .npz and .npy"] if twice and not rooms else []
    return FeatureFolder(layout, root, files, notes)


def _candidates(path: Path) -> list[tuple[str, Path]]:
    if any((path / room).is_dir() for room in ROOMS):
        return [("clam", path)]
    if path.name in ROOMS and _own(path):
        return [("clam", path)]
    if path.name.startswith("features_") and _own(path):
        return [("trident", path)]
    encoders = sorted({*path.glob("features_*"), *path.glob("*px_overlap/features_*")})
    if encoders := [folder for folder in encoders if _own(folder)]:
        return [("trident", folder) for folder in encoders]
    if (path / "features").is_dir() and (below := _candidates(path / "features")):
        return below
    if own := _own(path):
        return [("native" if own[0].suffix == ".safetensors" else "files", path)]
    return []


def _own(folder: Path) -> list[Path]:
    """Its files that may be bags, of the kind first that is read first."""
    found = [path for path in folder.iterdir() if path.suffix in BAGS and not path.name.startswith(".") and path.is_file()]
    return sorted(found, key=lambda path: (BAGS.index(path.suffix), path.name))


def _files(folders: list[Path]) -> tuple[dict[str, Path], int]:
    """A file a slide, and how many others tell of the same slides."""
    files: dict[str, Path] = {}
    twice = 0
    for folder in folders:
        for path in _own(folder):
            twice += slide_name(path) in files
            files.setdefault(slide_name(path), path)
    return dict(sorted(files.items())), twice
