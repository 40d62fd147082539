"""PyVRP in an environment of its own, asked one problem after the other; it is no dependency of ours."""

import json
import subprocess
from pathlib import Path
from typing import Any

from datamodules.accord.instances import CVRP, TSP, Instance
from datamodules.accord.solution import Solution

__all__ = ["KINDS", "PyVRP"]

KINDS = ("tsp", "cvrp")
SCRIPT = Path(__file__).with_name("pyvrp_routes.py")


class PyVRP:
    """`python`: the interpreter of an environment with pyvrp 0.14 or newer. Its seconds are taken inside it, set-up included."""

    def __init__(self, python: Path) -> None:
        try:
            self.process = subprocess.Popen([str(python), str(SCRIPT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        except OSError as error:
            raise SystemExit(f"--pyvrp {python}: cannot be run ({error.strerror}); name an interpreter") from None
        self.version: str = self._line()["version"]

    def solve(self, instance: Instance, seconds: float) -> Solution:
        assert isinstance(instance, TSP | CVRP)
        routed = isinstance(instance, CVRP)
        size = len(instance.distances)
        problem = {
            "distances": instance.distances.tolist(),
            "demands": instance.demands.tolist() if routed else [0] * size,
            "capacity": int(instance.capacity) if routed else 0,
            "vehicles": int(instance.fleet or instance.size) if routed else 1,
            "seconds": seconds,
            "seed": 0,
        }
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(problem) + "\n")
        self.process.stdin.flush()
        answer = self._line()
        if answer["routes"] is None:
            return Solution(instance.kind, None, None, "unknown", wall=answer["seconds"], source="pyvrp")
        routes = tuple(tuple(route) for route in answer["routes"])
        plan = routes if routed else (0, *routes[0])
        return Solution(instance.kind, plan, None, "feasible", wall=answer["seconds"], source="pyvrp")

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()

    def _line(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("--pyvrp: that interpreter ended; it needs pyvrp 0.14 or newer, see its message above")
        return json.loads(line)
