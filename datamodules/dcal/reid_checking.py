"""`discern data check` for re-identification: what makes a ranking worthless is said before it is made."""

from collections import Counter, defaultdict

from datamodules.checks import Report, copies, shorten
from datamodules.dcal.reid_table import REID_SPLITS, ReidTable, Sighting
from datamodules.dcal.table import without_its_banner
from datamodules.look import Seen, look_at, named, near_pairs, picture_notes
from datamodules.store import fingerprint

__all__ = ["report"]

PARTS = {"train": "train", "val": "val", "query": "test", "gallery": "test"}  # identities belong to one of these


def report(table: ReidTable, *, near: bool = False) -> Report:
    """Every picture is read and decoded once."""
    seen, damaged = look_at(table.store, table.records, near=near, view=without_its_banner)
    result = Report(
        format=table.layout,
        source=table.source,
        counts={split: len(table.rows(split)) for split in REID_SPLITS},
        classes=len(table.identities),
        problems=table.problems + damaged,
        notes=list(table.notes),
        fingerprint=fingerprint(table.store, [record.file for record in table.records]),
        unit="identities",
        recipe="reid",
    )
    _identities(table, result)
    _cameras(table, result)
    _copies(table, seen, result)
    _near(table, seen, result)
    result.notes += picture_notes(table.records, seen)
    return result


def _identities(table: ReidTable, result: Report) -> None:
    parts: dict[str, set[str]] = defaultdict(set)
    for record in table.records:
        parts[record.identity].add(PARTS[record.split])
    if len(both := {name for name, places in parts.items() if len(places) > 1}):
        first = [named(record) for record in table.records if record.identity in both]
        result.problems.append(f"{len(both)} identities in more than one of train, val, test: {shorten(first, 3)}; split by identity")
    pictures = Counter(record.identity for record in table.of("train"))
    if len(pictures) < 2:
        result.problems.append(f"{table.source}: {len(pictures)} training identities; telling identities apart needs two")
    if single := [named(record) for record in table.of("train") if pictures[record.identity] == 1]:
        result.notes.append(
            f"{len(single)} training identities have one picture, which has no other view to learn from: {shorten(single, 3)}"
        )
    if table.rows("query") and not table.rows("gallery"):
        result.problems.append(f"{table.source}: queries, but no gallery to search")
    if not table.rows("query", "gallery"):
        result.notes.append("no query and gallery: 'test' will have nothing to measure")
    held = {record.identity for record in table.of("gallery")}
    if absent := [named(record) for record in table.of("query") if record.identity not in held]:
        result.notes.append(f"{len(absent)} queries whose identity is not in the gallery (counted, not averaged): {shorten(absent, 3)}")
    asked = {record.identity for record in table.of("query")}
    if distracting := sum(record.identity not in asked for record in table.of("gallery")):
        result.notes.append(f"{distracting} gallery pictures of nobody who is asked for: they distract")


def _cameras(table: ReidTable, result: Report) -> None:
    """The commonest question about these metrics: no camera, or one for all, and every true match is dropped."""
    for part, asking, held in (
        ("val", [record for record in table.of("val") if record.file in table.queries], table.of("val")),
        ("test", table.of("query"), table.of("gallery")),
    ):
        if missing := [record for record in asking + held if record.camera is None]:
            result.notes.append(
                f"{len(set(missing))} {part} pictures have no camera ({shorten([named(record) for record in missing], 2)}): "
                "'market' and 'cross' cannot rank them; use protocol same-camera-allowed"
            )
            continue
        alone = _same_camera_only(asking, held)
        cameras = sorted({record.camera or "" for record in asking + held})
        if asking and len(alone) == len(asking):
            result.problems.append(
                f"none of the {len(asking)} {part} queries has a match by another camera (cameras: {shorten(cameras)}): 'market' and "
                "'cross' would drop every true match; correct the cameras, or leave them empty and use protocol same-camera-allowed"
            )
        elif alone:
            words = shorten([named(record) for record in alone], 3)
            result.notes.append(f"{len(alone)} of {len(asking)} {part} queries have matches by their own camera only (left out): {words}")


def _same_camera_only(asking: list[Sighting], held: list[Sighting]) -> list[Sighting]:
    cameras: dict[str, set[str | None]] = defaultdict(set)
    for record in held:
        cameras[record.identity].add(record.camera)
    return [record for record in asking if cameras[record.identity] and cameras[record.identity] == {record.camera}]


def _copies(table: ReidTable, seen: dict[str, Seen], result: Report) -> None:
    records = {record.file: record for record in table.records}
    within, hidden, found = [], [], []
    for group in copies({file: look.digest for file, look in seen.items()}):
        splits = {records[file].split for file in group}
        cameras = {records[file].camera for file in group}
        words = " = ".join(group)
        if len({records[file].identity for file in group}) > 1:
            result.problems.append(f"same picture under several identities: {words}; decide on one")
        elif len({PARTS[split] for split in splits}) > 1:
            result.problems.append(f"same picture in {' and '.join(sorted(splits))}: {words}; keep it in one")
        elif "query" in splits and "gallery" in splits:
            (hidden if len(cameras) == 1 and None not in cameras else found).append(words)
        else:
            within.append(words)
    if found:
        result.problems.append(f"{len(found)} query pictures are also in the gallery and find themselves: {shorten(found, 3)}; remove them")
    if hidden:
        why = "by the same camera, so 'market' and 'cross' leave each out for itself, but same-camera-allowed finds it"
        result.notes.append(f"{len(hidden)} query pictures are also in the gallery, {why}: {shorten(hidden, 3)}")
    if within:
        result.notes.append(f"{len(within)} groups of exact copies within an identity and split: {shorten(within, 3)}")


def _near(table: ReidTable, seen: dict[str, Seen], result: Report) -> None:
    records = {record.file: record for record in table.records}
    within = []
    for file, other_file, alike in near_pairs(records, seen):
        one, other = records[file], records[other_file]
        words = f"{file} ({one.split}) and {other_file} ({other.split}) correlate {alike:.3f}"
        if PARTS[one.split] != PARTS[other.split]:
            result.problems.append(f"near-copies across splits: {words}; look at them and keep one")
        elif one.identity != other.identity:
            result.notes.append(f"near-copies under two identities: {words}")
        else:
            within.append(words)
    if within:  # frames that follow each other are alike
        result.notes.append(f"{len(within)} pairs of near-copies within an identity, most alike: {within[0]}")
