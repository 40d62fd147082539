"""The replay and its thread against a store in memory that can be away, slow, or forgetful."""

import copy
import json
import threading

import pytest

from apps.base.tracking import sender as sending
from apps.base.tracking.logger import RunLogger
from apps.base.tracking.replay import Replay, mlflow_id
from apps.base.tracking.run import Run
from apps.base.tracking.sender import Sender, send_pending
from apps.base.tracking.store import AwayError, RefusedError
from tests.apps.base.memory_store import MemoryStore


@pytest.fixture(autouse=True)
def no_server(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    for name in ("RANK", "LOCAL_RANK", "NODE_RANK", "SLURM_PROCID"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def run(tmp_path):
    return Run.start(tmp_path, "dcal", "seed_everything: 3\nmodel:\n  depth: 4\n")


@pytest.fixture
def store():
    return MemoryStore()


def replay(run, store, **options):
    run.flush()
    again = Replay(run, store)
    while again.step():
        pass
    return again


def logged(store, run):
    return {(key, value, step) for key, value, _, step in store.metrics[mlflow_id(run)]}


def test_training_does_not_wait_for_a_store_that_is_away(run, store):
    store.gate.clear()  # every call to the store hangs, as a connection to a dead machine does
    lines = []
    sender = Sender(run, store, say=lines.append).start()
    for step in range(1000):
        run.metric({"loss": 1.0}, step)
    run.artifact(run.folder / "config.yaml")
    run.flush()
    left = sender.stop(drain_seconds=0)
    assert left > 1000
    assert set(store.threads) <= {"discern-sender"}
    assert len(lines) == 1
    assert run.name in lines[0]
    assert "discern runs send" in lines[0]
    store.gate.set()


def test_a_store_that_refuses_connections_is_left_alone_at_the_end(run, store):
    store.away = True
    lines = []
    sender = Sender(run, store, say=lines.append).start()
    run.metric({"loss": 1.0}, 1)
    assert sender.stop() > 0
    assert "connection refused" in lines[0]
    assert len(store.threads) <= 2  # one look when it began and one at the end


def test_what_waited_arrives_complete_and_once_when_the_store_comes_back(run, store):
    for step in range(2500):
        store.away = 500 <= step < 2000
        run.metric({"loss": step / 3, "rate": 0.1}, step)
        if step % 250 == 0:
            try:
                replay(run, store)
            except AwayError:
                assert store.away
    store.away = False
    replay(run, store)
    assert logged(store, run) == {("loss", step / 3, step) for step in range(2500)} | {("rate", 0.1, step) for step in range(2500)}
    assert len(store.metrics[mlflow_id(run)]) == 5000


def test_a_lost_answer_sends_twice_and_keeps_once(run, store):
    run.metric({"loss": 1.0}, 1)
    run.flush()
    store.lose_answers = True
    for _ in range(4):
        with pytest.raises(AwayError):
            replay(run, store)
    store.lose_answers = False
    replay(run, store)
    assert len(store.runs) == 1
    assert logged(store, run) == {("loss", 1.0, 1)}


def test_replaying_everything_again_changes_nothing(run, store):
    run.metric({"loss": 1.0}, 1)
    run.status("finished")
    replay(run, store)
    before = copy.deepcopy((store.metrics, store.params, store.tags, store.files))
    (run.folder / "sent.json").unlink()  # killed before it was written
    assert replay(run, store).refused == 0
    assert (store.metrics, store.params, store.tags, store.files) == before


def test_no_call_is_bigger_than_the_store_takes(run, store):
    for step in range(3):
        run.metric({f"class/{i}": 1.0 for i in range(1234)}, step)
    for i in range(230):
        run.tag(f"tag{i}", i)
    replay(run, store)
    assert max(store.sizes) <= 1000
    assert len(store.metrics[mlflow_id(run)]) == 3 * 1234
    assert len(store.tags[mlflow_id(run)]) >= 230


def test_a_file_is_sent_once_and_again_when_it_changed(run, store):
    path = run.checkpoints / "last.ckpt"
    path.write_bytes(b"one")
    run.artifact(path)
    replay(run, store)
    puts = store.puts
    run.artifact(path)
    replay(run, store)
    assert store.puts == puts
    path.write_bytes(b"two")
    run.artifact(path)
    replay(run, store)
    assert store.files[mlflow_id(run)]["checkpoints/last.ckpt"] == b"two"


def test_a_checkpoint_that_was_deleted_here_is_deleted_there(run, store):
    path = run.checkpoints / "step.ckpt"
    path.write_bytes(b"one")
    run.artifact(path)
    replay(run, store)
    path.unlink()
    run.forget_artifact(path)
    replay(run, store)
    assert "checkpoints/step.ckpt" not in store.files[mlflow_id(run)]


def test_the_status_comes_after_everything_else(run, store):
    run.metric({"loss": 1.0}, 1)
    run.status("interrupted")
    run.new_attempt(from_step=1)
    run.metric({"loss": 0.5}, 2)
    run.status("finished")
    replay(run, store)
    known = mlflow_id(run)
    assert store.statuses[known] == ["RUNNING", "KILLED", "RUNNING", "FINISHED"]
    assert store.tags[known]["attempt.2.from_step"] == "1"
    assert store.tags[known]["discern.status"] == "finished"


def test_the_configuration_becomes_parameters_that_the_store_can_hold(tmp_path, store):
    run = Run.start(tmp_path, "dcal", f"text: {'x' * 9000}\nodd@key: 1\n")
    assert replay(run, store).refused == 0
    params = store.params[mlflow_id(run)]
    assert len(params["text"]) == 6000
    assert params["odd_key"] == "1"


def test_a_piece_that_the_store_refuses_does_not_hold_up_the_rest(run, store):
    replay(run, store)
    store.params[mlflow_id(run)]["late"] = "other"
    run._add("param", values={"late": "mine"})
    run.metric({"loss": 1.0}, 1)
    assert replay(run, store).refused == 1
    assert logged(store, run) == {("loss", 1.0, 1)}


def test_a_store_that_lost_the_run_is_told_everything_again(run, store):
    run.metric({"loss": 1.0}, 1)
    replay(run, store)
    fresh = MemoryStore()
    run.metric({"loss": 2.0}, 2)
    replay(run, fresh)
    assert logged(fresh, run) == {("loss", 1.0, 1), ("loss", 2.0, 2)}


def test_a_child_names_its_parent_even_when_it_is_sent_first(run, store, tmp_path):
    child = Run.start(tmp_path, "dcal", "seed_everything: 4", parent=run.id, kind="seed")
    replay(child, store)
    assert store.beginnings[child.id]["mlflow.parentRunId"] == store.runs[run.id]
    replay(run, store)
    assert len(store.runs) == 2


def test_two_senders_never_send_one_run_at_once(run, store):
    from apps.base.tracking.lock import held

    with held(run.folder / "sending.lock"):
        lines = []
        sender = Sender(run, store, say=lines.append).start()
        assert sender.stop(drain_seconds=0.2) > 0
        assert not store.threads
        assert "another process" in lines[0]


def test_only_the_first_process_sends(run, store, monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "1")
    sender = Sender(run, store).start()
    assert sender.stop() == 0
    assert not store.threads


def test_what_earlier_runs_held_back_goes_with_a_later_command(run, store, tmp_path, monkeypatch):
    monkeypatch.setattr(sending, "store_of", lambda run: store)
    run.metric({"loss": 1.0}, 1)
    run.status("finished")
    store.away = True
    assert list(send_pending(tmp_path)) == [run.name]
    store.away = False
    assert send_pending(tmp_path) == {}
    assert logged(store, run) == {("loss", 1.0, 1)}


def test_one_look_at_a_store_that_is_away_is_enough(run, store, tmp_path, monkeypatch):
    monkeypatch.setattr(sending, "store_of", lambda run: store)
    for _ in range(5):
        Run.start(tmp_path, "dcal", "a: 1")
    store.away = True
    assert len(send_pending(tmp_path)) == 6
    assert len(store.threads) == 1


def test_the_machine_is_looked_at_while_the_run_goes(run, store):
    sender = Sender(run, store).start()
    sender.stop()
    keys = run.history().keys()
    assert {"system/cpu_percent", "system/memory_mb", "system/disk_free_gb"} <= keys


def test_the_logger_writes_metrics_and_ends_only_its_own_run(run):
    logger = RunLogger(run)
    logger.log_hyperparams({"lr": 1})
    logger.log_metrics({"train/loss": 0.5, "epoch": 0}, step=3)
    logger.finalize("success")
    assert run.history() == {"train/loss": [(3, 0.5)]}
    assert run.state == "finished"
    run.status("interrupted")
    logger.finalize("success")
    assert run.state == "interrupted"
    about = json.loads((run.folder / "run.json").read_text())
    (run.folder / "run.json").write_text(json.dumps(about | {"pid": 1, "pid_started": 0.0, "status": "running"}))
    RunLogger(Run.open(run.folder)).finalize("success")
    assert json.loads((run.folder / "run.json").read_text())["status"] == "running"


def test_a_failed_fit_is_a_failed_run(run):
    RunLogger(run).finalize("failed")
    assert run.state == "failed"


def test_a_fork_waits_for_an_import_under_way():
    import multiprocessing

    from apps.base.tracking import store as stores

    inside, done, forked = threading.Event(), threading.Event(), threading.Event()

    def importing():
        with stores._importing:
            inside.set()
            done.wait()

    def fork():
        process = multiprocessing.get_context("fork").Process(target=int)
        process.start()
        forked.set()
        process.join()

    threads = [threading.Thread(target=work, daemon=True) for work in (importing, fork)]
    try:
        threads[0].start()
        inside.wait()
        threads[1].start()
        assert not forked.wait(0.3)
    finally:
        done.set()
    for thread in threads:
        thread.join()
    assert forked.is_set()


def test_only_torchscript_becomes_a_model_and_each_program_has_its_own_name(run, store):
    for name, program in (("a.ts", "classify"), ("b.ts", "explain"), ("c.pt2", "classify"), ("d.safetensors", "classify")):
        (run.exports / name).write_bytes(name.encode())
        run.model(run.exports / name, {"worst": 0}, {"program": program})
    replay(run, store)
    assert set(store.models) == {("discern-dcal", "a.ts"), ("discern-dcal-explain", "b.ts")}
    assert {"exports/c.pt2", "exports/d.safetensors.parity.json"} <= store.files[mlflow_id(run)].keys()


def test_what_the_store_refused_is_said_and_the_rest_goes_on(run, store, tmp_path, monkeypatch):
    def refuse(*_):
        raise RefusedError("401 Unauthorized")

    monkeypatch.setattr(sending, "store_of", lambda run: store)
    monkeypatch.setattr(store, "put", refuse)
    run.metric({"loss": 1.0}, 1)
    run.status("finished")
    assert "refused 1 pieces of it for good (401 Unauthorized)" in send_pending(tmp_path)[run.name]
    assert logged(store, run) == {("loss", 1.0, 1)}
    assert send_pending(tmp_path) == {}


def test_the_store_is_not_told_where_the_data_lies(tmp_path, store):
    from apps.base.tracking.provenance import record_provenance

    text = "model:\n  depth: 4\ndata:\n  init_args:\n    path: /data/clinic seven/smith/faces\n"
    text += "    also: [/data/clinic seven/smith/index.csv]\n"
    run = Run.start(tmp_path, "dcal", text)
    record_provenance(run, {"source": "/data/clinic seven/smith/faces", "broken": ["smith/7.heic"], "train": 80}, no_diff=True)
    replay(run, store)
    known = mlflow_id(run)
    assert store.params[known]["data.init_args.path"] == "faces"
    assert store.params[known]["model.depth"] == "4"
    files = store.files[known]
    assert json.loads(files["data.json"]) == {"source": "faces", "broken": ["[picture]"], "train": 80}
    told = b"".join(files.values()) + repr((store.params, store.tags)).encode()
    assert b"smith" not in told
    assert b"clinic" not in told
    assert (run.folder / "config.yaml").read_text() == text  # here it stays, for the resume
