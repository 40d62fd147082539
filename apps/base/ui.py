"""`discern ui`: MLflow's dashboard over the runs here, kept small, on this machine only unless told."""

import argparse
import contextlib
import ipaddress
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator

from apps.base.errors import FailureError, UserError
from apps.base.shell import Shell
from apps.base.tracking.address import address, public_address
from apps.base.tracking.sender import send_pending
from apps.base.tracking.store import prepare_environment

__all__ = ["ui"]

START_SECONDS = 90
LEAVE_SECONDS = 5


def ui(shell: Shell, argv: list[str]) -> int:
    """Show the runs in a browser: curves, comparisons, files, models."""
    parser = shell.parser("ui", ui.__doc__)
    parser.add_argument("--port", type=_port, default=5000, help="default: 5000")
    parser.add_argument("--host", default="127.0.0.1", help="default: 127.0.0.1, which only this machine can reach")
    args = parser.parse_args(argv)
    public = public_address()
    if public.startswith(("http:", "https:")):
        shell.say(f"the runs are kept by the server at {public}; open it in a browser")
        return 0
    _refuse_taken(args.host, args.port)
    for name, trouble in send_pending(shell.home).items():
        shell.complain(f"run {name} is not in the store yet: {trouble}")
    artifacts = shell.home / "mlruns" / "artifacts"
    uri = address(shell.home, public)
    artifacts.mkdir(parents=True, exist_ok=True)
    if not _loopback(args.host):
        shell.complain(f"whoever can reach {args.host}:{args.port} can read, change and delete these runs")
    with _heard() as signals:
        return _serve(shell, uri, artifacts.resolve().as_uri(), args.host, args.port, signals)


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port; name one of 1 to 65535")
    return int(text)


def _serve(shell: Shell, uri: str, artifacts: str, host: str, port: int, signals: list[int]) -> int:
    prepare_environment()
    environment = os.environ | {
        "MLFLOW_BACKEND_STORE_URI": uri,  # not in the command line, where everyone on the machine reads a password
        "MLFLOW_REGISTRY_STORE_URI": uri,
        "MLFLOW_DEFAULT_ARTIFACT_ROOT": artifacts,
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # ten more processes, nine of which outlive Ctrl-C
    }
    environment.pop("MLFLOW_TRACKING_URI", None)
    words = [sys.executable, "-m", "mlflow", "ui", "--host", host, "--port", str(port), "--workers", "1"]
    noise = None if shell.debug else subprocess.DEVNULL
    server = subprocess.Popen(words, env=environment, stdout=noise, stderr=noise, stdin=subprocess.DEVNULL, start_new_session=True)
    shown = f"[{host}]" if ":" in host else host
    url = f"http://{'127.0.0.1' if host == '0.0.0.0' else shown}:{port}/health"
    limit = time.monotonic() + START_SECONDS
    answered = False
    try:
        while not signals:
            if server.poll() is not None:
                raise FailureError(f"the dashboard ended by itself with code {server.returncode}; `discern --debug ui` shows what it said")
            if not answered and time.monotonic() > limit:
                raise FailureError(f"the dashboard did not answer within {START_SECONDS} s; `discern --debug ui` shows what it says")
            if not answered and _answers(url):
                answered = True
                print(f"http://{shown}:{port}/#/experiments?workflowType=machine_learning", flush=True)  # not the view of language models
                shell.say("Ctrl-C ends it")
            time.sleep(0.1)
        return 128 + signals[0]
    finally:
        _end(server)


def _answers(url: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # this machine is not behind a proxy
    try:
        with opener.open(url, timeout=2):
            return True
    except OSError:
        return False


def _end(server: subprocess.Popen) -> None:
    """The server and everything it started, politely and then not."""
    for number, seconds in ((signal.SIGTERM, LEAVE_SECONDS), (signal.SIGKILL, LEAVE_SECONDS)):
        if not _signal_all(server, number):
            return
        limit = time.monotonic() + seconds
        while time.monotonic() < limit:
            server.poll()
            if not _signal_all(server, 0):
                return
            time.sleep(0.05)


def _signal_all(server: subprocess.Popen, number: int) -> bool:
    """False when nobody is left in the server's process group."""
    try:
        os.killpg(server.pid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


@contextlib.contextmanager
def _heard() -> Iterator[list[int]]:
    """Ctrl-C and SIGTERM are noted, not raised: no moment, not even the server's start, can be torn by them."""
    numbers: list[int] = []
    watched = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda number, frame: numbers.append(number)) for number in watched]
    try:
        yield numbers
    finally:
        for number, handler in zip(watched, before, strict=True):
            signal.signal(number, handler)


def _refuse_taken(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise UserError(f"cannot listen on {host}:{port} ({error}); name a free port with --port, or end what uses this one") from error


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
