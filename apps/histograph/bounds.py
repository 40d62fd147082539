"""Figures that no answer for one graph at a time is known to reach: above them a leak is likelier than a success."""

from pathlib import PurePath

__all__ = ["ALARMS", "alarms"]

# ours: IMDB from colour refinement (six rounds, degrees), which bounds message passing without further features; PROTEINS four points
# above what anybody reports besides the figures that knowing the class of one's batch would give.
ALARMS = {"IMDB-MULTI": 0.63, "IMDB-BINARY": 0.88, "PROTEINS": 0.85}


def alarms(source: str, metric: str, value: float) -> list[str]:
    """
    >>> alarms("graphs/PROTEINS", "test/accuracy", 0.978)
    ['ALARM: test/accuracy 0.9780 on PROTEINS is above 0.85: leak until leakcheck says otherwise']
    """
    name = next((part for part in reversed(PurePath(source).parts) if part in ALARMS), None)
    if name is None or not metric.endswith("accuracy") or value <= ALARMS[name]:
        return []
    return [f"ALARM: {metric} {value:.4f} on {name} is above {ALARMS[name]}: leak until leakcheck says otherwise"]
