"""A tracking server over a database: it is killed in the middle of a training, and nothing that was flushed is lost."""

import glob
import json
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from apps.base.tracking.replay import mlflow_id
from apps.base.tracking.run import Run
from apps.base.tracking.sender import send_pending
from tests.system.command import TINY, start
from tests.system.listening import Listening, answers, free_port, mlflow

pytestmark = [pytest.mark.system, pytest.mark.full, pytest.mark.filterwarnings("ignore")]

WAIT_SECONDS = 240


def postgres_folder() -> Path:
    """Where initdb and postgres are, or a skip with its reason. Debian keeps them off the PATH."""
    pytest.importorskip("psycopg", reason="needs pip install 'discern[server]'")
    found = [path for path in (shutil.which("initdb"), *sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"), reverse=True)) if path]  # noqa: PTH207
    if not found:
        pytest.skip("PostgreSQL is not installed here (Debian: postgresql)")
    return Path(found[0]).parent


def nobody_special() -> dict[str, int]:
    """PostgreSQL refuses to run as root: somebody else then."""
    if os.geteuid() != 0:
        return {}
    who = pwd.getpwnam("nobody")
    return {"user": who.pw_uid, "group": who.pw_gid}


@contextmanager
def postgres():
    """(address, the server) of an empty PostgreSQL on loopback."""
    import psycopg

    programs, who, port, password = postgres_folder(), nobody_special(), free_port(), secrets.token_hex(8)
    with tempfile.TemporaryDirectory(prefix="discern-postgres-") as name:  # not under pytest's folder, which only its owner may enter
        folder = Path(name)
        (folder / "password").write_text(password)
        for path in (folder, folder / "password"):
            os.chown(path, who.get("user", -1), who.get("group", -1))
        words = ["initdb", "-D", folder / "data", "-U", "discern", "-A", "scram-sha-256", "--pwfile", folder / "password"]
        words = [programs / words[0], *words[1:], "-E", "UTF8", "--no-locale", "--no-sync"]
        plain = {"PATH": os.environ["PATH"], "LC_ALL": "C"}
        made = subprocess.run([str(word) for word in words], cwd=folder, env=plain, capture_output=True, text=True, check=False, **who)
        assert made.returncode == 0, made.stderr
        uri = f"postgresql+psycopg://discern:{password}@127.0.0.1:{port}/postgres"

        def ready() -> bool:
            try:
                psycopg.connect(uri.replace("+psycopg", ""), connect_timeout=5).close()
            except psycopg.OperationalError:
                return False
            return True

        options = ["-c", "listen_addresses=127.0.0.1", "-c", f"port={port}", "-c", "unix_socket_directories="]
        # SIGQUIT: at once and without a checkpoint, as in a crash, but its own processes with it.
        with Listening([programs / "postgres", "-D", folder / "data", *options], ready, folder, plain, signal.SIGQUIT, who) as server:
            yield uri, server


@contextmanager
def sqlite():
    with tempfile.TemporaryDirectory() as folder:
        yield f"sqlite:///{folder}/server.db", None


@contextmanager
def tracking_server(uri, folder):
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    words = mlflow("server", "--host", "127.0.0.1", "--port", port, "--workers", "1", "--artifacts-destination", folder / "kept")
    kept = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_")}
    kept |= {"MLFLOW_BACKEND_STORE_URI": uri, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    with Listening(words, lambda: answers(f"{url}/health"), folder, kept) as server:
        yield url, server


def until(holds, process):
    """Wait for what a training does under way, while it is under way."""
    limit = time.monotonic() + WAIT_SECONDS
    while not holds():
        assert process.poll() is None, process.communicate()[1][-2000:]
        assert time.monotonic() < limit, "the training did not get there"
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.1)


@pytest.mark.parametrize("database", [postgres, sqlite], ids=["postgresql", "sqlite"])
def test_a_server_that_is_killed_in_the_middle_loses_nothing_that_was_flushed(tmp_path, database, monkeypatch):
    from mlflow import MlflowClient

    monkeypatch.setenv("no_proxy", "127.0.0.1")
    (tmp_path / "served").mkdir()
    with database() as (uri, below), tracking_server(uri, tmp_path / "served") as (url, server):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", url)
        there = MlflowClient(url, url)
        training = start(
            "dcal", "fit", *TINY, "--trainer.max_epochs=100000", home=tmp_path, MLFLOW_TRACKING_URI=url, MLFLOW_DISABLE_TELEMETRY="true"
        )
        try:
            until(lambda: seen(tmp_path, there), training)
            server.end()
            if below is not None:
                below.end()  # the database with it, without a word: what it has acknowledged it must have
                below.begin()
            run = only_run(tmp_path)
            before = len(run.events())
            until(lambda: len(run.events()) > before + 5, training)  # it goes on without the server
            assert run.state == "running"
            server.begin()
            training.terminate()
            assert training.wait(timeout=WAIT_SECONDS) == 143
        finally:
            training.kill()
        assert send_pending(tmp_path) == {}

        run = only_run(tmp_path)
        logged = run.history()
        assert len(logged["train/loss"]) > 3
        for key, rows in logged.items():
            kept = {point.step: point.value for point in there.get_metric_history(mlflow_id(run), key)}
            assert {step: kept.get(step) for step, _ in rows} == pytest.approx(dict(rows), nan_ok=True), key
        names = {file.path for file in there.list_artifacts(mlflow_id(run), "checkpoints")}
        assert "checkpoints/last.ckpt" in names
        copy = there.download_artifacts(mlflow_id(run), "checkpoints/last.ckpt", str(tmp_path))
        assert Path(copy).read_bytes() == (run.checkpoints / "last.ckpt").read_bytes()
        found = there.get_run(mlflow_id(run))
        assert found.info.status == "KILLED"
        assert found.data.params["data.init_args.batch_size"] == "16"
        if database is postgres:
            password = uri.partition("discern:")[2].partition("@")[0]
            assert not [path for path in run.folder.rglob("*") if path.is_file() and password.encode() in path.read_bytes()]


def only_run(home: Path) -> Run:
    (folder,) = home.glob("mlruns/runs/dcal/*")
    return Run.open(folder)


def seen(home: Path, there) -> bool:
    """Whether the run is in the store with a first loss."""
    folders = list(home.glob("mlruns/runs/dcal/*/sent.json"))
    if not folders:
        return False
    sent = json.loads(folders[0].read_text())
    return bool(sent.get("mlflow")) and bool(there.get_metric_history(sent["mlflow"], "train/loss"))
