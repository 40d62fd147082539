"""Readings as rows: TSV for people, CSV and JSON lines with everything that is known of a word."""

import csv
import json
import os
from typing import IO, Any

from apps.base.predict.answer import plain
from apps.otsnet.reading import Asks, Reading

__all__ = ["FORMATS", "Rows", "full_row"]

FORMATS = ("tsv", "csv", "jsonl")
SHORT = ("path", "text", "confidence", "warnings")
LONG = (
    "path", "text", "confidence", "mean_confidence", "char_probs", "char_boxes", "verified", "changed_by_refinement", "codes", "turned",
    "warnings",
)  # fmt: skip
OF_PATTERN = ("fits", "unconstrained")
OF_PHOTO = ("box", "found")
OF_LEXICON = ("nearest", "nearest_confidence", "nearest_distance")


class Rows:
    """Each row is out as soon as it is there. A TSV with its head is a list of labels, too, that training reads."""

    def __init__(self, stream: IO[str], form: str, asks: Asks) -> None:
        self.stream, self.form = stream, form
        more = (*(OF_PATTERN if asks.pattern is not None else ()), *(OF_LEXICON if asks.lexicon is not None else ()))
        more = (*(OF_PHOTO if asks.photos and form != "tsv" else ()), *more)
        self.names = [*(SHORT if form == "tsv" else LONG), *more, "error"]
        self.csv = csv.DictWriter(stream, self.names, lineterminator="\n", extrasaction="ignore") if form == "csv" else None
        self._begun = False

    def begin(self) -> None:
        """The head, once: with the first row, or of no rows at the end; a mistake in the words leaves none."""
        if self._begun:
            return
        self._begun = True
        if self.csv is not None:
            self.csv.writeheader()
        elif self.form == "tsv":
            self.stream.write("\t".join(self.names) + "\n")

    def add(self, reading: Reading) -> None:
        self.begin()
        row = full_row(reading)
        if self.csv is not None:
            self.csv.writerow({name: _cell(name, row.get(name)) for name in self.names})
        elif self.form == "tsv":
            self.stream.write("\t".join(_flat(_cell(name, row.get(name))) for name in self.names) + "\n")
        else:
            self.stream.write(json.dumps(row, ensure_ascii=False) + "\n")
        self.stream.flush()


def full_row(reading: Reading) -> dict[str, Any]:
    """Plain values; of a word that could not be read its path and the error alone."""
    path = os.fsencode(reading.path).decode(errors="backslashreplace")
    if reading.error is not None:
        return {"path": path, "error": reading.error}
    row: dict[str, Any] = {
        "path": path,
        "text": reading.text,
        "confidence": plain(reading.confidence),
        "mean_confidence": plain(reading.mean_confidence),
        "char_probs": [plain(value) for value in reading.char_probs],
        "char_boxes": [list(box) for box in reading.char_boxes],
        "verified": [plain(value) for value in reading.verified],
        "changed_by_refinement": reading.changed_by_refinement,
        "codes": reading.codes,
        "turned": reading.turned,
        "warnings": reading.warnings,
    }
    if reading.box is not None:
        row |= {"box": reading.box, "found": None if reading.found is None else plain(reading.found)}
    if reading.fits is not None:
        row |= {"fits": plain(reading.fits), "unconstrained": reading.unconstrained}
    if reading.nearest is not None:
        word, confidence, distance = reading.nearest
        row |= {"nearest": word, "nearest_confidence": plain(confidence), "nearest_distance": distance}
    return row


def _cell(name: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return " ".join(value) if name == "warnings" else json.dumps(value)
    return str(int(value)) if isinstance(value, bool) else str(value)


def _flat(text: str) -> str:
    """A name may hold a tab or a line end; a TSV may not."""
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r") if set(text) & set("\t\n\r") else text
