"""Every kind of trunk: begins from its seed alone, and is the same as a program. And what is particular to MOAT's and DuoFormer's."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from core_attention import registry
from core_attention.mixers import Softmax
from core_attention.trunks import DuoTrunk, MoatTrunk, Trunk, Vit, build_trunk, load
from core_attention.trunks.load import resize_positions
from kernels import use_backend

VIT = {"image": (32, 64), "patch": 8, "width": 32, "depth": 2, "heads": 2}
MOAT = {"widths": (8, 16, 32, 32), "depths": (1, 1, 2, 1)}
DUO = {"image": (32, 64), "network": "resnet18_half", "width": 32, "depth": 2, "heads": 2}

KINDS: dict[str, tuple[str, dict]] = {
    "vit": ("vit_tiny", {**VIT, "stem": "conv", "registers": 1}),
    "late": ("vit_tiny", {**VIT, "class_token": 1}),
    "mean": ("vit_tiny", {**VIT, "class_token": None, "block": "macaron"}),
    "hybrid": ("vit_tiny", {**VIT, "stem": "resnet18_half"}),
    "resnet": ("resnet18", {"width": 0.125}),
    "moat": ("moat_micro", {**MOAT, "strides": (2, 1, 2, 2), "window": 3}),
    "duo": ("duo_mini", {**DUO, "stages": (2, 4)}),
}
kinds = pytest.mark.parametrize("kind", KINDS)


def build(kind: str, seed: int = 0) -> Trunk:
    name, options = KINDS[kind]
    return build_trunk(name, seed, **options).eval()


def pictures(batch: int, height: int = 32, width: int = 64) -> torch.Tensor:
    return torch.randn(batch, 3, height, width)


@kinds
def test_the_seed_decides_the_weights_and_nothing_else_does(kind: str) -> None:
    states: list[dict[str, torch.Tensor]] = []
    for seed, outer in ((0, 1), (0, 2), (1, 1)):
        torch.manual_seed(outer)
        before = torch.get_rng_state()
        states.append(build(kind, seed).state_dict())
        assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    drawn = [name for name, value in states[0].items() if value.ndim > 1]
    assert all(not torch.equal(states[0][name], states[2][name]) for name in drawn)
    assert all(value.isfinite().all() for value in states[0].values())


def test_the_seed_decides_what_a_mixer_draws_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    class Drawing(Softmax):
        def __init__(self, dim: int, heads: int) -> None:
            super().__init__(dim, heads)
            self.own = nn.Parameter(torch.randn(3))

    monkeypatch.setitem(registry._MIXERS, "drawing", Drawing)
    trunks: list[Trunk] = []
    for outer in (1, 2):
        torch.manual_seed(outer)
        trunks.append(build_trunk("vit_tiny", 0, **VIT, mixer="drawing"))
    assert torch.equal(trunks[0].blocks[1].attn.own, trunks[1].blocks[1].attn.own)


@kinds
def test_every_parameter_is_used_and_in_one_group(kind: str) -> None:
    trunk = build(kind).train()
    trunk(pictures(2)).square().sum().backward()
    for name, parameter in trunk.named_parameters():
        assert parameter.grad is not None, name
        assert sum(name.startswith(tuple(group)) for group in trunk.layer_groups()) == 1, name


@kinds
def test_weights_come_back_from_a_file(kind: str) -> None:
    source, trunk, x = build(kind, 3), build(kind, 4), pictures(2)
    report = load(trunk, source.state_dict())
    assert not report.missing
    assert not report.resized
    assert torch.equal(trunk(x), source(x))


@kinds
def test_a_trace_is_right_for_other_batches(kind: str) -> None:
    trunk = build(kind)
    with use_backend("reference"), torch.no_grad():
        traced = torch.jit.trace(trunk, pictures(2), check_trace=False)
        for batch in (1, 3, 5):
            x = pictures(batch)
            torch.testing.assert_close(traced(x), trunk(x), rtol=1e-4, atol=1e-5)


@kinds
@pytest.mark.full
def test_exported_equals_eager_for_other_batches(kind: str) -> None:
    trunk = build(kind)
    with use_backend("reference"):
        exported = torch.export.export(trunk, (pictures(2),), dynamic_shapes={"x_BCHW": {0: torch.export.Dim.DYNAMIC}}).module()
    for batch in (1, 3, 5):
        x = pictures(batch)
        torch.testing.assert_close(exported(x), trunk(x), rtol=1e-4, atol=1e-5)


@kinds
@pytest.mark.full
def test_compiled_whole_equals_eager_for_other_batches(kind: str) -> None:
    torch.compiler.reset()  # all kinds share the code of `forward`, which may be compiled anew a few times only
    trunk = build(kind)
    compiled = torch.compile(trunk, fullgraph=True, backend="aot_eager")  # the second size makes the batch dynamic, and it alone
    for batch in (2, 3, 5):
        x = pictures(batch)
        torch.testing.assert_close(compiled(x), trunk(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("window", [None, 2, 3])  # the traced map of 4x8 divides by 2, not by 3
def test_a_trace_of_moat_is_right_for_pictures_of_other_sizes(window: int | None) -> None:
    trunk = build_trunk("moat_micro", 0, **MOAT, window=window).eval()
    with use_backend("reference"), torch.no_grad():
        traced = torch.jit.trace(trunk, pictures(2), check_trace=False)
        for size in ((1, 48, 48), (3, 96, 33), (2, 16, 16)):
            x = pictures(*size)
            torch.testing.assert_close(traced(x), trunk(x), rtol=1e-4, atol=1e-5)


def test_moat_ends_at_a_thirty_second_of_the_picture() -> None:
    trunk = MoatTrunk(**MOAT).eval()
    assert trunk.forward_features(pictures(1, 64, 96)).shape == (1, 32, 2, 3)
    assert len(trunk.layer_groups()) == 1 + sum(MOAT["depths"]) + 1


def test_the_windows_of_moat_are_those_of_its_third_stage() -> None:
    trunk = MoatTrunk(**MOAT, window=7)
    assert [[getattr(block, "window", "none") for block in stage] for stage in trunk.stages] == [["none"], ["none"], [7, 7], [None]]


def test_moat_takes_a_mixer_for_each_of_its_blocks() -> None:
    trunk = MoatTrunk(**MOAT, mixer_options=[{"qkv_bias": False}, {}, {}])
    assert [block.attn.qkv.bias is None for block in (*trunk.stages[2], *trunk.stages[3])] == [True, False, False]
    with pytest.raises(ValueError, match="mixer names 2 blocks, but depth is 3"):
        MoatTrunk(**MOAT, mixer=["softmax"] * 2)
    with pytest.raises(ValueError, match="depths has 3 numbers; this trunk has 4 stages"):
        MoatTrunk(depths=(1, 1, 1))


@pytest.mark.parametrize(("stages", "tokens"), [((1, 2, 3, 4), 85), ((2, 4), 17), ((3,), 4)])
def test_a_patch_has_a_token_of_each_place_of_each_stage(stages: tuple[int, ...], tokens: int) -> None:
    trunk = DuoTrunk(**DUO, stages=stages).eval()
    assert trunk.embed(pictures(2)).shape == (2, 2, 1 + tokens, 32)
    assert len(trunk.backbone.widths) == stages[-1]
    assert trunk.forward_features(pictures(2)).shape == (2, 2, 32)


def test_a_token_is_given_to_the_patch_in_which_it_lies() -> None:
    trunk = DuoTrunk(**{**DUO, "image": (64, 96)})  # 2x3 patches
    rows, columns = torch.meshgrid(torch.arange(8.0), torch.arange(12.0), indexing="ij")
    patches = trunk._by_patch(torch.stack([rows, columns])[None], 4)
    assert patches.shape == (1, 6, 16, 2)
    for patch in range(6):
        corner = torch.tensor([4.0 * (patch // 3), 4.0 * (patch % 3)])
        wanted = corner + torch.stack(torch.meshgrid(torch.arange(4.0), torch.arange(4.0), indexing="ij"), -1).reshape(16, 2)
        assert torch.equal(patches[0, patch], wanted)


def test_patch_positions_of_a_duo_trunk_are_resized() -> None:
    source, trunk = DuoTrunk(**{**DUO, "image": 64}), DuoTrunk(**{**DUO, "image": (96, 64)})
    assert load(trunk, source.state_dict()).resized == {"pos_embed": "2x2 to 3x2"}
    torch.testing.assert_close(trunk.pos_embed, resize_positions(source.pos_embed, (2, 2), (3, 2), 0))


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: DuoTrunk(**{**DUO, "image": 48}), "48x48 does not divide into patches of 32x32"),
        (lambda: DuoTrunk(**{**DUO, "network": "resnet34"}), "network is resnet18, resnet18_half, resnet50, not 'resnet34'"),
        (lambda: DuoTrunk(**DUO, stages=(4, 2)), r"some of 1, 2, 3, 4 in this order, not \[4, 2\]"),
        (lambda: build_trunk("resnet18", stages=5), "1 to 4 stages, not 5"),
        (lambda: DuoTrunk(**DUO)(pictures(1, 64, 64)), "pictures of 32x64, not 64x64"),
    ],
)
def test_what_cannot_be_is_refused(make: Callable[[], object], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        make()


def test_only_trunks_with_positions_are_of_one_size() -> None:
    assert [kind.fixed_size for kind in (Vit, DuoTrunk, MoatTrunk, Trunk)] == [True, True, False, False]
