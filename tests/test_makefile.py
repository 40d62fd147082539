"""The set-up that `make` does: what is broken off is begun again, what is pinned exists."""

import subprocess

import pytest
from packaging.requirements import Requirement

from tests.lower_ends import pin, pins
from tests.system.command import ROOT


@pytest.fixture
def house(tmp_path):
    """The Makefile beside a Python that writes down its words and fails."""
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    (tmp_path / "python").write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/said\nexit 1\n')
    (tmp_path / "python").chmod(0o755)
    return tmp_path


def make(house):
    subprocess.run(["make", "venv", f"PYTHON={house}/python"], cwd=house, capture_output=True, check=False)
    said = house / "said"
    return said.read_text().splitlines() if said.exists() else []


def environment(house, pip):
    """A .venv whose Python knows pip, or not, as after Ctrl-C in its making; it fails at everything else."""
    (house / ".venv" / "bin").mkdir(parents=True)
    python = house / ".venv" / "bin" / "python"
    python.write_text(f"#!/bin/sh\ntest \"$*\" = '-m pip --version' && exit {0 if pip else 1}\nexit 1\n")
    python.chmod(0o755)


def test_environment_is_made_where_there_is_none(house):
    assert make(house) == ["-m venv --clear .venv"]


def test_environment_that_broke_off_before_pip_is_made_anew(house):
    environment(house, pip=False)
    assert make(house) == ["-m venv --clear .venv"]


def test_environment_that_is_there_is_kept(house):
    environment(house, pip=True)
    assert make(house) == []


@pytest.mark.parametrize(
    ("text", "release", "newer"),
    [
        ("opencv-python-headless>=4.12,<5", "4.12.0.88", "4.13.0.90"),
        ("tifffile>=2025.1", "2025.1.10", "2025.2.18"),
        ("psutil>=6,<8", "6.0.0", "6.1.0"),
        ("setuptools>=77", "77.0.3", "78.1.0"),
        ("pyright[nodejs]>=1.1.400", "1.1.400", "1.1.401"),
        ("jsonargparse[signatures]>=4.53,<5", "4.53.0", "4.54.0"),
        ("triton>=3.6,<3.11; platform_system == 'Linux'", "3.6.0", "3.7.0"),
    ],
)
def test_lower_end_is_the_series_that_the_range_begins_with(text, release, newer):
    lower, whole = Requirement(pin(text)), Requirement(text)
    assert (lower.name, lower.extras, lower.marker) == (whole.name, whole.extras, whole.marker)
    assert release in lower.specifier
    assert newer not in lower.specifier


def test_every_range_has_a_lower_end_and_what_builds_the_package_is_among_them():
    names = [Requirement(text).name for text in pins()]
    assert {"setuptools", "torch", "rdkit", "ortools", "pytest"} <= set(names)
    assert len(names) == len(set(names))
