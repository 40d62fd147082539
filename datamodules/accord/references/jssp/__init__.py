"""Job shops: dispatching rules, tabu search, exact methods."""

from datamodules.accord.references.jssp.rules import RULES, rule

__all__ = ["RUNS"]

RUNS = {name: rule(name) for name in RULES} | {f"{name}_active": rule(name, active=True) for name in RULES}
