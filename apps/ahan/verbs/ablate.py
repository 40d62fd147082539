"""`discern ahan ablate`: the paper's table on one's own data, and the questions that it leaves (sections 2.6 and 7)."""

from dataclasses import dataclass
from typing import Any

from apps.ahan.card import CARD
from apps.ahan.options import ORDER, Stream
from apps.ahan.paired_gap import gap_interval, judged
from apps.base.ablation import Ablation, Paired, ablation
from apps.base.shell import Shell

__all__ = ["ROWS", "TABLE", "ablate"]

# Whatever the recipe says of the twin's keys would be refused where nobody sees them.
ALONE = ("partner=none", "p=0.5", "layers=auto", "mode=replace", "branch_weight=0.5", "draw=step", "detach=false")


@dataclass(frozen=True)
class Arm:
    """A row: the streams there are, whether twins' keys are seen, and what else differs from the recipe."""

    title: str
    streams: tuple[Stream, ...] = ORDER
    pairs: bool = True
    options: tuple[str, ...] = ()


ROWS = {
    "global": Arm("global stream alone", ("global",), pairs=False),
    "hca": Arm("+ HCA", ("global", "hca"), pairs=False),
    "faam": Arm("+ FAAM", ("global", "faam"), pairs=False),
    "tapwca": Arm("+ TA-PWCA", ("global",)),
    "hca_faam": Arm("+ HCA + FAAM", pairs=False),
    "hca_tapwca": Arm("+ HCA + TA-PWCA", ("global", "hca")),
    "faam_tapwca": Arm("+ FAAM + TA-PWCA", ("global", "faam")),
    "full": Arm("all"),
    # what each choice is worth, the rest as in `full`
    "pyramid": Arm("all, HCA by smaller maps", options=("--model.hca.preset=pyramid",)),
    "one_scale": Arm("all, HCA at one scale", options=("--model.hca.scales=[1]",)),
    "uniform": Arm("all, scales weighed alike", options=("--model.hca.scale_weight=uniform",)),
    "boxes_full": Arm("all, every region the whole face", options=("--model.streams.boxes=full",)),
    "boxes_grid": Arm("all, regions are quarters", options=("--model.streams.boxes=grid",)),
    "abs": Arm("all, FAAM by size", options=("--model.faam.mode=abs", "--data.hflip=0")),
    "signed": Arm("all, FAAM by sign", options=("--model.faam.mode=signed", "--data.hflip=0")),
    "unaligned": Arm("all, halves not mirrored", options=("--model.faam.align=none",)),
    "random": Arm("all, any other person's keys", options=("--model.tapwca.partner=random",)),
    "hard": Arm("all, the nearest other person's keys", options=("--model.tapwca.partner=hard",)),
    "self": Arm("all, the own keys twice", options=("--model.tapwca.partner=self",)),
    "hflip": Arm("all, half of the faces mirrored", options=("--data.hflip=0.5",)),
    "identity": Arm("all, mirrored faces as people of their own", options=("--data.hflip=identity",)),
    "one_to_one": Arm("all, a twin pair to a person alone", options=("--data.twin_ratio=1",)),
    "gated": Arm("all, streams weighed by a gate", options=("--model.streams.fusion=gated",)),
}


def options(row: str, model: dict[str, Any]) -> list[str]:
    arm, given = ROWS[row], model["init_args"]
    found = [f"--model.streams.use=[{','.join(arm.streams)}]"]
    found += [f"--model.{name}=null" for name in ("hca", "faam") if name not in arm.streams and given[name] is not None]
    if "hca" not in arm.streams and given["streams"]["boxes"] != "template":
        found.append("--model.streams.boxes=template")
    if not arm.pairs:
        found += [f"--model.tapwca.{option}" for option in ALONE]
    elif given["tapwca"]["partner"] == "none":
        found.append("--model.tapwca.partner=twin")
    return [*found, *arm.options]


TABLE = Ablation(CARD, {name: arm.title for name, arm in ROWS.items()}, options, list(ROWS)[:8], Paired(judged, gap_interval))


def ablate(shell: Shell, argv: list[str]) -> int:
    """Train the recipe with and without its parts, the same seeds and epochs for every row, and print the table.

    The score is the one that ranks checkpoints, on validation, at its best epoch: alike for all rows, and a little too good for all;
    the test split stays untouched. The differences are to the first row, seed by seed, with the interval over the seeds and in brackets
    that over families, drawn again for both rows. Epochs are equal, time is not: the last column says it. Other options are keys of the
    recipe, as for `fit`. With --name of an earlier call its finished rows are taken as they are.
    """
    return ablation(shell, argv, ablate.__doc__, TABLE)
