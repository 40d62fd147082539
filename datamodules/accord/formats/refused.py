"""What is asked for and not modelled: refused by name, with the tool that can, rather than solved without it."""

import re
from collections.abc import Iterable

from datamodules.accord.errors import UnsupportedError

__all__ = ["refuse_columns", "unmodelled"]

# Words of a column, key or section -> what they mean, and who solves that.
_ROUTING = "PyVRP, VROOM or OR-Tools routing"
_SHOPS = "OR-Tools CP-SAT"
_PACKING = "OR-Tools CP-SAT"
_MEANINGS: tuple[tuple[str, str, str], ...] = (
    (r"ready(_?time)?|release(_?(time|date))?|earliest|open(s|ing)?|tw.*|time_?windows?.*|latest|clos(e|es|ing)", "time windows", _ROUTING),
    (r"due(_?(dates?|times?))?|deadlines?|tardiness|lateness", "due dates", f"{_SHOPS} for jobs, {_ROUTING} for visits"),
    (r"service(_?times?)?|duration_of_stop|standtime.*|stop_?time", "service times", _ROUTING),
    (r"skills?|required_skills?|priority|prize|reward|profit_of_visit", "skills, priorities and prizes", _ROUTING),
    (r"pick_?ups?|deliver(y|ies)|linehaul|backhauls?|precedence|predecessors?|after", "pickups, deliveries and precedence", _ROUTING),
    (r"vehicle_?types?|fleet_?types?|vehicle_?class|fixed_?costs?", "mixed fleets", _ROUTING),
    (r"max_?(distance|duration|length|time)|distance_?limit|shift.*|break.*", "limits on a route's length", _ROUTING),
    (r"set_?ups?(_?times?)?|changeovers?", "set-up times", _SHOPS),
    (r"alternatives?|machine_?options?|eligible.*", "alternative machines", _SHOPS),
    (r"conflicts?|incompatib.*|group|colou?r|class(es)?|length|width|height|depth|volume", "further limits on items", _PACKING),
    (r"depot_?id|depots", "several depots", _ROUTING),
)


def unmodelled(word: str) -> tuple[str, str] | None:
    """What a column's or key's name asks for, and what to use instead; None: it is not known as such."""
    plain = re.sub(r"[\s\-]+", "_", word.strip().lower()).removesuffix("_section")
    for pattern, meaning, tool in _MEANINGS:
        if re.fullmatch(pattern, plain):
            return meaning, tool
    return None


def refuse_columns(where: str, names: Iterable[str]) -> None:
    for name in names:
        if found := unmodelled(name):
            meaning, tool = found
            raise UnsupportedError(
                f"{where}: column {name!r} asks for {meaning}, which is not modelled and would be left out of the answer; use {tool}, "
                "or remove the column if it is no constraint"
            )
