"""What can be chosen about the network that decides; a choice that could not act is refused."""

from dataclasses import dataclass
from typing import Any, Literal

from datamodules.accord.instances import KINDS

__all__ = ["SIZES", "TARGETS", "Net"]

SIZES = {  # brief 2.4.2: d, blocks, heads, width of the feed-forward step; 2.4.4: rank of the adapters
    "tiny": {"dim": 64, "layers": 2, "heads": 4, "ffn": 192, "rank": 8},
    "small": {"dim": 128, "layers": 4, "heads": 8, "ffn": 512, "rank": 16},
    "base": {"dim": 256, "layers": 8, "heads": 8, "ffn": 1024, "rank": 16},
}
TARGETS = ("q", "k", "v", "o", "fc1", "fc2")


@dataclass(frozen=True)
class Net:
    """The network (2.4.2) and its adapters (2.4.4).

    Args:
        size: A row of the table of sizes; what is given below replaces its numbers.
        dim: Width of every token.
        layers: Blocks.
        heads: Of the attention.
        ffn: Width of the feed-forward step.
        state: What a step is told of the numeric state. fed: what the automaton says; none: nothing; predicted: what the network itself
            said at the step before.
        history: Steps attend to earlier steps. Without it a step reads the state alone, costs less, and forced steps cost nothing.
        norm: Of the tokens, before attention and feed-forward step.
        rank: Of the adapters; 0: there are none, one model serves all kinds.
        alpha: Their scale is alpha / sqrt(rank); null: alpha = rank.
        rslora: false: the scale is alpha / rank.
        targets: Which linear maps have adapters.
        share: Kinds that use the adapter of the first of them ([tsp, cvrp] is the authors' choice).
    """

    size: Literal["tiny", "small", "base"] = "tiny"
    dim: int | None = None
    layers: int | None = None
    heads: int | None = None
    ffn: int | None = None
    state: Literal["fed", "none", "predicted"] = "fed"
    history: bool = False
    norm: Literal["layer", "rms"] = "layer"
    rank: int | None = None
    alpha: float | None = None
    rslora: bool = True
    targets: tuple[str, ...] = TARGETS
    share: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("dim", "layers", "heads", "ffn"):
            if (number := getattr(self, name)) is not None and number < 1:
                raise ValueError(f"net.{name} is at least 1, not {number}")
        if self.rank is not None and self.rank < 0:
            raise ValueError(f"net.rank is 0 (no adapters) or more, not {self.rank}")
        if self.alpha is not None and self.alpha <= 0:
            raise ValueError(f"net.alpha is above 0, not {self.alpha}")
        whole = self.whole()
        if whole["dim"] % whole["heads"]:
            raise ValueError(f"net.dim={whole['dim']} does not divide by net.heads={whole['heads']}")
        if strange := [target for target in self.targets if target not in TARGETS]:
            raise ValueError(f"net.targets: {', '.join(strange)}; there are {', '.join(TARGETS)}")
        if strange := [kind for kind in self.share if kind not in KINDS]:
            raise ValueError(f"net.share: {', '.join(strange)}; the kinds are {', '.join(KINDS)}")
        if len(self.share) == 1:
            raise ValueError("net.share names two kinds or more; leave it empty where each has its own adapter")
        if whole["rank"] == 0:
            for name, default in (("alpha", None), ("rslora", True), ("targets", TARGETS), ("share", ())):
                if tuple_or(getattr(self, name)) != default:
                    raise ValueError(f"net.{name}: rank=0 has no adapters; leave it out")
        elif not self.targets:
            raise ValueError("net.targets is empty: no map would have an adapter; rank=0 says so")

    def whole(self) -> dict[str, Any]:
        """Every number, as `Accord` takes them."""
        row = SIZES[self.size]
        chosen = {name: row[name] if getattr(self, name) is None else getattr(self, name) for name in row}
        return {
            **chosen,
            "state": self.state,
            "history": self.history,
            "norm": self.norm,
            "alpha": float(chosen["rank"] or 1) if self.alpha is None else self.alpha,
            "rslora": self.rslora,
            "targets": tuple(self.targets),
            "share": tuple(self.share),
        }


def tuple_or(value: Any) -> Any:
    """YAML's lists are tuples here."""
    return tuple(value) if isinstance(value, list) else value
