"""`discern dcal ablate`: the paper's table on one's own data. What does each branch bring, and does it matter which patches are chosen?"""

from dataclasses import dataclass
from typing import Any

from apps.base.ablation import Ablation, ablation
from apps.base.errors import UserError
from apps.base.shell import Shell
from apps.dcal.card import CARD

__all__ = ["ROWS", "TABLE", "ablate"]


@dataclass(frozen=True)
class Arm:
    """A row: which branches are on, and how patches are chosen."""

    title: str
    glca: bool
    pwca: bool
    select: str | None = None  # None: as the recipe says


ROWS = {
    "sa": Arm("self-attention", False, False),
    "glca": Arm("+ GLCA", True, False),
    "pwca": Arm("+ PWCA", False, True),
    "both": Arm("+ GLCA + PWCA", True, True),
    "last_layer": Arm("+ GLCA, by the last layer", True, False, "last_layer"),
    "random": Arm("+ GLCA, at random", True, False, "random"),
}


def options(row: str, model: dict[str, Any]) -> list[str]:
    given = model["init_args"]
    if "glca" not in given or "pwca" not in given:
        raise UserError(f"ablate switches glca and pwca; {model['class_path']} has none")
    arm, blocks = ROWS[row], {"glca": given["glca"]["blocks"] or 1, "pwca": given["pwca"]["blocks"] or "all"}
    switches = [f"--model.{branch}.blocks={blocks[branch] if getattr(arm, branch) else 0}" for branch in blocks]
    return [*switches, "--model.branches=auto", *([f"--model.glca.select={arm.select}"] if arm.select else [])]


TABLE = Ablation(CARD, {name: arm.title for name, arm in ROWS.items()}, options, list(ROWS))


def ablate(shell: Shell, argv: list[str]) -> int:
    """Train the recipe with and without its branches, the same seeds and epochs for every row, and print the table.

    The score is the one that ranks checkpoints, on validation, at its best epoch: alike for all rows, and a little too good for all;
    the test split stays untouched. The differences are to the first row, seed by seed. Epochs are equal, time is not: the last column
    says it. Other options are keys of the recipe, as for `fit`. With --name of an earlier call its finished rows are taken as they are.
    """
    return ablation(shell, argv, ablate.__doc__, TABLE)
