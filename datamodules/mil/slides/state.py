"""What has been done to a slide, as one JSON file, and a lock so that two processes do not do it twice.

A stage is done again when its settings or its input changed, when one of its outputs is gone, or when it failed and is retried.
"""

import hashlib
import json
import os
import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

from datamodules.whole import sha256, write_whole

__all__ = ["STAGES", "Lock", "State", "digest", "fingerprint"]

SCHEMA = 1
STAGES = ("tissue", "tile", "features")
BLOCK = 1 << 16


class State:
    def __init__(self, path: Path, slide: Mapping[str, Any]) -> None:
        self.path = path
        self.slide = dict(slide)
        self.stages: dict[str, dict[str, Any]] = {}
        try:
            kept = json.loads(path.read_text("utf-8"))
            if kept["schema"] == SCHEMA and kept["slide"]["id"] == slide["id"]:
                self.stages = kept["stages"]
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            pass  # not begun, or a file that says nothing: begun anew

    def complete(self, stage: str, params: str, inputs: str, retry: bool = False) -> bool:
        """Whether there is nothing to do: done or skipped or failed before, of the same settings and input, and its outputs are there."""
        entry = self.stages.get(stage, {})
        if entry.get("status") not in ("done", "skipped", "failed") or (entry["status"] == "failed" and retry):
            return False
        if (entry["params_sha256"], entry["input_sha256"]) != (params, inputs):
            return False
        return all(self._there(output) for output in entry["outputs"])

    def begin(self, stage: str, params: str, inputs: str) -> None:
        attempts = self.stages.get(stage, {}).get("attempts", [])
        attempt = {"start": time.time(), "seconds": None, "error": None, "host": socket.gethostname(), "pid": os.getpid()}
        self.stages[stage] = {
            "status": "running", "reason": None, "attempts": [*attempts, attempt], "params_sha256": params, "input_sha256": inputs,
            "outputs": [], "facts": {},
        }  # fmt: skip
        self.save()

    def end(
        self, stage: str, status: str, reason: str | None = None, outputs: Sequence[Path] = (), facts: Mapping[str, Any] | None = None
    ) -> None:
        """`status`: done, skipped (there is nothing to do on this slide) or failed."""
        entry = self.stages[stage]
        attempt = entry["attempts"][-1]
        attempt["seconds"] = round(time.time() - attempt["start"], 3)
        attempt["error"] = reason if status == "failed" else None
        home = self.path.parent.parent
        entry |= {"status": status, "reason": reason, "facts": dict(facts or {})}
        entry["outputs"] = [{"path": os.path.relpath(path, home), "bytes": path.stat().st_size, "sha256": sha256(path)} for path in outputs]
        self.save()

    def output(self, stage: str, path: Path) -> dict[str, Any] | None:
        """What was written to `path` by this stage, when it was."""
        name = os.path.relpath(path, self.path.parent.parent)
        return next((output for output in self.stages.get(stage, {}).get("outputs", []) if output["path"] == name), None)

    def save(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with write_whole(self.path, "w") as file:
            json.dump({"schema": SCHEMA, "slide": self.slide, "stages": self.stages}, file, indent=1)

    def _there(self, output: Mapping[str, Any]) -> bool:
        path = self.path.parent.parent / output["path"]
        return path.is_file() and path.stat().st_size == output["bytes"]


class Lock:
    """A file that only one process can make. The lock of a process of this machine that is gone is broken."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def take(self) -> bool:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        for _ in range(2):
            try:
                handle = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
            except FileExistsError:
                if not self._dead():
                    return False
                self.path.unlink(missing_ok=True)
                continue
            with os.fdopen(handle, "w") as file:
                file.write(f"{socket.gethostname()} {os.getpid()} {_born(os.getpid())}")
            return True
        return False

    def release(self) -> None:
        self.path.unlink(missing_ok=True)

    def _dead(self) -> bool:
        try:
            host, pid, born = self.path.read_text().split()
            return host == socket.gethostname() and _born(int(pid)) != born
        except FileNotFoundError:
            return True
        except ValueError:  # just made and not yet written, or broken off: an old one is nobody's
            return time.time() - self.path.stat().st_mtime > 60


def _born(pid: int) -> str:
    """When a process began; process numbers are used again."""
    try:
        return f"{psutil.Process(pid).create_time():.2f}"
    except psutil.Error:
        return "gone"


def digest(value: Any) -> str:
    """The sha256 of plain settings."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


def fingerprint(path: Path) -> dict[str, Any]:
    """What tells cheaply whether a slide is still the same: size, time, and a hash over blocks from its beginning to its end."""
    status = path.stat()
    quick = hashlib.sha256(str(status.st_size).encode())
    with path.open("rb") as file:
        for i in range(9):
            file.seek(max(0, (status.st_size - BLOCK) * i // 8))
            quick.update(file.read(BLOCK))
    if path.suffix.lower() == ".mrxs":  # its pixels lie in the folder beside it
        for part in sorted(path.with_suffix("").glob("*")):
            quick.update(f"{part.name} {part.stat().st_size}\n".encode())
    return {"bytes": status.st_size, "mtime": status.st_mtime, "quickhash": quick.hexdigest()}
