"""torch's LSTMs, written out while a program is exported: their own code asks whether there is one sample, which would bind it to one.

Shapes: N samples, L steps, C D width in and out.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

__all__ = ["Cell", "TwoWay"]


def _step(x_NC: Tensor, h_ND: Tensor, c_ND: Tensor, weights: list[Tensor]) -> tuple[Tensor, Tensor]:
    w_in, w_state, b_in, b_state = weights
    into_ND, forget_ND, new_ND, out_ND = (linear(x_NC, w_in, b_in) + linear(h_ND, w_state, b_state)).chunk(4, 1)
    c_ND = forget_ND.sigmoid() * c_ND + into_ND.sigmoid() * new_ND.tanh()
    return out_ND.sigmoid() * c_ND.tanh(), c_ND


class Cell(nn.LSTMCell):
    """One step: (h, c) after it."""

    def forward(self, x_NC: Tensor, before: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:  # pyright: ignore[reportIncompatibleMethodOverride]
        if torch.compiler.is_exporting():
            return _step(x_NC, *before, [self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh])
        return super().forward(x_NC, before)


class TwoWay(nn.LSTM):
    """One layer forward and one backward over the steps: (N,L,2D)."""

    def __init__(self, width: int) -> None:
        super().__init__(width, width, bidirectional=True, batch_first=True)

    def forward(self, x_NLC: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        if not torch.compiler.is_exporting():
            return super().forward(x_NLC)[0]
        steps = list(range(x_NLC.shape[1]))
        return torch.cat([self._over(x_NLC, steps, ""), self._over(x_NLC, steps[::-1], "_reverse")], 2)

    def _over(self, x_NLC: Tensor, steps: list[int], end: str) -> Tensor:
        weights = [getattr(self, name + end) for name in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")]
        h_ND = c_ND = x_NLC.new_zeros((x_NLC.shape[0], self.hidden_size))
        said: dict[int, Tensor] = {}
        for step in steps:
            h_ND, c_ND = _step(x_NLC[:, step], h_ND, c_ND, weights)
            said[step] = h_ND
        return torch.stack([said[step] for step in sorted(steps)], 1)
