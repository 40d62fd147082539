"""Memory that nobody wrote to is NaN, so that a form that leaves a gap cannot pass by luck."""

import os

import pytest
import torch

os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it torch's own products are not deterministic on a device


@pytest.fixture(autouse=True)
def unwritten_memory_shows():
    torch.use_deterministic_algorithms(True, warn_only=torch.cuda.is_available())  # fills what torch.empty and its kin return
    yield
    torch.use_deterministic_algorithms(False)
