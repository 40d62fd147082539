"""How fast is decoding, what does the cache save, and is the time limit of `discern accord solve` kept?

    python -m benchmarks.accord.speed [--data DIR] [--model FILE] [--threads 2] [--only cache greedy batches limit] [--smoke]

`cache`: greedy rounds of 50 nodes with the prefix and the steps kept, and with the whole sequence run through the network anew at every
step, as a decoder without a cache does; both with the adapter merged, as `decode` has it, with one thread and with --threads; the same
tours; medians of interleaved rounds. `greedy`: tsp20, a batch of 1,000. `batches`: every kind at its tiny size, 1 to 1024 instances at
once. `limit`: the command on 100 public instances, every fourth of best_known.csv, with --time-limit 1: `outside` is what the caller waits
above the limit (the interpreter's start and end included), `told` what the answer says.
Three to ten minutes; DIR as in benchmarks.accord.public, without it the limit is not measured.
"""

import argparse
import json
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from apps.accord.automata import Automaton, automaton
from apps.accord.decoding import decode
from apps.accord.model import Accord, build
from benchmarks.accord.networks import Networks, add_model, networks
from benchmarks.accord.targets import Target, compared
from benchmarks.record import write
from core_attention.lora import merged
from datamodules.accord.formats.best_known import NAME, best_known
from datamodules.accord.instances import KINDS
from datamodules.accord.packs import pack
from datamodules.accord.synth import SIZES, generate

__all__ = ["main", "overshoot", "walked"]

NODES, ROUNDS = 50, 5
EVERY, LIMIT = 4, 1.0
BATCHES = (1, 4, 16, 64, 256, 1024)
PARTS = ("cache", "greedy", "batches", "limit")


@torch.no_grad()
def walked(network: Accord, machine: Automaton, batch: dict[str, Tensor], cached: bool) -> Tensor:
    """Greedy actions (B,T) of a kind without forced steps in between. Not cached: prefix and steps so far go through the network anew."""
    kind = machine.kind
    state = machine.step(batch, machine.reset(batch, 1), torch.zeros_like(batch["size"])[:, None])  # a round begins at node 0
    prefix = network.encode(kind, batch)
    cache = network.begin(prefix, 1, machine.longest(batch))
    seen: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []
    actions = []
    while bool((mask_BSA := machine.mask(batch, state)).any()):
        told = machine.current(batch, state), machine.features(batch, state), machine.options(batch, state), machine.entity(batch, state)
        seen.append(told)
        if cached:
            logits_BSA, _, cache = network.step(kind, prefix, cache, *told)
        else:
            whole = [torch.cat(parts, 1) for parts in zip(*seen, strict=True)]
            logits_BSA = network(kind, batch, *whole).logits_BTA[:, -1:]
        action_BS = logits_BSA.masked_fill(~mask_BSA, torch.finfo(logits_BSA.dtype).min).argmax(2)
        state = machine.step(batch, state, action_BS)
        actions.append(action_BS[:, 0])
    return torch.stack(actions, 1)


def seconds_of(run: Callable[[], Any]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def cache_rows(nets: Networks, threads: int, smoke: bool) -> list[dict[str, Any]]:
    """Of the measured network, and of one whose steps see the steps before them."""
    torch.manual_seed(0)
    history = build({"size": "tiny", "history": True}).eval()
    nodes, counts = (8, (2,)) if smoke else (NODES, (1, 64))
    machine = automaton("tsp")
    rows = []
    for name, network in (("measured", nets.trained), ("with history, untrained", history)):
        with merged(network, network.adapter("tsp")):
            for count, used in product(counts, sorted({1, threads})):
                torch.set_num_threads(used)
                batch = pack(generate("tsp", count, nodes, 1))
                rows.append(
                    {
                        "network": name,
                        "nodes": nodes,
                        "batch": count,
                        "used_threads": used,
                        **cache_row(network, machine, batch, 1 if smoke else ROUNDS),
                    }
                )
    torch.set_num_threads(threads)
    return rows


def cache_row(network: Accord, machine: Automaton, batch: dict[str, Tensor], rounds: int) -> dict[str, Any]:
    count = len(batch["size"])
    answers = [walked(network, machine, batch, cached) for cached in (True, False)]
    times: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(rounds):
        for cached, kept_times in times.items():
            kept_times.append(seconds_of(partial(walked, network, machine, batch, cached)))
    ratio = statistics.median(slow / fast for fast, slow in zip(times[True], times[False], strict=True))
    return {
        "cached_per_s": round(count / statistics.median(times[True]), 1),
        "anew_per_s": round(count / statistics.median(times[False]), 1),
        "times_faster": round(ratio, 2),
        "same_tours": f"{int((answers[0] == answers[1]).all(1).sum())} of {count}",
    }


def decoded_row(nets: Networks, kind: str, count: int, rounds: int, smoke: bool) -> dict[str, Any]:
    batch, machine = pack(generate(kind, count, SIZES["smoke" if smoke else "tiny"][kind], 1)), automaton(kind)
    routes = nets.trained.routes(kind, count)
    decode(nets.trained, machine, batch, routes=routes)
    spent = [seconds_of(lambda: decode(nets.trained, machine, batch, routes=routes)) for _ in range(rounds)]
    middle = statistics.median(spent)
    return {"kind": kind, "batch": count, "ms": round(1000 * middle, 2), "instances_per_s": round(count / middle, 1)}


def overshoot(data: Path, addresses: list[str], limit: float, model: Path | None) -> list[dict[str, Any]]:
    """A row of each problem: seconds above the limit, or below it where the answer was proven sooner."""
    rows = []
    for address in addresses:
        words = ["accord", "solve", f"{data}/{address}", "--time-limit", f"{limit:g}", "--format", "ours"]  # people read stderr
        words += ["--model", str(model)] if model else []
        began = time.perf_counter()
        done = subprocess.run([sys.executable, "-m", "apps.cli", *words], capture_output=True, text=True, check=False)
        outside = time.perf_counter() - began
        wall = re.search(r", (\d+\.\d+) s\b", done.stderr)
        if done.returncode not in (0, 4) or wall is None:
            raise SystemExit(f"discern {' '.join(words)} ended with {done.returncode}: {done.stderr.strip()[-400:]}")
        answer = json.loads(done.stdout.splitlines()[0])
        rows.append({"instance": address, "status": answer["status"], "told": float(wall[1]) - limit, "outside": outside - limit})
    return rows


def limit_rows(options: argparse.Namespace) -> list[dict[str, Any]]:
    known = [f"{file}#{member}" if member else file for file, member in best_known(options.data)]
    chosen = known[:: len(known) // 3] if options.smoke else known[1::EVERY][:100]
    limit = 2.0 if options.smoke else LIMIT
    found = overshoot(options.data, chosen, limit, options.model)
    row: dict[str, Any] = {
        "command": "solve",
        "limit_s": limit,
        "instances": len(found),
        "proven": sum(one["status"] == "optimal" for one in found),
    }
    for measure in ("told", "outside"):
        values = [one[measure] for one in found]
        row |= {f"{measure}_median": round(statistics.median(values), 3), f"{measure}_largest": round(max(values), 3)}
        row[f"{measure}_below_0.2"] = f"{sum(value < 0.2 for value in values)} of {len(values)}"
    row["worst"] = max(found, key=lambda one: one["outside"])["instance"]
    return [row]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help=f"folder with {NAME}")
    add_model(parser)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="the table is written for all only")
    parser.add_argument("--smoke", action="store_true", help="few small problems, and nothing written")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/accord_speed.json"))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    nets = networks(parser, options)
    rows: list[dict[str, Any]] = []
    if "cache" in options.only:
        rows += cache_rows(nets, options.threads, options.smoke)
    if "greedy" in options.only:
        rows.append({"what": "tsp greedy", **decoded_row(nets, "tsp", 10 if options.smoke else 1000, ROUNDS, options.smoke)})
    if "batches" in options.only:
        sizes = BATCHES[:2] if options.smoke else BATCHES
        rows += [decoded_row(nets, kind, count, 1 if options.smoke else 3, options.smoke) for kind in KINDS for count in sizes]
    if "limit" in options.only and options.data is not None:
        rows += limit_rows(options)
    for row in rows:
        print(row, flush=True)

    def value(measure: str, **where: Any) -> float | None:
        return next((row[measure] for row in rows if measure in row and all(row.get(key) == wanted for key, wanted in where.items())), None)

    aims = [
        *(
            (
                Target(f"decoding at n = 50, {batch} at once, {threads} thread{'s' if threads > 1 else ''}, cached over anew", 10.0, True),
                value("times_faster", network="measured", batch=batch, used_threads=threads),
            )
            for batch, threads in product((1, 64), sorted({1, options.threads}))
        ),
        (Target("tsp20 greedy, instances a second", 1000.0, True), value("instances_per_s", what="tsp greedy")),
        (Target("solve --time-limit 1: largest overshoot that the answer tells, s", 0.2), value("told_largest")),
        (Target("solve --time-limit 1: largest overshoot as the caller sees it, s", 0.2), value("outside_largest")),
    ]
    rows += compared(aims)
    if not options.smoke and set(options.only) == set(PARTS) and options.data is not None:
        write(options.out, "accord_speed", rows)


if __name__ == "__main__":
    main()
