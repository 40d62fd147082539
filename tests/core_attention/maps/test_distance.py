import math

import pytest
import torch

from core_attention.maps import attention_distance, offset_profile
from tests.core_attention.maps.models import softmax, tokens

GRID = (2, 3)


def maps(prefix: int = 0) -> torch.Tensor:
    return softmax()(tokens(2, 6 + prefix, 8), need="full")[1]


@pytest.mark.parametrize("prefix", [0, 2])
def test_it_is_the_looped_form(prefix: int) -> None:
    full = maps(prefix)
    found, profile = attention_distance(full, GRID, (16.0, 8.0), prefix), offset_profile(full, GRID, prefix)
    wanted, offsets = torch.zeros_like(found), torch.zeros_like(profile)
    for b in range(2):
        for h in range(2):
            patches = full[b, h, prefix:, prefix:]
            for i in range(6):
                row = patches[i] / patches[i].sum()
                for j in range(6):
                    dy, dx = j // 3 - i // 3, j % 3 - i % 3
                    wanted[b, h] += row[j] * math.hypot(16 * dy, 8 * dx) / 6
                    offsets[b, h, dy + 1, dx + 2] += row[j] / 6
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-13)
    torch.testing.assert_close(profile, offsets, rtol=0, atol=1e-14)


def test_the_profile_sums_to_one_and_its_mean_is_the_distance() -> None:
    profile = offset_profile(maps(), GRID)
    assert profile.shape == (2, 2, 3, 5)
    torch.testing.assert_close(profile.sum((-1, -2)), torch.ones(2, 2, dtype=torch.float64))
    far = torch.hypot(torch.arange(-1, 2.0)[:, None].double(), torch.arange(-2, 3.0)[None].double())
    torch.testing.assert_close((profile * far).sum((-1, -2)), attention_distance(maps(), GRID))


def test_a_head_that_looks_at_itself_goes_no_way_and_one_that_looks_aside_one_token() -> None:
    still = torch.eye(6)
    aside = torch.zeros(6, 6)
    aside[torch.arange(6), torch.tensor([1, 0, 1, 4, 3, 4])] = 1
    found = attention_distance(torch.stack([still, aside])[None], GRID, pixels=16)
    assert found.tolist() == [[0.0, 16.0]]
    assert offset_profile(still[None, None], GRID)[0, 0, 1, 2] == 1


def test_queries_without_weight_on_the_grid_are_left_out() -> None:
    full = torch.zeros(1, 2, 7, 7)
    full[:, :, :, 0] = 1  # everything on the prefix
    full[0, 0, 1] = torch.tensor([0.5, 0, 0.5, 0, 0, 0, 0])  # but for one query of one head
    found = attention_distance(full, GRID, prefix=1)
    assert found[0, 0] == 1
    assert found[0, 1].isnan()


def test_what_does_not_fit_is_refused_with_the_numbers() -> None:
    with pytest.raises(ValueError, match="a map of 6 x 6 is not of 1 prefix tokens and a grid of 2 x 3"):
        attention_distance(maps(), GRID, prefix=1)
    with pytest.raises(ValueError, match="offset_profile: the map is signed"):
        offset_profile(-maps(), GRID)
