import math

import pytest
import torch

from core_attention.maps import effective_rank, stable_rank
from tests.core_attention.maps.models import Signed, loud, softmax, tokens


def textbook(matrix: torch.Tensor) -> tuple[float, float]:
    """By the eigenvalues of A^T A."""
    values = torch.linalg.eigvalsh(matrix.T @ matrix).clamp(min=0).sqrt().tolist()
    shares = [value / sum(values) for value in values]
    return math.exp(-sum(p * math.log(p) for p in shares if p > 0)), sum(v * v for v in values) / max(values) ** 2


@pytest.mark.parametrize("signed", [False, True])
def test_both_are_the_textbook_forms_map_by_map(signed: bool) -> None:
    mixer = loud(Signed(8, 2)) if signed else softmax()
    maps = mixer(tokens(2, 5, 8), need="full")[1]
    for b in range(2):
        for h in range(2):
            effective, stable = textbook(maps[b, h])
            assert effective_rank(maps)[b, h].item() == pytest.approx(effective, abs=1e-6)
            assert stable_rank(maps)[b, h].item() == pytest.approx(stable, abs=1e-12)


def test_known_ranks() -> None:
    eye, one, none = torch.eye(4), torch.full((4, 4), 0.25), torch.zeros(4, 4)
    maps = torch.stack([eye, one, none])
    torch.testing.assert_close(effective_rank(maps), torch.tensor([4.0, 1.0, 0.0]), atol=1e-5, rtol=0)
    torch.testing.assert_close(stable_rank(maps), torch.tensor([4.0, 1.0, 0.0]))
    assert effective_rank(eye.bfloat16()).item() == pytest.approx(4)


def test_masked_keys_are_columns_of_zeros_and_change_no_rank() -> None:
    mixer, x = softmax(), tokens(1, 5, 8)
    mask = torch.tensor([[True, True, False, True, True]])
    full = mixer(x, mask=mask, need="full")[1]
    torch.testing.assert_close(effective_rank(full), effective_rank(full[..., [0, 1, 3, 4]]))
