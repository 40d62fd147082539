"""HCA: scales, regions, boxes; and which region a gradient reaches."""

from typing import Any

import pytest
import torch
from torch import Tensor

from apps.ahan.hca import HierarchicalCrossAttention
from apps.ahan.options import Hca
from apps.ahan.roi import crop
from datamodules.ahan.template import BOXES

PRESETS = ("roi", "pyramid")


def hca(**options: Any) -> HierarchicalCrossAttention:
    return HierarchicalCrossAttention(32, 4, Hca(**options), generator=torch.Generator().manual_seed(0)).double()


def maps(batch: int = 2, side: int = 8) -> Tensor:
    return torch.randn(batch, side, side, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def boxes(batch: int = 2) -> Tensor:
    return torch.tensor([BOXES] * batch, dtype=torch.float64)


def test_scales_weigh_alike_at_first_and_always_sum_to_1() -> None:
    made = hca()
    torch.testing.assert_close(made.alpha(), torch.full((4, 3), 1 / 3, dtype=torch.float64))
    torch.nn.init.normal_(made.scale_weight)  # type: ignore[arg-type]
    torch.testing.assert_close(made.alpha().sum(1), torch.ones(4, dtype=torch.float64))


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("share", ["none", "scale", "all"])
def test_a_fixed_weight_on_one_scale_is_the_net_of_that_scale(share: str, preset: str) -> None:
    fixed, single = hca(share=share, preset=preset, scale_weight=(1.0, 0.0, 0.0)), hca(share=share, preset=preset, scales=(1,))
    state = fixed.state_dict()
    if share == "none":  # of three by region, the first
        state = {key: value for key, value in state.items() if not key.startswith("attn.")}
        state |= {
            f"attn.{r}.{name}": value for r in range(4) for name, value in fixed.attn[3 * r].state_dict().items()
        }  # fmt: skip
    elif share == "scale":
        state = {key: value for key, value in state.items() if not key.startswith(("attn.1", "attn.2"))}
    single.load_state_dict(state | {"scale_weight": torch.zeros(4, 1)})
    torch.testing.assert_close(fixed(maps(), boxes()), single(maps(), boxes()), rtol=0, atol=1e-12)


@pytest.mark.parametrize("preset", PRESETS)
def test_regions_with_boxes_and_weights_swapped_swap_their_slots(preset: str) -> None:
    made, order = hca(preset=preset), [2, 1, 0, 3]
    torch.nn.init.normal_(made.scale_weight)  # type: ignore[arg-type]
    swapped = hca(preset=preset)
    swapped.load_state_dict(made.state_dict())
    with torch.no_grad():
        swapped.scale_weight.copy_(made.scale_weight[order])  # type: ignore[index,union-attr]
    for r, of in enumerate(order):
        for i in range(3):
            swapped.attn[3 * r + i].load_state_dict(made.attn[3 * of + i].state_dict())
    torch.testing.assert_close(swapped(maps(), boxes()[:, order]), made(maps(), boxes())[:, order], rtol=0, atol=1e-12)


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("share", ["scale", "all"])
def test_regions_of_one_box_and_shared_weights_are_alike(share: str, preset: str) -> None:
    z = hca(share=share, preset=preset)(maps(), torch.tensor([[[0.0, 0.0, 1.0, 1.0]] * 4] * 2))
    torch.testing.assert_close(z, z[:, :1].expand_as(z), rtol=0, atol=1e-12)


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("how", ["hidden", "outside"])
def test_a_region_left_out_is_its_own_vector_and_sends_no_gradient_to_the_map(how: str, preset: str) -> None:
    made, f, b = hca(preset=preset), maps().requires_grad_(), boxes()
    torch.nn.init.normal_(made.missing)
    seen = torch.ones(2, 4, dtype=torch.bool)
    if how == "hidden":
        seen[:, 1] = False
    else:
        b[:, 1] = torch.tensor([1.0, 0.2, 1.4, 0.5])
    z = made(f, b, seen)
    torch.testing.assert_close(z[:, 1], made.missing[1].expand(2, -1))
    (gradient,) = torch.autograd.grad(z[:, 1].sum(), f, retain_graph=True)
    assert (gradient == 0).all()
    assert torch.autograd.grad(z[:, 0].sum(), f)[0].abs().max() > 0
    assert made.join(z).shape == (2, 4 * 32)


@pytest.mark.parametrize(
    ("box", "said"), [([0.5, 0.1, 0.5, 0.3], "(0.5, 0.1, 0.5, 0.3)"), ([0.1, 0.6, 0.4, 0.2], "0.6"), ([0.1, float("nan"), 0.4, 0.2], "nan")]
)
def test_a_box_that_is_none_is_refused_by_region_and_row(box: list[float], said: str) -> None:
    b = boxes()
    b[1, 2] = torch.tensor(box)
    with pytest.raises(ValueError, match="box of mouth in row 1") as error:
        hca()(maps(), b)
    assert said in str(error.value)
    with pytest.raises(ValueError, match="one for each of eyes, nose, mouth, jaw"):
        hca()(maps(), boxes()[:, :3])


def test_a_scale_that_does_not_divide_a_region_is_refused_where_it_must() -> None:
    with pytest.raises(ValueError, match="3 does not divide 4"):
        hca(scales=(1, 3))
    assert hca(scales=(1, 3), preset="pyramid")(maps(), boxes()).shape == (2, 4, 32)


@pytest.mark.parametrize("preset", PRESETS)
def test_odd_maps_have_all_scales(preset: str) -> None:
    assert hca(preset=preset)(maps(side=7), boxes()).isfinite().all()


# --- the crop --------------------------------------------------------------------------------------------------------


def sampled(f_HWD: Tensor, y: float, x: float) -> Tensor:
    """Bilinear, as roi_align has it: 0 more than a cell outside, else clamped to the edge."""
    height, width = f_HWD.shape[:2]
    if not (-1 <= y <= height and -1 <= x <= width):
        return torch.zeros_like(f_HWD[0, 0])
    y, x = min(max(y, 0.0), height - 1.0), min(max(x, 0.0), width - 1.0)
    y0, x0 = int(y), int(x)
    y1, x1 = min(y0 + 1, height - 1), min(x0 + 1, width - 1)
    top = f_HWD[y0, x0] * (1 - (x - x0)) + f_HWD[y0, x1] * (x - x0)
    bottom = f_HWD[y1, x0] * (1 - (x - x0)) + f_HWD[y1, x1] * (x - x0)
    return top * (1 - (y - y0)) + bottom * (y - y0)


def test_a_bin_is_the_mean_of_its_four_samples() -> None:
    f, b = maps(1, side=9), [[0.1, 0.2, 0.7, 0.9], [-0.3, 0.4, 0.5, 1.3]]
    got = crop(f, torch.tensor([b], dtype=torch.float64), 4)[0]
    for r, (x0, y0, x1, y1) in enumerate(b):
        for i in range(4):
            for j in range(4):
                samples = [
                    sampled(
                        f[0], 9 * (y0 + (y1 - y0) * (i + (u + 0.5) / 2) / 4) - 0.5, 9 * (x0 + (x1 - x0) * (j + (v + 0.5) / 2) / 4) - 0.5
                    )
                    for u in (0, 1)
                    for v in (0, 1)
                ]
                torch.testing.assert_close(got[r, i, j], torch.stack(samples).mean(0))


def test_a_linear_map_is_cropped_to_its_values_at_the_bins_centres() -> None:
    ramp = (torch.arange(8, dtype=torch.float64) + 0.5) / 8
    f = torch.stack(torch.meshgrid(ramp, ramp, indexing="ij"), -1)[None]
    got = crop(f, torch.tensor([[[0.25, 0.2, 0.75, 0.8]]], dtype=torch.float64), 4)[0, 0]
    torch.testing.assert_close(got[:, 0, 0], 0.2 + 0.6 * (torch.arange(4) + 0.5).double() / 4)
    torch.testing.assert_close(got[0, :, 1], 0.25 + 0.5 * (torch.arange(4) + 0.5).double() / 4)
