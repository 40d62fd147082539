from typing import Any

import pytest
import torch

from apps.otsnet.looking import LayerStatistics, background_mass, layer_statistics
from apps.otsnet.observe import Observer, make_blocks
from apps.otsnet.options import Observe
from core_attention.blocks import Macaron
from core_attention.mixers.signed import Signed
from tests.apps.otsnet.tiny import eyes, pictures

KINDS = ["differential", "softmax", "dual", "differential_shared"]


def run(blocks: list[torch.nn.Module], x: torch.Tensor, **options: Any) -> torch.Tensor:
    for block in blocks:
        x = block(x, **options)
    return x


def stack(kind: str, depth: int = 2) -> list[torch.nn.Module]:
    torch.manual_seed(0)
    return [block.double().eval() for block in make_blocks(eyes(attention=kind, depth=depth))]


@pytest.mark.parametrize("kind", KINDS)
def test_blocks_do_not_mind_the_order_of_tokens(kind: str) -> None:
    x, order = torch.randn(2, 9, 16, dtype=torch.float64), torch.randperm(9)
    torch.testing.assert_close(run(stack(kind), x[:, order]), run(stack(kind), x)[:, order])


@pytest.mark.parametrize("kind", KINDS)
def test_hidden_tokens_change_no_other_and_a_row_without_keys_is_no_nan(kind: str) -> None:
    x, mask = torch.randn(2, 5, 16, dtype=torch.float64), torch.tensor([[True, True, True, False, False], [False] * 5])
    other = torch.where(mask.unsqueeze(-1), x, x.flip(0) + 3)
    y = run(stack(kind, 1), x, mask=mask)
    assert torch.equal(y[0, :3], run(stack(kind, 1), other, mask=mask)[0, :3])
    assert y.isfinite().all()


def test_lambda_begins_at_its_depth() -> None:
    blocks = make_blocks(eyes(depth=4))
    assert [round(block.attn.lambda_init, 5) for block in blocks] == [0.2, 0.35551, 0.47071, 0.55606]  # type: ignore[union-attr]


def test_a_shared_lambda_has_no_vectors_and_stays() -> None:
    (block,) = make_blocks(eyes(attention="differential_shared"))
    assert not [name for name, _ in block.named_parameters() if "lambda" in name]
    assert float(block.attn.share()) == pytest.approx(0.2)  # type: ignore[operator,union-attr]


def test_two_attentions_stand_in_three_quarters_of_the_blocks() -> None:
    assert [len(make_blocks(eyes(attention="dual", depth=depth))) for depth in (2, 4, 12)] == [2, 3, 9]


@pytest.mark.parametrize(
    ("stem", "grid", "cells"),
    [("conv", "8x16", (8, 8)), ("patch", "8x16", (8, 8)), ("conv", "4x32", (4, 16)), ("patch", "4x32", (4, 16)), ("conv", "1x32", (1, 16))],
)
def test_a_stem_makes_the_grid_that_was_asked_for(stem: Any, grid: Any, cells: tuple[int, int]) -> None:
    observer = Observer(eyes(stem=stem, grid=grid))
    assert observer.cells == cells
    assert observer(pictures(2)).shape == (2, cells[0] * cells[1], 16)


@pytest.mark.parametrize("pos", ["learned", "sincos2d"])
def test_a_picture_of_another_size_is_read_with_its_own_positions(pos: Any) -> None:
    observer = Observer(eyes(pos=pos)).eval()
    assert observer(pictures(1, width=96)).shape == (1, 96, 16)
    assert observer.keys(pictures(1, width=96)).shape == (1, 96, 16)
    with pytest.raises(ValueError, match="3x32x60 is not 3 channels of whole tokens of 4x8 pixels"):
        observer(pictures(1, width=60))


def test_fixed_positions_are_no_parameters_and_differ_everywhere() -> None:
    observer = Observer(eyes(pos="sincos2d"))
    assert not [name for name, _ in observer.named_parameters() if "place" in name]
    distance = torch.cdist(observer.place[0], observer.place[0])
    assert (distance + torch.eye(64) > 0.1).all()


def test_statistics_of_every_layer_and_its_background() -> None:
    observer = Observer(eyes(depth=2)).eval()
    boxes = torch.full((3, 5, 4), torch.nan)
    boxes[0, 0] = torch.tensor([0.0, 0.0, 1.0, 1.0])
    found = layer_statistics(observer, pictures(), boxes)
    assert set(found) == {
        f"{i}.attn.{name}" for i in (0, 1) for name in ("lambda", "entropy_first", "entropy_second", "negative", "background")
    }
    assert float(found["0.attn.lambda"]) == pytest.approx(0.2, abs=0.1)
    assert float(found["0.attn.background"]) == 0.0  # the box is all of the picture
    assert isinstance(observer.blocks[0].attn, Signed)
    assert set(layer_statistics(Observer(eyes(attention="softmax")).eval(), pictures())) == {"0.attn.entropy"}


def test_statistics_are_of_the_first_pictures_and_background_is_told_where_boxes_are() -> None:
    observer, told = Observer(eyes(depth=1)).eval(), LayerStatistics()
    boxes = torch.full((3, 5, 4), torch.nan)
    told.update(observer, pictures(), boxes)
    told.update(observer, pictures(seed=1), boxes)
    found = told.compute()
    assert found == pytest.approx({name: float(value) for name, value in layer_statistics(observer, pictures()).items()})
    told.reset()
    boxes[0, 0] = torch.tensor([0.0, 0.0, 0.5, 0.5])
    told.update(observer, pictures(), boxes)
    assert set(told.compute()) == {*found, "0.attn.background"}


def test_background_is_what_lies_outside_the_boxes() -> None:
    maps, boxes = torch.full((1, 4, 4), 0.25), torch.tensor([[[0.0, 0.0, 0.5, 0.5]]])
    assert float(background_mass(maps, boxes, (2, 2))) == pytest.approx(0.75)
    assert background_mass(maps, boxes * torch.nan, (2, 2)).isnan()


@pytest.mark.parametrize("kind", ["differential", "softmax", "differential_shared"])
def test_without_its_half_steps_a_macaron_block_is_its_attention(kind: str) -> None:
    (block,) = stack(kind, 1)
    assert isinstance(block, Macaron)
    x = torch.randn(2, 9, 16, dtype=torch.float64)
    assert not torch.allclose(block(x), x + block.attn(block.norm2(x)))
    with torch.no_grad():
        for half_step in (block.mlp1, block.mlp2):
            half_step.fc2.weight.zero_()
            half_step.fc2.bias.zero_()
    assert torch.equal(block(x), x + block.attn(block.norm2(x)))


def test_plain_blocks_come_without_a_macaron() -> None:
    sizes = [sum(p.numel() for block in make_blocks(Observe(macaron=macaron)) for p in block.parameters()) for macaron in (True, False)]
    assert abs(sizes[0] - sizes[1]) <= 2 * 64 * 3 * 2  # two blocks, each with one norm and one bias more
