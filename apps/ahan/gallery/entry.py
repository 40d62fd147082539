"""What a gallery keeps of a person besides the template. Dates are of UTC, as YYYY-MM-DD, times to the second."""

import re
from dataclasses import asdict, dataclass, fields
from datetime import UTC, date, datetime
from typing import Any

from apps.base.errors import UserError

__all__ = ["Entry", "check_day", "check_id", "now", "today"]

LONGEST_ID, LONGEST_NOTE = 200, 2000
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\u2028\u2029\ud800-\udfff]")


@dataclass(frozen=True)
class Entry:
    id: str
    consent: str  # the note, or `external`
    enrolled: str  # time
    images: int  # that the template is the mean of
    expires: str | None = None  # the last day on which it may be used; None: none was given
    captured: tuple[str, ...] = ()  # days on which the images were taken, as far as known
    quality: tuple[dict[str, Any], ...] = ()  # of each image
    forced: tuple[str, ...] = ()  # checks that were overridden
    twins: tuple[str, ...] = ()  # declared; they need not be enrolled
    forgotten_twins: int = 0  # whose names are gone: the twin rule stays
    pictures: int = 0  # aligned faces that are kept

    def __post_init__(self) -> None:
        check_id(self.id)
        if not isinstance(self.consent, str) or not self.consent.strip() or len(self.consent) > LONGEST_NOTE:
            raise UserError(f"consent is a note of 1 to {LONGEST_NOTE} letters; say who agreed to what, or `external`")
        if self.expires is not None:
            check_day("--expires", self.expires)

    def expired(self, day: str | None = None) -> bool:
        return self.expires is not None and self.expires < (day or today())

    @property
    def coarse(self) -> bool:
        """Whether no image showed a pair of eyes."""
        return bool(self.quality) and all(row.get("coarse") for row in self.quality)

    def plain(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def read(cls, found: Any) -> "Entry":
        """A file's own words, checked; ValueError or TypeError where they make no entry."""
        if not isinstance(found, dict):
            raise TypeError("an entry is an object")
        if found.keys() != KNOWN:
            raise ValueError(f"an entry has {', '.join(sorted(KNOWN))}")
        lists = {name: found[name] for name in ("captured", "quality", "forced", "twins")}
        if not all(isinstance(part, list) for part in lists.values()) or not all(isinstance(row, dict) for row in found["quality"]):
            raise TypeError("an entry's lists are of other kinds")
        entry = cls(**{**found, **{name: tuple(part) for name, part in lists.items()}})
        detectors = [row["detector"] for row in entry.quality if "detector" in row]
        whole = all(isinstance(value, int) and value >= 0 for value in (entry.images, entry.forgotten_twins, entry.pictures))
        words = all(isinstance(value, str) for value in (entry.enrolled, *entry.captured, *entry.forced, *entry.twins, *detectors))
        if not whole or not words:
            raise TypeError("an entry's numbers and words are of other kinds")
        return entry


KNOWN = {field.name for field in fields(Entry)}


def check_id(word: Any) -> str:
    if not isinstance(word, str) or not 1 <= len(word) <= LONGEST_ID or UNPRINTABLE.search(word) or word != word.strip():
        raise UserError(f"an ID is a word of 1 to {LONGEST_ID} printable letters without spaces at its ends, not {word!r}")
    return word


def check_day(option: str, word: str) -> str:
    try:
        if date.fromisoformat(word).isoformat() != word:
            raise ValueError
    except (TypeError, ValueError):
        raise UserError(f"{option} {word!r} is no day; write it as 2030-12-31") from None
    return word


def today() -> str:
    return datetime.now(UTC).date().isoformat()


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
