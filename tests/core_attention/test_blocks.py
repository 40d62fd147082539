import pytest
import torch
from torch import nn

from core_attention import Segments
from core_attention.blocks import DropPath, DualMacaron, DuoBlock, Macaron, MbConv, MoatBlock, PreNorm
from core_attention.blocks.init import initialise
from core_attention.blocks.windows import from_windows, to_windows


def test_a_block_has_timms_names() -> None:
    names = {name.rsplit(".", 1)[0] for name, _ in PreNorm(8, 2, layer_scale=1e-5).named_parameters()}
    assert names == {"norm1", "attn.qkv", "attn.proj", "ls1", "norm2", "mlp.fc1", "mlp.fc2", "ls2"}


def test_a_block_with_silent_branches_is_the_identity() -> None:
    x = torch.randn(2, 5, 8)
    assert torch.equal(PreNorm(8, 2, layer_scale=0.0)(x), x)
    assert not torch.equal(PreNorm(8, 2)(x), x)


def test_a_block_gives_the_map_of_its_mixer() -> None:
    x = torch.randn(2, 5, 8)
    block = PreNorm(8, 2)
    y, mean = block(x, need="mean")
    torch.testing.assert_close(y, block(x))
    torch.testing.assert_close(mean, block.attn(block.norm1(x), need="mean")[1])


def test_drop_path_drops_whole_samples_and_keeps_the_mean() -> None:
    torch.manual_seed(0)
    y = DropPath(0.25).train()(torch.ones(4000, 3))
    assert y.unique().tolist() == pytest.approx([0.0, 4 / 3])
    assert (y == y[:, :1]).all()
    assert y.mean() == pytest.approx(1.0, abs=0.05)
    assert torch.equal(DropPath(0.25).eval()(y), y)


def test_drop_path_drops_whole_segments() -> None:
    torch.manual_seed(0)
    lengths = [3, 0, 2, 4] * 20
    y = DropPath(0.5).train()(torch.ones(sum(lengths), 2), Segments.from_lengths(lengths))
    parts = [part for part in y.split(lengths) if len(part)]
    assert all((part == part[0, 0]).all() for part in parts)
    assert {float(part[0, 0]) for part in parts} == {0.0, 2.0}


def test_a_rate_of_one_would_drop_everything() -> None:
    with pytest.raises(ValueError, match=r"\[0, 1\)"):
        DropPath(1.0)


def test_a_macaron_is_as_large_as_a_plain_block() -> None:
    weights = [sum(p.numel() for p in block.parameters() if p.ndim > 1) for block in (Macaron(16, 2), PreNorm(16, 2))]
    assert weights[0] == weights[1]


def test_a_macaron_takes_half_a_step_before_the_mixer_and_half_a_step_after() -> None:
    x, block = torch.randn(2, 5, 8), Macaron(8, 2)
    nn.init.zeros_(block.attn.proj.weight)
    nn.init.zeros_(block.attn.proj.bias)
    middle = x + 0.5 * block.mlp1(block.norm1(x))
    torch.testing.assert_close(block(x), middle + 0.5 * block.mlp2(block.norm3(middle)))
    assert torch.equal(Macaron(8, 2, layer_scale=0.0)(x), x)


def test_a_macaron_gives_the_map_of_its_mixer() -> None:
    x, block = torch.randn(2, 5, 8), Macaron(8, 2)
    y, mean = block(x, need="mean")
    torch.testing.assert_close(y, block(x))
    torch.testing.assert_close(mean, block.attn(block.norm2(x + 0.5 * block.mlp1(block.norm1(x))), need="mean")[1])


def test_a_macaron_of_segments_equals_each_segment_alone() -> None:
    x, block = torch.randn(5, 8), Macaron(8, 2)
    y = block(x, segments=Segments.from_lengths([2, 3]))
    torch.testing.assert_close(y, torch.cat([block(x[None, :2])[0], block(x[None, 2:])[0]]))


@pytest.mark.parametrize(("height", "width"), [(4, 6), (5, 7), (1, 1)])
def test_a_strided_residual_with_a_silent_branch_is_the_mean_of_each_two_by_two(height: int, width: int) -> None:
    block, x = MbConv(3, 3, stride=2).eval(), torch.randn(2, 3, height, width)
    nn.init.zeros_(block.conv3_1x1.weight)
    nn.init.zeros_(block.conv3_1x1.bias)
    nn.init.dirac_(block.shortcut.expand.weight)
    nn.init.zeros_(block.shortcut.expand.bias)
    wanted = torch.stack([torch.stack([cell.mean((2, 3)) for cell in row.split(2, 3)], 2) for row in x.split(2, 2)], 2)
    torch.testing.assert_close(block(x), wanted)  # at an odd border of what is there


def test_depthwise_filters_begin_as_large_as_others_for_what_they_see() -> None:
    conv = nn.Conv2d(64, 64, 3, groups=64)
    initialise(conv)
    assert conv.weight.std().item() == pytest.approx((2 / 9) ** 0.5, rel=0.1)


@pytest.mark.parametrize("size", [(4, 6), (5, 7), (2, 2), (1, 3)])
def test_windows_are_put_together_as_they_were_cut(size: tuple[int, int]) -> None:
    x = torch.randn(2, *size, 3)
    tokens, real = to_windows(x, 2)
    assert torch.equal(from_windows(tokens, 2, *size), x)
    assert (0 if real is None else (~real).sum()) == tokens.shape[0] * 4 - 2 * size[0] * size[1]
    assert real is None or (tokens[~real] == 0).all()
    assert torch.equal(tokens[0, 0], x[0, 0, 0])


def test_a_window_larger_than_the_map_is_attention_over_the_map() -> None:
    block, x = MoatBlock(8, 32, window=8).eval(), torch.randn(2, 8, 5, 6)
    windowed = block(x)
    block.window = None
    torch.testing.assert_close(windowed, block(x))


def test_tokens_of_one_window_see_no_other() -> None:
    block = MoatBlock(32, 32, window=2).eval()
    block.conv = nn.Identity()  # which looks over the border
    x = torch.randn(1, 32, 5, 4)
    other = x.clone()
    other[:, :, 2:4, 0:2] += 1
    changed = (block(x) != block(other)).any(1)[0]
    inside = torch.zeros(5, 4, dtype=torch.bool)
    inside[2:4, 0:2] = True
    assert torch.equal(changed, inside)


def test_a_moat_block_has_no_feed_forward_layer_and_heads_of_32() -> None:
    block = MoatBlock(16, 64, stride=2)
    assert block.attn.heads == 2
    assert [name for name, part in block.named_modules() if isinstance(part, nn.Linear)] == ["attn.qkv", "attn.proj"]
    assert block(torch.randn(1, 16, 7, 4)).shape == (1, 64, 4, 2)


def test_patches_speak_through_their_scale_tokens_alone() -> None:
    block, x = DuoBlock(8, 2).eval(), torch.randn(1, 4, 6, 8)
    other = x.clone()
    other[:, 1, 2:] += 1
    changed = (block(x, (2, 2)) != block(other, (2, 2))).any(-1)[0]
    assert changed[:, 0].all()
    assert changed[1].all()
    assert not changed[[0, 2, 3], 1:].any()


def test_a_duo_block_knows_no_order_of_patches_nor_of_scales() -> None:
    block, x = DuoBlock(8, 2).eval(), torch.randn(2, 4, 6, 8)
    patches, scales = torch.randperm(4), torch.cat([torch.zeros(1, dtype=torch.long), 1 + torch.randperm(5)])
    torch.testing.assert_close(block(x, (2, 2))[:, patches][:, :, scales], block(x[:, patches][:, :, scales], (2, 2)))


def test_blocks_refuse_what_they_cannot_be() -> None:
    with pytest.raises(ValueError, match="is 1 or 2, not 3"):
        MbConv(4, 4, stride=3)
    with pytest.raises(ValueError, match="heads of 32 channels; its width must be a multiple of that, not 48"):
        MoatBlock(4, 48)
    with pytest.raises(ValueError, match="1 token wide or more, not 0"):
        MoatBlock(4, 32, window=0)


def test_a_dual_macaron_takes_both_mixers_between_its_half_steps() -> None:
    x, block = torch.randn(2, 5, 8), DualMacaron(8, 2, 1, second_options={"depth": 0})
    y = x + 0.5 * block.mlp1(block.norm1(x))
    y = y + block.first(block.norm_first(y))
    y = y + block.attn(block.norm2(y))
    torch.testing.assert_close(block(x), y + 0.5 * block.mlp2(block.norm3(y)))
