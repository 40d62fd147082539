"""A store in memory that can be away, slow, or forgetful."""

import threading
from collections import defaultdict
from pathlib import Path

from apps.base.tracking.store import AwayError, RefusedError

__all__ = ["MemoryStore"]


class MemoryStore:
    """Keeps what MLflow keeps, by its rules: metrics are a set, parameters never change."""

    def __init__(self):
        self.away = False
        self.lose_answers = False  # the store does it and the answer is lost on the way
        self.gate = threading.Event()
        self.gate.set()
        self.threads: list[str] = []
        self.sizes: list[int] = []
        self.runs: dict[str, str] = {}
        self.beginnings: dict[str, dict] = {}
        self.metrics: dict[str, set] = defaultdict(set)
        self.params: dict[str, dict] = defaultdict(dict)
        self.tags: dict[str, dict] = defaultdict(dict)
        self.files: dict[str, dict] = defaultdict(dict)
        self.puts = 0
        self.statuses: dict[str, list] = defaultdict(list)
        self.models: dict[tuple[str, str], str] = {}

    def _call(self):
        self.threads.append(threading.current_thread().name)
        self.gate.wait()
        if self.away:
            raise AwayError("connection refused")

    def _answer(self):
        if self.lose_answers:
            raise AwayError("timed out")

    def begin(self, app, run_id, name, created, tags):
        self._call()
        self.runs.setdefault(run_id, f"m-{run_id}-{len(self.runs)}")
        self.beginnings[run_id] = dict(tags)
        self._answer()
        return self.runs[run_id]

    def batch(self, mlflow_id, metrics=(), params=None, tags=None):
        self._call()
        if mlflow_id not in self.runs.values():
            raise RefusedError("no such run", lost=True)
        self.sizes.append(len(metrics) + len(params or ()) + len(tags or ()))
        self.metrics[mlflow_id] |= set(metrics)
        for key, value in (params or {}).items():
            if self.params[mlflow_id].setdefault(key, value) != value:
                raise RefusedError("a parameter never changes")
        self.tags[mlflow_id] |= tags or {}
        self._answer()

    def put(self, mlflow_id, path, name):
        self._call()
        self.puts += 1
        self.files[mlflow_id][name] = Path(path).read_bytes()
        self._answer()

    def drop(self, mlflow_id, name):
        self._call()
        self.files[mlflow_id].pop(name, None)
        self._answer()

    def model(self, mlflow_id, name, path, sha256, metadata):
        self._call()
        self.models.setdefault((name, path.name), str(len(self.models) + 1))
        self._answer()
        return self.models[name, path.name]

    def status(self, mlflow_id, status, at):
        self._call()
        self.statuses[mlflow_id].append(status)
        self._answer()
