"""Labels made fit for a charset: which words stay, with which text, and what was left out."""

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from datamodules.checks import shorten
from datamodules.otsnet.charset import Charset
from datamodules.otsnet.normalise import for_training
from datamodules.otsnet.table import Word

__all__ = ["Fitted", "fit"]


class Fit(NamedTuple):
    record: Word
    text: str


@dataclass
class Fitted:
    words: list[Fit] = field(default_factory=list)
    left_out: dict[str, list[str]] = field(default_factory=dict)  # by fault: where
    stripped: Counter[str] = field(default_factory=Counter)  # characters that were dropped from labels, and from how many
    shortened: int = 0  # words that lost some

    def notes(self) -> list[str]:
        said = [f"{len(where)} labels {fault}, left out: {shorten(where, 3)}" for fault, where in self.left_out.items()]
        if self.stripped:
            listed = shorten([f"{character!r} {count}" for character, count in self.stripped.most_common()], 8)
            said.append(f"{sum(self.stripped.values())} characters outside the charset dropped from labels: {listed}")
        gone = sum(map(len, self.left_out.values()))
        if 2 * (gone + self.shortened) > (count := gone + len(self.words)):
            said.append(
                f"WARNING: of {count} labels {gone} fall out and {self.shortened} lose characters, more than half; "
                "are charset and max_length those of these words?"
            )
        return said


def fit(records: list[Word], charset: Charset, max_length: int, *, strict: bool = False) -> Fitted:
    """strict: a character outside the charset is an error that names the word"""
    result = Fitted()
    for record in records:
        text = for_training(record.label, charset, max_length, strict=strict, where=record.where or record.file)
        if text.fault:
            fault = f"of more than {max_length} characters" if text.fault == "too long" else "empty in this charset"
            result.left_out.setdefault(fault, []).append(f"{record.label!r} ({record.where or record.file})")
        else:
            result.words.append(Fit(record, text.text))
            result.stripped.update(text.stripped)
            result.shortened += bool(text.stripped)
    return result
