"""The embedded set "hard bags": a positive bag has one or two instances that are easy to find and several that are hard.

A model that looks for the easy ones answers every bag that has them and no other: half of the tested bags have hard ones only.
So it can be checked that a model found the hard instances, not only that it answers right.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

__all__ = [
    "BACKGROUND",
    "CLASSES",
    "DISTRACTOR",
    "EASY",
    "HARD",
    "VERSION",
    "WIDTH",
    "BagSet",
    "TimedBags",
    "hard_bags",
    "instances_of",
    "survival_bags",
    "write_examples",
]

VERSION = 1  # of the bags: another number makes other ones
WIDTH = 16
CLASSES = ("negative", "positive")
BACKGROUND, DISTRACTOR, EASY, HARD = range(4)


class BagSet(NamedTuple):
    x: np.ndarray  # float32 (I,16)
    offsets: np.ndarray  # int64 (B+1,)
    labels: np.ndarray  # int64 (B,), alternating
    kind: np.ndarray  # int8 (I,), one of the four above


def hard_bags(n: int, seed: int, hard_only: bool = False) -> BagSet:
    """n bags of 80 to 159 standard normal instances.

    Every bag has 2 to 5 distractors (+4 on axis 2). A positive one has 1 or 2 easy instances (+8 on axis 0; none when `hard_only`) and
    6 to 12 hard ones (+2.5 on axis 1).
    """
    if n < 1:
        raise ValueError(f"hard bags: at least one, not {n}")
    rng = np.random.default_rng([VERSION, seed])
    labels = np.arange(n) % 2
    lengths = rng.integers(80, 160, size=n)
    offsets = np.concatenate([[0], lengths.cumsum()])
    x = rng.standard_normal((offsets[-1], WIDTH)).astype(np.float32)
    kind = np.zeros(offsets[-1], np.int8)
    for first, length, label in zip(offsets[:-1], lengths, labels, strict=True):
        distractors = rng.integers(2, 6)
        easy = 0 if hard_only or not label else rng.integers(1, 3)
        hard = rng.integers(6, 13) if label else 0
        kinds = np.repeat([DISTRACTOR, EASY, HARD], np.array([distractors, easy, hard], dtype=np.int64))
        kind[first + rng.permutation(length)[: len(kinds)]] = kinds
    for which, axis, shift in ((DISTRACTOR, 2, 4.0), (EASY, 0, 8.0), (HARD, 1, 2.5)):
        x[kind == which, axis] += shift
    return BagSet(x, offsets.astype(np.int64), labels.astype(np.int64), kind)


def instances_of(kind: np.ndarray) -> dict[str, np.ndarray]:
    """What is known of made instances. truth: 1 where it matters for the bag. hard_instance: where it is hard to find."""
    return {"truth": (kind >= EASY).astype(np.float32), "hard_instance": kind == HARD}


class TimedBags(NamedTuple):
    x: np.ndarray  # float32 (I,16)
    offsets: np.ndarray  # int64 (B+1,)
    time: np.ndarray  # float64 (B,), whole days
    event: np.ndarray  # int64 (B,): 1, or 0 where the bag was lost from sight before
    kind: np.ndarray  # int8 (I,)


def survival_bags(n: int, seed: int) -> TimedBags:
    """n bags of 80 to 159 standard normal instances, with a time each: what they have to do with it is the share of hard instances.

    Every bag has 2 to 5 distractors (+4 on axis 2) and a share of 0 to 0.2 hard instances (+2.5 on axis 1). The hazard is
    exp(20 (share - 0.1)) a year; bags are lost from sight at a constant rate, a quarter of them or so before their event.
    """
    if n < 1:
        raise ValueError(f"survival bags: at least one, not {n}")
    rng = np.random.default_rng([VERSION, seed, 1])
    lengths = rng.integers(80, 160, size=n)
    offsets = np.concatenate([[0], lengths.cumsum()])
    share = rng.uniform(0, 0.2, n)
    x = rng.standard_normal((offsets[-1], WIDTH)).astype(np.float32)
    kind = np.zeros(offsets[-1], np.int8)
    for first, length, part in zip(offsets[:-1], lengths, share, strict=True):
        kinds = np.repeat([DISTRACTOR, HARD], np.array([rng.integers(2, 6), round(part * length)], dtype=np.int64))
        kind[first + rng.permutation(length)[: len(kinds)]] = kinds
    for which, axis, shift in ((DISTRACTOR, 2, 4.0), (HARD, 1, 2.5)):
        x[kind == which, axis] += shift
    until_event = rng.exponential(np.exp(-20 * (share - 0.1)))
    until_lost = rng.exponential(3.0, n)
    days = np.ceil(365 * np.minimum(until_event, until_lost))
    return TimedBags(x, offsets.astype(np.int64), days, (until_event <= until_lost).astype(np.int64), kind)


def write_examples(folder: Path, n: int) -> list[Path]:
    """n bags as .npy files: inputs for an exported program."""
    made = hard_bags(n, seed=VERSION + 2**31)
    paths = []
    for i in range(n):
        paths.append(folder / f"bag-{i}.npy")
        np.save(paths[-1], made.x[made.offsets[i] : made.offsets[i + 1]])
    return paths
