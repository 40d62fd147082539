"""The round trip: rules, local search, exact methods."""

from datamodules.accord.references.routing import routing
from datamodules.accord.references.tsp.circuit import circuit
from datamodules.accord.references.tsp.construct import greedy_edge, nearest
from datamodules.accord.references.tsp.exact import cuts, exact
from datamodules.accord.references.tsp.held_karp import held_karp
from datamodules.accord.references.tsp.search import local, search, two_opt

__all__ = ["RUNS", "search"]

RUNS = {
    "nearest": nearest,
    "greedy_edge": greedy_edge,
    "two_opt": two_opt,
    "local": local,
    "held_karp": held_karp,
    "cuts": cuts,
    "exact": exact,
    "cpsat": circuit,
    "routing": routing,
}
