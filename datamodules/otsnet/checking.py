"""`discern data check` for words in pictures."""

from collections import Counter, defaultdict

from datamodules.checks import Report, copies, shorten
from datamodules.look import Seen, look_at, near_pairs, picture_notes
from datamodules.otsnet.charset import charset
from datamodules.otsnet.crops import crop
from datamodules.otsnet.normalise import for_comparison, for_training
from datamodules.otsnet.table import SPLITS, Table, Word
from datamodules.store import fingerprint

__all__ = ["report"]

WIDE, NARROW = charset("94"), charset("36")


def report(table: Table, *, near: bool = False) -> Report:
    """Every picture is read and decoded once."""
    seen, damaged = look_at(table.store, table.records, near=near, view=_word)
    result = Report(
        format=table.layout,
        source=table.source,
        counts={split: sum(record.split == split for record in table.records) for split in SPLITS},
        classes=len({word for record in table.records if (word := for_comparison(record.label, NARROW))}),
        problems=table.problems + damaged,
        notes=list(table.notes),
        fingerprint=fingerprint(table.store, [record.file for record in table.records]),
        unit="different words",
    )
    for split, sets in table.sets().items():
        if len(sets) > 1:
            result.notes.append(f"{split}: {', '.join(f'{name} {count:,}' for name, count in sorted(sets.items()))}")
    if not result.counts["train"]:
        result.problems.append(f"{table.source}: no training words; a folder or list whose name holds 'train' is the training split")
    _labels(table, result)
    _copies(table, seen, result)
    _near(table, seen, result)
    result.notes += picture_notes(table.records, seen)
    return result


def _word(picture, record: Word, name: str):
    return picture if record.quad is None else crop(picture, record.quad, name)


def _labels(table: Table, result: Report) -> None:
    """What the widest of the named charsets makes of them."""
    faults: dict[str, list[str]] = defaultdict(list)
    stripped: Counter[str] = Counter()
    for record in table.records:
        text = for_training(record.label, WIDE)
        if text.fault:
            faults[text.fault].append(f"{record.label!r} ({record.where})")
        stripped.update(set(text.stripped))
    if faults["too long"]:
        result.notes.append(f"{len(faults['too long'])} labels of more than 25 characters (left out): {shorten(faults['too long'], 3)}")
    if faults["empty"]:
        result.notes.append(f"{len(faults['empty'])} labels without a letter, digit or mark (left out): {shorten(faults['empty'], 3)}")
    odd = Counter(character for record in table.records for character in set(record.label) if not character.isascii())
    if decomposed := [f"{character!r} {count}" for character, count in odd.most_common() if not for_training(character, WIDE).stripped]:
        result.notes.append(f"characters beyond ASCII, decomposed: {shorten(decomposed, 8)}")
    if stripped:
        dropped = [f"{character!r} {count}" for character, count in stripped.most_common()]
        result.notes.append(f"characters outside the 94, dropped from labels unless your charset has them: {shorten(dropped, 8)}")
    train = {for_comparison(record.label, NARROW) for record in table.records if record.split == "train"}
    tested = [for_comparison(record.label, NARROW) for record in table.records if record.split == "test"]
    if train and tested:
        share = sum(word in train for word in tested) / len(tested)
        result.notes.append(f"{share:.1%} of the test words are among the training words: tell accuracy on the others, too")
    elif not tested:
        result.notes.append("no test split: 'test' will have nothing to measure")


def _copies(table: Table, seen: dict[str, Seen], result: Report) -> None:
    """Of whole pictures; several words of one photograph are none."""
    words = {record.file: record for record in table.records if record.quad is None}
    within = 0
    for group in copies({file: look.digest for file, look in seen.items() if file in words}):
        splits = sorted({words[file].split for file in group}, key=SPLITS.index)
        names = {words[file].label for file in group}
        if len(names) > 1:
            result.problems.append(f"same picture under {len(names)} labels: {shorten(group)}; decide on one")
        elif len(splits) > 1:
            result.problems.append(f"same picture in {' and '.join(splits)}: {shorten(group)}; keep it in one split")
        else:
            within += len(group) - 1
    if within:
        result.notes.append(f"{within} exact copies within a split")


def _near(table: Table, seen: dict[str, Seen], result: Report) -> None:
    """Pictures of different words look alike in 16 x 16 points, so the word must be the same, too."""
    words = {record.file: record for record in table.records if record.quad is None}
    for file, other_file, alike in near_pairs(words, seen):
        one, other = words[file], words[other_file]
        if for_comparison(one.label, NARROW) != for_comparison(other.label, NARROW):
            continue
        said = f"{one.file} ({one.split}) and {other.file} ({other.split}) of {one.label!r} correlate {alike:.3f}"
        if one.split != other.split:
            result.problems.append(f"near-copies across splits: {said}; look at them and keep one")
        else:
            result.notes.append(f"near-copies within a split: {said}")
