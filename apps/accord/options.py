"""What can be chosen about the network that decides; a choice that could not act is refused."""

from dataclasses import dataclass
from typing import Any, Literal

from apps.base.idle import refuse_idle
from datamodules.accord.instances import KINDS

__all__ = ["SIZES", "TARGETS", "Learn", "Measure", "Net", "Stages"]

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


@dataclass(frozen=True)
class Learn:
    """What is learned from (3.2).

    Args:
        masked: The softmax is over what the masks allow. false: over everything, as the paper's ablation needs it; the network then also
            learns to end, and answers without masks are measured beside the masked ones.
        state: Weight of the loss of the state head.
        end: Of knapsack: maximal (END is open where nothing of value fits) or free.
        generator: Of jssp: which schedules can be built.
    """

    masked: bool = True
    state: float = 0.1
    end: Literal["maximal", "free"] = "maximal"
    generator: Literal["active", "semi", "nondelay"] = "active"

    def __post_init__(self) -> None:
        if self.state < 0:
            raise ValueError(f"learn.state={self.state}: a weight is 0 or more")

    def of(self, kind: str) -> dict[str, Any]:
        """Options of the kind's automaton."""
        return {"knapsack": {"end": self.end}, "jssp": {"generator": self.generator}}.get(kind, {})


@dataclass(frozen=True)
class Stages:
    """Who learns when (3.4).

    Args:
        mode: staged: first the network for all kinds, then an adapter of each kind beside it; adapters-only: the adapters of a network that
            --init brings (the paper's setting); shared: one network for all kinds, for comparison.
        joint: Share of the training that goes to the network itself (staged).
        improve: Share at the end in which it learns from the best of its own answers, where that is no worse than the label.
        samples: How many answers it gives to each problem then.
    """

    mode: Literal["staged", "adapters-only", "shared"] = "staged"
    joint: float = 0.6
    improve: float = 0.0
    samples: int = 16

    def __post_init__(self) -> None:
        if not (0 <= self.joint <= 1 and 0 <= self.improve <= 1):
            raise ValueError(f"stages.joint={self.joint} and stages.improve={self.improve} are shares, 0 to 1")
        if self.samples < 1:
            raise ValueError(f"stages.samples is at least 1, not {self.samples}")
        if self.mode != "staged":
            refuse_idle("stages", self, ("joint",), f"mode={self.mode} has no stages of its own")
        elif self.joint + self.improve > 1:
            raise ValueError(f"stages.joint={self.joint} and stages.improve={self.improve} are more than the whole training")
        if not self.improve:
            refuse_idle("stages", self, ("samples",), "improve is 0")

    def check(self, net: Net) -> None:
        """Refuse what this network has not."""
        adapters = net.whole()["rank"] > 0
        if self.mode == "shared" and adapters:
            raise ValueError("stages.mode=shared trains one network for all kinds; give net.rank=0 with it")
        if self.mode != "shared" and not adapters:
            raise ValueError(f"net.rank=0 has no adapters, and stages.mode={self.mode} trains them; give stages.mode=shared with it")


@dataclass(frozen=True)
class Measure:
    """How `test` decodes besides greedily.

    Args:
        samples: Of kinds without starts (knapsack, binpack, jssp): answers drawn, of which the best counts; the others start from
            every node, customer or job.
        temperature: Of drawing.
    """

    samples: int = 16
    temperature: float = 1.0

    def __post_init__(self) -> None:
        if self.samples < 1 or self.temperature <= 0:
            raise ValueError(f"measure.samples={self.samples} is at least 1, measure.temperature={self.temperature} above 0")
