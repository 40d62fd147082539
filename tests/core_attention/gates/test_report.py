"""What a report says of gates."""

import pytest
import torch
from torch import nn

from core_attention.gates import GateHistory, Site, effective_importance, gate_report, wrap
from tests.core_attention.gates.models import Sizer, pictures, vit


def test_open_closed_and_undecided_gates_are_counted():
    model = nn.Linear(4, 2)
    gates = wrap(nn.Sequential(model), Site("0", side="input"))
    gates.gates["0"].logits.data = torch.tensor([9.0, -9.0, 0.0, -9.0])
    row = gate_report(gates)[0]
    assert (row.open, row.closed, row.channels) == (0.25, 0.5, 4)
    assert row.entropy == pytest.approx(0.25, abs=0.01)
    assert row.importance is None


def test_importance_is_gate_times_column_times_deviation_whatever_scale_the_two_share():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 2))
    gates = wrap(model, Site("0", side="input", consumers=("0",)), init="value:0.5")
    x = torch.randn(500, 3) * torch.tensor([1.0, 2.0, 4.0])
    worth = effective_importance(gates, lambda: model(x))["0"]
    linear = model[0].inner
    expected = 0.5 * linear.weight.detach().double().norm(dim=0) * x.double().std(0, correction=0)
    torch.testing.assert_close(worth, expected)
    with torch.no_grad():
        linear.weight.mul_(2)
        gates.gates["0"].logits.fill_(torch.tensor(0.25 / 0.75).log())
    torch.testing.assert_close(effective_importance(gates, lambda: model(x))["0"], worth, rtol=1e-6, atol=0)


@pytest.mark.parametrize(
    ("make", "sites", "side"), [(vit, ["branch", "hidden", "heads"], 16), (Sizer, ["stage", "embed", "head", "input"], 32)]
)
def test_every_site_has_its_row_and_channels_that_are_closed_are_worth_nothing(make, sites, side):
    model = make().eval()
    gates = wrap(model, sites, hardness="hard_concrete", init="open")
    first = next(iter(gates.gates))
    gates.gates[first].logits.data[0] = -20.0
    rows = gate_report(gates, lambda: model(pictures(side)))
    assert [row.name for row in rows] == list(gates.gates)
    assert all(row.importance is not None for row in rows)
    assert effective_importance(gates, lambda: model(pictures(side)))[first][0] == 0
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in model.modules())


def test_history_keeps_a_histogram_for_each_time_and_goes_through_a_file(tmp_path):
    model = nn.Sequential(nn.Linear(4, 2))
    gates = wrap(model, "0", unit=True)
    history = GateHistory(bins=4)
    history.note(gates, 0)
    gates.gates["0"].logits.data = torch.tensor([-9.0, 9.0])
    history.note(gates, 10)
    torch.save(history.state_dict(), tmp_path / "h.pt")
    again = GateHistory()
    again.load_state_dict(torch.load(tmp_path / "h.pt", weights_only=True))
    assert again.steps == [0, 10]
    assert again.counts["0"] == [[0, 0, 2, 0], [1, 0, 0, 1]]
    assert again.highest["0"] == 2.0
