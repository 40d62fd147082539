"""What can be chosen about DCAL's two further branches; a choice that could not act is refused."""

from dataclasses import dataclass
from typing import Literal

__all__ = ["Glca", "Pwca"]


@dataclass(frozen=True)
class Glca:
    """Global-local cross-attention: the most attended tokens look once more at all tokens (section 2.3).

    Args:
        blocks: M, how many; 0 leaves the branch out.
        ratio: R, the share of patches that become queries (0.1 for classification, 0.3 for re-identification in the paper).
        input: Tokens that the branch reads: after the last block, before it (penultimate), or before the first (embed).
        readout: How rows become one vector: the class row (cls), the mean of the chosen (mean), half of each (cls+mean),
            the class row after all rows were put back (scatter), or a second block in which the class row looks at the chosen (attend).
        cls: Whether the class token is always among the queries or has to be chosen like the others (auto).
        select: How queries are chosen: by rollout, by the last layer's attention, at random, or all of them.
        rollout: From stored head-mean maps (maps), or each layer's rows made anew without forming a map (stream: less memory, more time).
        init: New weights, or those of the trunk's last block once --init has loaded it (last); a file's own weights of the branch stay.
        stack: Blocks at different depths, each with a head (parallel), or one behind the other on the same rows (chain).
        allow_inert: Permit a selection that cannot change the answer, as the control of an experiment.
    """

    blocks: int = 1
    ratio: float = 0.1
    input: Literal["last", "penultimate", "embed"] = "last"
    readout: Literal["cls+mean", "cls", "mean", "scatter", "attend"] = "cls+mean"
    cls: Literal["always", "auto"] = "always"
    select: Literal["rollout", "last_layer", "random", "all"] = "rollout"
    rollout: Literal["maps", "stream"] = "maps"
    init: Literal["new", "last"] = "new"
    stack: Literal["parallel", "chain"] = "parallel"
    allow_inert: bool = False

    def __post_init__(self) -> None:
        if self.blocks < 0:
            raise ValueError(f"glca.blocks is 0 (off) or more, not {self.blocks}")
        if not 0.0 < self.ratio <= 1.0:
            raise ValueError(f"glca.ratio is in (0, 1], not {self.ratio}")
        if self.blocks == 0:
            return
        if self.cls == "auto" and self.readout in ("cls", "cls+mean"):
            raise ValueError(f"glca.cls=auto: the class token may not be chosen, and readout={self.readout} reads it; use scatter")
        inert = self.readout == "cls" or (self.readout == "scatter" and self.cls == "always")
        if inert and self.stack == "chain" and self.blocks > 1:
            raise ValueError(f"glca.stack=chain: with readout={self.readout} the chosen rows are never read; use cls+mean")
        if inert and self.select != "rollout" and not self.allow_inert:
            # Attention acts on each query row by itself: row 0 does not see the other queries (section 2.3).
            raise ValueError(
                f"glca.select={self.select}: selection does not influence readout={self.readout} (see README, read-out); "
                "choose another readout, or set glca.allow_inert for the control experiment"
            )


@dataclass(frozen=True)
class Pwca:
    """Pair-wise cross-attention: in training each picture's queries also see another picture's keys (section 2.4).

    Args:
        blocks: T, the last blocks of the trunk that do so: a number, or all; 0 leaves the branch out.
        partner: Whether the partner's keys and values are those of its plain stream (sa) or of its own pair stream (pwca).
        detach: Stop the gradient into the partner.
        pair_source: Who is the partner: any other picture of the batch, of another class (inter), of the same (intra), half and half
            (mixed), or one drawn from the whole training set (dataset; the data must give a second picture: data.partners).
        distractor: Keys and values of the partner picture (image), Gaussian noise of the batch's moments (noise),
            or pictures of another folder (external; data.partners).
    """

    blocks: int | Literal["all"] | None = "all"  # None: what recipes and checkpoints of 0.1 say for all
    partner: Literal["sa", "pwca"] = "sa"
    detach: bool = False
    pair_source: Literal["batch", "inter", "intra", "mixed", "dataset"] = "batch"
    distractor: Literal["image", "noise", "external"] = "image"

    def __post_init__(self) -> None:
        if isinstance(self.blocks, int) and self.blocks < 0:
            raise ValueError(f"pwca.blocks is 0 (off), a number of blocks or all, not {self.blocks}")
        if self.distractor != "image" and self.partner == "pwca":
            raise ValueError(f"pwca.partner=pwca: with distractor={self.distractor} nobody has a pair stream; leave it at sa")
        if self.distractor != "image" and self.pair_source != "batch":
            raise ValueError(f"pwca.pair_source={self.pair_source}: with distractor={self.distractor} there is no partner to choose")
        if self.pair_source == "dataset" and self.partner == "pwca":
            raise ValueError("pwca.pair_source=dataset: the second picture has no pair stream; leave pwca.partner at sa")

    def of(self, depth: int) -> int:
        """T in a trunk of so many blocks."""
        blocks = self.blocks if isinstance(self.blocks, int) else depth
        if blocks > depth:
            raise ValueError(f"pwca.blocks={blocks}, but the trunk has {depth} blocks")
        return blocks

    @property
    def needs_others(self) -> bool:
        """A second picture a sample must come with the batch."""
        return self.blocks != 0 and (self.pair_source == "dataset" or self.distractor == "external")
