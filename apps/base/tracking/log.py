"""The log of a run: one JSON object a line, only ever appended. Everything else (the store, the report) is made from it.

Kinds of events: metric (values, step), param (values), tag (values), artifact and figure (path, sha256), forget (path),
model (path, sha256, parity, metadata), attempt (attempt, from_step), status (status). Each has `at` (milliseconds) and `attempt`.
"""

import json
import math
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

__all__ = ["CLOCKED", "Event", "append", "history", "read"]

CLOCKED = "system/"  # keys whose step is the second of the run

Event = dict[str, Any]


def append(path: Path, events: list[Event]) -> None:
    """Add the events in one write. A torn last line (killed under way, or a full disk) is closed first, so that it spoils only itself."""
    text = "".join(json.dumps(_plain(event), separators=(",", ":"), allow_nan=False) + "\n" for event in events).encode()
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        size = os.fstat(handle).st_size
        if size and os.pread(handle, 1, size - 1) != b"\n":
            text = b"\n" + text
        while text:
            text = text[os.write(handle, text) :]
    finally:
        os.close(handle)


def read(path: Path, offset: int = 0) -> Iterator[tuple[Event, int]]:
    """Each event with the offset behind it. A half line at the end is left for later; a broken one in the middle is skipped."""
    if not path.exists():
        return
    with path.open("rb") as file:
        file.seek(offset)
        for line in file:
            offset += len(line)
            if not line.endswith(b"\n"):
                return
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if isinstance(event, dict) and "kind" in event:
                yield _lively(event), offset


def history(events: Iterable[Event]) -> dict[str, list[tuple[int, float]]]:
    """Every metric as (step, value) by step, without the steps that a later attempt took again. Clocked ones count seconds: all stay."""
    found: dict[str, dict[int, tuple[int, int, float]]] = {}
    starts: dict[int, int] = {}
    for event in events:
        if event["kind"] == "attempt":
            starts[event["attempt"]] = event["from_step"]
        elif event["kind"] == "metric":
            for key, value in event["values"].items():
                old = found.setdefault(key, {}).get(event["step"])
                if old is None or (event["attempt"], event["at"]) >= old[:2]:
                    found[key][event["step"]] = (event["attempt"], event["at"], value)
    return {
        key: rows
        for key, points in found.items()
        if (rows := [(s, v) for s, (n, _, v) in sorted(points.items()) if key.startswith(CLOCKED) or not _retaken(s, n, starts)])
    }


def _retaken(step: int, attempt: int, starts: dict[int, int]) -> bool:
    return any(later > attempt and step >= start for later, start in starts.items())


def _plain(event: Event) -> Event:
    """JSON has no NaN and no infinity: they travel as words."""
    if event["kind"] != "metric":
        return event
    return event | {"values": {key: v if math.isfinite(v) else str(v) for key, v in event["values"].items()}}


def _lively(event: Event) -> Event:
    if event["kind"] == "metric":
        event["values"] = {key: float(v) for key, v in event["values"].items()}
    return event
