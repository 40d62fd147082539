"""Problems of the usual distributions: the network, the classical rules, and solvers at the same wall time.

    OMP_NUM_THREADS=1 python -m benchmarks.accord.generated [--size small] [--model FILE] [--pyvrp PYTHON] [--kinds ...] [--smoke]

tiny: tsp20, cvrp20, kp50, bpp20, pfsp10x5, jssp6x6 (ACCORD brief 5.3), seed 1234. small: tsp50, cvrp50, kp100, bpp50, pfsp20x5, jssp10x10,
for a network that was trained at these sizes (--model); 200 instances, 50 of them under a limit, and a table of its own. What has a time
limit (1 s an instance, one thread, ending at a proof) answers the first 200, as 128 samples without training do; rules and the network's
other rows answer 1,000. Gaps in per cent to the optimum where a method proved one, else to the best that any row found: `optima` counts
the first. `proven`: answered with a proof. `seconds`: of an instance; of the network's own rows its share of a batch. `descended`: the gap
after a descent of the plans to a local optimum, which is no part of the row. `fleet`: of routes; generated ones may use as many vehicles
as they like. `free`: without masks; a plan that breaks a rule is no answer there, so that `feasible` is their share, of the best of 16
samples in the second row, and `gap` is over the feasible ones. `untrained` is the network as training begins: it follows the greedy rule
of its kind. --pyvrp: the interpreter of an environment with PyVRP; without it that row is not there. Of the three hours of two cores that
all of `make bench-accord` may take the tiny sizes have an hour and a half of one. A row is kept under --rows as soon as it is there.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.accord.answered import Answered, best_of_all, summed
from benchmarks.accord.methods import OPEN, TWENTY, learned, made, quick, timed, warmed
from benchmarks.accord.networks import Networks, add_model, networks
from benchmarks.accord.peers.beside import PyVRP
from benchmarks.accord.targets import Target, compared
from benchmarks.record import write
from benchmarks.rows import kept
from datamodules.accord.instances import KINDS, Instance
from datamodules.accord.references import METHODS
from datamodules.accord.synth import SIZES, VERSION, generate

__all__ = ["SEED", "TARGETS", "main"]

SEED, SECONDS = 1234, 1.0
COUNTS = {"tiny": (1000, 200), "small": (200, 50)}  # instances; of them under a time limit
PROVER = {"tsp": "exact", "cvrp": "local", "knapsack": "exact", "binpack": "exact", "pfsp": "exact", "jssp": "exact"}
PATIENCE = {"tsp": 5.0, "cvrp": 0.5, "knapsack": 5.0, "binpack": 5.0, "pfsp": 10.0, "jssp": 10.0}  # seconds of the reference

# ACCORD brief, section 6: kind, row, measure, aim.
TINY = [
    *(("tsp", row, "gap", aim) for row, aim in (("greedy", 5.0), ("every start", 0.7), ("every start x 8", 0.2), ("portfolio", 0.05))),
    *(("cvrp", row, "gap", aim) for row, aim in (("greedy", 8.0), ("every start x 8", 2.5), ("portfolio", 1.0))),
    *(("knapsack", row, "gap", aim) for row, aim in (("greedy", 0.25), ("16 samples", 0.05), ("portfolio", 0.0))),
    ("knapsack", "portfolio", "proven", 100.0),
    *(("binpack", row, "gap", aim) for row, aim in (("greedy", 1.2), ("16 samples", 0.3))),
    ("binpack", "portfolio", "proven", 98.0),
    *(("pfsp", row, "gap", aim) for row, aim in (("greedy", 4.0), ("64 samples", 1.0), ("portfolio", 0.1))),
    *(("jssp", row, "gap", aim) for row, aim in (("greedy", 7.5), ("128 samples", 1.5), ("portfolio", 0.2))),
]
SMALL = [
    ("tsp", TWENTY, "gap", 0.5),
    ("cvrp", TWENTY, "gap", 2.5),
    ("pfsp", "64 samples", "gap", 1.5),
    ("jssp", "128 samples", "gap", 5.0),
]
TARGETS = {"tiny": TINY, "small": SMALL}


def reference(kind: str, instances: Sequence[Instance], patience: float) -> dict[str, Any]:
    """Optima where they are proven in this time."""
    found = [METHODS[kind][PROVER[kind]](one, deadline=time.monotonic() + patience) for one in instances]
    return {"answered": Answered.of(instances, found).text()}


def rows_of(kind: str, nets: Networks, pyvrp: PyVRP | None, options: argparse.Namespace) -> list[dict[str, Any]]:
    size, folder = SIZES["smoke" if options.smoke else options.size][kind], None if options.smoke else options.rows
    many, few, seconds = (3, 2, 0.2) if options.smoke else (*COUNTS[options.size], SECONDS)
    instances = generate(kind, many, size, SEED)
    recipe: dict[str, Any] = {"kind": kind, "size": size, "seed": SEED, "version": VERSION, "count": many}
    patience = 0.2 if options.smoke else PATIENCE[kind]
    found = kept(folder, f"{kind} reference", {**recipe, "patience": patience}, lambda: reference(kind, instances, patience))
    known = Answered.read(found["answered"])
    entries = [
        (row, few if row.few else many, {"network": nets.name})
        for row in learned(kind, nets)
        if row.name != TWENTY or options.size != "tiny"
    ]
    entries += [(row, many, {}) for row in quick(kind)]
    facts = {"seconds": seconds, "network": nets.name, "pyvrp": pyvrp.version if pyvrp else None}
    entries += [(row, few, facts) for row in timed(kind, nets, seconds, pyvrp)]
    warmed(kind, instances[0], nets)
    answers = []
    for row, count, more in entries:
        asked = instances[:count]
        cells = kept(folder, f"{kind} {row.name}", {**recipe, "count": count, **more}, lambda row=row, asked=asked: made(row, asked)[1])
        answers.append((row.name, cells))
        print(kind, row.name, flush=True)
    columns = [Answered.read(cells[name]) for _, cells in answers for name in ("answered", "descended") if name in cells]
    bests = best_of_all(kind, [known.objectives, *(column.objectives for column in columns)])
    proofs = [any(column.proven[k] for column in (known, *columns) if k < len(column.proven)) for k in range(many)]
    return [_shown(kind, size, name, cells, instances, bests, proofs) for name, cells in answers]


def _shown(
    kind: str, size: Any, name: str, cells: dict[str, Any], instances: Sequence[Instance], bests: Sequence[int | None], proofs: list[bool]
) -> dict[str, Any]:
    answered = Answered.read(cells["answered"])
    row = {
        "kind": f"{kind} {'x'.join(map(str, size)) if isinstance(size, tuple) else size}",
        "fleet": "free" if kind == "cvrp" else "-",
        "row": name,
    }
    row |= summed(instances, answered, bests) | {"optima": sum(proofs[: len(answered.objectives)])}
    if "descended" not in cells:
        return row | {"descended": "-", "descent_seconds": "-"}
    after = summed(instances, Answered.read(cells["descended"]), bests)
    return row | {"descended": after["gap"], "descent_seconds": after["seconds"]}


def aims(rows: list[dict[str, Any]], size: str) -> list[tuple[Target, float | None]]:
    found = {(row["kind"].split()[0], row["row"]): row for row in rows}
    out: list[tuple[Target, float | None]] = []
    for kind, name, measure, aim in TARGETS[size]:
        value = found.get((kind, name), {}).get(measure, "-")
        least = measure == "proven"
        out.append((Target(f"{kind}, {name}: {'share proven' if least else 'mean gap'}, %", aim, least), None if value == "-" else value))
    ours = [row["feasible"] for row in rows if not row["row"].startswith(("OR-Tools", "PyVRP", *OPEN))]
    return [
        *out,
        (Target("every masked row of ours, random weights too: least share feasible, %", 100.0, True), min(ours) if ours else None),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_model(parser)
    parser.add_argument("--pyvrp", type=Path, metavar="PYTHON", help="interpreter of an environment with pyvrp")
    parser.add_argument("--kinds", nargs="+", choices=tuple(KINDS), default=list(KINDS), help="the table is written for all only")
    parser.add_argument("--smoke", action="store_true", help="few small problems, and nothing written")
    parser.add_argument("--size", choices=tuple(TARGETS), default="tiny", help="default: tiny, what the starter was trained for")
    parser.add_argument("--rows", type=Path, help="default: a folder of --out's name beside it")
    parser.add_argument("--out", type=Path, help="default: benchmarks/results/accord_generated.json, of small accord_generated_small.json")
    options = parser.parse_args()
    subject = "accord_generated" if options.size == "tiny" else f"accord_generated_{options.size}"
    options.out = options.out or Path(f"benchmarks/results/{subject}.json")
    options.rows = options.rows or options.out.with_suffix("")
    nets = networks(parser, options)
    pyvrp = PyVRP(options.pyvrp) if options.pyvrp else None
    rows = [row for kind in options.kinds for row in rows_of(kind, nets, pyvrp, options)]
    if pyvrp is not None:
        pyvrp.close()
    for row in rows:
        print(row, flush=True)
    rows += compared(aims(rows, options.size))
    if not options.smoke and len(options.kinds) == len(KINDS):
        write(options.out, subject, rows)


if __name__ == "__main__":
    main()
