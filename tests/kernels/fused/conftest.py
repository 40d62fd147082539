"""Without a CUDA device the kernels run in Triton's interpreter, which has to be chosen before Triton is loaded."""

import os
import sys

import pytest
import torch

if not torch.cuda.is_available() and "triton" not in sys.modules:
    os.environ["TRITON_INTERPRET"] = "1"


@pytest.fixture(autouse=True)
def products_are_exact_unless_the_test_is_of_tf32(request: pytest.FixtureRequest):
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = "cuda-tf32" in request.node.name
    yield
    torch.backends.cuda.matmul.allow_tf32 = before
