"""What can be chosen about streams, gates, head and losses; a choice that could not act is refused."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Literal

from apps.base.idle import refuse_idle
from apps.base.routing import RoutingOptions
from apps.hag.millimetres import Target

__all__ = ["SITES", "Gates", "Head", "Losses", "Site", "Stream", "Streams", "channels_of", "check_routing"]

Stream = Literal["rgb", "loc", "depth", "planes"]
Site = Literal["branch", "stage", "embed", "head", "hidden", "heads", "input", "stream"]
ORDER = ("rgb", "loc", "depth", "planes")
SITES = ("branch", "stage", "embed", "head", "hidden", "heads", "input", "stream")


@dataclass(frozen=True)
class Streams:
    """What is looked at (sections 2.3 and 5.3).

    Args:
        use: Any of rgb (the picture), loc (where the polyp is: a plane, or the masked frame), depth, planes (all planes that no other
            stream reads).
        join: A network of its own for each (late), or one network over the channels of all (early), whose input gates then choose
            among them.
    """

    use: tuple[Stream, ...] = ("rgb",)
    join: Literal["late", "early"] = "late"

    def __post_init__(self) -> None:
        if not self.use or len(set(self.use)) != len(self.use) or set(self.use) - set(ORDER):
            raise ValueError(f"streams.use is one or more of {', '.join(ORDER)}, each once, not {list(self.use)}")
        if self.join == "early" and len(self.use) == 1:
            raise ValueError("streams.join=early: one stream has nothing to be joined with; leave join out")


@dataclass(frozen=True)
class Gates:
    """Where channels carry a gate, and of which kind (sections 2.1 and 2.2).

    Args:
        sites: branch, hidden and heads of a transformer; stage of a residual network; embed (the pooled vector of each stream), head (its
            hidden layer), input (channels of the picture and the planes), stream (one gate a stream). None: a plain network.
        init: How open gates begin: xavier or he (about half, as published), half, open, closed, or value:x; null is half with unit and
            else open.
        hardness: Of the gate: sigmoid, anneal, ste or hard_concrete; off is a gate that stays at 1.
        unit: Range (0, 2) with 1 in the middle, where gates then begin: a network that already knows something computes what it did.
        tau: Temperature of the sigmoid.
        value: Of an open gate under ste: keep (its sigmoid; null says the same) or binary (1).
    """

    sites: tuple[Site, ...] = ()
    init: str | None = None
    hardness: Literal["sigmoid", "anneal", "ste", "hard_concrete", "off"] = "sigmoid"
    unit: bool = False
    tau: float = 1.0
    value: Literal["keep", "binary"] | None = None

    def __post_init__(self) -> None:
        if len(set(self.sites)) != len(self.sites) or set(self.sites) - set(SITES):
            raise ValueError(f"gates.sites is any of {', '.join(SITES)}, each once, not {list(self.sites)}")
        if self.tau <= 0:
            raise ValueError(f"gates.tau is above 0, not {self.tau}")
        if not self.sites:
            refuse_idle("gates", self, ("init", "hardness", "unit", "tau", "value"), "there are no gates: sites is empty")


@dataclass(frozen=True)
class Head:
    """What is answered.

    Args:
        kind: Millimetres (regress), their three classes by two ordered questions (classes3), both, or the classes of a set that has no
            millimetres (classify).
        hidden: Units of the hidden layer; 0 is one linear map.
    """

    kind: Literal["regress", "classes3", "both", "classify"] = "regress"
    hidden: int = 128

    def __post_init__(self) -> None:
        if self.hidden < 0:
            raise ValueError(f"head.hidden is 0 or more units, not {self.hidden}")

    @property
    def regresses(self) -> bool:
        return self.kind in ("regress", "both")

    @property
    def orders(self) -> bool:
        return self.kind in ("classes3", "both")


@dataclass(frozen=True)
class Losses:
    """What is learned from (section 3.1).

    Args:
        target: ln mm, so that errors are relative, or mm on the release's scale (linear).
        size_weights: Factors on the loss of polyps above 5 mm and of those from 10 mm; the published ones, 3 and 5, never acted.
        ordinal: Weight of the two ordered questions beside the millimetres.
        smoothing: Of the labels of a set with classes of its own.
        where: Weight of saying, in training alone, where on the frame the polyp is, learned from its box (ours). A few hundred frames do
            not teach a new network what to look at.
    """

    target: Target = "log"
    size_weights: tuple[float, float] = (1.0, 1.0)
    ordinal: float = 1.0
    smoothing: float = 0.0
    where: float = 0.0

    def __post_init__(self) -> None:
        if min(self.size_weights) <= 0:
            raise ValueError(f"loss.size_weights are above 0, not {list(self.size_weights)}")
        if self.ordinal <= 0:
            raise ValueError(f"loss.ordinal is above 0, not {self.ordinal}; head.kind=regress leaves the questions out")
        if not 0 <= self.smoothing < 1:
            raise ValueError(f"loss.smoothing is in [0, 1), not {self.smoothing}")
        if self.where < 0:
            raise ValueError(f"loss.where is 0 or more, not {self.where}")

    def check(self, head: Head) -> None:
        """Refuse what this head does not read."""
        if not head.regresses:
            refuse_idle("loss", self, ("target",), f"head.kind={head.kind} has no millimetres")
        if head.kind != "both":
            refuse_idle("loss", self, ("ordinal",), f"head.kind={head.kind} has one loss")
        if head.kind == "classify":
            refuse_idle("loss", self, ("size_weights",), "head.kind=classify has no millimetres")
        else:
            refuse_idle("loss", self, ("smoothing",), f"head.kind={head.kind} has no classes of the set's own")


def check_routing(routing: RoutingOptions, gates: Gates) -> None:
    """Refuse what a network without gates would not read."""
    if not gates.sites:
        refuse_idle("routing", routing, [field.name for field in fields(routing)], "there are no gates: gates.sites is empty")


def channels_of(streams: Streams, planes: Sequence[str]) -> dict[str, list[int]]:
    """The places of each stream's channels among those of the picture (0 to 2) and the planes behind it, by the planes' names."""
    names = list(planes)
    groups: dict[str, list[int]] = {"rgb": [0, 1, 2]}
    for place, name in enumerate(names, 3):
        kind = "loc" if name == "loc" or name.startswith("mask") else "depth" if name == "depth" else "planes"
        groups.setdefault(kind if kind in streams.use else "planes", []).append(place)
    for stream in streams.use:
        if stream not in groups:
            have = ", ".join(names) or "no planes"
            raise ValueError(f"streams.use has {stream}, but the data gives {have}; add it to data.planes, or leave it out")
    if idle := [names[place - 3] for kind, places in groups.items() if kind not in streams.use for place in places if place > 2]:
        raise ValueError(
            f"the data gives {', '.join(idle)}, which no stream reads: add planes to streams.use, or leave them out of the data"
        )
    found = {stream: groups[stream] for stream in streams.use}
    return found if streams.join == "late" else {"all": [place for places in found.values() for place in places]}
