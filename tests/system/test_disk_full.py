"""Promise 1: a full disk loses no checkpoint. On a small file system of its own where one can be mounted."""

import subprocess
from contextlib import suppress

import pytest
import torch

from tests.system.command import TINY, start

MIB = 1 << 20


@pytest.fixture
def small_disk(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(disk)], capture_output=True)
    if mounted.returncode:
        pytest.skip("no file system can be mounted here (needs root)")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.mark.full  # the injected error is tested each time, in tests/apps/base/test_checkpoints.py
def test_a_full_disk_loses_no_checkpoint(small_disk):
    process = start("dcal", "fit", *TINY, "--trainer.max_epochs=100000", home=small_disk)
    next(line for line in process.stderr if line.startswith("training from step"))
    while not list(small_disk.glob("mlruns/runs/dcal/*/checkpoints/last.ckpt")):
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.1)
    with suppress(OSError), (small_disk / "filler").open("wb") as filler:
        while True:
            filler.write(b"\0" * MIB)
            filler.flush()
    said = next(line for line in process.stderr if "last.ckpt was not saved" in line)
    assert "the disk is full" in said
    process.terminate()
    _, last_words = process.communicate(timeout=120)
    assert process.returncode == 1, last_words
    assert "make room" in last_words
    assert "Traceback" not in last_words
    (checkpoint,) = small_disk.glob("mlruns/runs/dcal/*/checkpoints/last.ckpt")
    step = torch.load(checkpoint, weights_only=True)["global_step"]
    (small_disk / "filler").unlink()
    process = start("dcal", "fit", "--ckpt", "last", home=small_disk)
    assert next(line for line in process.stderr if line.startswith("training from step")).split()[3] == str(step)
    process.kill()
    process.communicate()
