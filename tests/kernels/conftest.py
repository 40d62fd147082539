"""Memory that nobody wrote to is NaN, so that a form that leaves a gap cannot pass by luck."""

import pytest
import torch


@pytest.fixture(autouse=True)
def unwritten_memory_shows():
    torch.use_deterministic_algorithms(True)  # fills what torch.empty and its kin return
    yield
    torch.use_deterministic_algorithms(False)
