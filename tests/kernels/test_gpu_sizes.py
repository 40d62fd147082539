"""What the tests of a device are made of, tried in small: a device is rarely at hand, and its time is dear."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from apps.base.bench.measure import peak_mib
from kernels import use_backend
from kernels.cases import CASES
from kernels.errors import parts
from kernels.launch import aimed_at
from tests.kernels.gpu.sizes import LEAST, LIE, MANY, SQUARE, last_row, predicted
from tests.kernels.gpu.test_device import run

ROOT = Path(__file__).parents[2]
MADE = {**{name: make(9, 5, "cpu") for name, make in MANY.items()}, **{name: make(2, 2, 5, 4, "cpu") for name, make in SQUARE.items()}}


def test_every_operation_has_great_sizes() -> None:
    assert set(MADE) == set(CASES)


@pytest.mark.parametrize("operation", sorted(MADE))
def test_the_last_row_is_what_it_is_alone(operation: str) -> None:
    call, leaves = MADE[operation]
    with use_backend("reference"):
        found = parts(call(*leaves))[0][-1]
        alone = [x[-1:] for x in leaves] if operation in SQUARE else last_row(operation, leaves, 9, 5, "cpu")
        wanted = parts(call(*alone))[0][-1]
    torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("operation", sorted(MANY))
def test_columns_that_lie_in_one_piece_hold_the_same_numbers(operation: str) -> None:
    for x in MANY[operation](9, 5, "cpu")[1]:
        lying = LIE["columns"](x)
        assert torch.equal(lying, x)
        assert lying.stride(0) == 1


@pytest.mark.parametrize("operation", sorted(SQUARE))
def test_memory_is_as_predicted_by_what_is_allocated_around_the_kernels(operation: str) -> None:
    """Kernels that are listed and not launched allocate all the same."""
    call, leaves = SQUARE[operation](1, 4, 2048, 64, "cpu")
    leaves = [x.requires_grad_() for x in leaves]
    with aimed_at(90) as listed, use_backend("triton"):
        gradient = torch.ones_like(parts(call(*leaves))[0])
        peak = 2**20 * peak_mib(lambda: torch.autograd.grad(parts(call(*leaves))[0], leaves, gradient), torch.device("cpu"))
    assert listed
    assert 0.9 * predicted(operation, leaves) - LEAST < peak <= 1.1 * predicted(operation, leaves)


def test_what_a_run_leaves_behind_has_no_graph() -> None:
    """A graph would keep its nodes on the stream of the first run, and another stream, or a capture, would have to wait for that one."""
    case = CASES["reversed_attend"](torch.float32, 32)[0]
    with aimed_at(90):
        kept = run(case.call, [x.detach().requires_grad_() for x in case.tensors])
    assert len(kept) == 1 + len(case.tensors)
    assert not any(x.requires_grad for x in kept)


def test_a_machine_with_a_device_needs_torch_triton_and_pytest_alone() -> None:
    """As docs/kernels.md calls it there: no packages of the applications, and none of their floors."""
    code = """
import sys
for name in ("apps", "core_attention", "datamodules", "jsonargparse", "matplotlib", "mlflow", "lightning", "pytorch_lightning"):
    sys.modules[name] = None
import pytest
folders = ["tests/kernels/gpu", "tests/kernels/fused"]
sys.exit(pytest.main(["-q", "--confcutdir=tests/kernels", "-m", "not gpu", "-k", "has_the_digits", *folders]))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
