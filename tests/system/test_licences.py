"""Promise 9: what the repository and its wheel bring is small, made here, and told in NOTICE."""

import re
import tomllib

import pytest

from tests.system.command import ROOT

LIMIT = 1 << 20
WEIGHTS = (".safetensors", ".pt", ".pth", ".ckpt", ".ts", ".pt2", ".onnx", ".npz", ".npy", ".bin", ".pkl")
ROOMS = ("apps", "configs", "core_attention", "datamodules", "kernels")
SHIPPED = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*") if path.suffix in WEIGHTS)


def test_shipped_weights_stay_within_their_limit_in_each_application():
    assert SHIPPED
    for app in {path.relative_to(ROOT).parts[:2] for path in SHIPPED}:
        assert sum(path.stat().st_size for path in SHIPPED if path.relative_to(ROOT).parts[:2] == app) <= LIMIT, app
    assert {path.relative_to(ROOT).parts[0] for path in SHIPPED} == {"apps"}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_a_shipped_weight_lies_beside_the_script_that_made_it(path):
    assert path.with_name("train.py").is_file()


def test_notice_names_every_package_that_comes_along_and_no_other():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    told = {
        part.partition(":")[0]: re.findall(r"^  ([\w-]+) +\S", part, re.MULTILINE) for part in (ROOT / "NOTICE").read_text().split("\n\n")
    }
    asked = [word for name, words in extras.items() if name not in ("dev", "all") for word in words]
    assert sorted(told["Always"]) == sorted(map(name_of, project["dependencies"]))
    assert sorted(told["Only when asked for as an extra"]) == sorted({name_of(word) for word in asked})


def name_of(requirement):
    return re.match(r"[\w.-]+", requirement)[0]


def test_notice_and_licence_are_told_of_in_the_wheel_and_agree():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {"LICENSE", "NOTICE"} <= set(project["license-files"])
    notice = (ROOT / "NOTICE").read_text()
    assert notice.splitlines()[0] == project["name"]
    assert re.search(r"^Copyright \d{4} the discern authors$", notice, re.MULTILINE)
    assert project["license"] == "Apache-2.0"
    assert "Apache License, Version 2.0" in notice
    assert "Apache License" in (ROOT / "LICENSE").read_text()
