"""Section 3.2: what is learned from, and what is not."""

import math

import torch

from apps.accord.losses import accuracy, decision_loss, state_error, state_loss


def steps(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def one_hot(action: list[list[int]], width: int) -> torch.Tensor:
    return torch.nn.functional.one_hot(torch.tensor(action), width).float()


def test_only_free_steps_count() -> None:
    logits, target = steps(2, 3, 4), one_hot([[0, 1, 2], [3, 0, 1]], 4)
    free = torch.tensor([[True, False, True], [False, True, False]])
    mask = torch.ones(2, 3, 4, dtype=torch.bool)
    loss = decision_loss(logits, mask, target, free)
    changed = logits.clone()
    changed[~free] += 5 * steps(3, 4, seed=1)
    assert torch.equal(decision_loss(changed, mask, target, free), loss)


def test_the_mean_is_taken_by_instance_first() -> None:
    logits, target = steps(2, 4, 3), one_hot([[0, 1, 2, 0], [1, 1, 1, 1]], 3)
    mask = torch.ones(2, 4, 3, dtype=torch.bool)
    free = torch.tensor([[True, True, True, True], [True, False, False, False]])
    alone = [decision_loss(logits[i : i + 1], mask[i : i + 1], target[i : i + 1], free[i : i + 1]) for i in (0, 1)]
    assert torch.allclose(decision_loss(logits, mask, target, free), (alone[0] + alone[1]) / 2)


def test_an_instance_without_free_steps_does_not_dilute_the_loss() -> None:
    logits, target = steps(2, 2, 3), one_hot([[0, 1], [2, 2]], 3)
    mask = torch.ones(2, 2, 3, dtype=torch.bool)
    free = torch.tensor([[True, True], [False, False]])
    assert torch.allclose(decision_loss(logits, mask, target, free), decision_loss(logits[:1], mask[:1], target[:1], free[:1]))
    assert decision_loss(logits, mask, target, free & False) == 0


def test_what_is_masked_has_no_share_and_no_gradient() -> None:
    logits = steps(1, 2, 5).requires_grad_()
    mask = torch.tensor([[[True, True, False, True, False], [True, False, False, True, True]]])
    target = one_hot([[0, 3]], 5)
    free = torch.ones(1, 2, dtype=torch.bool)
    loss = decision_loss(logits, mask, target, free)
    by_hand = sum(-torch.log_softmax(logits[0, t][mask[0, t]], 0)[k] for t, k in ((0, 0), (1, 1))) / 2
    assert torch.allclose(loss, torch.as_tensor(by_hand))
    loss.backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
    assert (logits.grad[~mask] == 0).all()


def test_a_row_without_open_actions_is_finite() -> None:
    logits = (1e4 * steps(1, 2, 3)).requires_grad_()
    mask = torch.tensor([[[True, True, True], [False, False, False]]])
    target = one_hot([[1, 0]], 3) * mask
    loss = decision_loss(logits, mask, target, torch.tensor([[True, False]]))
    loss.backward()
    assert loss.isfinite()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_decisions_of_equal_worth_are_asked_for_equally() -> None:
    """The least loss is the entropy of the target, where the network is as undecided as the label."""
    target = torch.tensor([[[0.5, 0.5, 0.0]]])
    mask, free = torch.ones(1, 1, 3, dtype=torch.bool), torch.ones(1, 1, dtype=torch.bool)
    undecided = decision_loss(torch.tensor([[[9.0, 9.0, -30.0]]]), mask, target, free)
    assert math.isclose(float(undecided), math.log(2), rel_tol=1e-5)
    assert decision_loss(torch.tensor([[[9.0, 5.0, -30.0]]]), mask, target, free) > undecided


def test_a_step_is_asked_for_the_next_state() -> None:
    features, present = steps(2, 4, 3), torch.tensor([[True, True, True, True], [True, True, False, False]])
    said = torch.zeros(2, 4, 3)
    said[:, :-1] = features[:, 1:]
    said[0, 3], said[1, 1:] = 9.0, 9.0  # of no step that is there
    assert state_loss(said, features, present) == 0
    assert (state_error(said, features, present) == 0).all()
    assert state_loss(said + 0.1, features, present) > 0


def test_the_state_loss_is_huber() -> None:
    features, present = torch.zeros(1, 2, 1), torch.ones(1, 2, dtype=torch.bool)
    for error, expected in ((0.5, 0.125), (3.0, 2.5)):
        assert math.isclose(float(state_loss(torch.full((1, 2, 1), error), features, present)), expected, rel_tol=1e-6)


def test_any_decision_of_equal_worth_is_right() -> None:
    mask, free = torch.ones(1, 2, 3, dtype=torch.bool), torch.ones(1, 2, dtype=torch.bool)
    target = torch.tensor([[[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]]])
    logits = torch.tensor([[[0.0, 1.0, 0.5], [2.0, 1.0, 0.0]]])
    assert accuracy(logits, mask, target, free) == 0.5
    mask[0, 1] = torch.tensor([False, False, True])
    assert accuracy(logits, mask, target, free) == 1.0
