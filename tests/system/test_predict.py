"""`discern predict` as whole processes: what it imports, what it leaves behind."""

import io
import json
import os
import signal
import struct
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from apps.base import trust
from datamodules.whole import sha256
from tests.apps.base.tiny_program import tiny_file
from tests.system.command import one_line

pytestmark = pytest.mark.system
ROOT = Path(__file__).parents[2]
RUN = """
import signal
import sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background inherits Ctrl-C as ignored
from apps.base.predict import predict
from apps.base.shell import Shell
try:
    code = predict(Shell(), sys.argv[1:])
except KeyboardInterrupt:
    code = 130
"""
HEAVY = {"pytorch_lightning", "mlflow", "torchmetrics", "albumentations", "matplotlib", "scipy", "pandas", "sklearn", "jsonargparse"}


@pytest.fixture
def environment(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    trust.add(sha256(tiny_file(".ts")))
    return {**os.environ, "HOME": str(tmp_path), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


@pytest.fixture
def picture(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8))
    return tmp_path / "a.png"


def python(code, *argv, environment):
    return subprocess.run([sys.executable, "-c", code, *map(str, argv)], env=environment, capture_output=True, text=True, check=False)


def modules(text):
    return {name.partition(".")[0] for name in json.loads(text.splitlines()[-1])}


TELL = "\nimport json; print(json.dumps(sorted(sys.modules)))"


def test_predict_imports_torch_and_pictures_and_nothing_heavy(picture, environment):
    done = python(RUN + TELL, tiny_file(".ts"), picture, environment=environment)
    assert json.loads(done.stdout.splitlines()[0])["input"] == str(picture), done.stderr
    assert {"torch", "cv2"} <= modules(done.stdout)
    assert not HEAVY & modules(done.stdout)


def test_importing_discern_imports_no_torch(environment):
    done = python("import discern, sys" + TELL, environment=environment)
    assert not (HEAVY | {"torch", "cv2", "numpy"}) & modules(done.stdout)


def test_usage_mistake_imports_no_torch(environment):
    code = RUN.replace("except KeyboardInterrupt:", "except Exception:") + TELL
    done = python(code, "x.ts", "a.png", "--nonsense", environment=environment)
    assert "torch" not in modules(done.stdout), done.stderr


def test_interrupt_while_waiting_leaves_finished_rows_and_no_traceback(picture, environment):
    command = [sys.executable, "-c", RUN + "\nsys.exit(code)", str(tiny_file(".ts")), "-", "--batch", "1"]
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{picture}\n" * 4)
        process.stdin.flush()
        rows = [process.stdout.readline() for _ in range(3)]  # and now it waits for more words on stdin
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert all(json.loads(row)["input"] == str(picture) for row in [*rows, *rest.splitlines()])


def test_reader_of_the_rows_may_leave_early(picture, environment):
    command = [sys.executable, "-c", RUN + "\nsys.exit(code)", str(tiny_file(".ts")), *[str(picture)] * 50, "--batch", "1"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert json.loads(process.stdout.readline())
        process.stdout.close()
        errors = process.stderr.read()
    assert "Traceback" not in errors
    assert "Broken" not in errors


def test_rows_go_to_stdout_and_complaints_to_stderr(picture, environment):
    done = python(RUN + "\nsys.exit(code)", tiny_file(".ts"), picture, picture.with_name("no.png"), environment=environment)
    assert done.returncode == 1
    assert [set(json.loads(line)) & {"error"} for line in done.stdout.splitlines()] == [set(), {"error"}]
    assert done.stderr.startswith("discern: 1 of 2 inputs failed")


def png(width, height, rows):
    """A PNG of one bit a pixel whose header and content are told apart: `rows` black rows of that width lie in it."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    pack, row = zlib.compressobj(1), bytes(1 + (width + 7) // 8)
    packed = b"".join([*(pack.compress(row) for _ in range(rows)), pack.flush()])
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def zip_bomb():
    """Half a gibibyte of nothing in half a megabyte."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive, archive.open("picture", "w") as inside:
        for _ in range(512):
            inside.write(bytes(1 << 20))
    return packed.getvalue()


# Not ru_maxrss: a new process begins with the peak of the one that started it.
PEAK = """
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(int(peak.split()[1]) >> 10, file=sys.stderr)
sys.exit(code)
"""


def test_bombs_are_error_rows_and_cost_no_memory(picture, tmp_path, environment):
    bombs = {"zip.png": zip_bomb(), "huge.png": png(60_000, 60_000, 60_000), "lies.png": png(9_000, 9_000, 9)}
    for name, content in bombs.items():
        (tmp_path / name).write_bytes(content)
        assert len(content) < 8 << 20
    done = python(RUN + PEAK, tiny_file(".ts"), *(tmp_path / name for name in bombs), picture, environment=environment)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    errors = [json.loads(line).get("error") for line in done.stdout.splitlines()]
    assert len(errors) == 4
    assert "not a picture" in errors[0]
    assert "60000 x 60000 pixels are more than the limit" in errors[1]
    assert errors[3] is None
    assert int(done.stderr.splitlines()[-1]) < 1500  # MiB: of which torch has a few hundred, and a picture of 81 megapixels 324


@pytest.mark.parametrize("name", ["program.ts", "program.pt2"])
def test_a_bomb_in_place_of_the_program_is_the_users_mistake(picture, tmp_path, environment, name):
    (tmp_path / name).write_bytes(zip_bomb())
    done = subprocess.run(
        [sys.executable, "-m", "apps.cli", "predict", str(tmp_path / name), str(picture), "--trust"],
        env=environment, cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "no exported program" in one_line(done)
