import pytest
import torch
from torch import nn

from core_attention.trunks import TRUNKS, Vit, build_trunk, load
from core_attention.trunks.load import resize_positions
from tests.core_attention.portable import hashed, hashed_state

SMALL = {"image": (32, 48), "patch": 8, "width": 48, "depth": 2, "heads": 3}
HYBRID = {"image": (64, 96), "width": 48, "depth": 2, "heads": 3}

# What timm 1.0.31 gives with the same hashed weights and picture: the first four numbers of the second vector, and the mean size of all.
TIMM = [
    ("vit_tiny", {**SMALL, "registers": 2, "layer_scale": 0.1}, (32, 48), [-1.14897, 0.254835, 0.343178, 0.344543], 0.778121),
    ("vit_tiny", {**SMALL, "class_token": None}, (32, 48), [-0.192502, -1.313509, 0.506038, -0.426953], 0.369915),
    ("vit_tiny", {**HYBRID, "patch": 16, "stem": "resnet18"}, (64, 96), [0.8461, -0.669088, -1.170276, -0.428696], 0.823884),
    ("vit_tiny", {**HYBRID, "patch": 8, "stem": "resnet50"}, (64, 96), [0.178091, -1.121721, -0.41513, -1.072071], 0.851078),
    ("resnet18", {}, (64, 64), [0.086135, 0.150464, 0.313391, 1.220554], 0.593092),
    ("resnet50", {}, (64, 64), [1.744539, 0.872755, 2.396605, 4.060661], 0.9486),
]


def small(**options: object) -> Vit:
    trunk = build_trunk("vit_tiny", seed=0, **{**SMALL, **options})
    assert isinstance(trunk, Vit)
    return trunk


@pytest.mark.parametrize(("name", "options", "size", "wanted", "mean"), TIMM, ids=lambda value: value if isinstance(value, str) else "")
def test_a_trunk_computes_what_timm_computes(name: str, options: dict, size: tuple[int, int], wanted: list[float], mean: float) -> None:
    trunk = build_trunk(name, **options).eval()
    load(trunk, hashed_state(trunk.state_dict()))
    with torch.no_grad():
        vector = trunk(hashed((2, 3, *size), 1))
    torch.testing.assert_close(vector[1, :4], torch.tensor(wanted), rtol=1e-4, atol=1e-5)
    assert vector.abs().mean().item() == pytest.approx(mean, rel=1e-5)


def test_the_names_are_timms() -> None:
    names = set(small(registers=2).state_dict())
    block = {f"{part}.{kind}" for part in ("norm1", "attn.qkv", "attn.proj", "norm2", "mlp.fc1", "mlp.fc2") for kind in ("weight", "bias")}
    outside = {"cls_token", "reg_token", "pos_embed", "patch_embed.proj.weight", "patch_embed.proj.bias", "norm.weight", "norm.bias"}
    assert names == outside | {f"blocks.{i}.{name}" for i in range(2) for name in block}


LARGE = ("vit_base", "hybrid_small", "duo_small")


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.full] if name in LARGE else []) for name in TRUNKS])
def test_every_trunk_keeps_the_contract(name: str) -> None:
    trunk = build_trunk(name, seed=0).eval()
    size = trunk.image if trunk.fixed_size else (64, 96)
    with torch.no_grad():
        features = trunk.forward_features(torch.zeros(1, 3, *size))
        assert trunk.pool(features).shape == (1, trunk.dim)
    for parameter, _ in trunk.named_parameters():
        owners = [group for group in trunk.layer_groups() if any(parameter.startswith(prefix) for prefix in group)]
        assert len(owners) == 1, parameter


def test_linear_weights_begin_at_the_stated_size() -> None:
    fixed, by_fan_in = small(), small(init_std=None)
    assert fixed.blocks[0].mlp.fc2.weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert by_fan_in.blocks[0].mlp.fc2.weight.std().item() == pytest.approx((3 * 4 * 48) ** -0.5, rel=0.05)


def test_a_convolutional_stem_ends_at_the_same_grid_for_each_patch() -> None:
    for patch in (4, 8, 16):
        trunk = small(image=(32, 64), patch=patch, stem="conv")
        assert trunk.patch_embed(torch.zeros(1, 3, 32, 64)).shape == (1, 32 * 64 // patch**2, 48)
    with pytest.raises(ValueError, match="use stem='patch'"):
        small(image=48, patch=6, stem="conv")


def test_a_picture_changes_nothing_for_another_of_its_batch() -> None:
    trunk = small(stem="conv").eval()
    x = torch.randn(3, 3, 32, 48)
    torch.testing.assert_close(trunk(x)[:1], trunk(x[:1]))


def test_blocks_of_a_residual_network_begin_as_their_shortcuts() -> None:
    trunk = build_trunk("resnet18", seed=0, width=0.125)
    last = [part for name, part in trunk.named_modules() if name.endswith("bn2")]
    assert len(last) == 8
    assert all(isinstance(part, nn.BatchNorm2d) and (part.weight == 0).all() for part in last)


def test_a_small_stem_keeps_the_sides_of_small_pictures() -> None:
    for stem in (4, 2, 1):
        maps = build_trunk("resnet18", seed=0, width=0.125, stem=stem).maps(torch.zeros(1, 3, 32, 64))
        assert [tuple(each.shape[2:]) for each in maps] == [(32 // stem // 2**stage, 64 // stem // 2**stage) for stage in range(4)]
    with pytest.raises(ValueError, match="stem=3: the first map"):
        build_trunk("resnet18", stem=3)


def test_stochastic_depth_grows_with_depth() -> None:
    rates = [block.drop_path1.rate for block in small(depth=3, drop_path=0.2).blocks]
    assert rates == pytest.approx([0.0, 0.1, 0.2])


def test_wrong_words_are_named() -> None:
    with pytest.raises(ValueError, match="did you mean 'vit_small'"):
        build_trunk("vit_smal")
    with pytest.raises(ValueError, match="no option 'widht'; did you mean 'width'"):
        build_trunk("resnet18", widht=2)
    with pytest.raises(ValueError, match="does not divide into patches of 7x7"):
        small(patch=7)
    with pytest.raises(ValueError, match="pictures of 32x48, not 48x32"):
        small()(torch.zeros(1, 3, 48, 32))
    with pytest.raises(ValueError, match="mixer names 1 blocks, but depth is 2"):
        small(mixer=["softmax"])


def test_loading_brings_every_weight_over_and_leaves_the_files_classifier() -> None:
    source, trunk = small(), build_trunk("vit_tiny", seed=5, **SMALL)
    report = load(trunk, {**source.state_dict(), "head.weight": torch.zeros(10, 48)})
    assert report.unexpected == ["head.weight"]
    assert not report.missing
    assert set(report.loaded) == set(trunk.state_dict())
    assert all(torch.equal(value, source.state_dict()[name]) for name, value in trunk.state_dict().items())


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda state: state.pop("norm.weight"), "missing norm.weight"),
        (lambda state: state.update({"dist_token": torch.zeros(1)}), "unexpected dist_token"),
        (lambda state: state.update({"norm.weight": torch.ones(7)}), r"mismatched norm.weight: \(7,\) in the file, \(48,\) in the model"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_changes(change: object, why: str) -> None:
    trunk = small()
    before = {name: value.clone() for name, value in trunk.state_dict().items()}
    state = build_trunk("vit_tiny", seed=5, **SMALL).state_dict()
    change(state)
    with pytest.raises(ValueError, match=why):
        load(trunk, state)
    assert all(torch.equal(value, before[name]) for name, value in trunk.state_dict().items())
    report = load(trunk, state, strict=False)
    assert report.missing or report.unexpected or report.mismatched
    assert torch.equal(trunk.state_dict()["norm.bias"], state["norm.bias"])


def test_positions_of_another_grid_are_resized_and_the_prefix_stays() -> None:
    source, trunk = small(image=32, registers=1), small(image=(64, 48), registers=1)
    ramp = torch.arange(4.0)[:, None].expand(4, 4)  # grows downwards
    source.pos_embed.data[0, 2:] = ramp.reshape(16, 1)
    report = load(trunk, source.state_dict())
    assert report.resized == {"pos_embed": "4x4 to 8x6"}
    assert torch.equal(trunk.pos_embed[:, :2], source.pos_embed[:, :2])
    new = trunk.pos_embed[0, 2:].reshape(8, 6, 48)
    assert (new.diff(dim=0) > 0).all()
    torch.testing.assert_close(new, new[:, :1].expand_as(new))


def test_positions_of_an_oblong_grid_need_to_be_told_of_it() -> None:
    source, trunk = small(), small(image=(48, 32))  # 4x6 and 6x4: as many patches
    state = source.state_dict()
    report = load(trunk, state, grid=(4, 6))
    assert report.resized == {"pos_embed": "4x6 to 6x4"}
    assert not torch.equal(trunk.pos_embed, source.pos_embed)
    with pytest.raises(ValueError, match="24 patches"):
        load(trunk, state, grid=(5, 6))
    with pytest.raises(ValueError, match="mismatched pos_embed"):
        load(small(image=64), state)


def test_positions_without_a_prefix_get_zeros_for_it() -> None:
    source, trunk = small(class_token=None, image=32), small(image=32)
    state = {**trunk.state_dict(), "pos_embed": source.pos_embed.detach()}
    assert load(trunk, state).resized == {"pos_embed": "1 rows of zeros for the prefix"}
    assert (trunk.pos_embed[:, 0] == 0).all()
    assert torch.equal(trunk.pos_embed[:, 1:], source.pos_embed)
    trunk = small(image=(64, 48), registers=4)
    state = {**trunk.state_dict(), "pos_embed": source.pos_embed.detach()}
    assert load(trunk, state).resized == {"pos_embed": "5 rows of zeros for the prefix, 4x4 to 8x6"}
    torch.testing.assert_close(trunk.pos_embed[:, 5:], resize_positions(source.pos_embed, (4, 4), (8, 6), 0))


def test_positions_that_may_be_two_grids_need_to_be_told() -> None:
    trunk = small(image=(32, 32), patch=4)
    state = {**trunk.state_dict(), "pos_embed": torch.randn(1, 25, 48)}  # 5x5, or 4x6 and a class token
    with pytest.raises(ValueError, match=r"mismatched pos_embed: .* grid=\(height, width\) of the file's patches may help"):
        load(trunk, state)
    assert load(trunk, state, grid=(5, 5)).resized == {"pos_embed": "1 rows of zeros for the prefix, 5x5 to 8x8"}
    assert load(trunk, state, grid=(4, 6)).resized == {"pos_embed": "4x6 to 8x8"}


def test_constant_positions_stay_constant() -> None:
    resized = resize_positions(torch.full((1, 10, 2), 3.0), (3, 3), (7, 2), 1)
    torch.testing.assert_close(resized, torch.full((1, 15, 2), 3.0))
