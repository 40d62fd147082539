"""The keys of a recipe that say how gates learn."""

from dataclasses import dataclass
from typing import Literal

from core_attention.gates import GateSet, Routing

__all__ = ["RoutingOptions"]


@dataclass
class RoutingOptions:
    """Who learns when: gates, weights, or both.

    Args:
        mode: "gr": gates and weights in passes of their own; "joint": one pass for both; "gates_only" and "frozen_gates": one of them.
        gate_data: What gates learn from in "gr": the "same" batch, one half of it ("split"), or groups that the weights never see ("val").
        every: The gates' pass at each k-th step.
        gate_fraction: Share of the batch that the gates' pass sees.
        share_forward: "gr" with both gradients from one pass; as good as "joint".
        same_noise: Both passes draw the same dropout masks; by default where they see the same batch.
        lam: Price of open gates, times their mean openness; "auto" makes it 15 % of the first loss.
        lr_g: Learning rate of the gates, constant after 5 % warm-up. Rate times steps should be 6 or more: Adam moves a gate no further.
        clip_g: Largest norm of the gates' gradient; trainer.gradient_clip_val is that of the weights' alone. None: not clipped.
        gate_warmup: Steps at the beginning in which gates of "gr" hold still and the weights learn alone.
        parity: What the authors' release does otherwise, to compare with: "leak" clears gradients once before both passes and freezes
            nothing; "bn_twice" lets batch norms follow both passes.
    """

    mode: Literal["gr", "joint", "gates_only", "frozen_gates"] = "gr"
    gate_data: Literal["same", "split", "val"] = "same"
    every: int = 1
    gate_fraction: float = 1.0
    share_forward: bool = False
    same_noise: bool | None = None
    lam: float | Literal["auto"] = 0.0
    lr_g: float = 0.05
    clip_g: float | None = 1.0
    gate_warmup: int = 0
    parity: tuple[Literal["leak", "bn_twice"], ...] = ()

    def __post_init__(self) -> None:
        if self.lr_g <= 0:
            raise ValueError(f"routing.lr_g must be positive, not {self.lr_g}")
        if self.clip_g is not None and self.clip_g <= 0:
            raise ValueError(f"routing.clip_g must be positive, not {self.clip_g}; null does not clip")

    def make(self, gates: GateSet) -> Routing:
        """With "auto" the price is still to be set; it counts as one, so that a mode without any refuses it."""
        lam = 1.0 if self.lam == "auto" else self.lam
        return Routing(
            gates,
            self.mode,
            self.gate_data,
            self.every,
            self.gate_fraction,
            self.share_forward,
            self.same_noise,
            lam,
            self.parity,
            self.gate_warmup,
        )
