"""PyVRP beside us, run by the interpreter of an environment that has it (0.14 or newer): a line in is a problem, a line out its routes.

A problem: distances (a matrix, node 0 the depot), demands, capacity, vehicles (their count), seconds, seed. One vehicle without demands is
a round trip. The clock starts when the line has been read, so what PyVRP's own limit does not cover (the set-up) is taken off it.
"""

import json
import sys
import time
from importlib.metadata import version

import numpy as np
import pyvrp  # pyright: ignore[reportMissingImports]
from pyvrp.stop import MaxRuntime  # pyright: ignore[reportMissingImports]

# Distances here are large integers (real ones times a million): with the usual ceiling a capacity is cheaper broken than kept.
PARAMS = pyvrp.SolveParams(penalty=pyvrp.PenaltyParams(max_penalty=1e12))


def answer(problem: dict) -> dict:
    began = time.monotonic()
    distances = np.array(problem["distances"], np.int64)
    demands, capacity = problem["demands"], problem["capacity"]
    customers = range(1, len(distances))
    locations = [pyvrp.Location(0, 0) for _ in range(len(distances))]
    clients = [pyvrp.Client(node, delivery=[demands[node]]) for node in customers]
    vehicles = [pyvrp.VehicleType(problem["vehicles"], capacity=[capacity])]
    data = pyvrp.ProblemData(locations, clients, [pyvrp.Depot(0)], vehicles, [distances], [np.zeros_like(distances)])
    left = max(problem["seconds"] - (time.monotonic() - began), 0.01)
    found = pyvrp.solve(data, stop=MaxRuntime(left), seed=problem["seed"], collect_stats=False, display=False, params=PARAMS)
    routes = None
    if found.is_feasible():
        routes = [[step.idx + 1 for step in route.schedule() if step.is_client()] for route in found.best.routes()]
    return {"routes": routes, "seconds": time.monotonic() - began}


def main() -> None:
    print(json.dumps({"version": version("pyvrp")}), flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
