"""Answers as JSON lines or CSV, each row out as soon as it is there."""

import csv
import json
import os
from typing import IO, Any

from apps.base.predict.answer import columns, flat

__all__ = ["Rows"]


class Rows:
    def __init__(self, stream: IO[str], form: str, metadata: dict[str, Any], full: bool) -> None:
        self.stream = stream
        self.csv = None
        if form == "csv":
            self.csv = csv.DictWriter(stream, columns(metadata, full), lineterminator="\n")
            self.csv.writeheader()

    def add(self, name: str, answer: dict[str, Any]) -> None:
        row = {"input": os.fsencode(name).decode(errors="backslashreplace"), **answer}
        if self.csv:
            self.csv.writerow(flat(row))
        else:
            self.stream.write(json.dumps(row, ensure_ascii=False) + "\n")
        self.stream.flush()
