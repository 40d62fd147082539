"""Public problem files by the network, its portfolio, and OR-Tools and PyVRP at the same wall time; gaps to the best known values.

    OMP_NUM_THREADS=1 python -m benchmarks.accord.public --data DIR [--model FILE] [--pyvrp PYTHON] [--families ...] [--smoke]

DIR holds best_known.csv and the files that it names: TSPLIB, the CVRP sets A, B and P, Taillard's flow shops, job shops, knapsacks of
Pisinger and kplib, bins of Falkenauer and Scholl. 10 s an instance, knapsacks and bins 1 s; one thread; what is proven ends sooner.
Routes are planned twice: with the fleet of the name, as the best known values are (`fleet: name`), and with as many vehicles as one likes
(`free`), where values below those are possible: no gap is stated there, `over_named` is the signed distance to them. `vehicles`: used,
on average. `unserved`: instances without an answer. The network alone has no limit: it decodes greedily, from every start, and draws 16,
64 and 128 samples; `random weights` shows what the masks alone are worth. It is asked problems of at most 400 nodes, items or operations,
as `instances` tells. `descended`: the gap after a descent of the plans to a local optimum, which is no part of the row.
Of the three hours of two cores that all of `make bench-accord` may take this has about three hours of one: that is why routes without a
fleet are left to what has a limit. A row, a family by one method, is kept under --rows.
"""

import argparse
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from apps.accord.solver.recipe import extent
from benchmarks.accord.answered import Answered, summed
from benchmarks.accord.methods import PLACED, Row, learned, made, quick, timed, warmed
from benchmarks.accord.networks import Networks, add_model, networks
from benchmarks.accord.peers.beside import PyVRP
from benchmarks.accord.targets import Target, compared
from benchmarks.record import write
from benchmarks.rows import kept
from datamodules.accord.formats import read
from datamodules.accord.formats.best_known import NAME, best_known, with_best
from datamodules.accord.instances import CVRP, Instance
from datamodules.accord.solution import Solution

__all__ = ["FAMILIES", "family_of", "main"]

SECONDS = {"tsp": 10.0, "cvrp": 10.0, "knapsack": 1.0, "binpack": 1.0, "pfsp": 10.0, "jssp": 10.0}
FIRST = {
    "tsp": "nearest",
    "cvrp": "savings",
    "knapsack": "density",
    "binpack": "bfd",
    "pfsp": "neh",
    "jssp": "mwkr",
}  # the quick rule shown

NETWORK = ("greedy", "every start", "16 samples", "64 samples", "128 samples", "random weights, greedy")
MOST = 400  # nodes, items or operations that the network alone is asked: its samples have no time limit

# By the file, or the beginning of an instance's name; the first that fits.
FAMILIES: dict[str, tuple[str, ...]] = {
    "TSPLIB": ("tsp/",),
    "CVRP A": ("cvrp/A-",),
    "CVRP B": ("cvrp/B-",),
    "CVRP P": ("cvrp/P-",),
    "Taillard 20x5": ("pfsp/tai20_5",),
    "Taillard 20x10, 20x20": ("pfsp/tai20_10", "pfsp/tai20_20"),
    "Taillard 50x5": ("pfsp/tai50_5",),
    "ft, abz": ("jssp/ft", "jssp/abz"),
    "la": ("jssp/la",),
    "orb": ("jssp/orb",),
    "ta01-20": ("jssp/ta",),
    "knapsack": ("knapsack/",),
    "u120": ("bpp/binpack1",),
    "u250": ("bpp/binpack2",),
    "Scholl 1": ("bpp/scholl.tar#N1C", "bpp/scholl.tar#N2C", "bpp/scholl.tar#N3C", "bpp/scholl.tar#N4C"),
    "Scholl 2, 3": ("bpp/scholl.tar",),
}
# ACCORD brief, section 6: what, families, measure, aim.
TARGETS: list[tuple[str, tuple[str, ...], str, float]] = [
    ("TSPLIB: mean gap, %", ("TSPLIB",), "gap", 2.0),
    ("CVRP A, B, P, fleet by name: mean gap, %", ("CVRP A", "CVRP B", "CVRP P"), "gap", 3.0),
    ("CVRP A, B, P, fleet by name: instances unserved", ("CVRP A", "CVRP B", "CVRP P"), "unserved", 0.0),
    ("Taillard 20x5: mean gap, %", ("Taillard 20x5",), "gap", 0.3),
    ("Taillard 20x10, 20x20: mean gap, %", ("Taillard 20x10, 20x20",), "gap", 1.5),
    ("ft, la, orb (and abz): mean gap, %", ("ft, abz", "la", "orb"), "gap", 3.0),
    ("ta01-20: mean gap, %", ("ta01-20",), "gap", 12.0),
    ("knapsack: share proven, %", ("knapsack",), "proven", 95.0),
    ("u120, u250, Scholl 1: share proven, %", ("u120", "u250", "Scholl 1"), "proven", 90.0),
]


def family_of(address: str) -> str | None:
    return next((family for family, starts in FAMILIES.items() if address.startswith(starts)), None)


def gathered(data: Path, fleet: str, most: int | None) -> dict[str, list[Instance]]:
    """By family, with the best known values. `most`: of each."""
    found: dict[str, list[Instance]] = {family: [] for family in FAMILIES}
    for (file, member), (best, proven) in best_known(data).items():
        address = f"{file}#{member}" if member else file
        family = family_of(address)
        if family is None or (most is not None and len(found[family]) == most):
            continue
        (instance,) = read(f"{data}/{address}", fleet=fleet if file.startswith("cvrp/") else None)
        found[family].append(with_best(instance, best, proven))
    return {family: instances for family, instances in found.items() if instances}


def entries(kind: str, fleet: str, nets: Networks, pyvrp: PyVRP | None, seconds: float) -> Iterator[Row]:
    """The rule, the network alone, the portfolio with it and without it, and the others. ours: routes by CP-SAT only at generated sizes."""
    wanted = timed(kind, nets, seconds, pyvrp, all_of_ours=False)
    if kind in PLACED:
        wanted = [row for row in wanted if row.name != "OR-Tools, cpsat"]
    if fleet == "free":
        yield from (row for row in wanted if row.name != "portfolio, no network")
        return
    yield from (row for row in quick(kind) if row.name == FIRST[kind])
    yield from (row for row in learned(kind, nets) if row.name in NETWORK)
    yield from wanted


def answer(row: Row, instances: Sequence[Instance]) -> dict[str, Any]:
    """What is kept: values, proofs and seconds, after a descent, too, and the vehicles of routes."""
    solutions, cells = made(row, instances)
    return {**cells, "vehicles": _vehicles(solutions)}


def _vehicles(solutions: Sequence[Solution]) -> float | str:
    used = [len(solution.plan) for solution in solutions if solution.kind == "cvrp" and solution.plan is not None]
    return round(statistics.fmean(used), 2) if used else "-"


def shown(family: str, fleet: str, name: str, cells: dict[str, Any], instances: Sequence[Instance]) -> dict[str, Any]:
    bests = [None if isinstance(one, CVRP) and one.fleet != one.named_fleet else one.best for one in instances]
    answered = Answered.read(cells["answered"])
    row = {"family": family, "fleet": fleet, "row": name} | summed(instances, answered, bests)
    row["over_named"] = summed(instances, answered, [one.best for one in instances])["gap"] if fleet == "free" else "-"
    row["descended"] = summed(instances, Answered.read(cells["descended"]), bests)["gap"] if "descended" in cells else "-"
    return row | {"vehicles": cells["vehicles"], "unserved": sum(value is None for value in answered.objectives)}


def aims(rows: list[dict[str, Any]]) -> list[tuple[Target, float | None]]:
    """Means over the instances of several families."""
    out: list[tuple[Target, float | None]] = []
    for what, families, measure, aim in TARGETS:
        part = [row for row in rows if row["row"] == "portfolio" and row["family"] in families and row["fleet"] != "free"]
        value = None
        if len(part) == len(families) and all(row[measure] != "-" for row in part):
            whole = sum(row["instances"] for row in part)
            value = sum(row[measure] if measure == "unserved" else row[measure] * row["instances"] / whole for row in part)
        out.append((Target(what, aim, measure == "proven"), value))
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help=f"folder with {NAME} and the files it names")
    add_model(parser)
    parser.add_argument("--pyvrp", type=Path, metavar="PYTHON", help="interpreter of an environment with pyvrp")
    parser.add_argument("--families", nargs="+", choices=tuple(FAMILIES), help="the table is written for all only")
    parser.add_argument("--smoke", action="store_true", help="one instance a family, a moment each, and nothing written")
    parser.add_argument("--rows", type=Path, default=Path("benchmarks/results/accord_public"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/accord_public.json"))
    options = parser.parse_args()
    if not (options.data / NAME).is_file():
        parser.error(f"{options.data}: no {NAME} there; it names the files, from TSPLIB, CVRPLIB, OR-Library, JSPLIB, kplib and BPPLib")
    nets = networks(parser, options)
    pyvrp = PyVRP(options.pyvrp) if options.pyvrp else None
    rows, warm = [], set()
    for fleet in ("name", "free"):
        for family, instances in gathered(options.data, fleet, 1 if options.smoke else None).items():
            kind = instances[0].kind
            if (fleet == "free" and kind != "cvrp") or (options.families and family not in options.families):
                continue
            if kind not in warm:
                warmed(kind, instances[0], nets)
                warm.add(kind)
            seconds = 0.2 if options.smoke else SECONDS[kind]
            for row in entries(kind, fleet, nets, pyvrp, seconds):
                asked = [one for one in instances if extent(one) <= MOST] if row.name in NETWORK else instances
                if not asked:
                    continue
                recipe = {"family": family, "fleet": fleet, "row": row.name, "names": [one.name for one in asked], "seconds": seconds}
                facts = {"network": nets.name, "pyvrp": pyvrp.version if pyvrp and row.name == "PyVRP" else None}
                name = f"{family} {fleet} {row.name}"
                cells = kept(None if options.smoke else options.rows, name, recipe | facts, lambda row=row, asked=asked: answer(row, asked))
                rows.append(shown(family, fleet if kind == "cvrp" else "-", row.name, cells, asked))
                print(rows[-1], flush=True)
    if pyvrp is not None:
        pyvrp.close()
    rows += compared(aims(rows))
    if not options.smoke and not options.families:
        write(options.out, "accord_public", rows)


if __name__ == "__main__":
    main()
