"""Another project's distribution is called `kernels`, too; ours must be light and must not be taken for it."""

import importlib.util
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_kernels_and_core_attention_load_torch_only() -> None:
    code = """
import sys, torch
torch_brings = set(sys.modules)
import kernels, kernels.attend, core_attention
ours = ("kernels", "core_attention")
tops = {name.split(".")[0] for name in set(sys.modules) - torch_brings}
third = {top for top in tops if top not in sys.stdlib_module_names and top not in ours and top != "torch"}
print(sorted(third), sorted({"triton", "cv2", "scipy", "mlflow", "pytorch_lightning", "torchvision"} & set(sys.modules)))
"""
    assert run(code).strip() == "[] []"


@pytest.mark.skipif(importlib.util.find_spec("transformers") is None, reason="transformers is not installed")
@pytest.mark.parametrize("order", ["kernels, transformers", pytest.param("transformers, kernels", marks=pytest.mark.full)])
def test_transformers_does_not_take_our_kernels_for_the_other(order: str) -> None:
    code = f"""
import {order}
from transformers.integrations import hub_kernels  # where transformers would import from `kernels`
from transformers.utils.import_utils import is_kernels_available
from kernels.attend import attend
assert not is_kernels_available()
print(kernels.__file__)
"""
    assert run(code).strip() == str(ROOT / "kernels" / "__init__.py")


def test_our_version_is_none_that_the_other_project_has() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    number = tuple(int(part) for part in version.split(".")[:3])
    assert not (0, 18, 2) <= number < (0, 19, 0)
