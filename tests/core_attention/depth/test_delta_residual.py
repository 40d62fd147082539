from typing import Any

import pytest
import torch
from torch import Tensor, nn

from core_attention.depth import DeltaResidual

DIM = 6


class Stack(nn.Module):
    """Four sublayers, each with its norm, under delta residuals."""

    def __init__(self, random: bool = True, **options: Any) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.sublayers = nn.ModuleList(nn.Sequential(nn.LayerNorm(DIM), nn.Linear(DIM, DIM), nn.Tanh()) for _ in range(4))
        self.depth = DeltaResidual(DIM, 4, **options)
        self.double()
        if random:
            for parameter in self.depth.parameters():
                nn.init.normal_(parameter)

    def forward(self, x: Tensor) -> Tensor:
        return self.depth(x, list(self.sublayers))


def tokens(*shape: int) -> Tensor:
    return torch.randn(*shape, DIM, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def plain(stack: Stack, x: Tensor) -> Tensor:
    for sublayer in stack.sublayers:
        x = x + sublayer(x)
    return x


def textbook(stack: Stack, x: Tensor, block: int) -> Tensor:
    """Token by token, source by source."""
    w = stack.depth.w
    h, outs = x, []
    for i, sublayer in enumerate(stack.sublayers):
        sums = [torch.stack(outs[at : at + block]).sum(0) for at in range(0, len(outs), block)]
        sources = torch.stack([x, *sums])
        keys = sources / (sources.square().mean(-1, keepdim=True) + 1e-6).sqrt()
        a = torch.einsum("d,n...d->n...", w[i], keys).softmax(0)
        outs.append(sublayer(h + torch.einsum("n...,n...d->...d", a, sources)))
        h = h + outs[-1]
    return h


@pytest.mark.parametrize("block", [1, 2, 3])
@pytest.mark.parametrize("shape", [(2, 5), (7,)])
def test_it_is_the_textbook_formula(block: int, shape: tuple[int, ...]) -> None:
    stack, x = Stack(block=block), tokens(*shape)
    torch.testing.assert_close(stack(x), textbook(stack, x, block))
    assert not torch.allclose(stack(x), plain(stack, x))


def test_weights_are_equal_at_first() -> None:
    depth = DeltaResidual(DIM, 3).double()
    state = depth.start(tokens(4))
    assert torch.equal(depth.weights(state), torch.ones(1, 4, dtype=torch.float64))
    state = depth.add(depth.add(state, tokens(4) * 2), tokens(4) * 3)
    torch.testing.assert_close(depth.weights(state), torch.full((3, 4), 1 / 3, dtype=torch.float64))
    torch.testing.assert_close(depth.route(state), 6 * tokens(4) + 2 * tokens(4))
    torch.testing.assert_close(state.h, 6 * tokens(4))


def test_blocks_bound_the_number_of_sources() -> None:
    depth = DeltaResidual(DIM, 7, block=3)
    state = depth.start(torch.randn(2, DIM))
    for _ in range(7):
        state = depth.add(state, torch.ones(2, DIM))
    assert len(state.sources) == 4
    assert [float(source[0, 0]) for source in state.sources[1:]] == [3.0, 3.0, 1.0]


def test_a_gated_stack_begins_as_a_plain_residual_one_and_can_leave_it() -> None:
    stack, x = Stack(random=False, gated=True), tokens(2, 5)
    assert torch.equal(stack(x), plain(stack, x))
    stack(x).sum().backward()
    assert stack.depth.alpha is not None
    assert stack.depth.alpha.grad is not None
    assert (stack.depth.alpha.grad != 0).all()


@pytest.mark.parametrize("options", [{}, {"block": 2, "gated": True}])
def test_gradients_are_right_in_float64(options: dict[str, Any]) -> None:
    stack, x = Stack(**options), tokens(3).requires_grad_()
    assert torch.autograd.gradcheck(lambda *_: stack(x), [x, *stack.parameters()], fast_mode=True)


def test_no_token_sees_another() -> None:
    stack, x = Stack(), tokens(2, 5)
    torch.testing.assert_close(stack(x)[:, :2], stack(x[:, :2]))


def test_weights_stay_in_float32_under_autocast_and_for_huge_sources() -> None:
    stack, x = Stack().float(), tokens(2, 5).float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        state = stack.depth.add(stack.depth.start(x), (x * 3).bfloat16())
        assert stack.depth.weights(state).dtype == torch.float32
        assert (stack(x) - stack.double()(x.double())).abs().max() < 0.2
    huge = stack.float().depth.start(x * 1e12)
    assert stack.depth.route(huge).isfinite().all()


def test_traced_compiled_and_exported_stacks_equal_eager() -> None:
    stack = Stack(block=2, gated=True)
    traced = torch.jit.trace(stack, tokens(2, 5), check_trace=False)
    compiled = torch.compile(stack, fullgraph=True, backend="aot_eager", dynamic=True)
    exported = torch.export.export(
        stack, (tokens(2, 5),), dynamic_shapes=[{0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}]
    ).module()
    for shape in ((3, 4), (5, 2), (2, 9)):
        for program in (traced, compiled, exported):
            torch.testing.assert_close(program(tokens(*shape)), stack(tokens(*shape)))


def test_a_stack_of_another_depth_is_refused() -> None:
    with pytest.raises(ValueError, match="built for 3 sublayers, not 4"):
        DeltaResidual(DIM, 3)(tokens(2), [nn.Identity()] * 4)
    with pytest.raises(ValueError, match="block=0"):
        DeltaResidual(DIM, 3, block=0)
