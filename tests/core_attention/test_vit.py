"""What a vision transformer may be made of: its stem, its blocks and their mixers, the place of its class token."""

import pytest
import torch
from torch import Tensor, nn

from core_attention.blocks import Macaron
from core_attention.trunks import Vit, load
from tests.core_attention.portable import hashed, hashed_state

SMALL = {"image": (32, 48), "patch": 8, "width": 48, "depth": 3, "heads": 3}
PATCHES = 24


def small(**options: object) -> Vit:
    return Vit(**{**SMALL, "generator": torch.Generator().manual_seed(0), **options}).eval()


def lengths(trunk: Vit, x: Tensor) -> list[int]:
    """How many tokens each block sees."""
    seen: list[int] = []
    hooks = [block.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape[1])) for block in trunk.blocks]
    trunk(x)
    for hook in hooks:
        hook.remove()
    return seen


@pytest.mark.parametrize(
    ("place", "registers", "wanted"),
    [(0, 0, [25, 25, 25]), (0, 2, [27, 27, 27]), (1, 0, [24, 25, 25]), (2, 2, [24, 24, 27]), (None, 0, [24] * 3), (None, 2, [26] * 3)],
)
def test_the_class_token_and_the_registers_join_where_they_are_told_to(place: int | None, registers: int, wanted: list[int]) -> None:
    trunk, x = small(class_token=place, registers=registers), torch.randn(2, 3, 32, 48)
    assert lengths(trunk, x) == wanted
    features = trunk.forward_features(x)
    assert features.shape[1] == trunk.prefix + PATCHES
    assert trunk.pos_embed.shape[1] == PATCHES + (0 if place else trunk.prefix)
    assert "cls_token" in trunk.state_dict() if place is not None else "cls_token" not in trunk.state_dict()
    wanted_vector = features[:, 0] if place is not None else features[:, registers:].mean(1)
    torch.testing.assert_close(trunk(x), wanted_vector)


def test_a_late_class_token_is_the_same_at_every_picture_until_it_joins() -> None:
    trunk, x = small(class_token=2), torch.randn(2, 3, 32, 48)
    last: list[Tensor] = []
    trunk.blocks[2].register_forward_pre_hook(lambda _, inputs: last.append(inputs[0]))
    trunk(x)
    torch.testing.assert_close(last[0][:, :1], trunk.cls_token.expand(2, -1, -1))


def test_a_convit_computes_what_timm_computes() -> None:
    """timm 1.0.31, ConVit(img_size=48, patch_size=8, embed_dim=12, depth=4, num_heads=4, local_up_to_layer=3), the same hashed weights."""
    options = {"image": 48, "depth": 4, "heads": 4, "class_token": 3, "mixer_options": {"qkv_bias": False}}
    trunk = small(mixer=["gpsa"] * 3 + ["softmax"], **options)
    load(trunk, hashed_state(trunk.state_dict()))
    vector = trunk(hashed((2, 3, 48, 48), 1))
    torch.testing.assert_close(vector[1, :4], torch.tensor([-1.560356, -1.474091, 0.318176, -2.194055]), rtol=1e-4, atol=1e-5)
    assert vector.abs().mean().item() == pytest.approx(0.803928, rel=1e-5)


def test_each_block_has_its_own_mixer_options() -> None:
    trunk = small(mixer_options=[{"qkv_bias": False}, {}, {"qk_norm": True}])
    assert [block.attn.qkv.bias is None for block in trunk.blocks] == [True, False, False]
    assert [isinstance(block.attn.q_norm, nn.Identity) for block in trunk.blocks] == [True, True, False]
    assert all(block.attn.qkv.bias is None for block in small(mixer_options={"qkv_bias": False}).blocks)


@pytest.mark.parametrize("block", ["prenorm", "macaron"])
def test_losses_that_mixers_want_are_handed_out_by_block(block: str) -> None:
    trunk, x = small(block=block, mixer=["moh", "softmax", "moh"], mixer_options=[{"keep": 0.5}, {}, {}]), torch.randn(2, 3, 32, 48)
    losses: dict[str, Tensor] = {}
    assert torch.equal(trunk(x, losses), trunk(x))
    assert list(losses) == ["blocks.0", "blocks.2"]
    assert all(loss.shape == () and loss.requires_grad for loss in losses.values())


def test_blocks_may_be_macarons() -> None:
    trunk = small(block="macaron", drop_path=0.2)
    assert all(isinstance(block, Macaron) for block in trunk.blocks)
    assert [block.drop_path3.rate for block in trunk.blocks] == pytest.approx([0.0, 0.1, 0.2])
    assert trunk(torch.randn(1, 3, 32, 48)).shape == (1, 48)


@pytest.mark.parametrize("patch", [4, 8, 16, 32])
def test_a_hybrid_has_the_stages_that_its_patch_needs(patch: int) -> None:
    trunk = small(image=(64, 96), patch=patch, stem="resnet18_half")
    assert trunk.patch_embed(torch.randn(1, 3, 64, 96)).shape == (1, 64 * 96 // patch**2, 48)
    assert len(trunk.patch_embed.backbone.widths) == patch.bit_length() - 2


def test_a_hybrid_thaws_its_network_stage_by_stage() -> None:
    groups = small(image=(64, 96), patch=16, stem="resnet18_half").layer_groups()
    assert [group[0] for group in groups] == [
        "patch_embed.backbone.conv1.", "patch_embed.backbone.layer1.", "patch_embed.backbone.layer2.", "patch_embed.backbone.layer3.",
        "cls_token", "blocks.0.", "blocks.1.", "blocks.2.", "norm.",
    ]  # fmt: skip
    assert "patch_embed.proj." in groups[4]


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="mixer_options has entries for 1 blocks, but depth is 3"):
        small(mixer_options=[{}])
    with pytest.raises(ValueError, match="blocks 0 to 2, not 3; None: there is none"):
        small(class_token=3)
    with pytest.raises(ValueError, match="'prenorm' or 'macaron', not 'postnorm'"):
        small(block="postnorm")
    with pytest.raises(ValueError, match="stem='resnet18' needs a patch of 4, 8, 16 or 32, not 8x16"):
        small(patch=(8, 16), stem="resnet18")
    with pytest.raises(ValueError, match="or the name of a residual network, not 'resnet34'"):
        small(stem="resnet34")
