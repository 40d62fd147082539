"""Large bags in parts: the same answer and the same gradient as at once."""

import pytest
import torch

from apps.mil import model as model_module
from apps.mil import stream as stream_module
from apps.mil.stream import stream
from tests.apps.mil.bags import bags, model

STREAMED = ("mean", "ab_mil", "gated")


@pytest.mark.parametrize("detail", [False, True])
@pytest.mark.parametrize("name", STREAMED)
def test_parts_put_together_are_the_whole(name: str, detail: bool) -> None:
    net, (x, segments) = model(name), bags(3, 20, 1, 9)  # parts of 7 cut bags, and hold several
    whole, parts = net(x, segments, detail), stream(net.embed, net.host, x, segments, detail, size=7)
    for one, other in zip(whole, parts, strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", STREAMED)
def test_the_gradient_of_parts_is_the_whole_ones(name: str) -> None:
    net, (x, segments) = model(name), bags(3, 20, 1, 9)
    weights = torch.randn(4, 2, generator=torch.Generator().manual_seed(1))

    def gradients(output) -> list[torch.Tensor]:
        return torch.autograd.grad((output.logits * weights).sum(), list(net.parameters()), allow_unused=True)

    for one, other in zip(gradients(net(x, segments)), gradients(stream(net.embed, net.host, x, segments, size=7)), strict=True):
        if one is not None:  # the mean has a head and an embedding alone
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_a_part_that_is_computed_again_drops_out_the_same() -> None:
    net, (x, segments) = model("ab_mil").train().double(), bags(30)
    bias = net.embed[0].bias

    def answer() -> torch.Tensor:
        torch.manual_seed(3)
        return stream(net.embed, net.host, x.double(), segments, size=7).logits[0, 0]

    (gradient,) = torch.autograd.grad(answer(), [bias])
    with torch.no_grad():  # the slope along a direction, with the masks that this seed draws
        step = 1e-6 * torch.randn_like(bias)
        bias += step
        above = answer()
        bias -= 2 * step
        below = answer()
    torch.testing.assert_close((above - below) / 2, gradient @ step, rtol=1e-5, atol=1e-12)


def test_a_large_bag_is_streamed_by_itself_and_a_small_one_or_a_maximum_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    called = []
    monkeypatch.setattr(stream_module, "LARGE", 10)
    monkeypatch.setattr(model_module, "stream", lambda *_: called.append(1))
    model("ab_mil")(*bags(11))
    assert called == [1]
    model("ab_mil")(*bags(10))
    model("max")(*bags(11))
    model("ds_mil")(*bags(11))
    assert called == [1]
