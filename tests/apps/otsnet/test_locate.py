from typing import Any

import pytest
import torch

from apps.otsnet.locate import Locator, centres
from apps.otsnet.options import Locate
from apps.otsnet.places import boxes, overlap, quantile
from core_attention.maps import record
from tests.apps.otsnet.tiny import eyes, otsnet, pictures, words

CELLS = (8, 8)


def locator(**options: Any) -> Locator:
    torch.manual_seed(0)
    return Locator(eyes(), Locate(layers=2, **options), 6).double().eval()


def tokens(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, 64, 16, generator=generator).double(), torch.randn(1, 64, 16, generator=generator).double()


@pytest.mark.parametrize("attention", ["softmax", "differential"])
def test_where_slots_look_is_shares_of_one(attention: Any) -> None:
    _, a = locator(attention=attention)(*tokens(), CELLS)
    assert (a >= 0).all()
    torch.testing.assert_close(a.sum(-1), torch.ones(2, 6, dtype=torch.float64))


def test_tokens_may_stand_in_any_order_if_their_positions_come_along() -> None:
    (v, place), order = tokens(), torch.randperm(64)
    g, a = locator()(v, place, CELLS)
    moved_g, moved_a = locator()(v[:, order], place[:, order], CELLS)
    torch.testing.assert_close(moved_g, g)
    torch.testing.assert_close(moved_a, a[..., order])


def test_positions_are_in_the_keys_alone() -> None:
    """Where all slots look at one token only, moving it changes nothing."""
    (v, place), found = tokens(), []
    for at in (place, place + 5):
        found.append(locator()(v[:, :1], at[:, :1], (1, 1))[0])
    torch.testing.assert_close(*found)


def test_points_beside_the_slots_place_are_read_and_learn() -> None:
    made = locator(sampling="deform")
    plain = locator()
    plain.load_state_dict(made.state_dict(), strict=False)
    v, place = tokens()
    g, _ = made(v, place, CELLS)
    assert not torch.allclose(g, plain(v, place, CELLS)[0])
    g.sum().backward()
    for layer in made.layers:
        assert layer.points.offset.weight.grad.abs().sum() > 0  # type: ignore[union-attr,operator]


def test_the_recorder_keeps_what_slots_and_verifier_looked_at() -> None:
    model = otsnet()
    with record(model) as recording:
        output = model(pictures())
    names = recording.names
    assert {"locator.layers.0.look", "verifier.layers.0.looks.visual", "verifier.layers.0.looks.character"} <= set(names)
    torch.testing.assert_close(recording.map("locator.layers.0.look", "mean"), output.attention)


def test_centres_go_along_the_rows() -> None:
    assert centres(torch.zeros(1, 1), (2, 2)).tolist() == [[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.75, 0.75]]


def test_the_quantile_of_an_even_share_is_itself() -> None:
    even = torch.full((1, 1, 8), 1 / 8)
    for q in (0.05, 0.3, 0.95):
        assert float(quantile(even, q)) == pytest.approx(q)
    assert float(quantile(torch.tensor([[[0.0, 1.0, 0.0, 0.0]]]), 0.5)) == pytest.approx(0.375)


def test_a_box_holds_ninety_percent_of_the_attention_and_the_end_has_none() -> None:
    a = torch.zeros(1, 6, 64)
    a[:, :, 9] = 1  # row 1, column 1 of 8x8
    found = boxes(a, words("ab"), CELLS)
    torch.testing.assert_close(found[0, :2], torch.tensor([0.05, 0.05, 0.95, 0.95]).add(1).div(8).expand(2, 4))
    assert (found[0, 2:] == 0).all()


def test_one_letter_read_twice_is_seen() -> None:
    a = torch.eye(64)[torch.tensor([3, 3, 4, 5, 6, 7])][None]
    assert float(overlap(a, words("aab"))) == 1.0
    assert float(overlap(a, words("aba"))) == 0.0
    assert float(overlap(a, words("a"))) == 0.0
