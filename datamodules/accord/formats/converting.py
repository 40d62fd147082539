"""From one format to another, without loss or with a loss that is named.

What a format cannot hold is not listed anywhere: the new text is read again and compared with what was to be written, field by field.
"""

from collections.abc import Sequence
from pathlib import Path

from datamodules.accord.errors import LossyConversionError
from datamodules.accord.formats.format import Format, Options, Written
from datamodules.accord.formats.numbers import Number
from datamodules.accord.formats.reading import read
from datamodules.accord.formats.records import differences
from datamodules.accord.formats.source import text_source
from datamodules.accord.formats.writing import format_for, write_text, written_as
from datamodules.accord.instances import CVRP, TSP, Instance
from datamodules.checks import shorten

__all__ = ["convert", "losses"]

_WORDS = {
    "xy": "coordinates",
    "best": "the best known value",
    "proven": "that the best value is proven",
    "metric": "how distances are rounded",
    "named_fleet": "the fleet that the name says",
    "labels": "the labels of its nodes, items or jobs",
    "machine_labels": "the labels of its machines",
}


def convert(
    source: str | Path,
    target: str | Path,
    format: str | None = None,
    lossy: bool = False,
    kind: str | None = None,
    rounding: str | None = None,
    capacity: Number | float | str | None = None,
) -> list[str]:
    """Write what `source` holds to `target`; what was lost, which is nothing unless lossy allows it.

    format: of the target, a name of FORMATS; left out, its ending says it
    kind, rounding, capacity: how the source is read, as of `read`

    >>> convert("burma14.tsp", "burma14.csv")
    []
    """
    instances = read(source, kind, rounding, capacity)
    made = format_for(instances, target, format)
    written = written_as(instances, made)
    lost = losses(instances, written, made, Path(target).name)
    if lost and not lossy:
        raise LossyConversionError(
            f"{target}: format {made.name} would lose {'; '.join(lost)}; allow it with --lossy, or choose another (ours holds all)"
        )
    write_text(written, target)
    return lost


def losses(instances: Sequence[Instance], written: Written, made: Format, name: str) -> list[str]:
    """What reading the text again does not give back, in words.

    name: of the file, which is what formats without names have for one
    """
    read_again = _read_again(written, made, name, instances[0].kind)
    lost: dict[str, list[str]] = {}
    for before, after in zip(instances, read_again, strict=True):
        for field in differences(before, after):
            if (field == "name" and not made.names) or (field == "metric" and _same_places(before, after)):
                continue  # the file's name is the instance's; what the metric made is all there
            if field in ("labels", "machine_labels") and _counted(getattr(before, field)):
                continue
            lost.setdefault(field, []).append(before.name)
    every = len(instances)
    return [f"{_WORDS.get(field, field)}{'' if len(names) == every else f' of {shorten(names)}'}" for field, names in lost.items()]


def _counted(labels: Sequence[str]) -> bool:
    """Numbers from 1 only say the place, which every format keeps."""
    return list(labels) == [str(at) for at in range(1, len(labels) + 1)]


def _same_places(before: Instance, after: Instance) -> bool:
    return isinstance(before, TSP | CVRP) and isinstance(after, TSP | CVRP) and not {"distances", "scale"} & set(differences(before, after))


def _read_again(written: Written, made: Format, name: str, kind: str) -> list[Instance]:
    assert made.read is not None
    if isinstance(written, str):
        return made.read(text_source(written, name, name), Options(kind=kind))
    stem = name
    for ending in written:
        stem = stem.removesuffix(ending)
    files = {f"{stem}{ending}": text for ending, text in written.items()}
    first = next(iter(files))
    return made.read(text_source(files[first], first, first, files.get), Options(kind=kind))
