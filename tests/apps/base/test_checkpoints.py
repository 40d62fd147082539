import errno
import json
import os
import pickle
import re
from types import SimpleNamespace

import pytest
import torch

from apps.base.callbacks.checkpoints import LAST, RANKING
from apps.base.checkpoint import evaluation_weights, locate, read_checkpoint, read_weights
from apps.base.errors import UserError
from datamodules import whole as files
from tests.apps.base.toy import Plug, ToyTask, checkpoints_in, train, weights


class Bomb:
    def __reduce__(self):
        return os.system, ("touch exploded",)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    task, _ = train(folder)
    return folder, task


def test_a_full_disk_keeps_the_older_checkpoint_and_says_so(tmp_path, monkeypatch):
    checkpoints, said = checkpoints_in(tmp_path, every_n_steps=1), []
    checkpoints.say = said.append
    fsync, saves = os.fsync, []

    def full_after_four(handle):
        saves.append(handle)
        if len(saves) > 4:
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(handle)

    monkeypatch.setattr(files.os, "fsync", full_after_four)
    _, trainer = train(tmp_path, checkpoints=checkpoints)
    assert trainer.global_step == 15  # training went on
    assert checkpoints.failed_save
    assert "the disk is full" in said[0]
    assert read_checkpoint(tmp_path / LAST)["global_step"] < 15
    assert [path for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_checkpoint_that_could_run_code_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"discern": {"schema": 1}, "state_dict": Bomb()}, "evil.ckpt")
    for read in (read_checkpoint, read_weights):
        with pytest.raises(UserError, match="could run code"):
            read(tmp_path / "evil.ckpt")
    assert not (tmp_path / "exploded").exists()


def test_a_plain_pickle_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "evil.ckpt").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(UserError):
        read_checkpoint(tmp_path / "evil.ckpt")
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", None])
def test_an_unreadable_checkpoint_is_named(tmp_path, trained, content):
    folder, _ = trained
    path = tmp_path / "half.ckpt"
    path.write_bytes(content if content is not None else (folder / LAST).read_bytes()[:1000])
    with pytest.raises(UserError, match=r"half\.ckpt"):
        read_checkpoint(path)


def test_a_checkpoint_of_a_newer_version_is_refused(tmp_path):
    torch.save({"discern": {"schema": 99}}, tmp_path / "new.ckpt")
    with pytest.raises(UserError, match="newer discern"):
        read_checkpoint(tmp_path / "new.ckpt")


@pytest.mark.parametrize("ours", [{}, 3, {"schema": "one"}, {"schema": 1, "app": "dcal"}])
def test_a_checkpoint_that_lacks_what_we_write_is_named(tmp_path, ours):
    torch.save({"discern": ours, "state_dict": {}}, tmp_path / "odd.ckpt")
    for read in (read_checkpoint, read_weights):
        with pytest.raises(UserError, match=r"odd\.ckpt: a checkpoint without .*recipe, .*global_step; use an older one"):
            read(tmp_path / "odd.ckpt")


@pytest.mark.parametrize("content", [[torch.zeros(2)], torch.zeros(2), {"state_dict": 3}, 3])
def test_a_file_without_named_weights_is_no_beginning(tmp_path, content):
    torch.save(content, tmp_path / "odd.pt")
    with pytest.raises(UserError, match=r"--init .*odd\.pt: holds a \w+, no weights by name; save the model's state_dict"):
        read_weights(tmp_path / "odd.pt")


def test_evaluation_takes_the_averaged_weights(trained):
    folder, task = trained
    averaged = evaluation_weights(read_checkpoint(folder / LAST))
    assert torch.equal(torch.cat([v.flatten() for v in averaged.values()]), torch.cat([v.flatten() for v in task.shadow.values()]))
    assert not torch.equal(averaged["0.weight"], task.model.state_dict()["0.weight"])


def test_without_averaging_evaluation_takes_the_trained_weights(tmp_path):
    task, _ = train(tmp_path, decay=0.0)
    loaded = evaluation_weights(read_checkpoint(tmp_path / LAST))
    assert torch.equal(torch.cat([v.flatten() for v in loaded.values()]), weights(task))


@pytest.mark.parametrize("mode", ["min", "max"])
def test_the_k_best_stay_and_the_first_is_the_best(tmp_path, mode):
    train(tmp_path, checkpoints=checkpoints_in(tmp_path, mode=mode, keep_best=2))
    ranking = json.loads((tmp_path / RANKING).read_text())["ranking"]
    scores = [row["score"] for row in ranking]
    assert scores == sorted(scores, reverse=mode == "max")
    assert sorted(path.name for path in tmp_path.glob("best-*.ckpt")) == sorted(row["file"] for row in ranking)
    assert locate(tmp_path, "best").name == ranking[0]["file"]


def test_a_metric_that_nobody_logs_is_named_with_those_that_are(tmp_path):
    with pytest.raises(UserError, match=r"checkpoints.monitor='val/nothing' is not logged.*val/loss"):
        train(tmp_path, checkpoints=checkpoints_in(tmp_path, monitor="val/nothing"))


def test_weights_travel_through_safetensors_bitwise(tmp_path, trained):
    from safetensors.torch import save_file

    _, task = trained
    save_file(task.model.state_dict(), tmp_path / "w.safetensors")
    read = read_weights(tmp_path / "w.safetensors")
    assert all(torch.equal(read[name], value) for name, value in task.model.state_dict().items())


class Wide(ToyTask):
    """Weights enough for the rest of a file not to count."""

    def make_model(self, facts):
        return torch.nn.Sequential(torch.nn.Linear(4, 40_000), torch.nn.Linear(40_000, 3))


@pytest.mark.parametrize("decay", [0.0, 0.9])
@pytest.mark.parametrize("keep_best", [1, 3])
def test_a_disk_that_is_too_small_is_named_before_training_with_what_checkpoints_take_at_most(tmp_path, monkeypatch, decay, keep_best):
    checkpoints, said, taken = checkpoints_in(tmp_path, monitor="val/loss", keep_best=keep_best), [], []
    checkpoints.say = said.append
    fsync = os.fsync

    def measured(handle):
        taken.append(sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()))
        fsync(handle)

    monkeypatch.setattr(files.os, "fsync", measured)
    monkeypatch.setattr("apps.base.callbacks.checkpoints.shutil.disk_usage", lambda folder: SimpleNamespace(free=3 << 20))
    train(tmp_path, checkpoints=checkpoints, make=Wide, decay=decay)
    (line,) = said
    told = re.fullmatch(rf"checkpoints need about (\d+) MiB and 3 MiB are free in {tmp_path}", line)
    assert told
    assert max(taken) / (1 << 20) <= int(told[1]) + 1 <= 2 * max(taken) / (1 << 20)


def test_a_disk_with_room_is_not_spoken_of(tmp_path, monkeypatch):
    checkpoints, said = checkpoints_in(tmp_path), []
    checkpoints.say = said.append
    monkeypatch.setattr("apps.base.callbacks.checkpoints.shutil.disk_usage", lambda folder: SimpleNamespace(free=1 << 30))
    train(tmp_path, checkpoints=checkpoints, plug=Plug(1, "batch"))
    assert not said
