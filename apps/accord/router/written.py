"""Small made problems, and their data written out in the ways that people use: lists, sentences, tables, JSON, and ACCORD's own inputs."""

import json
import random
from collections.abc import Callable

from datamodules.accord.distances import REAL_SCALE, matrix
from datamodules.accord.instances import CVRP, TSP, BinPacking, FlowShop, Instance, JobShop, Knapsack

__all__ = ["make", "write"]

LETTERS = "ABCDEFGHKLNPRS"  # no M, J: names of machines and jobs in ACCORD's inputs
Pairs = list[tuple[int, int]]


def make(kind: str, rng: random.Random) -> tuple[Instance, str]:
    """A problem and its data in words, without what it holds."""
    return _MAKERS[kind](rng)


def write(number: int, rng: random.Random) -> str:
    """1000 or 1,000."""
    return f"{number:,}" if number >= 1000 and rng.random() < 0.5 else str(number)


def _one(rng: random.Random, *ways: Callable[[], str]) -> str:
    return rng.choice(ways)()


def _list(values: list[int], rng: random.Random) -> str:
    plain = ", ".join(map(str, values))
    return rng.choice([plain, f"[{plain}]", " and ".join(plain.rsplit(", ", 1))])


def _csv(header: str, rows: list[tuple[object, ...]], rng: random.Random) -> str:
    if rng.random() < 0.5:
        return "\n" + "\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n"
    names = header.split(",")
    lines = [f"| {' | '.join(map(str, row))} |" for row in (names, ["---"] * len(names), *rows)]
    return "\n" + "\n".join(lines) + "\n"


def _json(made: object, rng: random.Random) -> str:
    text = json.dumps(made)
    return rng.choice([f"\n{text}\n", f"\n```json\n{text}\n```\n"])


def _knapsack(rng: random.Random) -> tuple[Instance, str]:
    n = rng.randint(3, 8)
    v, w = [rng.randint(5, 99) for _ in range(n)], [rng.randint(2, 40) for _ in range(n)]
    capacity = max(max(w), sum(w) // 2)
    unit = rng.choice(["", "", " kg", " g"])
    pairs = list(zip(v, w, strict=True))
    text = _one(
        rng,
        lambda: f"Items (value, weight): {', '.join(f'({a}, {b})' for a, b in pairs)}.",
        lambda: f"The pairs (weight, value) are {', '.join(f'({b}, {a})' for a, b in pairs)}.",
        lambda: f"Values: {_list(v, rng)}. Weights: {_list(w, rng)}.",
        lambda: f"{', '.join(f'item {k + 1} is worth {a} and weighs {b}{unit}' for k, (a, b) in enumerate(pairs))}.",
        lambda: f"{'; '.join(f'item {LETTERS[k]}: value {a}, weight {b}{unit}' for k, (a, b) in enumerate(pairs))}.",
        lambda: _csv("item,value,weight", [(k + 1, a, b) for k, (a, b) in enumerate(pairs)], rng),
        lambda: _json({"values": v, "weights": w}, rng),
        lambda: _json({"items": [{"name": LETTERS[k], "value": a, "weight": b} for k, (a, b) in enumerate(pairs)]}, rng),
    )
    return Knapsack(v, w, capacity), text  # type: ignore[arg-type]


def _binpack(rng: random.Random) -> tuple[Instance, str]:
    n = rng.randint(4, 9)
    w = [rng.randint(5, 60) for _ in range(n)]
    capacity = rng.randint(max(w), 120)
    unit = rng.choice(["", "", " kg", " cm"])
    counted = [(rng.randint(2, 5), rng.randint(5, 60)) for _ in range(rng.randint(2, 4))]

    def counts() -> str:
        nonlocal w, capacity
        w = [size for count, size in counted for _ in range(count)]
        capacity = max(capacity, max(w))
        return f"There are {', '.join(f'{count} items of size {size}{unit}' for count, size in counted)}."

    text = _one(
        rng,
        lambda: f"The items have sizes {_list(w, rng)}.",
        lambda: f"Weights: {_list(w, rng)}.",
        lambda: f"Items (id, size): [{', '.join(f'({k}, {size})' for k, size in enumerate(w))}].",
        lambda: f"{', '.join(f'item {k + 1} weighs {size}{unit}' for k, size in enumerate(w))}.",
        counts,
        lambda: _csv("item,size", list(enumerate(w, 1)), rng),
        lambda: _json({"sizes": w}, rng),
    )
    return BinPacking(w, capacity), text  # type: ignore[arg-type]


def _points(n: int, rng: random.Random) -> Pairs:
    points: set[tuple[int, int]] = set()
    while len(points) < n:
        points.add((rng.randint(0, 99), rng.randint(0, 99)))
    made = sorted(points)
    rng.shuffle(made)
    return made


def _told(far: list[list[int]], names: list[str], rng: random.Random) -> str:
    """Distances pair by pair."""
    pairs = [(names[i], names[j], far[i][j]) for i in range(len(far)) for j in range(i + 1, len(far))]
    form = rng.choice(["{}-{}: {}", "{} to {} is {}", "between {} and {}: {} km", "{}-{} {} km"])
    return "Distances: " + ", ".join(form.format(*pair) for pair in pairs) + "."


def _far(n: int, rng: random.Random) -> list[list[int]]:
    far = [[0] * n for _ in range(n)]
    for i in range(n):
        for j in range(i):
            far[i][j] = far[j][i] = rng.randint(3, 90)
    return far


def _tsp(rng: random.Random) -> tuple[Instance, str]:
    n = rng.randint(4, 7)
    if rng.random() < 0.5:
        xy = _points(n, rng)
        text = _one(
            rng,
            lambda: f"The coordinates are {', '.join(f'({x}, {y})' for x, y in xy)}.",
            lambda: f"{', '.join(f'{LETTERS[k]} ({x}, {y})' for k, (x, y) in enumerate(xy))}.",
            lambda: _csv("name,x,y", [(LETTERS[k], x, y) for k, (x, y) in enumerate(xy)], rng),
            lambda: _json({"coordinates": xy}, rng),
        )
        return TSP(matrix(xy, "real", REAL_SCALE), scale=REAL_SCALE), text
    far = _far(n, rng)
    text = _one(
        rng,
        lambda: _told(far, list(LETTERS[:n]), rng),
        lambda: "Distance matrix:\n" + "\n".join(" ".join(map(str, row)) for row in far) + "\n",
        lambda: f"The distance matrix is {far}.",
        lambda: _json({"distances": far}, rng),
        lambda: _accord_places(_points(n, rng), far),
    )
    return TSP(far), text  # type: ignore[arg-type]


def _accord_places(xy: Pairs, far: list[list[int]]) -> str:
    points = ", ".join(f"({k}): ({x}, {y})" for k, (x, y) in enumerate(xy))
    pairs = ", ".join(f"({i}):({j})={far[i][j]}" for i in range(len(far)) for j in range(i + 1, len(far)))
    return f"\ncoordinates: {points}\ndistances : {pairs}\n"


def _cvrp(rng: random.Random) -> tuple[Instance, str]:
    n = rng.randint(3, 7)
    q = [rng.randint(1, 9) for _ in range(n)]
    capacity = max(max(q), sum(q) // 2)
    goods = rng.choice(["", " parcels", " boxes"])
    if rng.random() < 0.2:
        far, names = _far(n + 1, rng), ["Depot", *LETTERS[:n]]
        text = _told(far, names, rng) + " Demands: " + ", ".join(f"{name} {load}" for name, load in zip(names[1:], q, strict=True)) + "."
        return CVRP(far, [0, *q], capacity), text  # type: ignore[arg-type]
    (x0, y0), *xy = _points(n + 1, rng)
    rows = [(f"c{k + 1}", x, y, load) for k, ((x, y), load) in enumerate(zip(xy, q, strict=True))]
    lettered = list(zip(LETTERS, rows, strict=False))
    text = _one(
        rng,
        lambda: f"The depot is at ({x0}, {y0}). Customers are at {', '.join(map(str, xy))}. Demands: {_comma(q)}.",
        lambda: f"Depot ({x0}, {y0}); {'; '.join(f'customer {name[1:]} at ({x}, {y}) with demand {load}' for name, x, y, load in rows)}.",
        lambda: f"The depot lies at ({x0}, {y0}); {', '.join(f'{a} ({x}, {y}) needs {load}{goods}' for a, (_, x, y, load) in lettered)}.",
        lambda: f"Nodes as (x, y, demand), the first one is the depot: ({x0}, {y0}, 0), {', '.join(str(row[1:]) for row in rows)}.",
        lambda: _csv("name,x,y,demand", [("depot", x0, y0, 0), *rows], rng),
        lambda: _json({"coordinates": [(x0, y0), *xy], "demands": [0, *q]}, rng),
    )
    return CVRP(matrix([(x0, y0), *xy], "real", REAL_SCALE), [0, *q], capacity, scale=REAL_SCALE), text  # type: ignore[arg-type]


def _pfsp(rng: random.Random) -> tuple[Instance, str]:
    n, m = rng.randint(3, 6), rng.randint(2, 4)
    times = [[rng.randint(1, 60) for _ in range(m)] for _ in range(n)]
    text = _one(
        rng,
        lambda: f"{'; '.join(f'job {j + 1}: {_comma(row)}' for j, row in enumerate(times))}.",
        lambda: (
            "\n" + "\n".join(f"J{j + 1}:\n{' '.join(f'M{k + 1}:{p}' for k, p in enumerate(row))}" for j, row in enumerate(times)) + "\n"
        ),
        lambda: f"{'; '.join(f'job {LETTERS[j]} takes {_on_machines(row)}' for j, row in enumerate(times))}.",
        lambda: _csv(",".join(["job", *(f"M{k + 1}" for k in range(m))]), [(j + 1, *row) for j, row in enumerate(times)], rng),
        lambda: f"Times, each row is a job: {times}.",
        lambda: _json({"times": times}, rng),
    )
    return FlowShop(times), text  # type: ignore[arg-type]


def _on_machines(row: list[int]) -> str:
    return ", ".join(f"{p} on machine {k + 1}" for k, p in enumerate(row))


def _comma(row: list[int]) -> str:
    return ", ".join(map(str, row))


def _jssp(rng: random.Random) -> tuple[Instance, str]:
    n, m = rng.randint(2, 5), rng.randint(2, 4)
    routes = [rng.sample(range(m), m) for _ in range(n)]
    if all(route == routes[0] for route in routes):  # one route for all: a flow shop
        routes[0] = routes[0][::-1]
    jobs = [[(k, rng.randint(1, 60)) for k in route] for route in routes]
    text = _one(
        rng,
        lambda: "\n" + "\n".join(f"J{j}:\n{' '.join(f'M{k}:{p}' for k, p in job)}" for j, job in enumerate(jobs)) + "\n",
        lambda: (
            f"{'; '.join(f'job {j + 1}: ' + ', then '.join(f'machine {k + 1} for {p}' for k, p in job) for j, job in enumerate(jobs))}."
        ),
        lambda: f"{'; '.join(f'job {LETTERS[j]}: ' + ', '.join(f'M{k + 1}({p})' for k, p in job) for j, job in enumerate(jobs))}.",
        lambda: f"As (machine, duration): {[list(job) for job in jobs]}.",
        lambda: _csv(
            "job,step,machine,time", [(j + 1, s + 1, k + 1, p) for j, job in enumerate(jobs) for s, (k, p) in enumerate(job)], rng
        ),
        lambda: _json({"jobs": [[{"machine": k, "time": p} for k, p in job] for job in jobs]}, rng),
    )
    return JobShop(tuple(tuple(job) for job in jobs), m), text


_MAKERS: dict[str, Callable[[random.Random], tuple[Instance, str]]] = {
    "tsp": _tsp,
    "cvrp": _cvrp,
    "knapsack": _knapsack,
    "binpack": _binpack,
    "pfsp": _pfsp,
    "jssp": _jssp,
}
