"""A plan that breaks rules becomes one that breaks none, with as little change as can be; what was changed is told, line by line."""

from apps.accord.repair.repair import Repaired, repair

__all__ = ["Repaired", "repair"]
