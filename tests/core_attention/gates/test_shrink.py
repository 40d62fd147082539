"""Shrinking: smaller layers, the same answers."""

import pytest
import torch
from torch import Tensor, nn

from core_attention.gates import GateSet, Site, fold, harden, shrink
from core_attention.gates.branches import Nothing
from core_attention.gates.cost import cost
from core_attention.trunks import ResNet, Trunk, Vit
from tests.core_attention.gates.gated_models import gated, judged


def vit(**options: object) -> Vit:
    return Vit(**{"image": 16, "patch": 8, "width": 24, "depth": 2, "heads": 4, **options})  # type: ignore[arg-type]


def with_head(trunk: Trunk) -> nn.Module:
    return nn.Sequential(trunk, nn.Linear(trunk.dim, 8), nn.ReLU(), nn.Linear(8, 3))


class Stems(nn.Module):
    """A residual block, the usual names, with no module for its shortcut."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.conv2, self.bn2 = nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.downsample = None

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        y += x if self.downsample is None else self.downsample(x)
        return torch.relu_(y)


MODELS = {
    "vit": (lambda: vit(), ["branch", "hidden", "heads", "input"], 16),
    "vit with LayerScale": (lambda: vit(layer_scale=0.1), ["branch", "hidden", "heads"], 16),
    "sandwich": (lambda: vit(block="macaron", depth=1), ["branch", "hidden", "heads"], 16),
    "conv stem": (lambda: vit(stem="conv", depth=1), ["input", "branch"], 16),
    "hybrid": (lambda: vit(stem="resnet18_half", depth=1, image=32), ["stage", "branch", "input"], 32),
    "resnet18": (lambda: with_head(ResNet(18, 0.125, stages=3)), ["stage", "input", "2"], 32),
    "resnet50": (lambda: with_head(ResNet(50, 0.0625, stages=2)), ["stage", "2"], 32),
    "a block of another house": (
        lambda: nn.Sequential(nn.Conv2d(3, 8, 1), Stems(), nn.AvgPool2d(2), nn.Conv2d(8, 4, 1)), [Site("1", axis=1, channels=8)], 8,
    ),
    "norms and depthwise convolutions between": (
        lambda: nn.Sequential(
            nn.Conv2d(3, 8, 1), nn.BatchNorm2d(8), nn.GELU(), nn.Conv2d(8, 8, 3, groups=8), nn.PReLU(8), nn.Flatten(), nn.Linear(8 * 36, 4)
        ),
        [Site("4", axis=1, channels=8)],
        8,
    ),
}  # fmt: skip


LONG = ("sandwich", "conv stem", "resnet50")


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.full) if name in LONG else name for name in MODELS])
def test_a_smaller_model_answers_as_the_closed_one(name: str) -> None:
    make, sites, side = MODELS[name]
    model, x = make(), torch.randn(2, 3, side, side)
    gates = gated(model, sites, x)
    harden(gates, threshold=0.4)
    wanted = judged(model, x)
    small, report = shrink(fold(model, x)[0], x)
    assert (judged(small, x) - wanted).abs().max() <= 1e-5 * wanted.abs().max().clamp(min=1)
    assert report.cuts
    assert report.after.parameters == sum(p.numel() for p in small.parameters()) < report.before.parameters
    assert report.after.macs < report.before.macs
    one = torch.randn(3, 3, side, side)  # another batch than the example's
    assert torch.allclose(judged(small, one), judged(model, one), atol=1e-5 * float(wanted.abs().max().clamp(min=1)))


def close(gates: GateSet, name: str, count: int) -> None:
    with torch.no_grad():
        gates.gates[name].logits.fill_(2.0)
        gates.gates[name].logits[:count] = -1e4


def counts(model: nn.Module, x: Tensor) -> tuple[int, int]:
    small, report = shrink(model, x)
    assert (report.before.parameters - report.after.parameters, report.before.macs - report.after.macs) == tuple(
        a - b for a, b in zip(cost(fold(model, x)[0], x), cost(small, x), strict=True)
    )
    return report.before.parameters - report.after.parameters, report.before.macs - report.after.macs


D, N, B = 24, 5, 2  # width, tokens, batch


def test_a_hidden_unit_costs_a_row_a_bias_and_a_column() -> None:
    model, x = vit(depth=1), torch.randn(B, 3, 16, 16)
    close(gated(model, "hidden"), "blocks.0.mlp.act", 10)
    assert counts(model, x) == (10 * (2 * D + 1), 10 * 2 * D * N * B)


def test_a_head_costs_its_queries_keys_values_and_columns() -> None:
    model, x, width = vit(depth=1), torch.randn(B, 3, 16, 16), D // 4
    close(gated(model, "heads"), "blocks.0.attn.proj", 3)
    parameters, macs = counts(model, x)
    assert parameters == 3 * width * (3 * (D + 1) + D)
    assert macs == 3 * width * (4 * D * N + 2 * N * N) * B


def test_a_branch_costs_all_that_is_in_it_and_its_norm() -> None:
    model, x = vit(depth=1), torch.randn(B, 3, 16, 16)
    gates = gated(model, "branch")
    close(gates, "blocks.0.ls1", 0)
    close(gates, "blocks.0.ls2", D)
    small, report = shrink(model, x)
    assert isinstance(small.get_submodule("blocks.0.mlp"), Nothing)
    assert [cut.layer for cut in report.cuts] == ["blocks.0.norm2", "blocks.0.mlp"]
    assert counts(model, x) == (2 * D + 2 * 4 * D * D + 5 * D, 8 * D * D * N * B)


def test_a_closed_attention_goes_as_well() -> None:
    model, x = vit(depth=1), torch.randn(B, 3, 16, 16)
    gates = gated(model, "branch")
    for name in gates.gates:
        close(gates, name, D)
    small, report = shrink(model, x)
    assert {cut.layer for cut in report.cuts} == {f"blocks.0.{part}" for part in ("norm1", "attn", "norm2", "mlp")}
    assert torch.allclose(judged(small, x), judged(model, x), atol=1e-5)


def test_a_channel_of_a_branch_that_is_open_costs_what_it_did() -> None:
    model, x = vit(depth=1), torch.randn(B, 3, 16, 16)
    close(gated(model, "branch"), "blocks.0.ls1", D - 1)
    _, report = shrink(model, x)
    assert not report.cuts
    assert report.before == report.after
    assert "0.0 % less" in str(report)


def test_a_stage_costs_its_last_filters_and_what_the_next_reads() -> None:
    model, x = with_head(ResNet(18, 0.125, stages=2)), torch.randn(B, 3, 32, 32)
    gates = gated(model, "stage")
    close(gates, "0.layer1", 3)
    close(gates, "0.layer2", 0)
    parameters, macs = counts(model, x)
    assert parameters == 3 * (9 * 8 + 2) + 3 * 16 * (9 + 1)  # conv2 and its norm; conv1 and the shortcut of the next stage
    assert macs == B * 3 * (9 * 8 * 64 + 16 * (9 + 1) * 16)


def test_a_plane_that_is_closed_is_not_read_by_the_stem() -> None:
    model, x = vit(depth=1, channels=5), torch.randn(B, 5, 16, 16)
    close(gated(model, "input", x), "patch_embed.proj", 2)
    assert counts(model, x) == (2 * 64 * D, 2 * 64 * D * 4 * B)


def test_all_heads_and_units_but_one_may_go() -> None:
    model, x = vit(depth=1), torch.randn(B, 3, 16, 16)
    gates = gated(model, ["hidden", "heads"])
    for gate in gates.gates.values():
        gate.logits.data.fill_(-9)
    harden(gates, threshold=0.5)
    small, _ = shrink(model, x)
    assert (small.blocks[0].attn.heads, small.blocks[0].mlp.fc1.out_features) == (1, 1)  # type: ignore[index, union-attr]
    assert torch.allclose(judged(small, x), judged(model, x), atol=1e-5)


def test_a_smaller_model_trains_and_exports() -> None:
    model, x = vit(depth=1), torch.randn(B, 3, 16, 16)
    gates = gated(model, ["branch", "hidden", "heads"])
    close(gates, "blocks.0.mlp.act", 50)
    close(gates, "blocks.0.attn.proj", 2)
    close(gates, "blocks.0.ls1", 0)
    close(gates, "blocks.0.ls2", 0)
    small, _ = shrink(model.train(), x)
    assert small.training
    small(x).sum().backward()
    assert all(p.grad is not None and p.grad.shape == p.shape for p in small.parameters())
    traced = torch.jit.trace(small.eval(), x)
    other = torch.randn(5, 3, 16, 16)
    assert torch.allclose(traced(other), judged(small, other), atol=1e-5)


def test_open_gates_make_nothing_smaller() -> None:
    model, x = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2)), torch.randn(2, 4)
    close(gated(model, Site("1", channels=4, axis=-1)), "1", 0)
    _, report = shrink(model, x)
    assert not report.cuts
    assert report.fold.folded


def test_a_model_that_counts_on_its_channels_is_refused_by_name() -> None:
    class Counting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.act, self.last = nn.Linear(4, 6), nn.GELU(), nn.Linear(6, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.last(self.act(self.first(x)).view(-1, 6))

    model, x = Counting(), torch.randn(2, 4)
    close(gated(model, Site("act", channels=6, axis=-1)), "act", 2)
    with pytest.raises(ValueError, match="Counting does not run with fewer channels"):
        shrink(model, x)
