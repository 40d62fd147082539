import math

import pytest
import torch

from apps.dcal.weights import UncertaintyWeights


def test_at_zero_the_total_is_half_the_sum_and_the_gradient_half_of_one_minus_the_loss() -> None:
    weights = UncertaintyWeights(["sa", "glca"])
    losses = {"sa": torch.tensor(2.0), "glca": torch.tensor(0.5)}
    total = weights(losses)
    torch.testing.assert_close(total, torch.tensor(1.25))
    total.backward()
    for name, loss in losses.items():
        torch.testing.assert_close(weights.w[name].grad, 0.5 * (1 - loss))


def test_the_best_weight_is_the_log_of_the_loss() -> None:
    weights = UncertaintyWeights(["sa"])
    optimizer = torch.optim.SGD(weights.parameters(), 0.5)
    for _ in range(300):
        optimizer.zero_grad()
        weights({"sa": torch.tensor(0.2)}).backward()
        optimizer.step()
    assert weights.w["sa"].item() == pytest.approx(math.log(0.2), abs=1e-3)


def test_a_weight_never_falls_below_its_bound_and_can_come_back() -> None:
    weights = UncertaintyWeights(["sa"], lowest=-3.0)
    with torch.no_grad():
        weights.w["sa"].fill_(-9.0)
    weights.project()
    assert weights.w["sa"].item() == -3.0
    weights({"sa": torch.tensor(5.0)}).backward()
    assert weights.w["sa"].grad.item() < 0


def test_a_branch_without_a_loss_in_this_step_keeps_its_weight() -> None:
    weights = UncertaintyWeights(["sa", "pwca"])
    weights({"sa": torch.tensor(1.5)}).backward()
    assert weights.w["pwca"].grad is None


def test_of_several_processes_each_gives_a_gradient_of_every_weight_that_of_a_skipped_branch_is_zero() -> None:
    weights = UncertaintyWeights(["sa", "pwca"])
    alone, together = (weights({"sa": torch.tensor(1.5)}, together) for together in (False, True))
    assert torch.equal(alone, together)
    together.backward()
    assert weights.w["pwca"].grad == 0
