"""The log of one run, replayed to a store from where the last replay ended. Sending a piece twice changes nothing, so a crash
between the store's answer and `sent.json` costs nothing: metrics are keyed by key, step and timestamp, files by hash."""

import contextlib
import json
import logging
import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from apps.base.tracking import log
from apps.base.tracking.discreet import public
from apps.base.tracking.lock import held
from apps.base.tracking.run import Run
from apps.base.tracking.store import AwayError, RefusedError, Store
from datamodules.whole import write_whole

__all__ = ["Replay", "mlflow_id", "pending", "sent"]

_log = logging.getLogger(__name__)

BATCH = 1000  # MLflow takes no more metrics in one call
FEW = 100  # ... and no more parameters or tags
LONGEST = 6000  # ... and no longer value of a parameter

_WORDS = {"running": "RUNNING", "finished": "FINISHED", "failed": "FAILED", "interrupted": "KILLED", "killed": "KILLED"}


class Replay:
    """The caller holds the run's lock (`run.folder / "sending.lock"`) while it calls `step`."""

    def __init__(self, run: Run, store: Store):
        self.run = run
        self.store = store
        self.refused = 0  # pieces that the store will never take
        self.reason = ""  # of the last of them
        self._state = sent(run)

    def step(self) -> bool:
        """Send the next piece; False when there is nothing left."""
        piece, end = self._next()
        if not piece:
            return False
        try:
            self._send(self._begun(), piece)
        except RefusedError as error:
            if not error.lost:
                raise
            self._state = _fresh()  # the store was emptied or replaced: tell it everything again
            return True
        self._state["offset"] = end
        self._save()
        return True

    @property
    def unsent(self) -> int:
        return sum(1 for _ in log.read(self.run.log_path, self._state["offset"]))

    # -- inside ----------------------------------------------------------------------------------------------------

    def _next(self) -> tuple[list[log.Event], int]:
        piece: list[log.Event] = []
        values, end = 0, self._state["offset"]
        for event, offset in log.read(self.run.log_path, end):
            values += len(event.get("values", ()))
            if piece and values > BATCH:
                break
            piece.append(event)
            end = offset
            if event["kind"] == "status":  # a status is told when everything before it is there
                break
        return piece, end

    def _begun(self) -> str:
        if not self._state["mlflow"]:
            self._state["mlflow"] = begin(self.run, self.store)
            self._save()
        return self._state["mlflow"]

    def _send(self, to: str, piece: list[log.Event]) -> None:
        metrics = [
            (_key(key), value, event["at"], event["step"])
            for event in piece
            if event["kind"] == "metric"
            for key, value in event["values"].items()
        ]
        for start in range(0, len(metrics), BATCH):
            self._try(lambda s=start: self.store.batch(to, metrics=metrics[s : s + BATCH]))
        params = {key: value for event in piece if event["kind"] == "param" for key, value in event["values"].items()}
        for some in _some({_key(k): _short(v) for k, v in public(params).items() if k not in self._state["params"]}):
            self._try(lambda some=some: self.store.batch(to, params=some))
        self._state["params"] += [key for key in params if key not in self._state["params"]]
        for some in _some(_tags(piece)):
            self._try(lambda some=some: self.store.batch(to, tags=some))
        latest = {event["path"]: event for event in piece if event["kind"] in ("artifact", "figure", "forget")}
        for path, event in latest.items():
            self._file(to, path, event)
        for event in piece:
            if event["kind"] == "model":
                self._model(to, event)
            elif event["kind"] == "status":
                self._try(lambda event=event: self.store.status(to, _WORDS[event["status"]], event["at"]))

    def _file(self, to: str, name: str, event: log.Event) -> None:
        path = self.run.folder / name
        if event["kind"] == "forget":
            self._try(lambda: self.store.drop(to, name))
            self._state["files"].pop(name, None)
        elif path.exists() and self._state["files"].get(name) != event["sha256"]:  # what is gone meanwhile has a `forget` further on

            def put() -> None:
                try:
                    with _for_others(path, name) as copy:
                        self.store.put(to, copy, name)
                    self._state["files"][name] = event["sha256"]
                except RefusedError:
                    if path.exists():
                        raise

            self._try(put)

    def _model(self, to: str, event: log.Event) -> None:
        path = self.run.folder / event["path"]
        if path.suffix != ".ts" or not path.exists():  # the serving file opens TorchScript; other formats stay artifacts
            return

        def register() -> None:
            name = _model_name(self.run.app, event["metadata"])
            self._state["models"][event["path"]] = self.store.model(to, name, path, event["sha256"], event["metadata"])

        self._try(register)

    def _try(self, call) -> None:
        """A piece that the store refuses for good must not hold up the rest."""
        try:
            call()
        except RefusedError as error:
            if error.lost:
                raise
            self.refused += 1
            self.reason = str(error)
            _log.info("the tracking store refused a piece of run %s: %s", self.run.name, error)

    def _save(self) -> None:
        with write_whole(self.run.folder / "sent.json", "w") as file:
            json.dump(self._state | {"store": self.run.store}, file)


def begin(run: Run, store: Store) -> str:
    """The run's id in the store; its parent is made known first."""
    tags = {"discern.kind": run.kind, "mlflow.source.name": f"discern {run.app} {run.kind}", "mlflow.source.type": "LOCAL"}
    parent_folder = run.folder.parent / run.parent if run.parent else None
    if parent_folder and (parent_folder / "run.json").exists():
        parent = Run.open(parent_folder)
        known = mlflow_id(parent)
        if not known:
            with held(parent.folder / "sending.lock") as mine:
                if not mine:
                    raise AwayError(f"the parent run {parent.name} is being sent")
                known = Replay(parent, store)._begun()
        tags["mlflow.parentRunId"] = known
    return store.begin(run.app, run.id, run.name, run.created, tags)


def sent(run: Run) -> dict[str, Any]:
    """How far the run has come in the store that it belongs to."""
    path = run.folder / "sent.json"
    try:
        state = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return _fresh()
    return state if state.get("store") == run.store else _fresh()


def pending(run: Run) -> bool:
    """Whether the store lacks something. A process that was killed at once has left no log: there is nothing to send then."""
    return run.log_path.exists() and sent(run)["offset"] < run.log_path.stat().st_size


def mlflow_id(run: Run) -> str | None:
    return sent(run)["mlflow"]


@contextlib.contextmanager
def _for_others(path: Path, name: str) -> Iterator[Path]:
    """The file itself; of those that say where the data lies, a copy that does not."""
    if not re.fullmatch(r"config\.yaml|data(\.\d+)?\.json", name):
        yield path
        return
    text = path.read_text("utf-8")
    told = public(json.loads(text) if path.suffix == ".json" else yaml.safe_load(text))
    with tempfile.TemporaryDirectory(prefix="discern-") as folder:
        copy = Path(folder) / name
        copy.write_text(json.dumps(told, indent=1) if path.suffix == ".json" else yaml.safe_dump(told, sort_keys=False), "utf-8")
        yield copy


def _model_name(app: str, metadata: Mapping[str, Any]) -> str:
    """An application's first program is registered under the application's name alone."""
    from apps.base.card import find_cards

    card = find_cards().get(app)
    program = metadata.get("program")
    return f"discern-{app}" if program is None or (card and program == card.programs[0]) else f"discern-{app}-{program}"


def _fresh() -> dict[str, Any]:
    return {"mlflow": None, "offset": 0, "params": [], "files": {}, "models": {}}


def _tags(piece: list[log.Event]) -> dict[str, str]:
    tags: dict[str, str] = {}
    for event in piece:
        if event["kind"] == "tag":
            tags |= {_key(key): _short(value) for key, value in event["values"].items()}
        elif event["kind"] == "attempt":
            tags[f"attempt.{event['attempt']}.from_step"] = str(event["from_step"])
        elif event["kind"] == "status":
            tags["discern.status"] = event["status"]
    return tags


def _some(values: dict[str, str]) -> list[dict[str, str]]:
    rows = list(values.items())
    return [dict(rows[start : start + FEW]) for start in range(0, len(rows), FEW)]


def _key(key: str) -> str:
    """MLflow's keys are letters, digits and a few signs."""
    return re.sub(r"[^\w\-. /]", "_", key)[:250]


def _short(value: str) -> str:
    return value if len(value) <= LONGEST else value[: LONGEST - 1] + "…"


def store_of(run: Run) -> Store:
    from apps.base.tracking.address import address

    home = Path(run.home)
    return Store(address(home, run.store), home / "mlruns" / "artifacts")
