"""The wheel works outside the clone, recipes included."""

import subprocess
import sys
from zipfile import ZipFile

import yaml

from tests.system.command import ROOT, environment


def test_the_wheel_brings_everything_that_the_command_needs(tmp_path):
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    source = tmp_path / "source"
    subprocess.run(["cp", "-r", "--parents", "apps", "configs", "core_attention", "datamodules", "kernels", "discern.py", "pyproject.toml",
                    "README.md", "LICENSE", "NOTICE", str(make(source))], cwd=ROOT, check=True)  # fmt: skip
    subprocess.run([*pip, "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w", str(tmp_path), str(source)], check=True)
    (wheel,) = tmp_path.glob("discern-*.whl")
    brought = {name.split("/")[0] for name in ZipFile(wheel).namelist()}
    (about,) = {name for name in brought if name.endswith(".dist-info")}
    assert brought == {
        "apps",
        "configs",
        "core_attention",
        "datamodules",
        "kernels",
        "discern.py",
        about,
    }  # as NOTICE says: nothing of others
    assert {f"{about}/licenses/{name}" for name in ("LICENSE", "NOTICE")} <= set(ZipFile(wheel).namelist())
    subprocess.run([*pip, "install", "--no-deps", "--no-index", "--target", str(tmp_path / "site"), str(wheel)], check=True)
    env = {**environment(), "PYTHONPATH": str(tmp_path / "site")}
    command = [sys.executable, "-m", "apps.cli", "dcal", "fit", "--config", "small", "--data.path=x", "--print_config"]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert yaml.safe_load(done.stdout)["data"]["init_args"]["path"] == "x", done.stderr
    code = "import apps, discern, kernels; print(apps.__file__, discern.__file__, kernels.__file__)"
    where = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True).stdout
    assert where.count(str(tmp_path / "site")) == 3


def make(folder):
    folder.mkdir()
    return folder
