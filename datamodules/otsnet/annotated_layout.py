"""The case-sensitive re-annotation of the field's sets: `<set>/IMG/1.jpg` with its word in `<set>/label/1.txt`, counted from 1."""

from pathlib import Path

from datamodules.otsnet.table import Collector, Table, split_of
from datamodules.otsnet.text_lines import PICTURES
from datamodules.store import FolderStore

__all__ = ["is_annotated", "read_annotated"]


def is_annotated(path: Path) -> bool:
    return bool(_sets(path))


def read_annotated(path: Path) -> Table:
    """`iiit5k_train` is the training split of `iiit5k`."""
    collected = Collector("annotated", path, FolderStore(path))
    for root in _sets(path):
        pictures = {file.stem: file for file in (root / "IMG").iterdir() if file.suffix.lower() in PICTURES}
        name = root.resolve().name
        split = split_of(name)
        for label in sorted((root / "label").glob("*.txt"), key=lambda file: (len(file.stem), file.stem)):
            picture = pictures.pop(label.stem, None)
            if picture is None:
                collected.problem(f"{label}: no picture {label.stem} in {root / 'IMG'}; restore it or remove the label")
                continue
            try:
                text = (label.read_text(encoding="utf-8-sig").splitlines() or [""])[0]
            except (OSError, UnicodeDecodeError) as error:
                collected.problem(f"{label}: not readable as UTF-8 ({error}); save it anew")
                continue
            collected.add(picture.relative_to(path).as_posix(), text, split, name.removesuffix(f"_{split}"), str(label))
        collected.table.problems.extend(f"{file}: no label {file.stem}.txt; add it or remove the picture" for file in pictures.values())
    return collected.table


def _sets(path: Path) -> list[Path]:
    places = [path, *sorted(folder for folder in path.iterdir() if folder.is_dir())] if path.is_dir() else []
    return [place for place in places if (place / "IMG").is_dir() and (place / "label").is_dir()]
