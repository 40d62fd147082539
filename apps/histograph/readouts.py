"""All readouts by name."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from apps.histograph import baselines
from apps.histograph.gmt import Gmt
from apps.histograph.options import Read
from apps.histograph.pooling import NodeDropping
from apps.histograph.reading import Readout
from apps.histograph.readout import HistoReadout

__all__ = ["NODE_READOUTS", "READOUTS", "build_node_readout", "build_readout"]


def _histo(options: Read, width: int, states: int) -> Readout:
    return HistoReadout(
        width,
        states,
        heads=options.heads,
        norm=options.norm,
        guard=options.guard,
        node_attention=options.node_attention,
        score_pool=options.score_pool,
        project=options.project,
        value=options.value,
        layer_norm=bool(options.layer_norm),
        dropout=options.dropout,
        pool=options.pool,
    )


READOUTS: Mapping[str, Callable[[Read, int, int], Readout]] = {
    "histo": _histo,
    "mean": lambda options, width, states: baselines.Last(width, "mean"),
    "sum": lambda options, width, states: baselines.Last(width, "sum"),
    "max": lambda options, width, states: baselines.Last(width, "max"),
    "attentional": lambda options, width, states: baselines.Attentional(width),
    "deepsets": lambda options, width, states: baselines.DeepSets(width),
    "set2set": lambda options, width, states: baselines.Set2Set(width),
    "sortpool": lambda options, width, states: baselines.SortPool(width),
    "set_transformer": lambda options, width, states: baselines.SetTransformer(width, options.heads),
    "jk-cat": lambda options, width, states: baselines.Jumping(width, states, "cat"),
    "jk-max": lambda options, width, states: baselines.Jumping(width, states, "max"),
    "jk-lstm": lambda options, width, states: baselines.Jumping(width, states, "lstm"),
    "uniform": lambda options, width, states: baselines.LayerMean(width),
    "gmt": lambda options, width, states: Gmt(width, options.heads),
    "last_attended": lambda options, width, states: baselines.LastAttended(width, options.heads),
    "topk": lambda options, width, states: NodeDropping(width, by_neighbours=False),
    "sagpool": lambda options, width, states: NodeDropping(width, by_neighbours=True),
}


NODE_READOUTS: Mapping[str, Callable[[Read, int, int], Readout]] = {
    "last": lambda options, width, states: baselines.Last(width, "mean"),
    **{name: READOUTS[name] for name in ("histo", "jk-cat", "jk-max", "jk-lstm", "uniform")},
}


def build_readout(options: Read, width: int, states: int) -> Readout:
    """The readout of these options over so many states of this width: one vector a graph."""
    if options.name not in READOUTS:
        raise ValueError(f"readout.name={options.name} gives nodes, not graphs; take mean, the mean of the last state's nodes")
    return READOUTS[options.name](options, width, states)


def build_node_readout(options: Read, width: int, states: int) -> Readout:
    """The same for heads of nodes and links: one vector a node."""
    if options.name not in NODE_READOUTS:
        raise ValueError(f"readout.name={options.name} gives graphs, not nodes; of nodes there are {', '.join(NODE_READOUTS)}")
    if options.pool != "mean":
        raise ValueError(f"readout.pool={options.pool} makes one vector of a graph's nodes; for nodes and links leave it out")
    if options.name == "histo" and options.layer_norm is None:
        options = replace(options, layer_norm=options.node_attention != "none")
    return NODE_READOUTS[options.name](options, width, states)
