"""Job shops: dispatching rules, tabu search, exact methods."""

from datamodules.accord.references.jssp.exact import exact
from datamodules.accord.references.jssp.intervals import intervals
from datamodules.accord.references.jssp.rules import RULES, rule
from datamodules.accord.references.jssp.tabu import rules, search, tabu

__all__ = ["RUNS", "search"]

RUNS = {
    **{name: rule(name) for name in RULES},
    **{f"{name}_active": rule(name, active=True) for name in RULES},
    "rules": rules,
    "tabu": tabu,
    "local": tabu,
    "exact": exact,
    "cpsat": intervals,
}
