"""Nothing asks the network: the whole way in processes where each attempt to reach further than this machine fails and is noted."""

import json
import subprocess
import sys

import pytest

from tests.system.command import ROOT, TINY, environment

# An audit hook hears Python's own sockets and those of C modules built on them, whatever name they were imported under.
GUARD = """
import ipaddress, os, sys

def near(host):
    if host in (None, "", b"", "localhost", b"localhost"):
        return True
    try:
        return ipaddress.ip_address(host.decode() if isinstance(host, bytes) else host).is_loopback
    except ValueError:
        return False

def hear(event, args):
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        address = args[1]
        host = address[0] if isinstance(address, tuple) else None  # a path: a socket of this machine
    elif event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
        host = args[0]
    else:
        return
    if not near(host):
        with open(os.environ["ATTEMPTS"], "a") as file:
            print(event, args[-1] if event == "socket.connect" else host, sys.argv, file=file)
        raise OSError(f"{event}: there is no network in this test")

sys.addaudithook(hear)
open(os.environ["ATTEMPTS"] + ".guarded", "a").close()
"""
SWITCHES = ("CI", "DO_NOT_TRACK", "NO_ALBUMENTATIONS_UPDATE", "GITHUB_ACTIONS")  # what keeps libraries quiet where tests run


@pytest.fixture
def cut_off(tmp_path, monkeypatch):
    for name in SWITCHES:
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "guard").mkdir()
    (tmp_path / "guard" / "sitecustomize.py").write_text(GUARD)
    return {"PYTHONPATH": f"{tmp_path / 'guard'}:{ROOT}", "ATTEMPTS": str(tmp_path / "attempts")}


@pytest.mark.parametrize(
    "code",
    [
        "socket.create_connection(('192.0.2.1', 80), timeout=1)",
        "socket.getaddrinfo('example.com', 443)",
        "urllib.request.urlopen('http://example.com')",
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 53))",
    ],
)
def test_the_guard_hears_who_would_go_out(tmp_path, cut_off, code):
    done = subprocess.run([sys.executable, "-c", f"import socket, urllib.request; {code}"], env=environment(**cut_off), capture_output=True)
    assert b"no network in this test" in done.stderr
    assert len((tmp_path / "attempts").read_text().splitlines()) == 1


def test_the_guard_lets_this_machine_speak_with_itself(tmp_path, cut_off):
    code = (
        "import socket; server = socket.create_server(('127.0.0.1', 0));"
        "socket.create_connection(server.getsockname()).close(); socket.getaddrinfo('localhost', 80); a, b = socket.socketpair()"
    )
    subprocess.run([sys.executable, "-c", code], env=environment(**cut_off), check=True)
    assert not (tmp_path / "attempts").exists()


WHOLE_WAY = """
import sys
from apps.cli import main
fit, pictures = sys.argv[1].split(), sys.argv[2:]
sys.exit(main(fit) or main(["dcal", "export", "-o", "beetles.ts", "--quiet"]) or main(["predict", "beetles.ts", *pictures, "--quiet"]))
"""


def test_fit_export_and_predict_ask_no_network_and_say_nothing_under_quiet(tmp_path, cut_off):
    from datamodules.dcal.synth import write_examples

    (tmp_path / "pictures").mkdir()
    pictures = write_examples(tmp_path / "pictures", 2)
    fit = " ".join(("dcal", "fit", *TINY, "--trainer.max_epochs=1", "--quiet"))
    done = subprocess.run(
        [sys.executable, "-c", WHOLE_WAY, fit, *pictures],
        cwd=tmp_path, env=environment(HOME=str(tmp_path), **cut_off), capture_output=True, text=True, check=True,
    )  # fmt: skip
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert ["probs" in row for row in rows] == [False, False, True, True]  # the run, the exported file, then the answers
    assert done.stderr == ""
    assert (tmp_path / "attempts.guarded").exists()
    assert not (tmp_path / "attempts").exists(), (tmp_path / "attempts").read_text()
