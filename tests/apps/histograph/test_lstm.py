"""torch's LSTMs as exported programs have them."""

import torch
from torch import nn

from apps.histograph.lstm import Cell, TwoWay


class OneStep(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell = Cell(6, 4)

    def forward(self, x_NC: torch.Tensor, h_ND: torch.Tensor, c_ND: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.cell(x_NC, (h_ND, c_ND))


def exported(module: nn.Module, *args: torch.Tensor) -> nn.Module:
    free = {0: torch.export.Dim.DYNAMIC}
    return torch.export.export(module, args, dynamic_shapes=[free] * len(args)).module()


def test_an_exported_step_equals_torchs_for_any_number_of_samples() -> None:
    torch.manual_seed(0)
    module = OneStep().eval()
    program = exported(module, torch.randn(3, 6), torch.randn(3, 4), torch.randn(3, 4))
    for count in (0, 1, 5):
        args = torch.randn(count, 6), torch.randn(count, 4), torch.randn(count, 4)
        torch.testing.assert_close(program(*args), module(*args))


def test_both_ways_equal_torchs_for_any_number_of_samples() -> None:
    torch.manual_seed(0)
    module = TwoWay(4).eval()
    program = exported(module, torch.randn(3, 5, 4))
    for count in (1, 7):
        x_NLC = torch.randn(count, 5, 4)
        torch.testing.assert_close(program(x_NLC), module(x_NLC))
