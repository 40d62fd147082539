"""Memory that nobody wrote to is NaN, so that a form that leaves a gap cannot pass by luck; a broken device ends its process."""

import os

import pytest
import torch

os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it torch's own products are not deterministic on a device


@pytest.fixture(autouse=True)
def unwritten_memory_shows():
    torch.use_deterministic_algorithms(True, warn_only=torch.cuda.is_available())  # fills what torch.empty and its kin return
    yield
    torch.use_deterministic_algorithms(False)


@pytest.fixture(autouse=True)
def what_breaks_the_device_does_not_fail_the_tests_after_it():
    """An illegal access is the end of CUDA in its process. pytest-xdist replaces a worker that is gone; a process alone has to stop."""
    yield
    if not torch.cuda.is_initialized():
        return
    try:
        torch.cuda.synchronize()
    except RuntimeError as error:
        if "PYTEST_XDIST_WORKER" in os.environ:
            os._exit(1)
        pytest.exit(f"the device is broken from this test on: {error}".splitlines()[0], returncode=1)
