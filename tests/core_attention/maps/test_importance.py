import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from core_attention.maps import head_gates, head_importance, leave_one_out
from tests.core_attention.maps.models import Stack, loud, tokens

LABELS = torch.tensor([0, 1, 2, 0, 1, 2])


class Classifier(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = Stack(depth=2)
        self.spare = Stack(depth=1)  # never used
        self.head = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(x).mean(1))


@pytest.fixture
def model() -> Classifier:
    return loud(Classifier())


X = tokens(6, 4, 8)


def silenced(model: Classifier, block: int, head: int) -> torch.Tensor:
    """The answer with a head's columns of the projection set to zero: a gate at zero without a gate."""
    weight = model.body.blocks[block].attn.proj.weight
    kept = weight.data.clone()
    weight.data[:, head * 4 : head * 4 + 4] = 0
    try:
        with torch.no_grad():
            return model(X)
    finally:
        weight.data = kept


def test_leave_one_out_is_the_model_without_the_heads_columns(model: Classifier) -> None:
    found = leave_one_out(model, lambda: model(X), cross_entropy, LABELS)
    with torch.no_grad():
        whole = cross_entropy(model(X), LABELS)
    for block in range(2):
        for head in range(2):
            wanted = cross_entropy(silenced(model, block, head), LABELS) - whole
            torch.testing.assert_close(found[f"body.blocks.{block}.attn"].score[head], wanted, rtol=0, atol=1e-14)


def test_the_gradient_is_that_of_the_gate(model: Classifier) -> None:
    found = head_importance(model, lambda: model(X), cross_entropy, LABELS)
    assert list(found) == ["body.blocks.0.attn", "body.blocks.1.attn"]  # the unused one is left out
    step = 1e-5
    for name, importance in found.items():
        for head in range(2):
            losses = []
            for side in (1 + step, 1 - step):
                with torch.no_grad(), head_gates(model) as gates:
                    gates[name][head] = side
                    losses.append(cross_entropy(model(X), LABELS))
            slope = ((losses[0] - losses[1]) / (2 * step)).abs()
            torch.testing.assert_close(importance.score[head], slope, rtol=0, atol=1e-9)


def test_the_control_is_the_same_with_shuffled_labels(model: Classifier) -> None:
    for measure in (head_importance, leave_one_out):
        found = measure(model, lambda: model(X), cross_entropy, LABELS, torch.Generator().manual_seed(3))
        again = measure(model, lambda: model(X), cross_entropy, LABELS[torch.randperm(6, generator=torch.Generator().manual_seed(3))])
        torch.testing.assert_close(found["body.blocks.0.attn"].control, again["body.blocks.0.attn"].score)
        assert not torch.allclose(found["body.blocks.0.attn"].control, found["body.blocks.0.attn"].score)


def test_gates_of_one_change_nothing_and_leave_nothing_behind(model: Classifier) -> None:
    y = model(X)
    with head_gates(model):
        torch.testing.assert_close(model(X), y, rtol=0, atol=1e-15)
    head_importance(model, lambda: model(X), cross_entropy, LABELS)
    with pytest.raises(KeyError), head_gates(model):
        raise KeyError
    assert all(not module._forward_pre_hooks for module in model.modules())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_gradients_are_had_under_no_grad_too(model: Classifier) -> None:
    with torch.no_grad():
        found = head_importance(model, lambda: model(X), cross_entropy, LABELS)
    assert (found["body.blocks.0.attn"].score > 0).all()


def test_what_would_mislead_is_refused(model: Classifier) -> None:
    for measure in (head_importance, leave_one_out):
        with pytest.raises(ValueError, match=r"model.eval\(\) first"):
            measure(model.train(), lambda: model(X), cross_entropy, LABELS)
        with pytest.raises(ValueError, match="all labels are equal"):
            measure(model.eval(), lambda: model(X), cross_entropy, torch.zeros(6, dtype=torch.int64))
    with pytest.raises(ValueError, match="no mixer of heads in Linear"), head_gates(nn.Linear(2, 2)):
        pass
