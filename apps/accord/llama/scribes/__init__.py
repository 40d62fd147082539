"""One writer for each kind and each of ACCORD's two texts, decision by decision."""

from apps.accord.llama.scribes.items import BinLists, BinStates, SackLists, SackStates
from apps.accord.llama.scribes.routes import RouteLists, RouteStates, TourLists, TourStates
from apps.accord.llama.scribes.scribe import Scribe
from apps.accord.llama.scribes.shops import FlowLists, FlowStates, JobLists, JobStates
from datamodules.accord.instances import Instance

__all__ = ["FORMS", "Scribe", "scribe"]

FORMS = ("accord", "lists")
_SCRIBES: dict[str, tuple[type[Scribe], type[Scribe]]] = {
    "tsp": (TourStates, TourLists),
    "cvrp": (RouteStates, RouteLists),
    "knapsack": (SackStates, SackLists),
    "binpack": (BinStates, BinLists),
    "pfsp": (FlowStates, FlowLists),
    "jssp": (JobStates, JobLists),
}


def scribe(instance: Instance, form: str) -> Scribe:
    return _SCRIBES[instance.kind][FORMS.index(form)](instance)
