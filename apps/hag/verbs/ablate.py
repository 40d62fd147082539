"""`discern hag ablate`: what gates, their routing and their places bring on one's own data (section 7a)."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from apps.base.ablation import Ablation, ablation
from apps.base.errors import UserError
from apps.base.routing import RoutingOptions
from apps.base.shell import Shell
from apps.hag.card import CARD
from apps.hag.options import Gates

__all__ = ["ROWS", "TABLE", "ablate"]


@dataclass(frozen=True)
class Arm:
    """A row. gates: whether there are any; routing, of the usual one, and kind, of the recipe's gates: what differs."""

    title: str
    routing: dict[str, Any] = field(default_factory=dict)
    kind: dict[str, Any] = field(default_factory=dict)
    gates: bool = True


SOFT = {"unit": False, "tau": 1.0}
ROWS = {
    "plain": Arm("no gates", gates=False),
    "frozen": Arm("gates frozen as they begin", {"mode": "frozen_gates"}),
    "joint": Arm("gates and weights together", {"mode": "joint"}),
    "joint_price": Arm("together, open gates at a price", {"mode": "joint", "lam": "auto"}),
    "same": Arm("gates apart, on the same batch", {"mode": "gr"}),
    "same_price": Arm("apart, same batch, at a price", {"mode": "gr", "lam": "auto"}),
    "split": Arm("apart, on the other half of the batch", {"mode": "gr", "gate_data": "split", "lam": "auto"}),
    "val": Arm("apart, on groups that the weights never see", {"mode": "gr", "gate_data": "val", "lam": "auto"}),
    "frozen_half": Arm("gates frozen half open", {"mode": "frozen_gates"}, {"init": "half", "unit": False}),
    "xavier": Arm("same batch, gates begin as published", {"mode": "gr"}, {"init": "xavier", "unit": False}),
    "ste": Arm("same batch at a price, gates of 0 and 1", {"mode": "gr", "lam": "auto"}, {"hardness": "ste", **SOFT}),
    "hard_concrete": Arm("same batch at a price, hard concrete", {"mode": "gr", "lam": "auto"}, {"hardness": "hard_concrete", **SOFT}),
}
FREE = ("lr_g", "clip_g")  # the recipe's, wherever gates learn


def options(row: str, model: dict[str, Any]) -> list[str]:
    """Whole groups of keys, so that nothing of the recipe's is left that this row would refuse."""
    arm, given = ROWS[row], model["init_args"]
    if not given["gates"]["sites"]:
        raise UserError("ablate compares gates, and the recipe has none; name places with --model.gates.sites=[...]")
    gates, routing = asdict(Gates()), asdict(RoutingOptions())
    if arm.gates:
        gates = {**given["gates"], **arm.kind}
        kept = () if arm.routing["mode"] == "frozen_gates" else FREE
        routing = {**routing, **{name: given["routing"][name] for name in kept}, **arm.routing}
    return [f"--model.{name}={json.dumps(value)}" for name, value in (("gates", gates), ("routing", routing))]


TABLE = Ablation(CARD, {name: arm.title for name, arm in ROWS.items()}, options, ("plain", "frozen", "joint_price", "same_price", "val"))


def ablate(shell: Shell, argv: list[str]) -> int:
    """Train the recipe without gates and with gates that learn in several ways, the same seeds and epochs for every row; print the table.

    The score is the one that ranks checkpoints, on validation, at its best epoch: alike for all rows, and a little too good for all;
    the test split stays untouched. The differences are to the first row, seed by seed. Epochs are equal, time is not: the last column
    says it. Where data.gates sets groups apart, no row's weights learn from them. Other options are keys of the recipe, as for `fit`.
    With --name of an earlier call its finished rows are taken as they are.
    """
    return ablation(shell, argv, ablate.__doc__, TABLE)
