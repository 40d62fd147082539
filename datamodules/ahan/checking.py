"""`discern data check` for faces: what makes a verification look better than it is, is said before it is made."""

import contextlib
from collections import Counter, defaultdict

import numpy as np

from datamodules.ahan.dataset import OnDisk
from datamodules.ahan.leak import UNKNOWN, background, leak
from datamodules.ahan.pairs import OTHER, TWIN, draw_pairs
from datamodules.ahan.table import SPLITS, Face, FaceTable
from datamodules.ahan.template import SIDE
from datamodules.checks import Report, copies, shorten
from datamodules.errors import DataError
from datamodules.look import Seen, look_at, named, near_pairs, picture_notes
from datamodules.store import fingerprint

__all__ = ["report"]

STRANGERS = 5000  # pairs of them whose backgrounds are compared
PROFILE = 45.0  # degrees, beyond which the paper's method fails and a product refuses the pose


def report(table: FaceTable, *, near: bool = False) -> Report:
    """Every image is read and decoded once."""
    behind: dict[str, np.ndarray] = {}
    faces = OnDisk(table.store, table.records, SIDE)

    def view(picture: np.ndarray, record: Face, where: str) -> np.ndarray:
        with contextlib.suppress(DataError):  # points and crops that fit no face are told elsewhere
            behind[record.file] = background(faces.framed(record, picture, where))
        return picture

    seen, damaged = look_at(table.store, table.records, near=near, view=view)
    result = Report(
        format=table.layout,
        source=table.source,
        counts={split: len(table.rows(split)) for split in SPLITS},
        classes=len(table.people),
        problems=table.problems + damaged,
        notes=[*table.notes, *table.personal],
        fingerprint=fingerprint(table.store, [record.file for record in table.records]),
        unit="people",
        recipe="lfw" if table.layout == "lfw" else "small",
    )
    _points(table, result)
    _families(table, result)
    _visits(table, result)
    _turned(table, result)
    _pairs(table, result)
    _copies(table, seen, result)
    _near(table, seen, result)
    _leak(table, behind, result)
    result.notes += picture_notes(table.records, seen)
    return result


def _points(table: FaceTable, result: Report) -> None:
    """Points that turn a face upside down, as where eyes and mouth changed places, would be learned without a word."""
    wrong = list(OnDisk(table.store, table.records, SIDE).misplaced().values())
    if wrong:
        result.problems.append(f"{len(wrong)} images with bad_landmarks: {shorten(wrong, 3)}")


def _families(table: FaceTable, result: Report) -> None:
    places, people = defaultdict(set), defaultdict(set)
    for record in table.records:
        places[record.family].add(record.split)
        people[record.family].add(record.person)
    if torn := {family for family, splits in places.items() if len(splits) > 1}:
        first = {record.family: named(record) for record in table.records if record.family in torn}
        result.problems.append(
            f"{len(torn)} families in more than one of train, val, test: {shorten(sorted(first.values()), 3)}; split by family: a twin "
            "in training makes the test easy"
        )
    trained = {record.family for record in table.of("train")}
    together, groups = defaultdict(set), defaultdict(set)
    for record, twin in zip(table.records, table.twins.tolist(), strict=True):
        groups[record.family].add(twin)
        if record.split == "train":
            together[twin].add(record.person)
    twins = sum(len(members) > 1 for members in together.values())
    if trained and not twins:
        result.notes.append("no twins in training: train with twin_ratio=0")
        result.options = ["--data.twin_ratio=0"]
    elif trained:
        result.notes.append(f"{twins} of {len(trained)} training families have twins")
    if kin := sum(len(numbers) > 1 for numbers in groups.values()):
        result.notes.append(
            f"{kin} families have kin who are no identical twins (DZ, sibling, none): counted apart from twins and strangers"
        )
    images = Counter(record.person for record in table.of("train"))
    if single := [name for name, count in images.items() if count == 1]:
        result.notes.append(
            f"{len(single)} of {len(images)} training people have one image, which has no other of the same person to learn from"
        )


def _leak(table: FaceTable, behind: dict[str, np.ndarray], result: Report) -> None:
    """Whether "same" can be told from the background alone: clothes, room, or how a set was cut."""
    person, family, visit, _ = table.numbers.T
    pairs = table.named_pairs() if table.pairs else draw_pairs(person, family, visit, 0, STRANGERS, twins=table.twins)
    features = np.stack([behind.get(record.file, UNKNOWN) for record in table.records]) if table.records else np.zeros((0, len(UNKNOWN)))
    known = np.isfinite(features[pairs.first]).all(1) & np.isfinite(features[pairs.second]).all(1)
    for kind, words in ((OTHER, "strangers"), (TWIN, "twins")):
        keep = known & (pairs.same | (pairs.kind == kind))
        families = np.stack([family[pairs.first[keep]], family[pairs.second[keep]]], 1)
        told = leak(features, pairs.first[keep], pairs.second[keep], pairs.same[keep], families)
        if told is not None and told.warns:
            result.notes.append(
                f"leak: from the background alone genuine pairs and {words} are told apart in {100 * told.accuracy:.0f} % of cases (50: "
                "not at all): figures of this set flatter"
            )


def _visits(table: FaceTable, result: Report) -> None:
    """Two images of one day share clothes, light and hair: they are alike whoever is on them."""
    known = [record for record in table.records if record.visit is not None]
    if not known:
        result.notes.append("no visits are known: genuine pairs may be of one day or one burst, which flatters")
        return
    if len(known) < len(table.records):
        result.notes.append(f"{len(table.records) - len(known)} images have no visit: they are paired with every other of the person")
    visits = defaultdict(set)
    for record in known:
        visits[record.person].add(record.visit)
    if once := sum(len(days) == 1 for days in visits.values()):
        result.notes.append(f"{once} of {len(visits)} people were seen on one visit only: they have no genuine pair across visits")
    years = {split: {year for record in table.of(split) if (year := _year(record))} for split in ("train", "test")}
    if years["train"] and years["test"] and not years["train"] & years["test"]:
        words = " and ".join(f"{split} {', '.join(sorted(found))}" for split, found in years.items())
        result.notes.append(f"no year is in both splits ({words}): what is measured is ageing and camera, too")


def _turned(table: FaceTable, result: Report) -> None:
    known = [abs(record.yaw) for record in table.records if record.yaw is not None]
    if far := sum(yaw > PROFILE for yaw in known):
        result.notes.append(
            f"{far} of {len(known)} images with a yaw are turned by more than {PROFILE:g} degrees, where verification degrades: see "
            "`discern ahan evaluate --group yaw`"
        )


def _year(record: Face) -> str:
    """Where a visit is a date or begins with a year; else nothing."""
    year = (record.visit or "")[:4]
    return year if len(year) == 4 and year.isdigit() else ""


def _pairs(table: FaceTable, result: Report) -> None:
    if not table.pairs:
        return
    same, folds = sum(pair.same for pair in table.pairs), {pair.fold for pair in table.pairs if pair.fold > 0}
    result.notes.append(f"{len(table.pairs)} pairs are named, {same} of them the same" + (f", in {len(folds)} folds" if folds else ""))
    fold_of: dict[str, int] = {}
    person = {record.file: record.person for record in table.records}
    crossing = set()
    for pair in table.pairs:
        for file in (pair.first, pair.second):
            if fold_of.setdefault(person[file], pair.fold) != pair.fold:
                crossing.add(person[file])
    if folds and crossing:
        result.notes.append(f"{len(crossing)} people are in pairs of more than one fold: the folds are not independent")


def _copies(table: FaceTable, seen: dict[str, Seen], result: Report) -> None:
    records, within = {record.file: record for record in table.records}, []
    twice = bool(table.pairs) and table.layout in ("insightface-bin", "pair-list")  # there an image comes once for every pair
    for group in copies({file: look.digest for file, look in seen.items()}):
        words = " = ".join(group)
        if twice:
            within.append(words)
        elif len({records[file].person for file in group}) > 1:
            result.problems.append(f"same image under several people: {words}; decide on one")
        elif len({records[file].split for file in group}) > 1:
            result.problems.append(f"same image in several splits: {words}; keep it in one")
        else:
            within.append(words)
    if within:
        result.notes.append(f"{len(within)} groups of exact copies of one person: {shorten(within, 3)}")


def _near(table: FaceTable, seen: dict[str, Seen], result: Report) -> None:
    records, bursts = {record.file: record for record in table.records}, []
    for file, other_file, alike in near_pairs(records, seen):
        one, other = records[file], records[other_file]
        words = f"{file} ({one.split}) and {other_file} ({other.split}) correlate {alike:.3f}"
        if one.split != other.split:
            result.problems.append(f"near-copies across splits: {words}; look at them and keep one")
        elif one.person != other.person:
            result.notes.append(f"near-copies of two people{', who are twins' if one.family == other.family else ''}: {words}")
        else:
            bursts.append(words)
    if bursts:
        result.notes.append(f"{len(bursts)} pairs of near-copies of one person, as of one burst, most alike: {bursts[0]}")
