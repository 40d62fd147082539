from math import nextafter

import pytest
import torch

from apps.base.routing import RoutingOptions
from apps.hag.millimetres import LARGEST, SMALLEST, to_mm, to_target
from apps.hag.model import Hag, runs
from apps.hag.objective import losses_of, ordinal_loss, size_loss, weights_of
from apps.hag.options import Gates, Head, Losses, Streams, channels_of, check_routing
from apps.hag.weights import take
from core_attention.gates import GateSet
from core_attention.trunks import build_trunk
from datamodules.hag.classes import size_class
from tests.apps.hag.tiny import SIDE, batch, gated, network


@pytest.mark.parametrize("target", ["log", "linear"])
def test_millimetres_come_back_from_the_target(target) -> None:
    mm = torch.tensor([0.5, 2.0, 5.0, 9.9, 10.0, 30.0])
    torch.testing.assert_close(to_mm(to_target(mm, target), target), mm)
    assert to_mm(torch.tensor([-1e9, 1e9]), target).tolist() == pytest.approx([SMALLEST, LARGEST])


@pytest.mark.parametrize(("mm", "given"), [(5.0, 0), (nextafter(5, 6), 1), (nextafter(10, 0), 1), (10.0, 2)])
def test_weights_and_questions_meet_the_borders_where_the_classes_do(mm, given) -> None:
    mm_B = torch.tensor([mm], dtype=torch.float64)
    assert size_class(mm_B).item() == given
    assert weights_of(mm_B, (3.0, 5.0)).item() == (1.0, 3.0, 5.0)[given]
    sure = torch.tensor([[50.0 if given > 0 else -50.0, 50.0 if given > 1 else -50.0]], dtype=torch.float64)
    assert ordinal_loss(sure, mm_B, torch.zeros(1, dtype=torch.bool)).item() < 1e-9


def test_the_second_question_is_never_surer_than_the_first() -> None:
    model = network("classes3")
    ordinal = model(torch.randn(64, 3, SIDE, SIDE) * 3).ordinal
    assert (ordinal[:, 1] <= ordinal[:, 0]).all()


def test_a_new_network_answers_what_it_begins_with() -> None:
    trunk = build_trunk("resnet18", seed=0, width=0.0625)
    mm = Hag({"rgb": (trunk, [0, 1, 2])}, Head("regress", 8), "log", 4.9)(torch.randn(8, 3, SIDE, SIDE)).mm
    assert mm is not None
    assert (mm.log() - torch.tensor(4.9).log()).abs().max() < 0.5


def test_a_censored_size_asks_for_no_less_and_forbids_no_more() -> None:
    options, at_least, censored = Losses(), torch.tensor([15.0]), torch.tensor([True])
    assert size_loss(torch.tensor([20.0]).log(), at_least, censored, options).item() == 0.0
    below = torch.tensor([12.0]).log()
    assert size_loss(below, at_least, censored, options) == size_loss(below, at_least, ~censored, options) > 0
    questions = torch.tensor([[0.0, 0.0]])
    assert ordinal_loss(questions, torch.tensor([7.0]), censored) == pytest.approx(float(torch.tensor(2.0).log()))  # only > 5 is answered


def test_frames_of_unknown_size_take_no_part() -> None:
    model, given = network("both"), batch(4)
    given["has_mm"][2:] = False
    other = {**given, "mm": torch.where(given["has_mm"], given["mm"], 77.0)}
    outputs = model(given["images"])
    assert losses_of(outputs, given, Losses(), True) == losses_of(outputs, other, Losses(), True)
    nothing = {**given, "has_mm": torch.zeros(4, dtype=torch.bool)}
    assert all(float(loss) == 0 for loss in losses_of(outputs, nothing, Losses(), True).values())


def test_a_stream_reads_its_own_channels_and_no_other() -> None:
    model = network("regress", use=("rgb", "loc", "depth"), planes=["loc", "depth"])
    given = batch(2, planes=2)
    before = model.streams["loc"](torch.cat([given["images"], given["planes"]], 1))
    changed = torch.cat([given["images"] + 1, given["planes"]], 1)
    changed[:, 4] += 1
    torch.testing.assert_close(model.streams["loc"](changed), before)
    changed[:, 3] += 1
    assert not torch.equal(model.streams["loc"](changed), before)


def test_planes_go_to_the_streams_that_are_named() -> None:
    planes = ["loc", "depth", "noise0", "decoy0"]
    assert channels_of(Streams(("rgb", "loc", "depth", "planes")), planes) == {"rgb": [0, 1, 2], "loc": [3], "depth": [4], "planes": [5, 6]}
    assert channels_of(Streams(("rgb", "planes"), "early"), planes) == {"all": [0, 1, 2, 3, 4, 5, 6]}
    assert channels_of(Streams(("loc",)), ["mask0", "mask1", "mask2"]) == {"loc": [3, 4, 5]}
    assert runs([3, 4, 0, 1, 6]) == [(3, 5), (0, 2), (6, 7)]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: channels_of(Streams(("rgb", "depth")), ["loc"]), "streams.use has depth, but the data gives loc"),
        (lambda: channels_of(Streams(("rgb",)), ["loc", "depth"]), "gives loc, depth, which no stream reads"),
        (lambda: Streams(()), "streams.use is one or more"),
        (lambda: Streams(("rgb",), "early"), "nothing to be joined"),
        (lambda: Gates(("stages",)), "gates.sites is any of"),  # type: ignore[arg-type]
        (lambda: Gates(init="open"), "gates.init=open cannot act"),
        (lambda: Losses(ordinal=2.0).check(Head("regress")), "loss.ordinal=2.0 cannot act"),
        (lambda: Losses(target="linear").check(Head("classes3")), "loss.target=linear cannot act"),
        (lambda: Losses(smoothing=0.1).check(Head("both")), "loss.smoothing=0.1 cannot act"),
        (lambda: Losses(size_weights=(0.0, 1.0)), "size_weights are above 0"),
        (lambda: check_routing(RoutingOptions(lam="auto"), Gates()), "routing.lam=auto cannot act"),
    ],
)
def test_a_choice_that_could_not_act_is_refused(make, words) -> None:
    with pytest.raises(ValueError, match=words):
        make()


def test_gates_sit_where_the_paper_has_them() -> None:
    """FSGNetR18 with one stream and 128 hidden units: 960 of stages, 512 of the embedding, 128 of the head."""
    model = network("regress", hidden=128, width=1.0)
    assert gated(model, ("stage", "embed", "head")).channels == 960 + 512 + 128
    vit = network("regress", hidden=0, trunk="vit_tiny", image=32, depth=12)
    assert gated(vit, ("branch",)).channels == 24 * 192


def test_a_price_for_open_gates_gives_the_weights_no_gradient() -> None:
    from core_attention.gates import penalty

    model = network()
    gates = gated(model, ("stage", "input"))
    penalty(gates).backward()
    assert all(weight.grad is None for weight in gates.weight_parameters())
    assert all(logits.grad is not None for logits in gates.gate_parameters())


def test_weights_of_a_trunk_go_into_every_stream_and_leave_gates_alone() -> None:
    model = network("regress", use=("rgb", "loc"), planes=["loc"])
    gates = gated(model, ("stage",))
    before = {name: logits.detach().clone() for name, logits in zip(gates.gates, gates.gate_parameters(), strict=True)}
    file = build_trunk("resnet18", seed=7, width=0.0625).state_dict() | {"fc.weight": torch.zeros(1000, 32)}
    report = take(model, file)
    assert report.unexpected == ["fc.weight"]
    assert list(report.mismatched) == ["streams.loc.trunk.conv1.weight"]  # of one channel
    state = model.state_dict()
    for stream in ("rgb", "loc"):
        assert torch.equal(state[f"streams.{stream}.trunk.layer1.inner.0.conv1.weight"], file["layer1.0.conv1.weight"])
    assert all(torch.equal(gates.gates[name].logits, value) for name, value in before.items())


def test_weights_of_a_gated_network_come_back_whole_and_of_a_plain_one_into_gates() -> None:
    one, other, plain = network(), network(), network()
    gated(one, ("stage", "head"))
    gated(other, ("stage", "head"))
    with torch.no_grad():
        for value in other.parameters():
            value.add_(1.0)
    report = take(other, one.state_dict())
    assert not report.missing + report.unexpected
    assert all(torch.equal(value, other.state_dict()[name]) for name, value in one.state_dict().items())
    assert not take(other, plain.state_dict()).missing
    assert GateSet(other).channels == GateSet(one).channels
