import json
import os

import pytest

from apps.base.dispatch import dispatch
from apps.base.errors import FailureError, UserError
from apps.base.shell import Shell
from apps.base.tracking.finding import find_runs
from apps.base.tracking.lock import held
from apps.base.tracking.replay import mlflow_id
from apps.base.tracking.run import Run
from apps.base.tracking.sender import send_pending


def runs(shell, words):
    return dispatch(shell, ["runs", *words])


@pytest.fixture(autouse=True)
def no_server(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture
def shell(tmp_path):
    return Shell(tmp_path, quiet=True)


def finished(home, name, depth=4, top1=0.5, loss=1.0):
    text = f"model:\n  depth: {depth}\n  width: 64\ncheckpoints:\n  monitor: val/loss\n  mode: min\n"
    run = Run.start(home, "dcal", text, name=name)
    run.metric({"test/top1": top1, "val/loss": loss}, 10)
    run.status("finished")
    return run


def test_list_says_what_there_is(shell, tmp_path, capsys):
    first = finished(tmp_path, "amber-heron", top1=0.25)
    assert runs(shell, ["list"]) == 0
    out = capsys.readouterr().out
    assert "amber-heron" in out
    assert "test/top1 0.25" in out
    assert runs(shell, ["list", "--app", "dcal", "--json"]) == 0
    (row,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert (row["id"], row["status"], row["value"], row["sent"]) == (first.id, "finished", 0.25, False)
    with pytest.raises(UserError, match="did you mean 'dcal'"):
        runs(shell, ["list", "--app", "dcall"])


def test_a_run_killed_before_its_first_line_is_listed_and_sent(shell, tmp_path, capsys, monkeypatch):
    run = finished(tmp_path, "amber-heron")
    run.log_path.unlink()
    assert runs(shell, ["list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["sent"] is True
    monkeypatch.setattr("apps.base.tracking.sender.store_of", lambda run: pytest.fail("nothing is to be sent"))
    assert runs(shell, ["send"]) == 0


@pytest.mark.parametrize("text", ["[]", "7", '{"schema": 1}', '{"schema": "1"}', "{", ""])
def test_a_folder_that_is_no_run_is_left_out_and_named(shell, tmp_path, capsys, text):
    finished(tmp_path, "amber-heron")
    torn = finished(tmp_path, "bold-otter")
    (torn.folder / "run.json").write_text(text)
    assert runs(shell, ["list"]) == 0
    said = capsys.readouterr()
    assert "amber-heron" in said.out
    assert "bold-otter" not in said.out
    assert str(torn.folder) in said.err
    assert len(said.err.splitlines()) == 1
    assert [run.name for run in find_runs(tmp_path)] == ["amber-heron"]


def test_compare_shows_what_differs_and_nothing_else_of_the_configuration(shell, tmp_path, capsys):
    finished(tmp_path, "amber-heron", depth=4, top1=0.25)
    finished(tmp_path, "bold-otter", depth=8, top1=0.5)
    assert runs(shell, ["compare", "amber-heron", "bold-otter"]) == 0
    lines = {line.split()[0]: line.split()[1:] for line in capsys.readouterr().out.splitlines()[1:]}
    assert lines == {"model.depth": ["4", "8"], "test/top1": ["0.25", "0.5"], "val/loss": ["1", "1"]}
    with pytest.raises(UserError, match="two different runs"):
        runs(shell, ["compare", "amber-heron", "amber"])


def test_best_is_chosen_in_validation_unless_told_otherwise(shell, tmp_path, capsys):
    finished(tmp_path, "amber-heron", top1=0.25, loss=0.1)
    finished(tmp_path, "bold-otter", top1=0.5, loss=0.2)
    runs(shell, ["best", "dcal"])
    assert "amber-heron  val/loss 0.1 (lowest of 2)" in capsys.readouterr().out
    runs(shell, ["best", "dcal", "--metric", "test/top1"])
    assert "bold-otter" in capsys.readouterr().out
    with pytest.raises(UserError, match="did you mean 'val/loss'"):
        runs(shell, ["best", "dcal", "--metric", "val/los"])


@pytest.mark.parametrize(("key", "best"), [("test/rmse", "amber-heron"), ("test/brier", "amber-heron"), ("test/auc", "bold-otter")])
def test_best_by_a_test_metric_knows_which_end_is_good(shell, tmp_path, capsys, key, best):
    for name, value in (("amber-heron", 1.0), ("bold-otter", 9.0)):
        run = finished(tmp_path, name)
        run.metric({key: value}, 20)
        run.flush()
    assert runs(shell, ["best", "dcal", "--metric", key]) == 0
    assert f"{best}  {key}" in capsys.readouterr().out


def test_best_by_a_name_that_says_nothing_asks_which_end_is_good(shell, tmp_path, capsys):
    for name, value in (("amber-heron", 1.0), ("bold-otter", 9.0)):
        run = finished(tmp_path, name)
        run.metric({"test/semantic": value}, 20)
        run.flush()
    with pytest.raises(UserError, match="--highest or --lowest"):
        runs(shell, ["best", "dcal", "--metric", "test/semantic"])
    for word, best in (("--lowest", "amber-heron"), ("--highest", "bold-otter")):
        assert runs(shell, ["best", "dcal", "--metric", "test/semantic", word]) == 0
        assert best in capsys.readouterr().out


def test_delete_refuses_what_runs_and_asks_before_it_acts(shell, tmp_path, monkeypatch):
    run = Run.start(tmp_path, "dcal", "a: 1", name="amber-heron")
    with pytest.raises(UserError, match="still running"):
        runs(shell, ["delete", "amber-heron", "--yes"])
    run.status("finished")
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    with pytest.raises(UserError, match="--yes"):
        runs(shell, ["delete", "amber-heron"])
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda question: "n")
    runs(shell, ["delete", "amber-heron"])
    assert run.folder.exists()
    monkeypatch.setattr("builtins.input", lambda question: "y")
    runs(shell, ["delete", "amber-heron"])
    assert not run.folder.exists()


def child(home, parent, name, kind, state="finished"):
    run = Run.start(home, "dcal", "a: 1", parent=parent.id, name=name, kind=kind)
    run.status(state)
    return run


def test_delete_takes_the_children_along_and_counts_them(tmp_path, capsys, monkeypatch):
    parent, other = finished(tmp_path, "amber-heron"), finished(tmp_path, "bold-otter")
    point = child(tmp_path, parent, "amber-heron-point0", "point")
    child(tmp_path, point, "amber-heron-point0-seed0", "seed")
    child(tmp_path, other, "bold-otter-seed0", "seed")
    going = child(tmp_path, parent, "amber-heron-seed1", "seed", "running")
    with pytest.raises(UserError, match="amber-heron-seed1 is still running"):
        runs(Shell(tmp_path), ["delete", parent.id, "--yes"])
    assert len(find_runs(tmp_path)) == 6
    going.status("finished")
    asked = []
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda question: asked.append(question) or "y")
    runs(Shell(tmp_path), ["delete", parent.id])
    assert "amber-heron and its 3 children" in asked[0]
    assert "deleted run amber-heron and its 3 children" in capsys.readouterr().err
    assert [run.name for run in find_runs(tmp_path)] == ["bold-otter", "bold-otter-seed0"]


def test_a_resume_with_another_configuration_outlives_the_run_that_it_came_from(shell, tmp_path):
    parent = finished(tmp_path, "amber-heron")
    child(tmp_path, parent, "bold-otter", "fit")
    runs(shell, ["delete", "amber-heron", "--yes"])
    assert [run.name for run in find_runs(tmp_path)] == ["bold-otter"]


def test_delete_leaves_everything_when_the_store_is_away_or_busy(shell, tmp_path, monkeypatch):
    from apps.base.tracking.store import AwayError, Store

    run = finished(tmp_path, "amber-heron")
    (run.folder / "sent.json").write_text(
        json.dumps({"mlflow": "m1", "offset": 0, "params": [], "files": {}, "models": {}, "store": "local"})
    )

    def away(self, mlflow_id):
        raise AwayError("connection refused")

    monkeypatch.setattr(Store, "delete", away)
    with pytest.raises(FailureError, match="nothing was deleted"):
        runs(shell, ["delete", "amber-heron", "--yes"])
    with held(run.folder / "sending.lock"), pytest.raises(FailureError, match="being sent"):
        runs(shell, ["delete", "amber-heron", "--yes"])
    assert run.folder.exists()


@pytest.mark.system
@pytest.mark.filterwarnings("ignore")
def test_delete_and_gc_free_the_disk_and_the_store(shell, tmp_path, capsys):
    from mlflow import MlflowClient

    gone, stays = finished(tmp_path, "amber-heron"), finished(tmp_path, "bold-otter")
    kept = {"best-00000040.ckpt", "last.ckpt", "mine.ckpt"}
    for run in (gone, stays):
        (run.checkpoints / "best.json").write_text(json.dumps({"ranking": [{"file": "best-00000040.ckpt"}]}))
        for name in (*kept, "best-00000030.ckpt"):
            (run.checkpoints / name).write_bytes(b"x" * (1 << 20))
            run.artifact(run.checkpoints / name)
            run.flush()
    draft = stays.exports / ".birds.ts.abc12345"
    draft.mkdir()
    for torn in (stays.checkpoints / ".last.ckpt.abc12345", draft / "birds.ts", draft):
        if not torn.is_dir():
            torn.write_bytes(b"x" * (1 << 20))
        os.utime(torn, (0, 0))
    assert send_pending(tmp_path) == {}
    artifacts = tmp_path / "mlruns" / "artifacts"
    assert len(list(artifacts.rglob("*.ckpt"))) == 8
    known = mlflow_id(gone)
    assert runs(shell, ["delete", "amber-heron", "--yes"]) == 0
    assert len(list(artifacts.rglob("*.ckpt"))) == 4

    before = sorted(path for path in tmp_path.rglob("*") if path.suffix != ".lock")
    assert runs(shell, ["gc", "--dry-run"]) == 0
    assert "would free 3.0 MiB; deleted runs in the store's dustbin: 1" in capsys.readouterr().out
    assert sorted(path for path in tmp_path.rglob("*") if path.suffix != ".lock") == before
    assert runs(shell, ["gc"]) == 0
    assert "freed 3.0 MiB" in capsys.readouterr().out
    assert {path.name for path in stays.checkpoints.iterdir()} == {"best.json", *kept}
    assert {path.name for path in artifacts.rglob("*.ckpt")} == kept
    assert not draft.exists()
    assert [run.name for run in find_runs(tmp_path)] == ["bold-otter"]
    uri = f"sqlite:///{tmp_path}/mlruns/mlflow.db"
    with pytest.raises(Exception, match=known):
        MlflowClient(uri).get_run(known)
    assert MlflowClient(uri).get_run(mlflow_id(stays)).info.lifecycle_stage == "active"


def test_gc_takes_nothing_of_a_running_run_nor_without_a_ranking_nor_what_is_being_written(shell, tmp_path):
    going = Run.start(tmp_path, "dcal", "a: 1")
    (going.checkpoints / "best.json").write_text('{"ranking": []}')
    (going.checkpoints / "best-00000040.ckpt").write_bytes(b"x")
    (going.checkpoints / ".last.ckpt.abc12345").write_bytes(b"x")
    unranked = finished(tmp_path, "amber-heron")
    (unranked.checkpoints / "best-00000040.ckpt").write_bytes(b"x")
    before = sorted(tmp_path.rglob("*"))
    assert runs(shell, ["gc"]) == 0
    assert sorted(tmp_path.rglob("*")) == before


def test_gc_takes_drafts_of_ours_and_no_exported_file_of_a_hidden_name(shell, tmp_path):
    run = finished(tmp_path, "amber-heron")
    draft = run.exports / ".my.model.ts.abc12_45"
    hidden = [run.exports / name for name in (".my.model.ts", ".my.model.onnx", ".my.model.safetensors", ".my.model.pt2")]
    for path in (draft, *hidden):
        path.write_bytes(b"x")
        os.utime(path, (0, 0))
    assert runs(shell, ["gc"]) == 0
    assert not draft.exists()
    assert all(path.exists() for path in hidden)


@pytest.mark.parametrize("other_disk", [False, True])
def test_gc_knows_the_drafts_of_all_who_write(tmp_path, monkeypatch, other_disk):
    from apps.base.tracking.store import _link
    from datamodules.whole import is_draft, write_whole

    seen = []
    with write_whole(tmp_path / "first.ckpt") as file:
        seen += list(tmp_path.iterdir())
        file.write(b"x")
    monkeypatch.setattr("pathlib.Path.replace", lambda self, target: seen.append(self))
    if other_disk:
        monkeypatch.setattr("os.link", lambda *_: (_ for _ in ()).throw(OSError))
    _link(tmp_path / "first.ckpt", tmp_path / "second.ckpt")
    assert len(seen) == 2
    assert all(is_draft(path) for path in seen)


def test_a_run_that_the_store_refuses_to_delete_stays(shell, tmp_path, monkeypatch):
    from apps.base.tracking.store import RefusedError, Store

    run = finished(tmp_path, "amber-heron")
    (run.folder / "sent.json").write_text(json.dumps({"mlflow": "m1", "offset": 0, "store": "local"}))

    def refuse(self, mlflow_id):
        raise RefusedError("no right to")

    monkeypatch.setattr(Store, "delete", refuse)
    with pytest.raises(FailureError, match="no right to"):
        runs(shell, ["delete", "amber-heron", "--yes"])
    assert run.folder.exists()


def test_send_says_what_could_not_be_sent(shell, tmp_path, monkeypatch, capsys):
    finished(tmp_path, "amber-heron")
    monkeypatch.setattr("apps.base.runs.sending.send_pending", lambda home: {"amber-heron": "connection refused"})
    assert runs(shell, ["send"]) == 1
    assert "amber-heron is not sent: connection refused" in capsys.readouterr().err


def test_looking_at_runs_imports_neither_torch_nor_mlflow(tmp_path):
    import subprocess
    import sys
    from pathlib import Path

    finished(tmp_path, "amber-heron")
    code = "import sys; from pathlib import Path; from apps.base.shell import Shell; from apps.base.dispatch import dispatch\n"
    code += "dispatch(Shell(Path(sys.argv[1])), ['runs', 'list'])\n"
    code += "print([m for m in ('torch', 'mlflow', 'pytorch_lightning') if m in sys.modules])"
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, cwd=root)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr
