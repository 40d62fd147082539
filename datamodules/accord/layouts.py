"""Instances as they are distributed: a file, an archive, or a folder of them. `detect(path)` says what lies there."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from datamodules.accord.errors import ParseError, UnsupportedError
from datamodules.accord.formats.best_known import NAME, best_known, with_best
from datamodules.accord.formats.format import Options
from datamodules.accord.formats.reading import format_of, is_aside, read_source
from datamodules.accord.formats.records import to_record
from datamodules.accord.formats.source import Source, is_archive, sources
from datamodules.accord.formats.table import FORMATS
from datamodules.accord.instances import KINDS, Instance
from datamodules.checks import Report, copies, digest, shorten
from datamodules.errors import DataError

__all__ = ["Found", "Layout", "detect"]

TRIED = 200  # files of a folder that are looked at before it is said that none is an instance


@dataclass
class Found:
    """What a walk through the files has found."""

    instances: list[tuple[str, str, Instance]] = field(default_factory=list)  # place, format, instance
    broken: list[str] = field(default_factory=list)
    doubtful: list[tuple[str, str, str]] = field(default_factory=list)  # format that it looks like, what is wrong with it, place
    refused: list[str] = field(default_factory=list)  # read, and not modelled
    strange: list[str] = field(default_factory=list)  # none of the formats
    contents: dict[str, str] = field(default_factory=dict)  # digests


@dataclass(frozen=True)
class Layout:
    """A recognised source: `read()` is what lies there, `check()` the report of `discern data check`."""

    name: str
    path: Path

    def read(self) -> Found:
        found = Found()
        for source in sources(self.path):
            _take(source, found, several=self.name == "instances")
        made = {name for _, name, _ in found.instances}
        for name, trouble, place in found.doubtful:  # bare numbers among good files of that format are broken, elsewhere somebody else's
            if name in made or name in _HEADED or not found.instances:
                found.broken.append(trouble)
            else:
                found.strange.append(place)
        return found

    def check(self, *, near: bool = False) -> Report:
        found = self.read()
        if not found.instances:
            raise ParseError((found.broken + found.refused + [f"{self.path}: no instances"])[0])
        kinds = Counter(one.kind for _, _, one in found.instances)
        made = Counter(name for _, name, _ in found.instances)
        report = Report(
            format=", ".join(made),
            source=str(self.path),
            counts={kind: kinds[kind] for kind in KINDS if kinds[kind]},
            classes=len(made),
            problems=[*found.broken, *found.refused],
            fingerprint=digest("".join(sorted(found.contents.values())).encode())[:16],
            unit="formats" if len(made) > 1 else "format",
            verb="solve",
        )
        _sizes(found, report)
        _copies(found, report)
        _known(self.path, found, report)
        if len(made) > 1:
            report.notes.append(f"formats: {', '.join(f'{name} {count:,}' for name, count in made.most_common())}")
        if found.strange:
            report.notes.append(f"{len(found.strange)} files are of no format of these, and are left out: {shorten(found.strange)}")
        if near:
            report.notes.append("near-copies are not looked for among instances")
        return report


def _take(source: Source, found: Found, several: bool) -> None:
    """One file into what was found; of several, one that is broken does not take the others with it."""
    try:
        if several and is_aside(source):
            return
        made = format_of(source)
    except DataError as error:
        if not several:
            raise
        if source.suffix in _OWN:
            found.broken.append(str(error))
        else:
            found.strange.append(source.where)
        return
    try:
        instances = read_source(source, Options())
    except UnsupportedError as error:
        found.refused.append(str(error))
        return
    except DataError as error:
        found.doubtful.append((made.name, str(error), source.where))
        return
    found.contents[source.where] = digest(source.text.encode())
    many = len(instances) > 1
    found.instances += [(f"{source.where}#{at}" if many else source.where, made.name, one) for at, one in enumerate(instances, 1)]


# Endings that nothing else has: a file of these that cannot be read is broken, not somebody else's.
_OWN = {suffix for one in FORMATS.values() for suffix in one.suffixes} - {".txt", ".csv", ".tsv", ".json", ".jsonl", "_c.txt"}


_HEADED = ("tsplib", "cvrplib", "taillard-flow-shop", "taillard-job-shop", "or-library-flow-shop", "or-library-job-shop", "pisinger-csv")


def _sizes(found: Found, report: Report) -> None:
    words = []
    for kind in report.counts:
        sizes = [one.size for _, _, one in found.instances if one.kind == kind]
        thing = {"tsp": "nodes", "cvrp": "customers", "pfsp": "jobs", "jssp": "jobs"}.get(kind, "items")
        words.append(f"{kind} {min(sizes):,}{f' to {max(sizes):,}' if max(sizes) > min(sizes) else ''} {thing}")
    report.notes.append(f"sizes: {'; '.join(words)}")
    for note, count in Counter(note for _, _, one in found.instances for note in one.notes).most_common(5):
        report.notes.append(f"{note}{f' ({count} instances)' if count > 1 else ''}")


def _copies(found: Found, report: Report) -> None:
    """By the numbers, whatever the format and the name."""
    digests = {}
    for place, _, one in found.instances:
        record = to_record(one)
        aside = ("name", "best", "proven", "notes", "xy", "labels", "machine_labels")
        digests[place] = digest(repr([record[key] for key in record if key not in aside]).encode())
    for group in copies(digests):
        report.problems.append(f"the same instance {len(group)} times: {shorten(group)}; keep one, or results count it again")


def _known(path: Path, found: Found, report: Report) -> None:
    """Best known values: those of the files, and those of best_known.csv beside or above them."""
    said = [one for _, _, one in found.instances if one.best is not None]
    folder = next((place for place in (path, path.parent, path.parent.parent) if (place / NAME).is_file()), None)
    if folder is None:
        if said:
            report.notes.append(f"best known values: {len(said):,} of {len(found.instances):,}, from the files")
        else:
            report.notes.append(f"no best known values: gaps need them, in {NAME} beside the files or in the files themselves")
        return
    try:
        table = best_known(folder)
    except DataError as error:
        report.problems.append(str(error))
        return
    listed, differ = 0, []
    for place, _, one in found.instances:
        file, _, member = place.partition("#")
        try:
            inside = Path(file).relative_to(folder).as_posix()
        except ValueError:
            continue
        value = table.get((inside, member))
        if value is None:
            continue
        listed += 1
        try:
            same = one.best is None or with_best(one, *value).best == one.best
        except DataError as error:
            report.problems.append(f"{NAME}: {error}")
            continue
        if not same:
            differ.append(f"{one.name} {value[0]} (the file says {one.best})")
    report.notes.append(f"best known values: {listed:,} of {len(found.instances):,} in {NAME}, {len(said):,} in the files")
    if differ:
        report.notes.append(f"{NAME} and the files differ in {len(differ)}: {shorten(differ, 3)}")
    if path == folder:
        there = {place for place, _, _ in found.instances}
        wanted = [f"{file}#{member}" if member else file for file, member in table]
        if missing := [name for name in wanted if str(folder / name) not in there]:
            report.problems.append(f"{NAME} lists what is not there: {shorten(missing)}")


def detect(path: str | Path) -> Layout:
    """The layout of what lies at `path`; a DataError that says what was looked for when nothing of it is an instance."""
    path = Path(path)
    if not path.exists():
        raise DataError(f"{path}: no such file or folder")
    several = path.is_dir() or is_archive(path)
    first = ""
    for tried, source in enumerate(sources(path)):
        if tried == TRIED:
            break
        try:
            if several and is_aside(source):
                continue
            made = format_of(source)
            if several or source.suffix not in _OWN:  # numbers and tables may be anybody's: those that can be read are instances
                read_source(source, Options())
        except UnsupportedError:
            return Layout("instances" if several else "refused", path)
        except DataError as error:
            first = first or str(error)
            continue
        return Layout("instances" if several else made.name, path)
    looked = "; ".join(one.looks_for for one in FORMATS.values() if one.read)
    raise ParseError(first if first and not several else f"{path}: no instances of a problem; looked for {looked}")
