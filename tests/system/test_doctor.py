"""`discern doctor`: facts for people and programs, and an exit code that says whether something is wrong."""

import json

import pytest

from apps.base import doctor
from tests.system.command import ROOT, Here, discern


@pytest.fixture(autouse=True)
def any_disk(monkeypatch):
    monkeypatch.setattr(doctor, "LOW_DISK", 0)


def test_nothing_wrong_leaves_with_0_and_says_so(here: Here):
    done = here("doctor")
    assert done.returncode == 0, done.stdout
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1] == "nothing is wrong"


def test_json_is_one_object_with_the_facts_and_no_troubles(here: Here):
    import torch

    done = here("doctor", "--json")
    assert done.returncode == 0
    (line,) = done.stdout.splitlines()
    facts = json.loads(line)
    assert facts["troubles"] == []
    assert torch.__version__.startswith(facts["torch"])  # which may say of what build it is
    assert facts["app dcal"] == "ready"
    assert facts["disk free"] > 0


def test_a_package_that_is_not_installed_is_a_fact_and_no_trouble(here: Here, monkeypatch):
    monkeypatch.setattr(doctor, "PACKAGES", ("no-such-distribution",))
    done = here("doctor", "--json")
    assert json.loads(done.stdout)["no-such-distribution"] == "not installed"
    assert done.returncode == 0


def test_a_disk_that_is_nearly_full_is_a_trouble(tmp_path, here: Here, monkeypatch):
    monkeypatch.setattr(doctor, "LOW_DISK", 1 << 80)
    done = here("doctor")
    assert done.returncode == 1
    assert f"are free under {tmp_path}" in done.stdout.splitlines()[-1]
    (trouble,) = json.loads(here("doctor", "--json").stdout)["troubles"]
    assert "MiB are free" in trouble


@pytest.mark.parametrize("code", ["", "raise ImportError('it needs something else')"])
def test_another_package_named_kernels_is_a_trouble_that_names_the_remedy(tmp_path, code):
    (tmp_path / "site" / "kernels").mkdir(parents=True)
    (tmp_path / "site" / "kernels" / "__init__.py").write_text(code)
    done = discern("doctor", "--json", home=tmp_path, check=False, PYTHONPATH=f"{tmp_path / 'site'}:{ROOT}")
    assert done.returncode == 1, done.stderr
    assert any("'kernels' is" in trouble and "an environment of its own" in trouble for trouble in json.loads(done.stdout)["troubles"])


def test_a_wrong_flag_is_the_users_mistake(here: Here):
    done = here("doctor", "--jsn")
    assert done.returncode == 2
    assert "--json" in done.line
