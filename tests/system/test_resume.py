"""Promise 1 with whole processes: kill -9 at any moment, then `fit --ckpt last`."""

import json
import random
import signal
import subprocess

import pytest
import torch

from tests.system.command import TINY, discern, start

# Long enough that kills fall into training: some seconds of steps of a few milliseconds.
EVERY_3 = (*TINY, "--checkpoints.every_n_steps=3", "--ema.decay=0.9")


def final(home):
    (path,) = home.glob("mlruns/runs/dcal/*/checkpoints/last.ckpt")
    return torch.load(path, weights_only=True)


def same(a, b):
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


def first_step(process):
    """Wait for the line that training begins; the step that it begins at."""
    return next(int(line.split()[3]) for line in process.stderr if line.startswith("training from step"))


def kill_after(process, seconds):
    """Wait until training begins, then so long, then SIGKILL. False when it was done before."""
    first_step(process)
    try:
        process.communicate(timeout=seconds)
        return False
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.communicate()
        return True


@pytest.mark.parametrize("kills", [1, pytest.param(10, marks=pytest.mark.full)])
def test_kill_9_at_random_moments_changes_no_weight(tmp_path, inside, kills):
    calm, home = tmp_path / "calm", tmp_path / "killed"
    calm.mkdir()
    home.mkdir()
    words = (*EVERY_3, f"--trainer.max_epochs={30 * (kills + 1)}")
    assert inside(calm)("dcal", "fit", *words).returncode == 0
    undisturbed = final(calm)
    moments = random.Random(kills)
    for _ in range(kills):
        killed = kill_after(start("dcal", "fit", *words, home=home), moments.uniform(0.1, 0.9))
        assert killed, "training was over before the next kill; make it longer"
        words = ("--ckpt", "last")
    discern("dcal", "fit", "--ckpt", "last", home=home)
    resumed = final(home)
    for key in ("state_dict", "optimizer_states", "lr_schedulers", "discern", "global_step"):
        assert same(undisturbed[key], resumed[key]), key


def leave(process, signum):
    """Let it train for a while, then send the signal: what it left with and said."""
    with pytest.raises(subprocess.TimeoutExpired):
        process.communicate(timeout=1)
    process.send_signal(signum)
    _, said = process.communicate(timeout=60)
    assert "fit --ckpt last" in said
    assert "Traceback" not in said
    return process.returncode


def test_the_first_signal_saves_and_leaves_and_the_resume_begins_there(tmp_path, here):
    process = start("dcal", "fit", *TINY, "--trainer.max_epochs=100000", home=tmp_path)
    assert first_step(process) == 0
    assert leave(process, signal.SIGINT) == 130
    assert "interrupted" in here("runs", "list").stdout
    saved = final(tmp_path)["global_step"]
    assert saved > 0
    process = start("dcal", "fit", "--ckpt", "last", home=tmp_path)
    assert first_step(process) == saved
    assert leave(process, signal.SIGTERM) == 143
    assert final(tmp_path)["global_step"] > saved


def test_there_is_nothing_to_resume_in_an_empty_home(here):
    done = here("dcal", "fit", "--ckpt", "last")
    assert done.returncode == 2
    assert "discern dcal fit" in done.line


def test_a_resume_with_another_recipe_is_a_child_run(tmp_path, here):
    assert here("dcal", "fit", *TINY).returncode == 0
    assert here("dcal", "fit", "--ckpt", "last", "--trainer.max_epochs=3").returncode == 0
    runs = sorted((json.loads(path.read_text()) for path in tmp_path.glob("mlruns/runs/dcal/*/run.json")), key=lambda run: run["id"])
    assert len(runs) == 2
    assert runs[1]["parent"] == runs[0]["id"]
