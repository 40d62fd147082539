"""The solver: rules, network, search and exact methods, one after the other, under one clock, behind one checker."""

from apps.accord.solver.solver import Solver

__all__ = ["Solver"]
