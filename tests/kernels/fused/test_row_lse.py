"""The log-sum-exp of rows, which several operations start from."""

import pytest
import torch

from kernels.errors import TF32
from kernels.launch import precision
from kernels.shared.attention import known_lse, row_lse
from tests.kernels.fused.checks import ON, needs_interpreter, relative
from tests.kernels.fused.queries import on, seen_lse
from tests.kernels.operations import MASKS, mask_of, numbers

LIMIT = {torch.float64: 1e-13, torch.float32: 1e-5, torch.float16: 1e-3, torch.bfloat16: 1e-3}


@pytest.mark.parametrize(("device", "dtype"), ON)
@pytest.mark.parametrize("kind", MASKS)
def test_it_is_the_log_sum_exp_of_the_logits(kind: str, device: str, dtype: torch.dtype) -> None:
    q, k = (x.to(device, dtype) for x in (numbers(2, 4, 17, 5), numbers(2, 4, 20, 5, seed=1)))
    mask = on(mask_of(kind, 17, 20), q, dtype)
    got, wanted = row_lse(q, k, mask, 0.3), seen_lse(q.double(), k.double(), mask, 0.3)
    assert relative(got, wanted) <= (TF32[0] if device == "cuda" and dtype == torch.float32 and precision() == "tf32" else LIMIT[dtype])


@needs_interpreter
def test_great_logits_do_not_overflow() -> None:
    q, k = numbers(1, 1, 3, 5) * 1e3, numbers(1, 1, 33, 5, seed=1)
    torch.testing.assert_close(row_lse(q, k, None, 10.0), seen_lse(q, k, None, 10.0), rtol=1e-13, atol=0)
    torch.testing.assert_close(row_lse(q.float(), k.float(), None, 10.0), seen_lse(q, k, None, 10.0).float(), rtol=1e-5, atol=0)


@needs_interpreter
def test_one_that_is_given_is_taken_if_it_has_the_digits() -> None:
    q, k = numbers(1, 1, 3, 5), numbers(1, 1, 4, 5, seed=1)
    given = torch.zeros(1, 1, 3, dtype=torch.float64)
    assert known_lse(given, q, k, None, 1.0).data_ptr() == given.data_ptr()
    assert (known_lse(given.float(), q, k, None, 1.0) != 0).all()
    assert (known_lse(given.float(), q.bfloat16(), k.bfloat16(), None, 1.0) == 0).all()
