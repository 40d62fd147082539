"""FAAM: what it may not see (symmetry), and what mirroring does to its answer."""

from typing import Any

import pytest
import torch
from torch import Tensor

from apps.ahan.faam import FacialAsymmetryAttention
from apps.ahan.model import Ahan
from apps.ahan.options import Faam, Streams
from core_attention.trunks import build_trunk

MODES = ("abs", "signed", "both")


def faam(width: int = 8, **options: Any) -> FacialAsymmetryAttention:
    return FacialAsymmetryAttention(32, 4, (6, width), Faam(**options), generator=torch.Generator().manual_seed(0))


def maps(width: int = 8) -> Tensor:
    return torch.randn(3, 6, width, 32, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("window", [None, 1])
@pytest.mark.parametrize("width", [7, 8])
@pytest.mark.parametrize("mode", MODES)
def test_a_mirror_symmetric_map_gives_exactly_0(mode: str, width: int, window: int | None) -> None:
    f = maps(width)
    symmetric = f + f.flip(2)
    made = faam(width, mode=mode, window=window)
    z, differs = made(symmetric)
    assert (z == 0).all()
    assert (differs == 0).all()
    assert made(f)[0].abs().max() > 1e-4


@pytest.mark.parametrize("width", [7, 8])
@pytest.mark.parametrize(("mode", "factor"), [("abs", 1), ("signed", -1)])
def test_a_mirrored_map_keeps_the_size_and_turns_the_sign(mode: str, factor: int, width: int) -> None:
    made = faam(width, mode=mode)
    if made.sign is not None:
        torch.nn.init.normal_(made.sign, generator=torch.Generator().manual_seed(2))
    z, mirrored = made(maps(width))[0], made(maps(width).flip(2))[0]
    torch.testing.assert_close(mirrored, factor * z, rtol=0, atol=1e-6)
    assert z.abs().max() > 1e-4


def test_both_tells_mirror_images_apart_where_abs_does_not() -> None:
    f = maps()
    assert (faam(mode="both")(f)[0] - faam(mode="both")(f.flip(2))[0]).abs().max() > 1e-4


def test_without_alignment_counterparts_do_not_meet() -> None:
    f = maps()
    assert (faam(align="none")(f + f.flip(2))[0]).abs().max() > 1e-4


def test_one_direction_differs_from_itself_and_has_a_size_only() -> None:
    made = faam(mode="abs", direction="l2r")
    left, right = made.halves(maps())
    assert made.place is not None
    torch.testing.assert_close(
        made(maps())[0], (made.attn(made.norm(left + made.place), made.norm(right + made.place)) - left).abs().mean(1)
    )


@pytest.mark.parametrize("window", [0, 1])
def test_a_window_hides_what_lies_beyond_it(window: int) -> None:
    made, f = faam(mode="abs", window=window), maps()
    changed = f.clone()
    changed[:, 3, 7] *= -1  # the right edge: the counterpart of the left one
    touched = (made(f)[1] != made(changed)[1]).any(0)
    rows, columns = torch.meshgrid(torch.arange(6), torch.arange(4), indexing="ij")
    near = torch.maximum((rows - 3).abs(), columns) <= window
    assert not touched[~near].any()
    assert touched[near].all()


def test_a_mirrored_image_is_the_same_to_abs_where_nothing_else_knows_left_from_right() -> None:
    """The whole network: positions that are tied left to right, and a stem of symmetric filters."""

    def difference(tied: bool) -> float:
        trunk = build_trunk("vit_micro", seed=0, image=48, patch=6, depth=2)
        with torch.no_grad():
            weight = trunk.get_parameter("patch_embed.proj.weight")
            weight.copy_((weight + weight.flip(3)) / 2)
        streams = Streams(use=("faam",), pos_embed="mirror_tied" if tied else "free")
        model = Ahan(trunk, 16, streams, faam=Faam(mode="abs")).eval()
        x = torch.randn(2, 3, 48, 48, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            return float((model(x).embedding - model(x.flip(3)).embedding).abs().max())

    assert difference(tied=True) < 1e-5
    assert difference(tied=False) > 1e-4


def test_positions_are_one_for_a_place_and_its_counterpart() -> None:
    assert faam(position="none").place is None
    place = faam().place
    assert place is not None
    assert place.shape == (6 * 4, 32)
