"""All readouts by name."""

from collections.abc import Callable, Mapping

from apps.histograph import baselines
from apps.histograph.gmt import Gmt
from apps.histograph.options import Read
from apps.histograph.pooling import NodeDropping
from apps.histograph.reading import Readout
from apps.histograph.readout import HistoReadout

__all__ = ["READOUTS", "build_readout"]


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
        layer_norm=options.layer_norm,
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
    "last": lambda options, width, states: baselines.LastAttended(width, options.heads),
    "topk": lambda options, width, states: NodeDropping(width, by_neighbours=False),
    "sagpool": lambda options, width, states: NodeDropping(width, by_neighbours=True),
}


def build_readout(options: Read, width: int, states: int) -> Readout:
    """The readout of these options over so many states of this width."""
    return READOUTS[options.name](options, width, states)
