"""What can be chosen about the network and its readout; a choice that could not act is refused."""

from dataclasses import dataclass
from typing import Literal

__all__ = ["Backbone", "Read"]


@dataclass(frozen=True)
class Backbone:
    """The message passing below the readout.

    Args:
        name: The convolution; gine reads edge features, gcnii is made for deep networks; smooth takes means over neighbours only
            and learns nothing above the embedded input (it needs norm=none).
        layers: How many convolutions.
        width: Of every state.
        dropout: After each layer.
        input_dropout: Of the features, before they are embedded.
        norm: Of each state, before its ReLU.
        include_input: The embedded input is the first state of the history, so that it has layers + 1.
    """

    name: Literal["gin", "gine", "gcn", "sage", "gat", "gcnii", "smooth"] = "gin"
    layers: int = 5
    width: int = 32
    dropout: float = 0.0
    input_dropout: float = 0.0
    norm: Literal["batch", "layer", "none"] = "batch"
    include_input: bool = True

    @property
    def states(self) -> int:
        """How many states the history has."""
        return self.layers + self.include_input

    @property
    def first_state(self) -> int:
        """The number of the first one: 0 is the embedded input."""
        return int(not self.include_input)

    def __post_init__(self) -> None:
        if self.layers < 1 or self.width < 1:
            raise ValueError(f"backbone.layers={self.layers} and backbone.width={self.width} are at least 1")
        if self.name == "smooth" and self.norm != "none":
            raise ValueError(f"backbone.name=smooth learns nothing between its states, and backbone.norm={self.norm} would; set it to none")
        for name in ("dropout", "input_dropout"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise ValueError(f"backbone.{name} is in [0, 1), not {getattr(self, name)}")


@dataclass(frozen=True)
class Read:
    """The readout: histo is the paper's, the others are what it is measured against.

    Args:
        name: histo; of the last state: mean, sum, max, attentional, deepsets, set2set, sortpool, set_transformer, gmt, last_attended
            (the second stage of histo alone), topk and sagpool (which pass messages of their own between three poolings);
            of all states, then their mean over the nodes: jk-cat, jk-max, jk-lstm, uniform.
            Of nodes and links: histo, last (the last state), jk-cat, jk-max, jk-lstm, uniform.
        heads: Of attention over nodes (histo, set_transformer, gmt, last_attended).
        norm: How layer scores become weights (histo). signed is the paper's.
        guard: Least size of the divisor of signed, as a share of the sum of sizes (histo).
        node_attention: full, through 16 learned points (induced: for graphs of thousands of nodes), or none (histo).
        score_pool: Layer weights of each graph, or of each node (histo).
        project: One embedding of all states, or one each (histo).
        value: A value projection in the attention over layers (histo).
        layer_norm: After the attention over nodes (histo); null: for nodes and links, not for graphs.
        dropout: In the attention over nodes (histo).
        pool: How nodes become one vector (histo). A mean cannot count: take sum for counting tasks.
    """

    name: Literal[
        "histo", "mean", "sum", "max", "attentional", "deepsets", "set2set", "sortpool", "set_transformer",
        "jk-cat", "jk-max", "jk-lstm", "uniform", "gmt", "last_attended", "last", "topk", "sagpool",
    ] = "histo"  # fmt: skip
    heads: int = 4
    norm: Literal["signed", "l1", "softmax", "uniform"] = "signed"
    guard: float = 0.05
    node_attention: Literal["full", "induced", "none"] = "full"
    score_pool: Literal["graph", "node"] = "graph"
    project: Literal["shared", "per_layer"] = "shared"
    value: bool = False
    layer_norm: bool | None = None
    dropout: float = 0.1
    pool: Literal["mean", "sum", "max"] = "mean"

    def __post_init__(self) -> None:
        if self.name == "histo":
            return
        standard = Read()
        kept = {"name", "heads"} if self.name in ("set_transformer", "gmt", "last_attended") else {"name"}
        changed = [key for key, value in vars(self).items() if key not in kept and value != getattr(standard, key)]
        if changed:
            raise ValueError(f"readout.{changed[0]} belongs to readout.name=histo, not to {self.name}; leave it out")
