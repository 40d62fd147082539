"""Running the command as a process of its own, the way a user does."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

# A beetle classifier small enough to train in seconds.
TINY = (
    "--data.train=64", "--data.val=16", "--data.test=16", "--data.batch_size=16", "--data.workers=0",
    "--model.trunk_options.width=16", "--model.trunk_options.depth=1", "--model.trunk_options.heads=2",
    "--model.pwca.blocks=1", "--trainer.accelerator=cpu", "--trainer.max_epochs=2",
)  # fmt: skip


def environment(**more: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("MLFLOW_", "COV_", "PYTEST_"))}
    return {**kept, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", **more}


def discern(*words: str, home: Path, check: bool = True, **more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "apps.cli", *map(str, words)]
    done = subprocess.run(command, cwd=home, env=environment(HOME=str(home), **more), capture_output=True, text=True, timeout=300)
    if check and done.returncode:
        raise AssertionError(f"discern {' '.join(map(str, words))} left with {done.returncode}:\n{done.stderr}\n{done.stdout}")
    return done


def start(*words: str, home: Path, **more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "apps.cli", *map(str, words)]
    return subprocess.Popen(
        command, cwd=home, env=environment(HOME=str(home), **more), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    """The single line that a mistake is answered with."""
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, f"expected one line, got:\n{done.stderr}"
    assert "Traceback" not in done.stderr
    return lines[0]


@dataclass
class Said:
    returncode: int
    stdout: str
    stderr: str

    @property
    def line(self) -> str:
        return one_line(self)  # type: ignore[arg-type]


Here = Callable[..., Said]  # the fixture `here`: the command inside this process, in a folder of its own
