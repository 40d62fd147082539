import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import psutil
import pytest

from apps.base.errors import UserError
from apps.base.shell import Shell
from apps.base.ui import ui

ROOT = Path(__file__).parents[3]
COMMAND = "import sys; from pathlib import Path; from apps.base.shell import Shell; from apps.base.ui import ui\n"
COMMAND += "sys.exit(ui(Shell(Path(sys.argv[1])), sys.argv[2:]))"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.system
@pytest.mark.skipif(os.name == "nt", reason="process groups are Unix's")
@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.full)])
def test_the_dashboard_answers_and_leaves_no_process(tmp_path, number):
    port = free_port()
    environment = {key: value for key, value in os.environ.items() if key != "MLFLOW_TRACKING_URI"}
    words = [sys.executable, "-c", COMMAND, str(tmp_path), "--port", str(port)]
    process = subprocess.Popen(words, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    assert address.startswith(f"http://127.0.0.1:{port}/")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(address, timeout=60) as answer:
        assert b"MLflow" in answer.read()
    family = psutil.Process(process.pid).children(recursive=True)
    assert 1 <= len(family) <= 3
    process.send_signal(number)
    assert process.wait() == 128 + number
    assert not [each for each in family if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]
    assert not list((tmp_path / "mlruns").glob("*.pid"))


def test_a_taken_port_is_one_line_with_the_remedy(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(UserError, match=r"name a free port with --port") as caught:
            ui(Shell(tmp_path), ["--port", str(other.getsockname()[1])])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("port", ["0", "65536", "-1", "http"])
def test_a_port_that_could_not_be_asked_for_an_answer_is_refused(tmp_path, port):
    with pytest.raises(UserError, match=r"is no port; name one of 1 to 65535"):
        ui(Shell(tmp_path), [f"--port={port}"])


def test_runs_on_a_server_are_looked_at_there(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://tracking.example:5000")
    assert ui(Shell(tmp_path), []) == 0
    assert "http://tracking.example:5000" in capsys.readouterr().err
