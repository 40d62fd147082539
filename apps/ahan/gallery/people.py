"""Templates and what is known of whose they are: values, changed by making new ones. Nothing here touches a disk.

Legend: N people, E width of an embedding.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from apps.ahan.gallery.entry import Entry, check_id
from apps.ahan.gallery.errors import TemplateMismatch
from apps.base.errors import UserError

__all__ = ["People", "Twins"]


@dataclass(frozen=True)
class Twins:
    """Of one person. enrolled: whose templates may be used. absent: not enrolled, forgotten, or their consent ran out."""

    named: tuple[str, ...]
    enrolled: tuple[str, ...]
    absent: int

    def __bool__(self) -> bool:
        return bool(self.enrolled) or self.absent > 0


@dataclass(frozen=True)
class People:
    """
    >>> people = People.empty(model="5d41...", aligner="arcface-112", width=128)
    >>> people = people.add(Entry("ann", "signed form 12", now(), 3), template)
    """

    model: str  # digest of the model that made the templates
    aligner: str  # the frame that faces were brought into
    vectors: np.ndarray  # float32 (N,E), rows of length 1
    entries: tuple[Entry, ...] = ()
    pictures: dict[str, tuple[bytes, ...]] = field(default_factory=dict)  # PNG files of aligned faces, of those who agreed

    @classmethod
    def empty(cls, model: str, aligner: str, width: int) -> "People":
        return cls(model, aligner, np.empty((0, width), np.float32))

    def __len__(self) -> int:
        return len(self.entries)

    def __contains__(self, who: str) -> bool:
        return who in self.rows

    @cached_property
    def rows(self) -> dict[str, int]:
        return {entry.id: row for row, entry in enumerate(self.entries)}

    @cached_property
    def relations(self) -> dict[str, Twins]:
        """Of everybody: whoever is declared a twin, from either side."""
        named: dict[str, dict[str, None]] = {entry.id: dict.fromkeys(entry.twins) for entry in self.entries}
        for entry in self.entries:
            for name in entry.twins:
                named.get(name, {})[entry.id] = None
        usable = {entry.id for entry in self.entries if not entry.expired()}
        found = {}
        for entry in self.entries:
            names = tuple(named[entry.id])
            enrolled = tuple(name for name in names if name in usable)
            found[entry.id] = Twins(names, enrolled, len(names) - len(enrolled) + entry.forgotten_twins)
        return found

    def row(self, who: str) -> int:
        if who not in self.rows:
            raise UserError(f"nobody is enrolled as {who!r}; run: discern ahan enroll {who} IMG...")
        return self.rows[who]

    def check_made_by(self, model: str, aligner: str) -> None:
        if model != self.model:
            raise TemplateMismatch(f"the gallery was made by model {self.model[:12]}, this is {model[:12]}: enrol anew with this one")
        if aligner != self.aligner:
            raise TemplateMismatch(f"the gallery's faces lie in the frame {self.aligner}, this program's in {aligner}: enrol anew")

    def add(self, entry: Entry, vector: np.ndarray, pictures: Iterable[bytes] = ()) -> "People":
        if entry.id in self:
            raise UserError(f"{entry.id!r} is enrolled already; give --replace to enrol anew, or another ID")
        pictures = tuple(pictures)
        vector = np.asarray(vector, np.float64)
        length = float(np.linalg.norm(vector))
        if vector.shape != self.vectors.shape[1:] or not np.isfinite(length) or length == 0:
            raise ValueError(f"a template of {vector.shape} with length {length} in a gallery of width {self.vectors.shape[1]}")
        row = (vector / length).astype(np.float32)[None]
        entry = replace(entry, pictures=len(pictures))
        kept = {**self.pictures, entry.id: pictures} if pictures else self.pictures
        return replace(self, vectors=np.concatenate([self.vectors, row]), entries=(*self.entries, entry), pictures=kept)

    def replace(self, entry: Entry, vector: np.ndarray, pictures: Iterable[bytes] = ()) -> "People":
        """Enrolled anew, in the same place; declared twins stay."""
        row = self.row(entry.id)
        before = self.entries[row]
        entry = replace(entry, twins=before.twins, forgotten_twins=before.forgotten_twins)
        without = self._of([other for other in range(len(self)) if other != row]).add(entry, vector, pictures)
        return without._of([*range(row), len(self) - 1, *range(row, len(self) - 1)])

    def _of(self, rows: list[int]) -> "People":
        entries = tuple(self.entries[row] for row in rows)
        pictures = {entry.id: self.pictures[entry.id] for entry in entries if entry.id in self.pictures}
        return replace(self, vectors=self.vectors[rows], entries=entries, pictures=pictures)

    def twins(self, who: str) -> Twins:
        self.row(who)  # who is not enrolled is told so
        return self.relations[who]

    def score(self, vector_E: np.ndarray, who: str) -> float:
        """The cosine of a vector of length 1 with a template."""
        return float(np.asarray(vector_E, np.float64) @ self.vectors[self.row(who)].astype(np.float64))

    def nearest_twin(self, vector_E: np.ndarray, who: str) -> float | None:
        """The highest score to a twin; None: none of them has a template that may be used."""
        return max((self.score(vector_E, twin) for twin in self.twins(who).enrolled), default=None)

    def relate(self, one: str, other: str) -> "People":
        """Declare twins, or others who look alike. One of the two may not be enrolled yet."""
        for name in (one, other):
            check_id(name)
        if one == other:
            raise UserError(f"twins are two: {one!r} is named twice")
        if one not in self and other not in self:
            raise UserError(f"neither {one!r} nor {other!r} is enrolled; enrol one of them first")
        partner = {one: other, other: one}
        return replace(
            self,
            entries=tuple(
                replace(entry, twins=(*entry.twins, partner[entry.id]))
                if entry.id in partner and partner[entry.id] not in entry.twins
                else entry
                for entry in self.entries
            ),
        )

    def unrelate(self, one: str, other: str) -> "People":
        """Take a declaration back. Of a twin who was forgotten the name is gone, so that the word of who asks is taken for it."""
        pair = {one, other}
        if not any({entry.id, name} == pair for entry in self.entries for name in entry.twins):
            return self._without_forgotten(one, other)
        entries = (replace(each, twins=tuple(name for name in each.twins if {each.id, name} != pair)) for each in self.entries)
        return replace(self, entries=tuple(entries))

    def _without_forgotten(self, one: str, other: str) -> "People":
        known = [self.rows[who] for who in (one, other) if who in self]
        if len(known) != 1 or not self.entries[known[0]].forgotten_twins:
            raise UserError(f"{one!r} and {other!r} are not declared twins; `discern ahan gallery list` shows who is")
        entries = list(self.entries)
        entries[known[0]] = replace(entries[known[0]], forgotten_twins=entries[known[0]].forgotten_twins - 1)
        return replace(self, entries=tuple(entries))

    def forget(self, *who: str) -> "People":
        """Without these people: template, entry, pictures, and their names in others' entries. That others have a twin stays known."""
        gone = set(who)
        named = {name for entry in self.entries for name in entry.twins}
        if absent := sorted(name for name in gone if name not in self and name not in named):
            raise UserError(f"nobody is enrolled or named as a twin as {absent[0]!r}; nothing was forgotten")
        kept = [row for row, entry in enumerate(self.entries) if entry.id not in gone]
        leaving = [entry for entry in self.entries if entry.id in gone]
        entries = []
        for row in kept:
            entry = self.entries[row]
            told = {name for name in entry.twins if name in gone}
            told |= {other.id for other in leaving if entry.id in other.twins}
            left = tuple(name for name in entry.twins if name not in gone)
            entries.append(replace(entry, twins=left, forgotten_twins=entry.forgotten_twins + len(told)))
        return replace(self._of(kept), entries=tuple(entries))

    def usable(self) -> np.ndarray:
        """(N,) bool: whose consent has not run out."""
        return np.array([not entry.expired() for entry in self.entries], bool)
