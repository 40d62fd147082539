"""Shapes: B samples, N rows, C width in, O width out, E adapters."""

import copy

import pytest
import torch
from torch import nn

from core_attention.lora import LoRAStack, group, merged

ROUTE = torch.tensor([2, -1, 0, 2, 1, -1, 0])


def filled(experts: int = 3, rank: int = 4, rslora: bool = True) -> LoRAStack:
    torch.manual_seed(0)
    stack = LoRAStack(nn.Linear(6, 5), experts, rank, alpha=2.0, rslora=rslora)
    nn.init.normal_(stack.B)
    return stack


def rows(count: int = len(ROUTE)) -> torch.Tensor:
    return torch.randn(count, 4, 6, generator=torch.Generator().manual_seed(1))


def test_a_fresh_adapter_is_the_identity_bit_for_bit():
    stack = LoRAStack(nn.Linear(6, 5), 3, 4, alpha=2.0)
    assert torch.equal(stack(rows(), ROUTE), stack.linear(rows()))
    assert stack.A.abs().max() <= 6**-0.5
    assert stack.A.abs().min(2).values.min() > 0


@pytest.mark.parametrize(("rslora", "scale"), [(True, 2.0 / 4**0.5), (False, 2.0 / 4)])
def test_each_row_is_answered_by_its_own_merged_map(rslora, scale):
    stack = filled(rslora=rslora)
    y = stack(rows(), ROUTE)
    for b, expert in enumerate(ROUTE.tolist()):
        alone = copy.deepcopy(stack)
        if expert >= 0:
            alone.merge(expert)
            torch.testing.assert_close(alone.linear.weight, stack.linear.weight + scale * stack.B[expert] @ stack.A[expert])
        torch.testing.assert_close(y[b], alone(rows())[b], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("route", [ROUTE, ROUTE.clamp(min=0), torch.full_like(ROUTE, 1), torch.full_like(ROUTE, -1)])
def test_grouped_products_answer_as_gathered_ones(route):
    stack = filled()
    torch.testing.assert_close(stack(rows(), route, group(route, 3)), stack(rows(), route), rtol=1e-5, atol=1e-6)


def test_shuffled_rows_give_shuffled_answers():
    stack, order = filled(), torch.tensor([3, 0, 6, 5, 1, 2, 4])
    assert torch.equal(stack(rows()[order], ROUTE[order]), stack(rows(), ROUTE)[order])


def test_a_sample_may_have_any_dimensions():
    stack, x = filled(), rows()
    y = stack(x, ROUTE)
    torch.testing.assert_close(stack(x[:, 0], ROUTE), y[:, 0])
    torch.testing.assert_close(stack(x.reshape(7, 2, 2, 6), ROUTE), y.reshape(7, 2, 2, 5))


def test_a_mixture_of_one_is_a_route_and_mixtures_add_up():
    stack = filled()
    hard = stack(rows(), ROUTE.clamp(min=0))
    torch.testing.assert_close(stack(rows(), nn.functional.one_hot(ROUTE.clamp(min=0), 3).float()), hard)
    base, both = stack.linear(rows()), stack(rows(), torch.tensor([[0.25, 0.75, 0.0]]).expand(7, -1))
    first, second = (stack(rows(), torch.full((7,), e)) - base for e in (0, 1))
    torch.testing.assert_close(both - base, 0.25 * first + 0.75 * second, rtol=1e-4, atol=1e-5)


def test_unmerge_restores_the_weight_bit_for_bit():
    stack = filled()
    before, parameter = stack.linear.weight.detach().clone(), stack.linear.weight
    stack.merge(1)
    assert not torch.equal(stack.linear.weight, before)
    with pytest.raises(ValueError, match="merged already"):
        stack.merge(2)
    with pytest.raises(ValueError, match="unmerge it before"):
        stack(rows(), ROUTE)
    stack.unmerge()
    assert torch.equal(stack.linear.weight, before)
    assert stack.linear.weight is parameter
    with pytest.raises(ValueError, match="no adapter is merged"):
        stack.unmerge()


def test_merging_between_forward_and_backward_leaves_the_gradient():
    stack, x = filled(), rows()
    stack(x, ROUTE).square().sum().backward()
    expected = stack.linear.weight.grad.clone()
    stack.zero_grad()
    y = stack(x, ROUTE).square().sum()
    with merged(nn.Sequential(stack), 0):
        stack(x)
    y.backward()
    assert torch.equal(stack.linear.weight.grad, expected)


def test_merged_restores_when_the_block_fails():
    network = nn.Sequential(filled(), nn.ReLU())
    before = network[0].linear.weight.detach().clone()
    with pytest.raises(KeyError), merged(network, 2):
        raise KeyError
    assert torch.equal(network[0].linear.weight, before)
    with merged(network, -1):
        assert network[0].merged == -1


def test_one_more_adapter_leaves_the_others_bit_identical():
    stack = filled()
    before = stack(rows(), ROUTE)
    assert stack.add_expert() == 3
    assert torch.equal(stack(rows(), ROUTE), before)
    assert torch.equal(stack(rows(), torch.full((7,), 3)), stack.linear(rows()))


def test_gradients_reach_only_the_adapters_that_were_taken():
    stack = filled()
    stack(rows(), torch.tensor([0, 0, -1, 2, 2, 2, 0])).sum().backward()
    assert [bool(stack.B.grad[e].any()) for e in range(3)] == [True, False, True]


def test_a_route_that_is_not_there_is_an_error():
    stack = filled()
    for route in (ROUTE + 3, ROUTE - 1):
        with pytest.raises((IndexError, RuntimeError)):
            stack(rows(), route)
    with pytest.raises(ValueError, match="not there"):
        group(torch.tensor([3]), 3)
    with pytest.raises(ValueError, match="no adapter 3"):
        stack.merge(3)


def test_rank_zero_is_the_linear_map_without_weights_of_its_own():
    stack = LoRAStack(nn.Linear(6, 5), 3, 0, alpha=2.0)
    assert set(stack.state_dict()) == {"linear.weight", "linear.bias"}
    assert torch.equal(stack(rows(), ROUTE), stack.linear(rows()))
    stack.merge(0)
    assert torch.equal(stack(rows()), stack.linear(rows()))
    with pytest.raises(ValueError, match="at least one"):
        LoRAStack(nn.Linear(6, 5), 0, 4, alpha=2.0)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_scripted_it_answers_the_same():
    stack = filled()
    scripted = torch.jit.script(stack)
    assert torch.equal(scripted(rows()), stack(rows()))
    assert torch.equal(scripted(rows(), ROUTE), stack(rows(), ROUTE))
    assert torch.equal(scripted(rows(), ROUTE, group(ROUTE, 3)), stack(rows(), ROUTE, group(ROUTE, 3)))
    assert torch.equal(scripted(rows(), torch.full((7, 3), 0.5)), stack(rows(), torch.full((7, 3), 0.5)))
