"""Who is trained on and who is tested: parts by patient, stratified by label, a function of names and seed alone."""

import hashlib
import re
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from datamodules.errors import DataError

__all__ = [
    "Parts", "grouped_folds", "official", "overlap", "patient_hash", "patient_in", "patient_pattern", "patients_of", "split",
]  # fmt: skip

TCGA = r"^(TCGA-\w\w-\w{4})(?!\w)"
INNER = 5  # a fifth of what is not tested is for validation
OFFICIAL = 10  # a tenth of an official training split


class Parts(NamedTuple):
    """Indices of bags, ascending."""

    train: np.ndarray
    val: np.ndarray
    test: np.ndarray


def patient_pattern(pattern: str | None) -> re.Pattern[str]:
    """Its first group, or the whole of it, at the beginning of a slide's name is the patient; None knows TCGA's names."""
    try:
        return re.compile(pattern or TCGA)
    except re.error as error:
        raise DataError(f"patient={pattern!r} is no regular expression ({error}); write one such as (TCGA-..-....)") from None


def patient_in(pattern: re.Pattern[str], name: str) -> str | None:
    found = pattern.match(name)
    return found and found[1 if pattern.groups else 0]


def patients_of(names: Sequence[str], pattern: str | None) -> list[str]:
    r"""The patient of each bag by `patient_pattern`. Without a pattern a bag whose name tells none is a patient of its own.

    >>> patients_of(["TCGA-05-4420-01Z-00-DX1", "slide 7"], None)
    ['TCGA-05-4420', 'slide 7']
    """
    expression = patient_pattern(pattern)
    found = [(name, patient_in(expression, name)) for name in names]
    missed = [name for name, patient in found if patient is None]
    if missed and pattern is not None:
        raise DataError(
            f"patient={pattern!r} matches {len(names) - len(missed)} of {len(names)} names, not {missed[0]!r}; widen the pattern"
        )
    return [name if patient is None else patient for name, patient in found]


def grouped_folds(labels: Sequence[int], groups: Sequence[str], k: int, seed: int) -> np.ndarray:
    """The fold, 0..k-1, of each bag. No group is in two folds; each label is spread as evenly as its groups allow."""
    members: dict[str, list[int]] = defaultdict(list)
    for index, group in enumerate(groups):
        members[group].append(index)
    if k < 2 or k > len(members):
        raise DataError(f"{k} folds of {len(members)} patients: take from 2 to {len(members)}")
    rng = np.random.Generator(np.random.Philox(key=np.array([seed, 2**64 - 2], np.uint64)))
    names = sorted(members)
    shuffled = [names[i] for i in rng.permutation(len(names))]
    counts = np.bincount(np.asarray(labels, dtype=np.int64))
    # The rarest label first, large groups first within it: what is hard to spread is spread while there is room.
    shuffled.sort(key=lambda name: (counts[labels[members[name][0]]], labels[members[name][0]], -len(members[name])))
    fold = np.empty(len(labels), dtype=np.int64)
    load = np.zeros((k, len(counts)), dtype=np.int64)
    for name in shuffled:
        own = members[name]
        label = labels[own[0]]
        best = min(range(k), key=lambda i: (load[i, label], load[i].sum(), i))
        fold[own] = best
        load[best] += np.bincount([labels[i] for i in own], minlength=load.shape[1])
    return fold


def split(
    labels: Sequence[int], groups: Sequence[str], protocol: str, fold: int, k: int, seed: int, outer: np.ndarray | None = None
) -> Parts:
    """The parts of one outer fold.

    protocol: "clean": a grouped, stratified fifth of what is not tested is the validation split; "parity": validation is the test fold,
        as in the published code, so every figure is optimistic
    outer: the fold of each bag, where the set brings its own
    """
    if protocol not in ("clean", "parity"):
        raise DataError(f"protocol is clean or parity here, not {protocol!r}")
    outer = grouped_folds(labels, groups, k, seed) if outer is None else outer
    if not 0 <= fold <= outer.max():
        raise DataError(f"fold is from 0 to {int(outer.max())}, not {fold}")
    test, dev = np.flatnonzero(outer == fold), np.flatnonzero(outer != fold)
    _apart(groups, dev, test, "tested and trained on in this fold")
    if protocol == "parity":
        return Parts(dev, test, test)
    return _with_validation(labels, groups, dev, test, INNER, seed=seed * 1009 + fold + 1)


def official(labels: Sequence[int], groups: Sequence[str], own: Sequence[str], seed: int = 0) -> Parts:
    """The set's own split: "train", "val" or "test" of each bag. Where it has no validation, a grouped, stratified tenth of the training
    split is taken, a function of the seed."""
    train, val, test = (np.array([i for i, part in enumerate(own) if part == name], np.int64) for name in Parts._fields)
    if not len(train) or not len(test):
        raise DataError(f"the set's own split has {len(train)} bags for training and {len(test)} for testing; protocol=clean makes folds")
    _apart(groups, np.concatenate([train, val]), test, "tested and trained on in the set's own split")
    if not len(val):
        return _with_validation(labels, groups, train, test, OFFICIAL, seed + 1)
    _apart(groups, train, val, "validated and trained on in the set's own split")
    return Parts(train, val, test)


def _with_validation(labels: Sequence[int], groups: Sequence[str], dev: np.ndarray, test: np.ndarray, parts: int, seed: int) -> Parts:
    own = [groups[int(i)] for i in dev]
    if len(set(own)) == 1:
        raise DataError(f"one patient, {own[0]}, is left for training and validation; take more patients, or more folds")
    inner = grouped_folds([labels[int(i)] for i in dev], own, min(parts, len(set(own))), seed)
    return Parts(dev[inner != 0], dev[inner == 0], test)


def _apart(groups: Sequence[str], one: np.ndarray, other: np.ndarray, what: str) -> None:
    if both := sorted({groups[int(i)] for i in one} & {groups[int(i)] for i in other}):
        raise DataError(f"{len(both)} patients are {what}, such as {both[0]}; keep every patient on one side")


def patient_hash(name: str) -> str:
    """What a checkpoint keeps of a patient: enough to recognise, not to name."""
    return hashlib.sha256(name.encode()).hexdigest()[:16]


def overlap(hashes: Sequence[str], patients: Sequence[str]) -> list[str]:
    """Those of these patients whose hash is among those."""
    known = set(hashes)
    return sorted({name for name in patients if patient_hash(name) in known})
