"""One learned factor per channel, the same for every input: the hard-attention gate (HAG; also called feature-selection gate).

Shapes: C channels.
"""

import math
from typing import Final

import torch
from torch import Generator, Tensor, nn

__all__ = ["HARDNESS", "INITS", "Gate"]

HARDNESS = ("sigmoid", "anneal", "ste", "hard_concrete", "off")
INITS = ("xavier", "he", "half", "open", "closed", "value:x")
VALUES = ("keep", "binary")
COLDEST = 0.1  # the share of the first temperature that is left when annealing ends

# Hard concrete (Louizos et al., arXiv 1712.01312): temperature and the interval that is clipped to [0, 1].
BETA, GAMMA, ZETA = 2.0 / 3.0, -0.1, 1.1
SHIFT = BETA * math.log(-GAMMA / ZETA)  # P(s > 0) = sigmoid(g - SHIFT)


class Gate(nn.Module):
    """s = phi(g), HAG 2.1: `logits` are g, `values()` are s, `penalty()` is what a price on open gates multiplies.

    hardness: "sigmoid" is the paper's; "anneal" cools tau to a tenth (see `anneal`); "ste" is 0 or `value` forward and a sigmoid
    backward; "hard_concrete" is sampled in training and exactly 0 or 1 at its ends; "off" is 1.
    init: "xavier" (the paper's), "he", "half" (g=0), "open" (g=4), "closed" (g=-4), "value:x" (s=x); None: "half" with `unit`, else "open".
    unit: s = 2 sigmoid(g / tau), exactly 1 at g=0: a network that is wrapped computes what it did before.
    value: of an open gate under "ste": "keep" (its sigmoid, the default) or "binary" (1).
    generator: draws "xavier" and "he".
    """

    tau: Tensor
    beta: Final[float] = BETA  # TorchScript reads no module's globals
    gamma: Final[float] = GAMMA
    zeta: Final[float] = ZETA
    shift: Final[float] = SHIFT

    def __init__(
        self,
        channels: int,
        init: str | None = None,
        hardness: str = "sigmoid",
        unit: bool = False,
        tau: float = 1.0,
        value: str | None = None,
        generator: Generator | None = None,
    ) -> None:
        super().__init__()
        if channels < 1:
            raise ValueError(f"a gate has at least one channel, not {channels}")
        if hardness not in HARDNESS:
            raise ValueError(f"hardness is {', '.join(HARDNESS)}, not {hardness!r}")
        if hardness not in ("sigmoid", "anneal"):
            if unit:
                raise ValueError(f"unit goes with hardness 'sigmoid' and 'anneal'; {hardness!r} has no factor above 1")
            if tau != 1.0:
                raise ValueError(f"tau={tau} would be ignored by hardness {hardness!r}; it is of 'sigmoid' and 'anneal'")
        if not tau > 0:
            raise ValueError(f"tau is a temperature above 0, not {tau}")
        if value is not None and hardness != "ste":
            raise ValueError(f"value={value!r} would be ignored by hardness {hardness!r}; it is of 'ste'")
        if value not in (None, *VALUES):
            raise ValueError(f"value is {' or '.join(VALUES)}, not {value!r}")
        self.channels = channels
        self.hardness = hardness
        self.unit = unit
        self.first_tau = tau
        self.binary = value == "binary"
        self.logits = nn.Parameter(torch.empty(channels), requires_grad=hardness != "off")
        self.register_buffer("tau", torch.tensor(float(tau)))
        self._initialise(init if init is not None else "half" if unit else "open", generator)

    @torch.no_grad()
    def _initialise(self, init: str, generator: Generator | None) -> None:
        g, name = self.logits, init.partition(":")[0]
        if name == "xavier":  # of a matrix [1, C]
            g.normal_(std=math.sqrt(2 / (1 + self.channels)), generator=generator)
        elif name == "he":
            g.normal_(std=math.sqrt(2 / self.channels), generator=generator)
        elif init in ("half", "open", "closed"):
            g.fill_({"half": 0.0, "open": 4.0, "closed": -4.0}[init])
        elif name == "value" and self.hardness != "off":
            g.fill_(self._logit_of(init))
        else:
            raise ValueError(f"init is {', '.join(INITS)}, not {init!r}")

    def _logit_of(self, init: str) -> float:
        """g at which evaluation gives the x of "value:x"; under "ste" the sigmoid is x."""
        low, high = (GAMMA, ZETA) if self.hardness == "hard_concrete" else (0.0, 2.0 if self.unit else 1.0)
        try:
            x = float(init.partition(":")[2])
        except ValueError:
            raise ValueError(f"init {init!r}: x of value:x is a number") from None
        share = (x - low) / (high - low)
        if not 0 < share < 1 or (self.hardness == "hard_concrete" and not 0 <= x <= 1):
            inside = "[0, 1]" if self.hardness == "hard_concrete" else f"({low:g}, {high:g})"
            raise ValueError(f"init {init!r}: a gate of hardness {self.hardness!r}{' with unit' if self.unit else ''} begins in {inside}")
        return math.log(share / (1 - share)) * self.first_tau

    def values(self) -> Tensor:
        """s (C,). In training "hard_concrete" draws anew at each call."""
        g = self.logits
        if self.hardness == "off":
            return torch.ones_like(g)
        if self.hardness == "hard_concrete":
            if self.training:
                u = torch.rand_like(g).clamp(1e-6, 1.0 - 1e-6)
                share = torch.sigmoid((torch.log(u) - torch.log1p(-u) + g) / self.beta)
            else:
                share = torch.sigmoid(g)
            return torch.clamp((self.zeta - self.gamma) * share + self.gamma, 0.0, 1.0)
        s = torch.sigmoid(g / self.tau)
        if self.hardness == "ste":
            is_open = (s > 0.5).to(s.dtype)
            forward = is_open if self.binary else is_open * s
            return s + (forward - s).detach()  # both exact: s + (0 - s) and, as s > 1/2, s + (1 - s)
        return 2.0 * s if self.unit else s

    def openness(self) -> Tensor:
        """(C,) in 0..1: how open each gate is whatever its range, and for "hard_concrete" P(s > 0). What `penalty` is the mean of."""
        if self.hardness == "off":
            return torch.ones_like(self.logits)
        if self.hardness == "hard_concrete":
            return torch.sigmoid(self.logits - self.shift)
        return torch.sigmoid(self.logits / self.tau)

    def penalty(self) -> Tensor:
        """Mean openness, a scalar; 0 where the gate is off."""
        if self.hardness == "off":
            return self.logits.detach().sum() * 0.0
        return self.openness().mean()

    def anneal(self, progress: float) -> None:
        """Cool to `tau` * 0.1 ** progress; progress goes from 0 to 1 over the training, and stays in the saved state."""
        if self.hardness != "anneal":
            raise ValueError(f"a gate of hardness {self.hardness!r} has no temperature to anneal")
        self.tau.fill_(self.first_tau * COLDEST ** min(max(progress, 0.0), 1.0))

    def forward(self) -> Tensor:
        return self.values()

    def extra_repr(self) -> str:
        return f"{self.channels}, hardness={self.hardness!r}{', unit=True' if self.unit else ''}"
