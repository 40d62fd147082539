"""Jobs over slides that break off, and jobs of several workers: the same bytes in the end, and nothing done twice."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from apps.mil.slides import stages
from datamodules.mil.slides.state import State
from tests.apps.mil.slides_jobs import TILES, fresh, outputs, status
from tests.datamodules.mil.slides_here import small


def test_a_killed_job_goes_on_and_ends_in_the_same_bytes(call, wsi, tmp_path, monkeypatch):
    words = (wsi / "made_0.svs", wsi / "made_1.svs", "--encoder", "stats", *TILES)
    call("features", *words, "--job", "whole")
    ending = stages._Worker._features
    monkeypatch.setattr(
        stages._Worker, "_features", lambda self: (_ for _ in ()).throw(KeyboardInterrupt) if self.name == "made_1" else ending(self)
    )
    with pytest.raises(KeyboardInterrupt):
        call("features", *words, "--job", "killed")
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    assert not (tmp_path / "killed/features/made_1.safetensors").exists()
    assert call("features", *words, "--job", "killed")[0] == 0
    assert outputs(tmp_path / "killed") == outputs(tmp_path / "whole")
    assert fresh(tmp_path / "killed") == {"made_0": [], "made_1": ["features"]}


@pytest.mark.full
def test_processes_and_threads_do_not_change_a_byte(call, wsi, tmp_path):
    words = ("features", wsi / "made_0.svs", wsi / "made_1.svs", "--encoder", "stats", "--px", "64", "--mpp", "1")
    call(*words, "--job", "one", "--jobs", "1", "--readers", "1")
    call(*words, "--job", "two", "--jobs", "2", "--readers", "3")
    assert outputs(tmp_path / "one") == outputs(tmp_path / "two")


@pytest.mark.full
def test_a_ray_cluster_gives_the_same_bytes(call, wsi, tmp_path):
    pytest.importorskip("ray", reason="needs pip install 'discern[ray]'")
    words = ("features", wsi / "made_0.svs", wsi / "made_1.svs", wsi / "broken.svs", "--encoder", "stats", "--px", "64", "--mpp", "1")
    assert call(*words, "--job", "here", "--jobs", "1")[0] == 1
    assert call(*words, "--job", "ray", "--jobs", "2", "--engine", "ray")[0] == 1
    assert outputs(tmp_path / "here") == outputs(tmp_path / "ray")
    assert status(tmp_path / "ray")["broken"] == status(tmp_path / "here")["broken"]


@pytest.mark.full
def test_a_worker_of_a_ray_cluster_killed_in_the_middle_loses_nothing_and_does_nothing_twice(call, wsi, tmp_path):
    pytest.importorskip("ray", reason="needs pip install 'discern[ray]'")
    small(tmp_path / "large.svs", seed=3, side=2048)
    words = ("features", tmp_path / "large.svs", wsi / "made_0.svs", wsi / "made_1.svs", "--encoder", "stats", "--px", "32", "--mpp", "1")
    call(*words, "--job", "calm", "--jobs", "1")
    held = tmp_path / "ray/states/large.json"

    def kill():  # as soon as the tiles of the large slide are being encoded
        while not (held.exists() and "features" in (stages := json.loads(held.read_text())["stages"])):
            pass
        (attempt,) = stages["features"]["attempts"]
        os.kill(attempt["pid"], signal.SIGKILL)

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    assert call(*words, "--job", "ray", "--jobs", "2", "--engine", "ray")[0] == 0
    killer.join()
    assert outputs(tmp_path / "ray") == outputs(tmp_path / "calm")
    assert status(tmp_path / "ray") == status(tmp_path / "calm")
    attempts = {
        (path.stem, stage): [attempt["seconds"] is None for attempt in entry["attempts"]]
        for path in sorted((tmp_path / "ray/states").glob("*.json"))
        for stage, entry in json.loads(path.read_text())["stages"].items()
    }
    broken_off = [True, False]
    assert attempts.pop(("large", "features")) == broken_off
    assert len(attempts) == 8
    assert set(map(tuple, attempts.values())) == {(False,)}


@pytest.mark.full
def test_kill_minus_nine_and_the_same_command_end_in_the_same_bytes(call, wsi, tmp_path):
    words = ["features", str(wsi / "made_0.svs"), str(wsi / "made_1.svs"), "--encoder", "stats", *TILES]
    call(*words, "--job", "whole")
    killed = ["mil", "slides", *words, "--job", "killed"]
    code = f"from apps.base.shell import Shell; from apps.base.dispatch import dispatch; dispatch(Shell(), {killed!r})"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    process = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, env=environment)
    while not (tmp_path / "killed/tiles/made_0.safetensors").exists():
        assert process.poll() is None
    process.kill()
    process.wait()
    assert call(*words, "--job", "killed")[0] == 0
    assert outputs(tmp_path / "killed") == outputs(tmp_path / "whole")


KILLED = """
import os, random, signal, sys
from pathlib import Path
from apps.base.shell import Shell
from apps.base.dispatch import dispatch

words, folders = sys.argv[1].split("\\n"), sys.argv[2:]
seen = 0


def counted(last, root):
    # every file that is opened for writing, renamed or deleted within the job is a moment; at the last one the power goes
    def hook(event, arguments):
        global seen
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & 3
        if not (writes or event in ("os.rename", "os.remove", "os.mkdir")) or not str(arguments[0]).startswith(root):
            return
        seen += 1
        if seen == last:
            os.kill(os.getpid(), signal.SIGKILL)

    return hook


def run(folder, last):
    told, tell = os.pipe()
    child = os.fork()
    if not child:
        sys.addaudithook(counted(last, str(Path(folder).absolute())))
        code = dispatch(Shell(quiet=True), ["mil", "slides", *words, "--job", folder])
        os.write(tell, str(seen).encode())
        os._exit(code)
    _, status = os.waitpid(child, 0)
    os.close(tell)
    return status, os.read(told, 20)


status, told = run(folders[0], None)
assert status == 0, status
moments = random.Random(0).sample(range(2, int(told)), len(folders) - 1)
for folder, moment in zip(folders[1:], moments):
    status, told = run(folder, moment)
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL, (folder, moment, status)
print(told, moments)
"""


@pytest.mark.full
def test_whenever_the_power_goes_nothing_cut_short_is_accepted_and_nothing_finished_is_done_again(call, wsi, tmp_path):
    """Ten jobs, each killed at one of the moments at which an undisturbed one opens, renames or deletes a file. The children are forked
    before any library has threads."""
    words = ["features", str(wsi / "made_0.svs"), str(wsi / "made_1.svs"), "--encoder", "stats", *TILES]
    jobs = [f"killed_{i}" for i in range(10)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    command = [sys.executable, "-c", KILLED, "\n".join(words), "whole", *jobs]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    whole = outputs(tmp_path / "whole")
    for name in jobs:
        job = tmp_path / name
        there = {path: data for path, data in outputs(job).items() if not Path(path).name.startswith(".")}
        assert there.items() <= whole.items(), (name, done.stdout)  # what has its name is whole
        finished = {
            slide: [
                stage for stage, entry in State(job / f"states/{slide}.json", {"id": slide}).stages.items() if entry["status"] == "done"
            ]
            for slide in ("made_0", "made_1")
        }
        assert call(*words, "--job", name)[0] == 0
        assert outputs(job) == whole, (name, done.stdout)  # and no draft is left
        for slide, kept in finished.items():
            assert not set(kept) & set(fresh(job)[slide]), (name, done.stdout)
