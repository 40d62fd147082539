"""The MLflow store, reduced to what a replay needs. The only file that talks to MLflow's client; mlflow is imported on first use.

Two kinds of trouble come out of it: `AwayError` (try again later: only what is known to pass) and `RefusedError` (everything else;
`lost` where the store has no such run).
"""

import contextlib
import errno
import logging
import os
import re
import shutil
import socket
import tempfile
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from apps.base.tracking.lock import held
from apps.base.tracking.model_folder import save_model

__all__ = ["HTTP_RETRIES", "HTTP_SECONDS", "AwayError", "Metric", "RefusedError", "Store", "prepare_environment"]

HTTP_SECONDS = 10  # MLflow's own 120 s and 7 retries block 247 s on a refused connection
HTTP_RETRIES = 1

Metric = tuple[str, float, int, int]  # key, value, timestamp in ms, step

_PASSING_CODES = {"TEMPORARILY_UNAVAILABLE", "DEADLINE_EXCEEDED", "REQUEST_LIMIT_EXCEEDED", "RESOURCE_EXHAUSTED", "ABORTED", "CANCELLED"}
_PASSING_NAMES = ("Timeout", "ConnectionError", "ConnectError", "OperationalError")  # of requests, urllib3, cloud clients, databases
_PASSING_ERRNOS = {errno.ENOSPC, errno.EDQUOT, errno.EAGAIN, errno.EIO, errno.ESTALE, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN}
_RUN_TAG = "discern.run"
_EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}  # the dashboard shows training, not language models


class AwayError(Exception):
    """The store does not answer now."""


class RefusedError(Exception):
    """The store answered no."""

    def __init__(self, message: str, lost: bool = False):
        super().__init__(message)
        self.lost = lost


def prepare_environment() -> None:
    """Short waits, no telemetry, no bars, unless the user said otherwise. Before mlflow is imported."""
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", str(HTTP_RETRIES))
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", str(HTTP_SECONDS))
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    # requests silences this of urllib3 while it is imported; in a thread that is undone when another one leaves catch_warnings just then.
    warnings.filterwarnings("ignore", message="SOCKS support in urllib3")


# A data worker forked while this thread imports would inherit locked modules and hang at its first import of one: forks wait for it.
_importing = threading.RLock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_importing.acquire, after_in_parent=_importing.release, after_in_child=_importing.release)


class Store:
    """`uri` as MLflow takes it; `artifacts` is the folder that a store on this machine keeps files in."""

    def __init__(self, uri: str, artifacts: Path):
        self._uri = uri
        self._artifacts = artifacts
        self._client: Any = None
        self._places: dict[str, tuple[str, Path | None]] = {}

    def begin(self, app: str, run_id: str, name: str, created: int, tags: Mapping[str, str]) -> str:
        """MLflow's id of our run, which is made if the store has none."""
        with _answers(), self._alone():
            client = self._connect()
            experiment = self._experiment(app)
            runs = client.search_runs([experiment], f"tags.`{_RUN_TAG}` = '{run_id}'", max_results=1)
            if runs:
                return runs[0].info.run_id
            return client.create_run(experiment, start_time=created, run_name=name, tags={_RUN_TAG: run_id, **tags}).info.run_id

    def batch(
        self, mlflow_id: str, metrics: Sequence[Metric] = (), params: Mapping[str, str] | None = None, tags: Mapping[str, str] | None = None
    ) -> None:
        with _answers():
            client = self._connect()
            from mlflow.entities import Metric as Point
            from mlflow.entities import Param, RunTag

            client.log_batch(
                mlflow_id,
                metrics=[Point(key, value, at, step) for key, value, at, step in metrics],
                params=[Param(key, value) for key, value in (params or {}).items()],
                tags=[RunTag(key, value) for key, value in (tags or {}).items()],
            )

    def put(self, mlflow_id: str, path: Path, name: str) -> None:
        """Keep a file: a store on this machine links it, so that a checkpoint lies on the disk once."""
        with _answers():
            local = self._place(mlflow_id)[1]
            if local:
                _link(path, local / name)
            else:
                self._connect().log_artifact(mlflow_id, str(path), str(Path(name).parent.as_posix()).removeprefix("."))

    def drop(self, mlflow_id: str, name: str) -> None:
        with _answers():
            uri, local = self._place(mlflow_id)
            if local:
                (local / name).unlink(missing_ok=True)
                return
            from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

            get_artifact_repository(uri).delete_artifacts(name)

    def model(self, mlflow_id: str, name: str, path: Path, sha256: str, metadata: Mapping[str, Any]) -> str:
        """Register an exported file as the next version of the model `name`; a file that is registered already keeps its version."""
        with _answers():
            client = self._connect()
            for version in client.search_model_versions(f"name = '{name}'"):
                if version.tags.get("sha256") == sha256 and version.run_id == mlflow_id:
                    return str(version.version)
            experiment = client.get_run(mlflow_id).info.experiment_id
            begun = client.search_logged_models([experiment], f"tags.sha256 = '{sha256}' AND source_run_id = '{mlflow_id}'")
            label = f"{metadata.get('program', 'program')}-{sha256[:8]}"
            model = begun[0] if begun else client.create_logged_model(experiment, label, mlflow_id, tags={"sha256": sha256})
            with tempfile.TemporaryDirectory(prefix="discern-model-") as folder:
                place = _local_path(model.artifact_location)
                built = place if place else Path(folder) / "model"
                if place and place.exists():
                    shutil.rmtree(place)
                save_model(built, path, metadata, model.model_id)
                if place:
                    _link(path, built / "artifacts" / path.name)
                else:
                    client.log_model_artifacts(model.model_id, str(built))
            client.finalize_logged_model(model.model_id, "READY")
            from mlflow.entities import LoggedModelOutput

            client.log_outputs(mlflow_id, [LoggedModelOutput(model.model_id, step=0)])
            from mlflow.exceptions import MlflowException

            with contextlib.suppress(MlflowException):  # it is there already, from the version before
                client.create_registered_model(name)
            version = client.create_model_version(
                name, model.artifact_location, mlflow_id, tags={"sha256": sha256}, model_id=model.model_id, await_creation_for=0
            )
            return str(version.version)

    def status(self, mlflow_id: str, status: str, at: int) -> None:
        """Any of MLflow's words: RUNNING, FINISHED, FAILED, KILLED."""
        with _answers():
            client = self._connect()
            if status == "RUNNING":
                client.update_run(mlflow_id, status=status)
            else:
                client.set_terminated(mlflow_id, status, end_time=at)

    def delete(self, mlflow_id: str) -> None:
        """To the store's dustbin; the files of a store on this machine go at once."""
        with _answers():
            local = self._place(mlflow_id)[1]
            self._connect().delete_run(mlflow_id)
            if local and local.exists():
                shutil.rmtree(local)

    def deleted(self) -> list[str]:
        """What lies in the dustbin, of our experiments."""
        with _answers():
            client = self._connect()
            from mlflow.entities import ViewType

            experiments = [experiment.experiment_id for experiment in client.search_experiments()]
            found: list[str] = []
            token = None
            while experiments:
                page = client.search_runs(experiments, f"tags.`{_RUN_TAG}` LIKE '%'", ViewType.DELETED_ONLY, page_token=token)
                found += [run.info.run_id for run in page]
                token = page.token
                if not token:
                    break
            return found

    # -- inside ----------------------------------------------------------------------------------------------------

    def _connect(self) -> Any:
        if self._client is None:
            prepare_environment()
            with _importing:
                _import_mlflow(sqlalchemy=self._on_disk)
            from mlflow import MlflowClient

            self._client = MlflowClient(tracking_uri=self._uri, registry_uri=self._uri)
        return self._client

    @property
    def _on_disk(self) -> bool:
        return self._uri.startswith("sqlite:")

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Two processes making one sqlite store, or one experiment, would trip over each other."""
        if not self._on_disk:
            yield
            return
        self._artifacts.parent.mkdir(parents=True, exist_ok=True)
        with held(self._artifacts.parent / ".store.lock") as mine:
            if not mine:
                raise AwayError("another process is opening the store")
            yield

    def _experiment(self, app: str) -> str:
        found = self._client.get_experiment_by_name(app)
        if found:
            return found.experiment_id
        if not self._on_disk:
            return self._client.create_experiment(app, tags=_EXPERIMENT_TAGS)
        place = self._artifacts / app
        place.mkdir(parents=True, exist_ok=True)
        return self._client.create_experiment(app, artifact_location=place.resolve().as_uri(), tags=_EXPERIMENT_TAGS)

    def _place(self, mlflow_id: str) -> tuple[str, Path | None]:
        """Where the store keeps a run's files: its URI, and the folder if that is on this machine."""
        if mlflow_id not in self._places:
            uri = self._connect().get_run(mlflow_id).info.artifact_uri
            self._places[mlflow_id] = (uri, _local_path(uri))
        return self._places[mlflow_id]


@contextlib.contextmanager
def _answers() -> Iterator[None]:
    """MLflow's and the system's errors, sorted into ours."""
    try:
        yield
    except (AwayError, RefusedError):
        raise
    except Exception as error:
        text = " ".join(str(error).split())[:200] or type(error).__name__
        if _passes(error):
            raise AwayError(text) from error
        raise RefusedError(text, lost=getattr(error, "error_code", None) == "RESOURCE_DOES_NOT_EXIST") from error


def _passes(error: Exception) -> bool:
    """Whether the same call may be answered later: refused and lost connections, time-outs, 429, 5xx, a locked store, a full disk."""
    status = _http_status(error)
    if status is not None:
        return status == 429 or status >= 500
    code, text = getattr(error, "error_code", None), str(error)
    if code is not None:  # MLflow calls an unreachable server INTERNAL_ERROR, like a bug of its own
        return code in _PASSING_CODES or (code == "INTERNAL_ERROR" and text.startswith("API request to"))
    if isinstance(error, ConnectionError | TimeoutError) or getattr(error, "errno", None) in _PASSING_ERRNOS:
        return True
    return any(cls.__name__.endswith(_PASSING_NAMES) for cls in type(error).__mro__) or isinstance(error, socket.gaierror)


def _http_status(error: Exception) -> int | None:
    """What the server answered with, where it did answer."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(status, int):
        return status
    if type(error).__name__ == "RestException":
        return error.get_http_status_code()  # type: ignore[attr-defined]
    said = re.search(r"failed with error code (\d{3}) ", str(error)) if hasattr(error, "error_code") else None
    return int(said[1]) if said else None


def _import_mlflow(sqlalchemy: bool) -> None:
    """Everything that the calls here would import late, at once, so that forks wait once."""
    import mlflow.entities
    import mlflow.pyfunc
    import mlflow.tracking

    if sqlalchemy:
        import mlflow.store.model_registry.sqlalchemy_store
        import mlflow.store.tracking.sqlalchemy_store  # noqa: F401
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)


def _local_path(uri: str) -> Path | None:
    parts = urlsplit(uri)
    return Path(url2pathname(parts.path)) if parts.scheme == "file" else Path(uri) if not parts.scheme else None


def _link(source: Path, target: Path) -> None:
    """A hard link in place of whatever is there; a copy where the disk is another one. Our files are replaced, never written into."""
    if target.exists() and target.samefile(source):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f".{target.name}.{os.getpid():08d}")  # as `is_draft` knows them
    beside.unlink(missing_ok=True)
    try:
        os.link(source, beside)
    except OSError:
        shutil.copyfile(source, beside)
    beside.replace(target)
