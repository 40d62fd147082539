"""The place of the pictures that a list names."""

from pathlib import Path

from datamodules.errors import DataError
from datamodules.store import FolderStore, Store, TarStore, ZipStore, inside

__all__ = ["store_beside"]

ARCHIVES = {".zip": ZipStore, ".tar": TarStore}


def store_beside(index: Path, files: list[str], folders: tuple[Path, ...] = ()) -> Store:
    """Pictures beside the list, in images/ or in one of `folders`; else in an archive called as the list, or images, or the only one there.

    Where the first files are found decides.
    """
    folder = index.parent
    archives = [file for file in sorted(folder.iterdir()) if file.suffix in ARCHIVES and file.is_file()]
    named = [file for name in (index.stem, "images") for file in archives if file.stem == name][:1]
    places: list[Store] = [FolderStore(folder), FolderStore(folder / "images"), *(FolderStore(place) for place in folders)]
    if named or len(archives) == 1:
        archive = (named or archives)[0]
        places.append(ARCHIVES[archive.suffix](archive))
    sample = files[:: max(1, len(files) // 50)]
    counts = [sum(inside(file) and file in place for file in sample) for place in places]
    if max(counts) == 0 and len(archives) > 1 and not named:
        raise DataError(f"{folder}: several zips and none called images.zip; rename the one with the pictures")
    return places[counts.index(max(counts))]
