import pytest
import torch

from core_attention.maps import position_bias
from tests.core_attention.maps.models import softmax, tokens


def test_a_mixer_that_knows_no_places_shows_none() -> None:
    mixer = softmax()
    found = position_bias(lambda x: mixer(x, need="full")[1], tokens(2, 6, 8))
    assert found.shape == (2, 6)
    torch.testing.assert_close(found, torch.full_like(found, 1 / 6), rtol=0, atol=1e-15)


def test_a_prefix_keeps_its_place_and_may_draw_more() -> None:
    mixer, x = softmax(), tokens(1, 6, 8)
    found = position_bias(lambda x: mixer(x, need="full")[1], x, prefix=1)
    plain = mixer(x, need="full")[1].mean((0, 2))
    torch.testing.assert_close(found[:, 0], plain[:, 0])
    torch.testing.assert_close(found[:, 1:], plain[:, 1:].mean(1, keepdim=True).expand(-1, 5))


def test_places_that_matter_show_whatever_stands_there() -> None:
    bias = torch.zeros(1, 1, 5, 5, dtype=torch.float64)
    bias[..., 3] = 9.0
    mixer = softmax()
    found = position_bias(lambda x: mixer(x, mask=bias.expand(len(x), -1, -1, -1), need="full")[1], tokens(2, 5, 8))
    assert (found[:, 3] > 0.9).all()


def test_it_is_the_mean_over_the_orders_that_the_generator_gives() -> None:
    mixer, x = softmax(), tokens(1, 4, 8)
    found = position_bias(lambda x: mixer(x, need="full")[1], x, rounds=2, generator=torch.Generator().manual_seed(1))
    order = torch.randperm(4, generator=torch.Generator().manual_seed(1))
    wanted = sum(mixer(x[:, order.roll(shift)], need="full")[1].mean((0, 2)) for shift in (0, 2)) / 2
    torch.testing.assert_close(found, wanted)


def test_what_makes_no_sense_is_refused() -> None:
    x = tokens(1, 4, 8)
    with pytest.raises(ValueError, match="prefix=4 of 4 tokens leaves 0 orders"):
        position_bias(lambda x: x, x, prefix=4)
    with pytest.raises(ValueError, match="leaves 4 orders; rounds is 1 to that many"):
        position_bias(lambda x: x, x, rounds=5)
    with pytest.raises(ValueError, match=r"map_of gives the full map \(B, H, N, M\), not \(1, 4, 8\)"):
        position_bias(lambda x: x, x)
