"""Servers on loopback that tests start, ask and end."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["Listening", "answers", "ask", "free_port", "mlflow"]

START_SECONDS = 240
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # this machine is not behind a proxy


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(url: str) -> bool:
    try:
        with _direct.open(url, timeout=5):
            return True
    except OSError:
        return False


def ask(url: str, body: Any) -> tuple[int, Any]:
    """(status, answer) of a POST of JSON."""
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    try:
        with _direct.open(request, timeout=120) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


class Listening:
    """A process and all that it starts. It can be ended and begun again at the same port."""

    def __init__(
        self,
        words: Sequence[object],
        ready: Callable[[], bool],
        folder: Path,
        environment: Mapping[str, str],
        farewell: int = signal.SIGKILL,
        who: Mapping[str, int] | None = None,
    ):
        self.words = [str(word) for word in words]
        self.ready = ready
        self.folder = folder
        self.environment = dict(environment)
        self.farewell = farewell
        self.who: Any = who or {}
        self.process: subprocess.Popen | None = None

    def begin(self) -> None:
        said = tempfile.TemporaryFile()  # noqa: SIM115 - it must outlive this call: the server writes to it
        self.process = subprocess.Popen(
            self.words, env=self.environment, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=said, stderr=said,
            start_new_session=True, **self.who,
        )  # fmt: skip
        limit = time.monotonic() + START_SECONDS
        while not self.ready():
            try:
                self.process.wait(timeout=0.2)
            except subprocess.TimeoutExpired:
                if time.monotonic() < limit:
                    continue
                self.end()
            said.seek(0)
            raise AssertionError(f"{self.words[:4]} did not start:\n{said.read().decode(errors='replace')[-3000:]}")

    def end(self) -> None:
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, self.farewell)
            self.process.wait(timeout=60)
            self.process = None

    def __enter__(self) -> "Listening":
        try:
            self.begin()
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.end()


def mlflow(*words: object) -> list[object]:
    return [sys.executable, "-m", "mlflow", *words]
