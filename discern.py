"""discern in Python: `discern.load("birds.ts")(images)` answers from an exported file."""

from apps.base.predict import load

__all__ = ["load"]
