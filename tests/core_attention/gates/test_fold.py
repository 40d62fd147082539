"""Folding gates: the same function without them, or the reason why not."""

import pytest
import torch
from torch import Tensor, nn

from core_attention.gates import Gate, Gated, Site, fold, harden, shrink, wrap
from core_attention.gates.names import plain_state
from core_attention.trunks import ResNet, Trunk, Vit, build_trunk
from tests.core_attention.gates.gated_models import gated, judged, randomised


def vit(**options: object) -> Vit:
    return Vit(**{"image": 16, "patch": 8, "width": 24, "depth": 1, "heads": 2, **options})  # type: ignore[arg-type]


def with_head(trunk: Trunk) -> nn.Module:
    return nn.Sequential(trunk, nn.Linear(trunk.dim, 3))


MODELS = {
    "vit": (lambda: vit(), ["branch", "hidden", "heads", "input"], 16),
    "vit with LayerScale": (lambda: vit(layer_scale=0.1), ["branch"], 16),
    "sandwich": (lambda: vit(block="macaron"), ["branch", "hidden", "heads"], 16),
    "conv stem": (lambda: vit(stem="conv"), ["input"], 16),
    "two heads' maps less each other": (lambda: vit(mixer="differential", mixer_options={"depth": 0}), ["branch", "heads"], 16),
    "heads of positions": (lambda: vit(mixer="gpsa", class_token=None), ["branch"], 16),
    "high and low": (lambda: vit(mixer="hilo", class_token=None, image=32), ["branch"], 32),
    "hybrid": (lambda: vit(stem="resnet18_half", image=32), ["stage", "branch", "input"], 32),
    "resnet18": (lambda: with_head(ResNet(18, 0.125)), ["stage", "input"], 32),
    "resnet50": (lambda: with_head(ResNet(50, 0.0625, stages=2)), ["stage"], 32),
    "moat": (lambda: build_trunk("moat_micro", depths=(1, 1, 1, 1)), ["input"], 32),
}


@pytest.mark.parametrize("name", MODELS)
def test_every_place_of_every_trunk_folds_to_the_same_function(name: str) -> None:
    make, sites, side = MODELS[name]
    model, x = make(), torch.randn(2, 3, side, side)
    gates = gated(model, sites, x)
    wanted = judged(model, x)
    folded, report = fold(model, x)
    assert not report.kept
    assert len(report.folded) == len(gates)
    assert report.error_double <= 1e-10
    assert report.error <= 1e-5
    assert (judged(folded, x) - wanted).abs().max() <= 1e-5 * wanted.abs().max().clamp(min=1)
    assert not any(isinstance(part, Gated | Gate) for part in folded.modules())
    assert folded.state_dict().keys() == plain_state(model).keys()


def conv(**options: object) -> nn.Module:
    return nn.Conv2d(8, 8, 3, padding=1, **options)  # type: ignore[arg-type]


BATCH = nn.BatchNorm2d
BEFORE: dict[str, tuple[list[nn.Module], str]] = {  # the gate sits on module 1's answer, and module 1 or what is before it takes the scale
    "convolution": ([nn.Identity(), conv()], "1"),
    "convolution without bias": ([nn.Identity(), conv(bias=False)], "1"),
    "convolution in groups": ([nn.Identity(), conv(groups=4)], "1"),
    "convolution of each channel": ([nn.Identity(), conv(groups=8)], "1"),
    "transposed convolution": ([nn.Identity(), nn.ConvTranspose2d(8, 8, 2, stride=2)], "1"),
    "transposed convolution in groups": ([nn.Identity(), nn.ConvTranspose2d(8, 8, 2, groups=4)], "1"),
    "batch norm": ([nn.Identity(), BATCH(8)], "1"),
    "batch norm without weights": ([nn.Identity(), BATCH(8, affine=False)], "1"),
    "group norm": ([nn.Identity(), nn.GroupNorm(4, 8)], "1"),
    "group norm without weights": ([nn.Identity(), nn.GroupNorm(4, 8, affine=False)], "1"),
    "instance norm": ([nn.Identity(), nn.InstanceNorm2d(8, affine=True)], "1"),
    "through ReLU": ([conv(), nn.ReLU()], "0"),
    "through ReLU in place": ([conv(), nn.ReLU(inplace=True)], "0"),
    "through LeakyReLU": ([conv(), nn.LeakyReLU(0.2)], "0"),
    "through PReLU": ([conv(), nn.PReLU(8)], "0"),
    "through maxima": ([conv(groups=2), nn.MaxPool2d(2)], "0"),
    "through averages": ([conv(), nn.AdaptiveAvgPool2d(2)], "0"),
    "through dropout": ([BATCH(8), nn.Dropout2d(0.5)], "0"),
}


@pytest.mark.parametrize("name", BEFORE)
def test_the_layer_before_a_gate_takes_its_scale(name: str) -> None:
    modules, into = BEFORE[name]
    model = nn.Sequential(*modules, nn.GELU())  # which lets nothing through to what is behind
    x = torch.randn(2, 8, 6, 6)
    gated(model, Site("1", axis=1, channels=8))
    _, report = fold(model, x)
    assert [row.into for row in report.folded] == [into], report


BEHIND: dict[str, list[nn.Module]] = {
    "convolution": [conv()],
    "convolution in groups": [conv(groups=4)],
    "convolution of each channel": [conv(groups=8)],
    "convolution with a stride": [nn.Conv2d(8, 4, 3, stride=2, bias=False)],
    **{f"padding {mode}": [nn.Conv2d(8, 4, 3, padding=1, padding_mode=mode)] for mode in ("zeros", "reflect", "replicate", "circular")},
    "padding as large as it takes": [nn.Conv2d(8, 4, 3, padding="same")],
    "zeros around": [nn.ZeroPad2d(1), nn.Conv2d(8, 4, 3)],
    "transposed convolution": [nn.ConvTranspose2d(8, 4, 2)],
    "transposed convolution in groups": [nn.ConvTranspose2d(8, 4, 2, groups=2)],
    "batch norm": [BATCH(8)],
    "linear after flattening": [nn.Flatten(), nn.Linear(8 * 36, 3)],
    "linear after pooling": [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3)],
    "through ReLU and maxima": [nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 4, 1)],
    "larger and smaller": [nn.Upsample(scale_factor=2, mode="bilinear"), nn.AvgPool2d(2), nn.Conv2d(8, 4, 1)],
}


@pytest.mark.parametrize("name", BEHIND)
def test_the_layer_behind_a_gate_takes_its_scale(name: str) -> None:
    model = nn.Sequential(nn.GELU(), *BEHIND[name], nn.GELU())
    x = torch.randn(2, 8, 6, 6)
    gated(model, Site("0", axis=1, channels=8))
    _, report = fold(model, x)
    assert [row.into for row in report.folded] == [str(len(BEHIND[name]))], report


class Joined(nn.Module):
    """Two streams side by side, each with a gate of its own on one of its ends."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.GELU(), nn.GELU()
        self.out = nn.Linear(10, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(torch.cat([self.left(x), 2.0 * self.right(x)], 1))


class Picked(nn.Module):
    """Channels by an index that the model keeps, on either side of the gate."""

    def __init__(self, index: list[int]) -> None:
        super().__init__()
        self.before, self.gated, self.out = nn.Linear(6, 8), nn.Identity(), nn.Linear(len(index), 3)
        self.register_buffer("index", torch.tensor(index))

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.gated(self.before(x)).index_select(1, self.index))  # type: ignore[arg-type]


class PickedBefore(Picked):
    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.gelu(self.gated(self.before(x).index_select(1, self.index)))  # type: ignore[arg-type]


class PickedByInput(Picked):
    def forward(self, x: Tensor) -> Tensor:
        picked = self.gated(nn.functional.gelu(self.before(x))).index_select(1, x[0].argsort()[:4])
        return self.out(picked)


@pytest.mark.parametrize(("kind", "channels", "into"), [(Picked, 8, ("before", "out")), (PickedBefore, 4, ("before",))])
def test_a_scale_follows_its_channels_through_a_kept_index(kind: type[Picked], channels: int, into: tuple[str, ...]) -> None:
    model, x = kind([5, 2, 7, 0]), torch.randn(2, 6)
    gated(model, Site("gated", axis=-1, channels=channels))
    wanted = judged(model, x)
    folded, report = fold(model, x)
    assert [row.into in into for row in report.folded] == [True], report
    assert torch.allclose(judged(folded, x), wanted, atol=1e-6)


def test_an_index_that_the_input_gives_keeps_the_gate() -> None:
    model, x = PickedByInput([0, 1, 2, 3]), torch.randn(2, 6)
    gated(model, Site("gated", axis=-1, channels=8))
    _, report = fold(model, x)
    assert "places that depend on the input" in report.kept[0].why


def test_an_index_that_takes_a_channel_twice_is_followed_in_both_places() -> None:
    model, x = Picked([5, 5, 7, 0]), torch.randn(2, 6)
    gated(model, Site("gated", axis=-1, channels=8))
    wanted = judged(model, x)
    folded, report = fold(model, x)
    assert not report.kept
    assert torch.allclose(judged(folded, x), wanted, atol=1e-6)


def test_gates_of_streams_fold_into_their_part_of_the_columns() -> None:
    model = Joined()
    gates = gated(model, [Site("left", channels=5, axis=1), Site("right", channels=5, axis=1)])
    before = model.out.weight.clone()
    folded, report = fold(model, torch.randn(2, 5))
    assert not report.kept
    s = torch.cat([gates.gates[name].values() for name in ("left", "right")])
    assert torch.allclose(folded.out.weight, before * s)  # type: ignore[union-attr, operator]


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.last = nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 6)

    def forward(self, x: Tensor) -> Tensor:
        y = self.first(x)
        return self.last(y + torch.relu(self.second(y)))


class Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 6)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(torch.tanh(self.layer(x)))


KEPT: dict[str, tuple[nn.Module, str, str]] = {
    "a norm over channels behind it": (nn.Sequential(nn.GELU(), nn.LayerNorm(6)), "0", "layer_norm of 1 reads several channels"),
    "no map that commutes": (nn.Sequential(nn.GELU(), nn.Tanh()), "0", "tanh of 1 does not commute"),
    "an answer of the model": (nn.Sequential(nn.Linear(6, 6), nn.Sigmoid()), "1", "an answer of the model"),
    "a layer that works twice": (Twice(), "layer", "it is applied in 2 places"),
    "weights that work twice": (nn.Sequential(nn.Identity(), *[nn.Linear(6, 6)] * 2, nn.GELU()), "0", "is used in 2 places"),
    "padding with ones": (nn.Sequential(nn.GELU(), nn.ConstantPad1d(1, 1.0), nn.Linear(8, 2)), "0", "pads with 1.0"),
    "a shortcut": (Residual(), "first", ""),
}


@pytest.mark.parametrize("name", KEPT)
def test_what_cannot_be_folded_stays_with_its_reason_and_computes_right(name: str) -> None:
    model, place, why = KEPT[name]
    x = torch.randn(2, 6)
    if name == "a shortcut":  # before the sum and not behind it: both ways read the gated channels
        gates = gated(model, Site(place, channels=6, axis=-1))
        folded, report = fold(model, x)
        assert report.folded[0].into == "first"
        assert torch.allclose(judged(folded, x), judged(model, x), atol=1e-6)
        assert len(gates) == 1
        return
    gated(model, Site(place, channels=6, axis=-1))
    folded, report = fold(model, x)
    assert why in report.kept[0].why, report
    assert torch.equal(judged(folded, x), judged(model, x))
    assert any(isinstance(part, Gated) for part in folded.modules())


def test_a_stage_before_an_identity_skip_is_kept() -> None:
    model = with_head(ResNet(18, 0.125))
    gated(model, Site("0.layer1.0", axis=1, channels=8))
    _, report = fold(model, torch.randn(2, 3, 32, 32))
    assert "as a shortcut does" in report.kept[0].why


def test_a_negative_scale_does_not_pass_a_rectifier() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.GELU())
    gated(model, Site("1", channels=4, axis=-1))
    gate = model[1].gate  # type: ignore[union-attr]

    class Below(Gate):
        def values(self) -> Tensor:
            return -super().values()

    gate.__class__ = Below  # no gate of ours is below zero
    _, report = fold(model, torch.randn(2, 4))
    assert "negative" in report.kept[0].why


def test_folding_twice_is_folding_once_and_the_model_stays_as_it_was() -> None:
    model, x = vit(), torch.randn(2, 3, 16, 16)
    gated(model, ["branch", "hidden"])
    before = {name: value.clone() for name, value in model.state_dict().items()}
    once, _ = fold(model, x)
    twice, report = fold(once, x)
    assert not report.folded
    assert not report.kept
    assert all(torch.equal(a, b) for a, b in zip(once.state_dict().values(), twice.state_dict().values(), strict=True))
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert once.state_dict().keys() == twice.state_dict().keys()


def test_a_model_in_training_keeps_the_gates_that_only_a_batch_norm_would_take() -> None:
    model = nn.Sequential(nn.GELU(), BATCH(4), nn.GELU())
    gated(model, Site("0", axis=1, channels=4))
    x = torch.randn(2, 4, 3, 3)
    folded, report = fold(model.train(), x)
    assert "statistics" in report.kept[0].why
    assert folded.training
    assert not fold(model.eval(), x)[1].kept


def test_types_and_frozen_weights_are_as_before() -> None:
    model = randomised(vit()).bfloat16()
    wrap(model, "hidden", init="xavier")
    model.norm.requires_grad_(False)
    folded, report = fold(model, torch.randn(2, 3, 16, 16).bfloat16())
    assert not folded.norm.weight.requires_grad  # type: ignore[union-attr]
    assert {value.dtype for value in folded.parameters()} == {torch.bfloat16}
    assert report.error_double <= 1e-10


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", ["resnet18", "vit", "joined"])
def test_a_model_on_a_gpu_is_folded_and_shrunk_and_stays_there(name: str) -> None:
    parts: list[str | Site] = [Site("left", channels=5, axis=1), Site("right", channels=5, axis=1)]
    model, sites = (Joined(), parts) if name == "joined" else (MODELS[name][0](), list(MODELS[name][1]))
    x = torch.randn(2, 5) if name == "joined" else torch.randn(2, 3, MODELS[name][2], MODELS[name][2])
    harden(gated(model, sites, x), quantile=0.5)
    wanted = judged(model, x)
    model, x = model.cuda(), x.cuda()
    for made in (fold(model, x)[0], shrink(model, x)[0]):
        assert all(tensor.is_cuda for tensor in made.state_dict().values())
        torch.testing.assert_close(judged(made.cpu(), x.cpu()), wanted, rtol=1e-5, atol=1e-5)
    assert all(tensor.is_cuda for tensor in model.state_dict().values())


def test_a_model_that_answers_otherwise_each_time_is_not_folded() -> None:
    class Noisy(nn.Linear):
        def forward(self, input: Tensor) -> Tensor:
            return super().forward(input) + torch.randn(4, dtype=input.dtype)

    model = nn.Sequential(nn.Linear(4, 4), Noisy(4, 4))
    wrap(model, "0")
    with pytest.raises(ArithmeticError, match="does the model answer the same twice"):
        fold(model, torch.randn(2, 4))


def test_several_gates_in_a_row_fold_together() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2))
    gated(model, [Site("0", channels=4), Site("1", channels=4, axis=-1)])
    x = torch.randn(3, 4)
    folded, report = fold(model, x)
    assert len(report.folded) == 2
    assert torch.allclose(judged(folded, x), judged(model, x), atol=1e-6)


def test_gates_that_are_all_one_fold_into_nothing_wherever_they_stand() -> None:
    """Behind a pass-through, before a layer that no scale goes through: there is nothing to take."""
    model = nn.Sequential(nn.Identity(), nn.LayerNorm(4, elementwise_affine=False), nn.Linear(4, 2))
    wrap(model, Site("0", channels=4, axis=-1), unit=True)
    x = torch.randn(3, 4)
    folded, report = fold(model.eval(), x)
    assert [(row.gate, row.into) for row in report.folded] == [("0", "nothing: all its values are 1")]
    assert not report.kept
    assert torch.equal(judged(folded, x), judged(model, x))


def test_a_model_that_cannot_be_traced_says_so() -> None:
    class Branching(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 4)

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(x) if x.sum().item() > 0 else x

    model = Branching()
    wrap(model, "layer")
    with pytest.raises(ValueError, match="Branching cannot be traced"):
        fold(model, torch.randn(2, 4))


@pytest.mark.parametrize("hardness", ["sigmoid", "anneal", "ste", "hard_concrete", "off"])
def test_gates_of_every_hardness_fold_as_they_are_in_evaluation(hardness: str) -> None:
    model = nn.Sequential(nn.Linear(4, 6), nn.GELU(), nn.Linear(6, 3))
    wrap(model, Site("1", channels=6, axis=-1), hardness=hardness, init="xavier")
    x = torch.randn(5, 4)
    folded, report = fold(model.eval(), x)
    assert len(report.folded) == 1
    assert torch.allclose(judged(folded, x), judged(model, x), atol=1e-6)
    assert not any(isinstance(part, Gated) for part in folded.modules())


class Attending(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.attention(x, x, x)[0]


def test_the_attention_of_torch_takes_a_gate_into_its_last_projection() -> None:
    """It reads that projection's weights without calling it."""
    model, x = Attending(), torch.randn(2, 5, 8)
    gated(model, Site("attention", channels=8, axis=-1))
    folded, report = fold(model, x)
    assert [row.into for row in report.folded] == ["attention.out_proj"]
    assert torch.allclose(judged(folded, x), judged(model, x), atol=1e-6)


class Weighing(nn.Module):
    """Squeeze and excitation: a factor that depends on the gated channels themselves."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.weigh, self.last = nn.GELU(), nn.Conv2d(6, 6, 1), nn.Conv2d(6, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        return self.last(x * torch.sigmoid(self.weigh(x.mean((2, 3), keepdim=True))))


def test_a_gate_before_squeeze_and_excitation_goes_into_both_readers() -> None:
    model, x = Weighing(), torch.randn(2, 6, 4, 4)
    gated(model, Site("first", channels=6, axis=1))
    folded, report = fold(model, x)
    assert [row.into for row in report.folded] == ["weigh, last"]
    assert torch.allclose(judged(folded, x), judged(model, x), atol=1e-6)
