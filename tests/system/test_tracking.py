"""Tracking against MLflow itself: the store here, and a server that goes away and comes back."""

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request

import cv2
import numpy as np
import pytest
import torch

from apps.base.tracking.replay import Replay, mlflow_id, store_of
from apps.base.tracking.run import Run
from apps.base.tracking.sender import Sender, send_pending
from apps.base.tracking.store import AwayError, prepare_environment

pytestmark = [pytest.mark.system, pytest.mark.filterwarnings("ignore")]

ABOUT = {
    "app": "dcal",
    "program": "classify",
    "labels": ["dark", "grey", "bright"],
    "answer": [{"output": "probs", "as": "top", "k": 2}, {"output": "mean", "as": "value"}, {"output": "map", "as": "map", "full": True}],
    "batching": "stack",
    "input": "image",
}


class Brightness(torch.nn.Module):
    """A program as the exporter makes them, small: how bright is the picture?"""

    @torch.jit.export
    def prepare(self, item):
        return item.permute(2, 0, 1).float() / 255

    def forward(self, x):
        mean = x.mean((1, 2, 3))
        probs = torch.softmax(torch.stack([-9 * mean, -9 * (mean - 0.5).abs(), 9 * (mean - 1)], 1), 1)
        return {"probs": probs, "mean": mean, "map": x.mean(1)}


@pytest.fixture
def no_server(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory):
    """A new sqlite store costs a second: made once, copied for each test."""
    from apps.base.tracking.address import LOCAL, address
    from apps.base.tracking.store import Store

    home = tmp_path_factory.mktemp("store")
    Store(address(home, LOCAL), home / "mlruns" / "artifacts").begin("other", "none", "none", 0, {})
    return home / "mlruns" / "mlflow.db"


@pytest.fixture
def home(tmp_path, empty_store, no_server):
    (tmp_path / "mlruns").mkdir()
    (tmp_path / "mlruns" / "mlflow.db").write_bytes(empty_store.read_bytes())
    return tmp_path


def client(uri):
    from mlflow import MlflowClient

    return MlflowClient(uri, uri)


def local(home):
    return client(f"sqlite:///{home}/mlruns/mlflow.db")


def send(run):
    run.flush()
    assert send_pending(run.home, only=[run]) == {}


def points(there, run, key):
    return [(point.step, point.value) for point in there.get_metric_history(mlflow_id(run), key)]


def test_a_run_arrives_as_it_was_logged(home):
    run = Run.start(home, "dcal", "seed_everything: 3\nmodel:\n  depth: 4\n", name="amber-heron")
    sender = Sender(run).start()
    for step in range(1500):
        run.metric({"train/loss": step / 7}, step)
    run.figure("confusion", b"png")
    run.new_attempt(from_step=1500)
    run.metric({"val/top@1": float("nan")}, 1500)
    run.status("finished")
    assert sender.stop(120) == 0
    found = local(home).get_run(mlflow_id(run))
    assert (found.info.run_name, found.info.status) == ("amber-heron", "FINISHED")
    assert found.data.params == {"seed_everything": "3", "model.depth": "4"}
    assert found.data.tags["attempt.2.from_step"] == "1500"
    assert points(local(home), run, "train/loss") == [(step, step / 7) for step in range(1500)]
    assert len(points(local(home), run, "val/top_1")) == 1
    assert {file.path for file in local(home).list_artifacts(mlflow_id(run))} == {"config.yaml", "figures"}


def test_replaying_to_mlflow_again_changes_nothing(home):
    run = Run.start(home, "dcal", "seed_everything: 3")
    run.metric({"loss": 1.0}, 1)
    run.status("finished")
    send(run)
    first = mlflow_id(run)
    (run.folder / "sent.json").unlink()
    send(run)
    assert mlflow_id(run) == first
    assert points(local(home), run, "loss") == [(1, 1.0)]


def test_a_checkpoint_lies_on_the_disk_once(home):
    run = Run.start(home, "dcal", "a: 1")
    path = run.checkpoints / "last.ckpt"
    path.write_bytes(os.urandom(1000))
    run.artifact(path)
    send(run)
    (kept,) = (home / "mlruns" / "artifacts").rglob("last.ckpt")
    assert kept.samefile(path)
    path.unlink()
    run.forget_artifact(path)
    send(run)
    assert not kept.exists()


def test_children_stand_under_their_parent(home):
    parent = Run.start(home, "dcal", "a: 1")
    child = Run.start(home, "dcal", "a: 2", parent=parent.id, kind="seed")
    send(child)
    send(parent)
    assert local(home).get_run(mlflow_id(child)).data.tags["mlflow.parentRunId"] == mlflow_id(parent)
    assert len(local(home).search_runs([local(home).get_experiment_by_name("dcal").experiment_id])) == 2


ANSWER = """
import sys, json, base64
import numpy as np, pandas as pd, mlflow
mlflow.set_tracking_uri(sys.argv[1])
model = mlflow.pyfunc.load_model("models:/discern-dcal/1")
picture = np.full((8, 8, 3), 250, np.uint8)
table = pd.DataFrame({"image": [sys.argv[2]] * 2})
answers = [model.predict(given) for given in (np.stack([picture, picture]), [picture, picture[:4]], table)]
ours = [name for name in sys.modules if name.split(".")[0] in ("apps", "kernels", "core_attention", "datamodules")]
print(json.dumps({"answers": answers, "ours": ours}))
"""


def test_the_registered_model_answers_where_this_package_is_not_installed(home, tmp_path):
    run = Run.start(home, "dcal", "a: 1")
    path = run.exports / "bright.ts"
    torch.jit.script(Brightness().eval()).save(str(path), _extra_files={"discern.json": json.dumps(ABOUT)})
    run.model(path, {"largest difference": 1e-7}, ABOUT)
    send(run)
    run.model(path, {"largest difference": 1e-7}, ABOUT)  # exported again, the same bytes: the same version
    send(run)
    kept = {file.path for file in local(home).list_artifacts(mlflow_id(run), "exports")}
    assert kept == {"exports/bright.ts", "exports/bright.ts.parity.json"}
    assert len(local(home).get_run(mlflow_id(run)).outputs.model_outputs) == 1
    assert [version.version for version in local(home).search_model_versions("name = 'discern-dcal'")] in ([1], ["1"])
    assert not list((home / "mlruns" / "artifacts").rglob("*.pkl"))
    assert all(kept.samefile(path) for kept in (home / "mlruns" / "artifacts").rglob("bright.ts"))

    _, jpeg = cv2.imencode(".png", np.full((16, 12, 3), 250, np.uint8))
    words = [sys.executable, "-c", ANSWER, f"sqlite:///{home}/mlruns/mlflow.db", base64.b64encode(jpeg.tobytes()).decode()]
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(words, capture_output=True, text=True, cwd=elsewhere, env=environment)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["ours"] == []
    for answers in told["answers"]:
        assert len(answers) == 2
        for answer in answers:
            assert [row["label"] for row in answer["probs"]] == ["bright", "grey"]
            assert answer["mean"] == pytest.approx(250 / 255)
            assert "map" not in answer


class Server:
    """An MLflow server on loopback that can be ended and begun again over the same database."""

    def __init__(self, folder):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.uri = f"http://127.0.0.1:{self.port}"
        self.folder = folder
        self.process = None

    def begin(self):
        words = [sys.executable, "-m", "mlflow", "server", "--port", str(self.port), "--workers", "1"]
        words += ["--backend-store-uri", f"sqlite:///{self.folder}/server.db", "--artifacts-destination", str(self.folder / "kept")]
        environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
        environment.pop("MLFLOW_TRACKING_URI", None)
        self.process = subprocess.Popen(
            words, env=environment, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        while self.process.poll() is None:
            try:
                with opener.open(f"{self.uri}/health", timeout=5):
                    return
            except OSError:
                continue
        raise AssertionError("the server did not start")

    def end(self):
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def test_the_store_goes_away_in_the_middle_and_comes_back(tmp_path, empty_store, monkeypatch):
    prepare_environment()
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = Server(tmp_path)
    (tmp_path / "server.db").write_bytes(empty_store.read_bytes())
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.uri)
    run = Run.start(tmp_path, "dcal", "seed_everything: 3")
    replay = Replay(run, store_of(run))
    server.begin()
    try:
        for step in range(300):
            run.metric({"loss": step / 7}, step)
        run.flush()
        while replay.step():
            pass
        server.end()
        for step in range(300, 600):
            run.metric({"loss": step / 7}, step)
        path = run.checkpoints / "last.ckpt"
        path.write_bytes(b"weights")
        run.artifact(path)
        run.flush()
        with pytest.raises(AwayError):
            replay.step()
        assert replay.unsent > 300
        server.begin()
        run.exports.joinpath("bright.ts").write_bytes(_program(tmp_path))
        run.model(run.exports / "bright.ts", {}, ABOUT)
        run.status("finished")
        assert send_pending(tmp_path) == {}
        there = client(server.uri)
        assert points(there, run, "loss") == [(step, step / 7) for step in range(600)]
        assert there.get_run(mlflow_id(run)).info.status == "FINISHED"
        assert [file.path for file in there.list_artifacts(mlflow_id(run), "checkpoints")] == ["checkpoints/last.ckpt"]
        assert len(there.search_model_versions("name = 'discern-dcal'")) == 1
        path.unlink()
        run.forget_artifact(path)
        send(run)
        assert there.list_artifacts(mlflow_id(run), "checkpoints") == []
    finally:
        server.end()


def _program(folder) -> bytes:
    torch.jit.script(Brightness().eval()).save(str(folder / "bright.ts"), _extra_files={"discern.json": json.dumps(ABOUT)})
    return (folder / "bright.ts").read_bytes()
