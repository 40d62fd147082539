"""The automata of the six kinds: every rollout that follows their masks is a feasible plan."""

from apps.accord.automata.base import PAD, RULES, Automaton
from apps.accord.automata.binpack import BinPackAutomaton
from apps.accord.automata.certificate import certified
from apps.accord.automata.cvrp import CVRPAutomaton
from apps.accord.automata.jssp import JSSPAutomaton
from apps.accord.automata.knapsack import KnapsackAutomaton
from apps.accord.automata.pfsp import PFSPAutomaton
from apps.accord.automata.trail import Trail, replayed, trail
from apps.accord.automata.tsp import TSPAutomaton

__all__ = ["PAD", "RULES", "Automaton", "Trail", "automaton", "certified", "replayed", "trail"]

_KINDS: dict[str, type[Automaton]] = {
    "tsp": TSPAutomaton,
    "cvrp": CVRPAutomaton,
    "knapsack": KnapsackAutomaton,
    "binpack": BinPackAutomaton,
    "pfsp": PFSPAutomaton,
    "jssp": JSSPAutomaton,
}


def automaton(kind: str, **options: object) -> Automaton:
    """Every kind takes masked=True|False, knapsack end="maximal"|"free", jssp generator="active"|"semi"|"nondelay"; more is an error."""
    if kind not in _KINDS:
        raise ValueError(f"kind {kind!r}; it is one of {', '.join(_KINDS)}")
    return _KINDS[kind](**options)  # type: ignore[arg-type]
