"""Texts of tours and routes: (0): (0, 0) -> (1): (3, 4) + 5 -> ..., and [(0): (0, 0), (1): (3, 4), ...]."""

from apps.accord.llama.scribes.scribe import Scribe
from datamodules.accord.formats.numbers import plain
from datamodules.accord.formats.text_plans import place
from datamodules.accord.instances import CVRP, TSP

__all__ = ["RouteLists", "RouteStates", "TourLists", "TourStates"]


class _Driven(Scribe):
    """The nodes driven to, and the way so far."""

    instance: TSP | CVRP

    def __init__(self, instance: TSP | CVRP) -> None:
        super().__init__(instance)
        self.path: list[int] = []
        self.total = 0

    def drive(self, node: int) -> str:
        """The way to a node."""
        way = int(self.instance.distances[self.path[-1], node]) if self.path and self.path[-1] != node else 0
        self.path.append(node)
        self.total += way
        return plain(way, self.instance.scale)

    def place(self, node: int) -> str:
        return place(self.instance, node)

    def distance(self) -> str:
        return f"Overall Total Distance: {plain(self.total, self.instance.scale)}\n"


class TourStates(_Driven):
    def opening(self) -> str:
        return "Vehicle Route: "

    def spell(self, action: int) -> str:
        return f"{' -> ' if self.path else ''}{self.place(action)}"

    def follow(self, action: int) -> str:
        first = not self.path
        way = self.drive(action)
        return "" if first else f" + {way}"

    def closing(self) -> str:
        home = self.path[0]
        return f" -> {self.place(home)} + {self.drive(home)}\n{self.distance()}"


class TourLists(_Driven):
    def opening(self) -> str:
        return "["

    def spell(self, action: int) -> str:
        return f"{', ' if self.path else ''}{self.place(action)}"

    def follow(self, action: int) -> str:
        self.drive(action)
        return ""

    def closing(self) -> str:
        home = self.path[0]
        self.drive(home)
        return f", {self.place(home)}]\n{self.distance()}"


class RouteStates(_Driven):
    """Decision 0 is the depot, i customer i."""

    def opening(self) -> str:
        if not self.instance.size:
            return ""
        self.drive(0)
        return f"Vehicle Route: {self.place(0)}"

    def spell(self, action: int) -> str:
        return f" -> {self.place(action)}"

    def follow(self, action: int) -> str:
        return f" + {self.drive(action)}" + ("" if action else f"\nVehicle Route: {self.place(0)}")

    def closing(self) -> str:
        if not self.instance.size:
            return self.distance()
        return f"{self.spell(0)} + {self.drive(0)}\n{self.distance()}"


class RouteLists(_Driven):
    def opening(self) -> str:
        if not self.instance.size:
            return ""
        self.drive(0)
        return f"[{self.place(0)}"

    def spell(self, action: int) -> str:
        return f", {self.place(action)}"

    def follow(self, action: int) -> str:
        self.drive(action)
        return "" if action else f"]\n[{self.place(0)}"

    def closing(self) -> str:
        if not self.instance.size:
            return self.distance()
        self.drive(0)
        return f"{self.spell(0)}]\n{self.distance()}"
