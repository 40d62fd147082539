"""What every model of a bag keeps to, and what single ones are."""

import pytest
import torch

from apps.mil.hosts.ds_mil import DsMil
from apps.mil.hosts.nystrom import BagAttention
from apps.mil.hosts.ppeg import Ppeg
from apps.mil.options import Host
from apps.mil.program import Answering
from core_attention.segments import Segments
from tests.apps.mil.bags import FEATURES, HOSTS, SETS, bags, mhim, model


@pytest.mark.parametrize("name", HOSTS)
def test_bags_that_go_together_are_answered_as_alone(name: str) -> None:
    net, lengths = model(name), (5, 1, 37, 2)
    x, segments = bags(*lengths)
    together = net(x, segments, detail=True)
    for i, part in enumerate(x.split(lengths)):
        alone = net(part, Segments.from_lengths([len(part)]), detail=True)
        torch.testing.assert_close(together.logits[i], alone.logits[0], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(together.bag[i], alone.bag[0], atol=1e-5, rtol=1e-5)
        for field in ("attention", "evidence", "instance"):
            torch.testing.assert_close(getattr(together, field).split(lengths)[i], getattr(alone, field), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", HOSTS)
def test_detail_changes_no_answer(name: str) -> None:
    x, segments = bags(4, 9)
    torch.testing.assert_close(model(name)(x, segments).logits, model(name)(x, segments, detail=True).logits)


@pytest.mark.parametrize("name", SETS)
def test_the_order_of_instances_does_not_matter(name: str) -> None:
    x, segments = bags(30)
    order = torch.randperm(30, generator=torch.Generator().manual_seed(1))
    one, other = model(name)(x, segments, detail=True), model(name)(x[order], segments, detail=True)
    torch.testing.assert_close(one.probs(), other.probs(), atol=1e-5, rtol=0)
    torch.testing.assert_close(one.attention[order], other.attention, atol=1e-5, rtol=0)


def test_the_order_of_instances_matters_to_a_transformer_with_positions() -> None:
    x, segments = bags(30)
    assert (model("trans_mil")(x, segments).logits - model("trans_mil")(x.flip(0), segments).logits).abs().max() > 1e-4


@pytest.mark.parametrize("name", SETS)
def test_attention_is_not_negative_and_sums_to_one_over_each_bag(name: str) -> None:
    x, segments = bags(5, 1, 12)
    attention = model(name)(x, segments, detail=True).attention
    assert (attention >= 0).all()
    for part in attention.split((5, 1, 12)):
        torch.testing.assert_close(part.sum(0), torch.ones(part.shape[1]))


@pytest.mark.parametrize("name", ["ab_mil", "gated", "mean", "max"])
def test_a_bag_said_three_times_is_the_same_bag(name: str) -> None:
    x, _ = bags(7)
    once, thrice = (model(name)(part, Segments.from_lengths([len(part)])) for part in (x, x.repeat(3, 1)))
    torch.testing.assert_close(once.bag, thrice.bag)


def test_a_gate_of_zeros_is_the_plain_form_with_half_the_weight() -> None:
    gated, x_and_segments = model("gated"), bags(9, 4)
    plain = model("ab_mil")
    plain.host.pool.act = "relu"
    plain.load_state_dict(gated.state_dict(), strict=False)
    with torch.no_grad():
        gated.host.pool.U.weight.zero_()
        plain.host.pool.w.weight.mul_(0.5)
    torch.testing.assert_close(gated(*x_and_segments).logits, plain(*x_and_segments).logits)


# --- DSMIL -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("classes", [2, 4])
def test_the_critical_instance_has_the_highest_logit_and_of_equals_it_is_the_first(classes: int) -> None:
    net = model("ds_mil", classes)
    x, segments = bags(6, 3)
    x = torch.cat([x, x])[torch.tensor([0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5, 6, 7, 8])]  # each of the first bag twice
    segments = Segments.from_lengths([12, 3])
    p = net(x, segments, detail=True).instance
    top = torch.stack([part.amax(0) for part in p.split((12, 3))])
    found = net.host.critical(p, top, torch.tensor([0] * 12 + [1] * 3))
    expected = torch.stack([p[:6].argmax(0), p[12:].argmax(0) + 12])
    assert torch.equal(found, expected)


def test_its_bag_is_a_row_a_class_and_its_head_an_explicit_sum() -> None:
    net = model("ds_mil", 3)
    output = net(*bags(5, 8))
    assert output.bag.shape == (2, 3, 16)
    weight, bias = net.host.head.weight, net.host.head.bias
    torch.testing.assert_close(output.logits, torch.einsum("skd,ckd->sc", output.bag, weight) + bias)


def test_a_single_instance_gets_all_attention() -> None:
    assert torch.equal(model("ds_mil")(*bags(1), detail=True).attention, torch.ones(1, 2))


def test_its_answer_is_the_mean_of_both_opinions() -> None:
    output = model("ds_mil")(*bags(5))
    assert isinstance(model("ds_mil").host, DsMil)
    torch.testing.assert_close(output.probs(), (output.logits.softmax(-1) + output.extra.softmax(-1)) / 2)


# --- TransMIL --------------------------------------------------------------------------------------------------------


def test_with_a_landmark_a_token_nystrom_nears_exact_attention() -> None:
    torch.manual_seed(0)
    near = BagAttention(16, 2, landmarks=12)
    exact = BagAttention(16, 2, landmarks=0)
    exact.load_state_dict(near.state_dict())
    x, segments = torch.randn(17, 16), Segments.from_lengths([12, 5])
    (y, row, _), (z, exact_row, _) = near.eval()(x, segments, True), exact.eval()(x, segments, True)
    far = BagAttention(16, 2, landmarks=2)
    far.load_state_dict(near.state_dict())
    assert (y - z).abs().max() < 0.02 < (far.eval()(x, segments)[0] - z).abs().max()
    torch.testing.assert_close(row, exact_row, atol=0.02, rtol=0)


@pytest.mark.parametrize("count", [1, 2, 5, 9, 60])
def test_position_is_three_convolutions_on_a_square_filled_up_with_the_first_instances(count: int) -> None:
    torch.manual_seed(0)
    part, x = Ppeg(4), torch.randn(count, 4)
    side = next(i for i in range(1, 99) if i * i >= count)
    grid = torch.cat([x, x[: side * side - count]]).T.reshape(1, 4, side, side)
    expected = (grid + sum(conv(grid) for conv in part.convs)).flatten(2)[0].T[:count]
    torch.testing.assert_close(part(x, torch.tensor([0, count])), expected, atol=1e-5, rtol=1e-5)


# --- all as programs -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", HOSTS)
def test_a_trace_at_one_size_answers_at_others(name: str) -> None:
    part = Answering(mhim(name).eval())
    x, segments = bags(3, 4)
    traced = torch.jit.trace(part, (x, segments.offsets), check_trace=False, strict=False)
    for lengths in ((1,), (2, 2, 7), (70, 1)):
        x, segments = bags(*lengths)
        for key, value in part(x, segments.offsets).items():
            torch.testing.assert_close(traced(x, segments.offsets)[key], value, atol=1e-5, rtol=1e-5)


# --- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{"gated": True}, {"hidden": 3}, {"act": "relu"}, {"clusters": 2}, {"heads": 4}, {"landmarks": 0}])
def test_an_option_of_another_host_is_refused(options: dict) -> None:
    with pytest.raises(ValueError, match="options of"):
        Host(name="mean", **options)


def test_features_of_the_model_are_those_that_it_was_built_for() -> None:
    assert model("mean").embed[0].in_features == FEATURES
