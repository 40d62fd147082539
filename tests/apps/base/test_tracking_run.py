"""The run folder alone: nothing here needs a store."""

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from apps.base.errors import UserError
from apps.base.tracking import flusher, log
from apps.base.tracking.address import address, public_address
from apps.base.tracking.finding import newest
from apps.base.tracking.lock import held
from apps.base.tracking.run import Run

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def no_server(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def begin(home, app="dcal", **options):
    return Run.start(home, app, "seed_everything: 3\nmodel:\n  depth: 4\n", **options)


def in_child(code: str, *words) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, words)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


KILLED = """
import sys, time
from pathlib import Path
from apps.base.tracking.run import Run
run = Run.start(Path(sys.argv[1]), "dcal", "seed_everything: 3")
for step in range(500):
    run.metric({"train/loss": step / 7}, step)
run.flush()
run.metric({"never": 1.0}, 500)
print(run.folder, flush=True)
time.sleep(60)
"""


def kill_one(home) -> Run:
    child = in_child(KILLED, home)
    assert child.stdout is not None
    folder = child.stdout.readline().strip()
    child.send_signal(signal.SIGKILL)
    child.wait()
    return Run.open(Path(folder))


def test_nothing_flushed_is_lost_when_the_process_is_killed(tmp_path):
    run = kill_one(tmp_path)
    assert run.history()["train/loss"] == [(step, step / 7) for step in range(500)]


def test_a_run_whose_process_is_gone_is_killed_and_not_running(tmp_path):
    run = kill_one(tmp_path)
    assert run.state == "killed"
    run.settle()
    assert json.loads((run.folder / "run.json").read_text())["status"] == "killed"
    assert begin(tmp_path).state == "running"


def test_metrics_are_written_without_being_asked(tmp_path):
    code = "import sys; from pathlib import Path; from apps.base.tracking.run import Run\n"
    code += "Run.start(Path(sys.argv[1]), 'dcal', 'a: 1').metric({'loss': 2.0}, 1)"
    assert in_child(code, tmp_path).wait() == 0
    assert newest(tmp_path, "dcal").history() == {"loss": [(1, 2.0)]}


def test_a_metric_touches_no_file(tmp_path, monkeypatch):
    run = begin(tmp_path)
    monkeypatch.setattr(os, "write", lambda *a: pytest.fail("a metric waited for the disk"))
    monkeypatch.setattr(os, "open", lambda *a: pytest.fail("a metric waited for the disk"))
    run.metric({"loss": 1.0}, 1)
    monkeypatch.undo()
    run.flush()
    assert run.history()["loss"] == [(1, 1.0)]


@pytest.mark.parametrize("cut", range(1, 12))
def test_half_a_last_line_costs_only_itself(tmp_path, cut):
    run = begin(tmp_path)
    run.metric({"loss": 1.0}, 1)
    run.flush()
    run.metric({"loss": 2.0}, 2)
    run.flush()
    run.log_path.write_bytes(run.log_path.read_bytes()[:-cut])  # killed in the middle of a write
    assert run.history()["loss"] == [(1, 1.0)]
    again = Run.open(run.folder)
    again.metric({"loss": 3.0}, 3)
    again.flush()
    # the torn line is closed and skipped, unless only its end was missing: then it is whole again
    assert again.history()["loss"] == [(1, 1.0), (2, 2.0), (3, 3.0)] if cut == 1 else [(1, 1.0), (3, 3.0)]


def test_a_half_line_is_left_for_the_next_look(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text('{"kind":"tag","values":{"a":"1"}}\n{"kind":"tag","val')
    (event, offset), *rest = log.read(path)
    assert event["values"] == {"a": "1"}
    assert not rest
    assert not list(log.read(path, offset))


def test_a_full_disk_keeps_the_log_in_memory_and_says_so_once(tmp_path, monkeypatch, capsys):
    run = begin(tmp_path)
    write = os.write

    def full(handle, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("apps.base.tracking.log.os.write", full)
    for step in range(3):
        run.metric({"loss": float(step)}, step)
        run.flush()
    monkeypatch.setattr("apps.base.tracking.log.os.write", write)
    run.flush()
    assert run.history()["loss"] == [(0, 0.0), (1, 1.0), (2, 2.0)]
    assert capsys.readouterr().err.count("No space left") == 1


def test_values_that_are_no_numbers_survive_the_log(tmp_path):
    run = begin(tmp_path)
    run.metric({"up": float("inf"), "down": float("-inf"), "none": float("nan")}, 1)
    run.flush()
    for line in run.log_path.read_text().splitlines():
        json.loads(line, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    history = run.history()
    assert (history["up"], history["down"]) == ([(1, float("inf"))], [(1, float("-inf"))])
    assert history["none"][0][1] != history["none"][0][1]


def test_steps_taken_again_count_once(tmp_path):
    run = begin(tmp_path)
    for step in range(10):
        run.metric({"loss": 1.0}, step)
    run.metric({"once": 5.0, "system/cpu_percent": 90.0}, 9)
    run.new_attempt(from_step=6)
    for step in range(6, 8):
        run.metric({"loss": 2.0}, step)
    run.flush()
    history = run.history()
    assert history.pop("system/cpu_percent") == [(9, 90.0)]  # counted in seconds, not in steps
    assert history == {"loss": [(step, 1.0) for step in range(6)] + [(6, 2.0), (7, 2.0)]}
    assert [attempt["from_step"] for attempt in Run.open(run.folder).attempts] == [0, 6]


def test_a_run_in_training_elsewhere_takes_no_second_attempt(tmp_path):
    child = in_child(KILLED, tmp_path)
    assert child.stdout is not None
    run = Run.open(Path(child.stdout.readline().strip()))
    try:
        assert run.state == "running"
        with pytest.raises(UserError, match="still being trained"):
            run.new_attempt(0)
    finally:
        child.kill()
        child.wait()
    run.new_attempt(0)
    assert run.state == "running"


def test_a_file_from_elsewhere_is_copied_into_the_run(tmp_path):
    run = begin(tmp_path)
    outside = tmp_path / "birds.ts"
    outside.write_bytes(b"program")
    run.artifact(outside)
    run.flush()
    outside.write_bytes(b"changed")
    assert (run.exports / "birds.ts").read_bytes() == b"program"
    assert run.events()[-1]["path"] == "exports/birds.ts"


def test_a_checkpoint_that_is_gone_again_leaves_no_event(tmp_path):
    run = begin(tmp_path)
    path = run.checkpoints / "last.ckpt"
    path.write_bytes(b"1")
    run.artifact(path)
    path.unlink()
    run.flush()
    assert [event["path"] for event in run.events() if event["kind"] == "artifact"] == ["config.yaml"]


def test_a_lock_has_one_holder_and_dies_with_it(tmp_path):
    path = tmp_path / "lock"
    with held(path) as first, held(path) as second:
        assert (first, second) == (True, False)
    code = "import sys, time; from pathlib import Path; from apps.base.tracking.lock import held\n"
    code += "with held(Path(sys.argv[1])) as mine: print(mine, flush=True); time.sleep(60)"
    child = in_child(code, path)
    assert child.stdout is not None
    assert child.stdout.readline() == "True\n"
    with held(path) as mine:
        assert not mine
    child.send_signal(signal.SIGKILL)
    child.wait()
    with held(path) as mine:
        assert mine


@pytest.mark.parametrize(
    ("secret", "told"),
    [
        ("postgresql://me:hunter2@db.example/runs", "postgresql://me@db.example/runs"),
        ("postgresql://db.example/runs?user=me&password=hunter2", "postgresql://db.example/runs?user=me"),
        ("postgresql://me:hunter2@db.example/runs?pass%77ord=hunter2", "postgresql://me@db.example/runs"),
        ("mysql://db.example/runs?PASSWD=hunter2&charset=utf8", "mysql://db.example/runs?charset=utf8"),
        ("https://mlflow.example/?sslpassword=hunter2#there", "https://mlflow.example/#there"),
    ],
)
def test_a_database_password_is_never_written_down(tmp_path, monkeypatch, secret, told):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", secret)
    run = begin(tmp_path)
    assert run.store == public_address() == told
    assert not any(b"hunter2" in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert address(tmp_path, run.store) == secret


def test_a_forked_worker_writes_nothing_of_what_its_parent_holds(tmp_path, monkeypatch):
    monkeypatch.setattr(flusher, "watch", lambda run: None)  # the thread that flushes might come first
    run = begin(tmp_path)
    run.metric({"loss": 1.0}, 1)
    pid = os.fork()
    if pid == 0:
        run.flush()
        os._exit(0)
    os.waitpid(pid, 0)
    assert "loss" not in run.history()
    run.flush()
    assert len(run.history()["loss"]) == 1


def from_elsewhere(run, silent: float) -> Run:
    """The run as another machine left it, `silent` seconds ago."""
    about = json.loads((run.folder / "run.json").read_text())
    (run.folder / "run.json").write_text(json.dumps(about | {"host": "elsewhere"}))
    for path in (run.log_path, run.folder / "run.json"):
        moment = path.stat().st_mtime - silent
        os.utime(path, (moment, moment))
    return Run.open(run.folder)


def test_a_run_of_another_machine_is_believed_until_it_has_been_silent_for_long(tmp_path):
    run = from_elsewhere(begin(tmp_path), silent=30)
    assert run.state == "running"
    with pytest.raises(UserError, match="still being trained"):
        run.new_attempt(0)
    run = from_elsewhere(begin(tmp_path), silent=1000)
    assert run.state == "killed"
    run.new_attempt(0)
    assert run.state == "running"
    assert run.mine


@pytest.fixture
def full_disk(monkeypatch):
    """Nothing can be written whole, nor added to the log; `make_room` ends it."""

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("datamodules.whole.os.fsync", full)
        patch.setattr("apps.base.tracking.log.os.write", full)
        yield patch.undo


@pytest.fixture
def begun(tmp_path, no_server):
    return begin(tmp_path)


def test_a_full_disk_stops_neither_the_bookkeeping_nor_the_run(begun, full_disk, capsys):
    begun.new_attempt(from_step=7)
    begun.status("interrupted")
    begun.flush()
    assert begun.state == "interrupted"
    assert json.loads((begun.folder / "run.json").read_text())["status"] == "running"
    assert capsys.readouterr().err.count("No space left") == 1
    full_disk()
    begun.flush()
    again = Run.open(begun.folder)
    assert (again.state, [attempt["from_step"] for attempt in again.attempts]) == ("interrupted", [0, 7])
    assert again.events()[-1]["status"] == "interrupted"


def test_a_full_disk_costs_figures_provenance_and_report_one_line_each(begun, full_disk, capsys):
    from apps.base.report import write_report
    from apps.base.tracking.provenance import record_provenance

    begun.figure("confusion", b"png")
    record_provenance(begun, {}, no_diff=True)
    write_report(begun)
    assert capsys.readouterr().err.count("is not kept: No space left") == 3
    full_disk()
    begun.flush()
    assert [event["path"] for event in begun.events() if "path" in event] == ["config.yaml"]
    assert not list(begun.folder.rglob(".*.*"))


@pytest.mark.parametrize(
    ("number", "remedy"),
    [(errno.ENOSPC, "make room"), (errno.EACCES, "right to write"), (errno.EPERM, "right to write"), (errno.EROFS, "right to write")],
)
def test_a_folder_that_may_not_be_written_costs_what_is_kept_and_names_the_remedy(begun, tmp_path, monkeypatch, capsys, number, remedy):
    from apps.base.report import write_report

    exported = tmp_path / "elsewhere.ts"
    exported.write_bytes(b"x")

    def refused(*_, **__):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("datamodules.whole.tempfile.mkstemp", refused)
    monkeypatch.setattr("apps.base.tracking.log.os.open", refused)
    begun.metric({"loss": 1.0}, 1)
    begun.figure("confusion", b"png")
    begun.model(exported, {}, {})
    write_report(begun)
    said = capsys.readouterr().err.splitlines()
    assert [line.rpartition(": ")[2] for line in said] == [said[0].rpartition(": ")[2]] * 4
    assert remedy in said[0]
    assert sum("make room" in line for line in said) == (4 if remedy == "make room" else 0)


def test_a_run_that_cannot_be_begun_says_so(full_disk, tmp_path):
    from apps.base.errors import FailureError

    with pytest.raises(FailureError, match="No space left on device; no run can be begun"):
        begin(tmp_path)


class Terminated(BaseException):
    pass


@pytest.mark.parametrize(
    ("trouble", "status"),
    [(ValueError(), "failed"), (KeyboardInterrupt(), "interrupted"), (Terminated(), "interrupted"), (SystemExit(1), "interrupted")],
)
def test_what_ends_a_run_is_told_apart(tmp_path, monkeypatch, trouble, status):
    from apps.base.shell import Shell
    from apps.base.tracking import tracked as module
    from apps.base.tracking.logger import RunLogger

    class Silent:
        def __init__(self, *_, **__): ...
        def start(self): ...
        def stop(self): ...

    monkeypatch.setattr(module, "Sender", Silent)
    run = begin(tmp_path)
    with pytest.raises(type(trouble)), module.tracked(Shell(tmp_path, quiet=True), run):
        raise trouble
    assert Run.open(run.folder).state == status
    run = begin(tmp_path)
    try:
        raise trouble
    except BaseException:
        RunLogger(run).finalize("failed")  # Lightning calls it while the exception is under way
    assert run.state == status
