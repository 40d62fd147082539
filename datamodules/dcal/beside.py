"""The place of the pictures that a CSV names."""

from pathlib import Path

from datamodules.dcal.lists import inside
from datamodules.errors import DataError
from datamodules.store import FolderStore, Store, ZipStore

__all__ = ["store_beside"]


def store_beside(index: Path, files: list[str]) -> Store:
    """Pictures beside the CSV or in images/; else in images.zip or the only zip. Where the first files are found decides."""
    folder = index.parent
    archives = [folder / "images.zip"] if (folder / "images.zip").is_file() else sorted(folder.glob("*.zip"))
    places: list[Store] = [FolderStore(folder), FolderStore(folder / "images")]
    if len(archives) == 1:
        places.append(ZipStore(archives[0]))
    sample = files[:: max(1, len(files) // 50)]
    counts = [sum(inside(file) and file in place for file in sample) for place in places]
    if max(counts) == 0 and len(archives) > 1:
        raise DataError(f"{folder}: several zips and none called images.zip; rename the one with the pictures")
    return places[counts.index(max(counts))]
