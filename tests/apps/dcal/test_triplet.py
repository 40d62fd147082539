import pytest
import torch

from apps.dcal.triplet import batch_hard_triplet


def looped(x: torch.Tensor, ids: torch.Tensor, margin: float | None) -> torch.Tensor:
    terms = []
    for i in range(len(x)):
        own = [(x[i] - x[j]).norm() for j in range(len(x)) if j != i and ids[j] == ids[i]]
        others = [(x[i] - x[j]).norm() for j in range(len(x)) if ids[j] != ids[i]]
        if own and others:
            gap = max(own) - min(others)
            terms.append(torch.nn.functional.softplus(gap) if margin is None else (gap + margin).clamp(min=0))
    return torch.stack(terms).mean()


@pytest.mark.parametrize("margin", [None, 0.3])
def test_the_hardest_of_each_side_are_compared(margin: float | None) -> None:
    x = torch.randn(9, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    ids = torch.tensor([0, 0, 0, 1, 1, 2, 2, 2, 3])  # the last is alone and has no pair
    torch.testing.assert_close(batch_hard_triplet(x, ids, margin), looped(x, ids, margin))
    assert torch.autograd.gradcheck(lambda t: batch_hard_triplet(t, ids, margin), [x.requires_grad_()])


@pytest.mark.parametrize("ids", [[0, 0, 0], [0, 1, 2]])
def test_a_batch_without_triplets_is_zero_with_a_warning_and_never_nan(ids: list[int]) -> None:
    x = torch.randn(3, 4, requires_grad=True)
    with pytest.warns(UserWarning, match="no triplet"):
        loss = batch_hard_triplet(x, torch.tensor(ids))
    loss.backward()
    assert loss.item() == 0.0
    assert (x.grad == 0).all()


def test_identical_vectors_have_a_finite_gradient() -> None:
    x = torch.zeros(4, 3, requires_grad=True)
    batch_hard_triplet(x, torch.tensor([0, 0, 1, 1])).backward()
    assert x.grad.isfinite().all()
