"""The day on which a picture was taken, as its EXIF says it."""

import re
from datetime import date

__all__ = ["captured_day"]

PLACES = (b"Exif\0\0", b"eXIf", b"EXIF")  # in JPEG, PNG, WebP
SEGMENT = 1 << 16
MOMENT = re.compile(rb"(\d{4}):(\d\d):(\d\d) \d\d:\d\d:\d\d")


def captured_day(data: bytes) -> str | None:
    """YYYY-MM-DD, the earliest of the moments in its EXIF: later ones are of editing. None where it says none."""
    days = []
    for mark in PLACES:
        if (at := data.find(mark)) >= 0:
            for found in MOMENT.finditer(data, at, at + SEGMENT):
                try:
                    days.append(date(*map(int, found.groups())).isoformat())
                except ValueError:  # cameras without a clock write zeros
                    continue
    return min(days, default=None)
