"""Kinds and sizes of the problems of a training: how many of which, and which come when (ACCORD brief 3.3).

A batch is of one kind and one size: no row of it is padded. Kinds take turns.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from datamodules.accord.instances import Instance
from datamodules.accord.synth import CAPACITIES, Size, generate
from datamodules.errors import DataError

__all__ = ["SPAN", "Bucket", "buckets_of", "make", "place", "size_of", "sizes_between"]

SPAN = 2**32  # an index is bucket * SPAN + number in it


@dataclass(frozen=True)
class Bucket:
    """Problems of one kind and one size."""

    kind: str
    size: Size
    count: int


def size_of(kind: str, text: str) -> Size:
    """'20', or '10x5' for jobs and machines."""
    parts = text.lower().split("x")
    wanted = 2 if kind in ("pfsp", "jssp") else 1
    if len(parts) != wanted or not all(part.isdecimal() and int(part) > 0 for part in parts):
        form = "jobs x machines, such as 10x5" if wanted == 2 else "a whole number, such as 20"
        raise DataError(f"sizes.{kind}={text!r}: give {form}")
    return int(parts[0]) if wanted == 1 else (int(parts[0]), int(parts[1]))


def sizes_between(size: Size, smallest: float) -> list[Size]:
    """From that share of the size up to it. ours: of a shop the jobs alone become fewer, so that machines stay a shop's own."""
    most = size if isinstance(size, int) else size[0]
    least = min(most, max(2, round(most * smallest)))
    counts = range(least, most + 1)
    return list(counts) if isinstance(size, int) else [(count, size[1]) for count in counts]


def buckets_of(kind: str, sizes: Sequence[Size], count: int, share: float) -> list[Bucket]:
    """`count` problems over the sizes, the last the full one, as often as a training asks for each whose first `share` is uniform over
    them and whose rest is of the full size."""
    each = round(count * share / len(sizes))
    small = [Bucket(kind, size, each) for size in sizes[:-1] if each]
    return [*small, Bucket(kind, sizes[-1], count - each * len(small))]


def place(index: int) -> tuple[int, int]:
    """(bucket, number in it)"""
    return divmod(int(index), SPAN)


def make(bucket: Bucket, seed: int, first: int, count: int) -> list[Instance]:
    """Problems of a bucket by number. ours: vehicles hold what is published for the next larger number of customers."""
    capacity = None
    if bucket.kind == "cvrp" and bucket.size not in CAPACITIES:
        larger = [size for size in CAPACITIES if size > bucket.size]  # pyright: ignore[reportOperatorIssue] - of cvrp a number
        capacity = CAPACITIES[min(larger) if larger else max(CAPACITIES)]
    return generate(bucket.kind, count, bucket.size, seed, first=first, capacity=capacity)
