"""A run: a folder with everything needed to do it again. It needs no server; the sender copies it to the tracking store."""

import contextlib
import errno
import json
import os
import shutil
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import psutil
import yaml

from apps.base.errors import FailureError, UserError
from apps.base.tracking import flusher, log
from apps.base.tracking.names import new_id, new_name
from datamodules.whole import sha256, write_whole

__all__ = ["Kind", "Run", "Status"]

SCHEMA = 1
_REMEDIES = dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "make room") | dict.fromkeys(
    (errno.EACCES, errno.EPERM, errno.EROFS), "ask for the right to write there"
)
SILENT_SECONDS = 120  # a run of another machine writes a sample every ten seconds; after so long without one it is gone

Kind = Literal["fit", "test", "seed", "fold", "point", "comparison"]
Status = Literal["running", "finished", "failed", "interrupted", "killed"]


class Run:
    """Made by `Run.start` or `Run.open`.

    >>> run = Run.start(Path("."), "dcal", config_text)
    >>> run.metric({"train/loss": 0.7}, step=10)
    >>> run.artifact(run.checkpoints / "last.ckpt")
    >>> run.status("finished")
    """

    def __init__(self, folder: Path, about: dict[str, Any]):
        self.folder = folder.resolve()
        self._about = about
        self._pending: deque[log.Event] = deque()  # appends and popleft of a deque are safe between threads
        self._writing = threading.RLock()
        self._pid = os.getpid()
        self._complained = False
        self._about_waits = False  # run.json is older than what is known here

    @classmethod
    def start(
        cls, home: Path, app: str, config_text: str, parent: "str | None" = None, name: str | None = None, kind: Kind = "fit"
    ) -> "Run":
        """A new run; `parent` is the id of the run that this one is a seed, a fold or a changed resume of."""
        from apps.base.tracking.address import public_address

        if kind not in get_args(Kind):
            raise ValueError(f"no kind of run: {kind!r}")
        runs = Path(home) / "mlruns" / "runs"
        folder = runs / app / new_id()
        try:
            for room in ("checkpoints", "figures", "exports"):
                (folder / room).mkdir(parents=True)
            with write_whole(folder / "config.yaml", "w") as file:
                file.write(config_text)
        except OSError as error:
            raise FailureError(f"{folder}: {error.strerror}; no run can be begun there") from error
        about = {
            "schema": SCHEMA,
            "id": folder.name,
            "name": name or new_name(Path(home)),
            "app": app,
            "parent": parent,
            "kind": kind,
            "status": "running",
            "created": int(time.time() * 1000),
            "store": public_address(),
            "attempts": [{"n": 1, "started": int(time.time() * 1000), "from_step": 0}],
            **_myself(),
        }
        run = cls(folder, about)
        run._write_about()
        run._add("attempt", from_step=0)
        run._add("param", values=_leaves(yaml.safe_load(config_text) or {}))
        run._add("status", status="running")
        run.artifact(folder / "config.yaml")
        run.flush()
        return run

    @classmethod
    def open(cls, folder: Path) -> "Run":
        """A run that is there. Writing metrics and artifacts to it is allowed from any process (test and export do)."""
        folder = Path(folder)
        try:
            about = json.loads((folder / "run.json").read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise UserError(f"{folder}: not a run folder ({error}); see `discern runs list`") from error
        if not _whole(about):
            raise UserError(f"{folder}: not a run folder (run.json is not whole); see `discern runs list`")
        if about["schema"] > SCHEMA:
            raise UserError(f"{folder}: written by a newer version of discern (schema {about['schema']}); update discern to read it")
        return cls(folder, about)

    # -- what it is ------------------------------------------------------------------------------------------------

    @property
    def id(self) -> str:
        return self._about["id"]

    @property
    def name(self) -> str:
        return self._about["name"]

    @property
    def app(self) -> str:
        return self._about["app"]

    @property
    def kind(self) -> Kind:
        return self._about["kind"]

    @property
    def parent(self) -> str | None:
        return self._about["parent"]

    @property
    def store(self) -> str:
        """Where the run was begun to be kept: "local" or the server's address without its password."""
        return self._about["store"]

    @property
    def created(self) -> int:
        return self._about["created"]

    @property
    def attempts(self) -> list[dict[str, int]]:
        return self._about["attempts"]

    @property
    def home(self) -> Path:
        return self.folder.parents[3]

    @property
    def checkpoints(self) -> Path:
        return self.folder / "checkpoints"

    @property
    def figures(self) -> Path:
        return self.folder / "figures"

    @property
    def exports(self) -> Path:
        return self.folder / "exports"

    @property
    def log_path(self) -> Path:
        return self.folder / "log.jsonl"

    @property
    def mine(self) -> bool:
        """This process is the one that trains it."""
        return all(self._about.get(key) == value for key, value in _myself().items())

    @property
    def state(self) -> Status:
        """The status, where a `running` whose process is gone, or whose machine has been silent for long, is `killed`."""
        about = self._about
        if about["status"] != "running" or self.mine:
            return about["status"]
        if about["host"] != socket.gethostname():
            return "running" if self._silence() < SILENT_SECONDS else "killed"
        try:
            alive = abs(psutil.Process(about["pid"]).create_time() - about["pid_started"]) < 1  # a pid may have gone to another
        except psutil.Error:
            alive = False
        return "running" if alive else "killed"

    def events(self) -> list[log.Event]:
        return [event for event, _ in log.read(self.log_path)]

    def history(self) -> dict[str, list[tuple[int, float]]]:
        """Every metric as (step, value), without the steps that a later attempt took again."""
        return log.history(self.events())

    def config(self) -> dict[str, Any]:
        path = self.folder / "config.yaml"
        return (yaml.safe_load(path.read_text("utf-8")) or {}) if path.exists() else {}

    # -- what is written to it -------------------------------------------------------------------------------------

    def metric(self, values: Mapping[str, float], step: int) -> None:
        self._add("metric", values={key: float(value) for key, value in values.items()}, step=int(step))

    def tag(self, key: str, value: object) -> None:
        self._add("tag", values={key: str(value)})

    def artifact(self, path: Path) -> None:
        """Keep a file of the run; one from elsewhere is copied to exports/ first. Its hash is taken at the next flush, off the training."""
        self._add("artifact", path=self._inside(Path(path)))

    def forget_artifact(self, path: Path) -> None:
        """The file was deleted here; its link in the store goes too."""
        self._add("forget", path=self._relative(Path(path)))

    def figure(self, name: str, png: bytes, step: int | None = None) -> Path:
        """Write figures/NAME.png; a newer one of the same name takes its place."""
        path = self.figures / f"{name}.png"
        with self.spared(path.name):
            path.parent.mkdir(parents=True, exist_ok=True)
            with write_whole(path) as file:
                file.write(png)
            self._add("figure", path=self._relative(path), step=step)
        return path

    def model(self, path: Path, parity: Mapping[str, Any], metadata: Mapping[str, Any]) -> None:
        """An exported file that answers; the sender registers TorchScript as a model, other formats are kept as they are."""
        with self.spared(path.name):
            self._keep_model(self._inside(path), parity, metadata)

    def _keep_model(self, inside: str, parity: Mapping[str, Any], metadata: Mapping[str, Any]) -> None:
        beside = self.folder / f"{inside}.parity.json"
        self.artifact(self.folder / inside)
        with self.spared(beside.name):
            with write_whole(beside, "w") as file:
                json.dump(parity, file, indent=1)
            self.artifact(beside)
        self._add("model", path=inside, parity=dict(parity), metadata=dict(metadata))

    def status(self, status: Status) -> None:
        if status not in get_args(Status):
            raise ValueError(f"no status of a run: {status!r}")
        self._about["status"] = status
        self._write_about()
        self._add("status", status=status)
        self.flush()

    def settle(self) -> None:
        """Say `killed` where nobody was left to say it."""
        if self.state == "killed" and self._about["status"] == "running":
            self.status("killed")

    def new_attempt(self, from_step: int) -> None:
        """The run goes on from a checkpoint in this process; steps from there on that an earlier attempt logged no longer count."""
        if self.state == "running" and not self.mine:
            raise UserError(
                f"run {self.name} is still being trained by process {self._about['pid']} on {self._about['host']}; stop it first"
            )
        self.attempts.append({"n": len(self.attempts) + 1, "started": int(time.time() * 1000), "from_step": int(from_step)})
        self._about |= {"status": "running", **_myself()}
        self._write_about()
        self._add("attempt", from_step=int(from_step))
        self._add("status", status="running")
        self.flush()

    def flush(self) -> None:
        """Everything so far is in the file, and outlives the process. A full disk keeps it in memory and says so once."""
        if os.getpid() != self._pid:  # a forked data worker has a copy of what is pending
            return
        with self._writing:
            if self._about_waits:
                self._write_about()
            batch = [self._pending.popleft() for _ in range(len(self._pending))]
            sealed = [event for event in (_seal(event, self.folder) for event in batch) if event is not None]
            if not sealed:
                return
            try:
                log.append(self.log_path, sealed)
                self._complained = self._about_waits
            except OSError as error:
                self._pending.extendleft(reversed(batch))
                self._wait(self.log_path, error)
                with contextlib.suppress(OSError):
                    os.utime(self.log_path)  # needs no room, and tells other machines that somebody is alive

    @contextlib.contextmanager
    def spared(self, what: str) -> Iterator[None]:
        """A full disk, or a folder that may not be written, costs what is written in the block, and one line; the run goes on."""
        try:
            yield
        except OSError as error:
            if error.errno not in _REMEDIES:
                raise
            print(f"discern: run {self.name}: {what} is not kept: {_trouble(error)}", file=sys.stderr, flush=True)

    # -- inside ----------------------------------------------------------------------------------------------------

    def _add(self, kind: str, **fields: Any) -> None:
        self._pending.append({"kind": kind, "at": time.time_ns() // 1_000_000, "attempt": len(self.attempts), **fields})
        flusher.watch(self)

    def _write_about(self) -> None:
        """run.json; where it cannot be written, the next flush tries again."""
        path = self.folder / "run.json"
        try:
            with self._writing, write_whole(path, "w") as file:
                json.dump(self._about, file, indent=1)
            self._about_waits = False
        except OSError as error:
            self._about_waits = True
            self._wait(path, error)

    def _wait(self, path: Path, error: OSError) -> None:
        flusher.watch(self)
        if not self._complained:
            print(f"discern: {path}: what the run notes waits in memory: {_trouble(error)}", file=sys.stderr, flush=True)
        self._complained = True

    def _silence(self) -> float:
        """Seconds since anything was noted."""
        paths = [path for path in (self.log_path, self.folder / "run.json") if path.exists()]
        return time.time() - max((path.stat().st_mtime for path in paths), default=0.0)

    def _relative(self, path: Path) -> str:
        return path.resolve().relative_to(self.folder.resolve()).as_posix()

    def _inside(self, path: Path) -> str:
        with contextlib.suppress(ValueError):
            return self._relative(path)
        inside = self.exports / path.name
        with path.open("rb") as source, write_whole(inside) as target:
            shutil.copyfileobj(source, target)
        return self._relative(inside)


def _seal(event: log.Event, folder: Path) -> log.Event | None:
    """Give a file's event its hash; a file that is gone again needs no event."""
    if event["kind"] not in ("artifact", "figure", "model"):
        return event
    try:
        return event | {"sha256": sha256(folder / event["path"])}
    except FileNotFoundError:
        return None


def _trouble(error: OSError) -> str:
    return "; ".join(filter(None, (error.strerror, _REMEDIES.get(error.errno or 0))))


def _whole(about: Any) -> bool:
    """A disk that filled up, or a hand, may have left anything in run.json."""
    kinds = {"id": str, "name": str, "app": str, "kind": str, "status": str, "created": int, "store": str, "attempts": list}
    kinds |= {"schema": int, "parent": str | None, "pid": int, "pid_started": float | int, "host": str}
    return isinstance(about, dict) and all(key in about and isinstance(about[key], kind) for key, kind in kinds.items())


def _myself() -> dict[str, Any]:
    return {"pid": os.getpid(), "pid_started": psutil.Process().create_time(), "host": socket.gethostname()}


def _leaves(tree: Any, prefix: str = "") -> dict[str, str]:
    """{"model": {"depth": 4}} -> {"model.depth": "4"}; lists are one value."""
    if isinstance(tree, dict) and tree:
        return {key: value for name, branch in tree.items() for key, value in _leaves(branch, f"{prefix}{name}.").items()}
    return {prefix.rstrip("."): str(tree)} if prefix else {}
