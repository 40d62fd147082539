"""What written states are worth, at N <= 8: in the network's input, in texts of a small language model; and adapters against one network.

    OMP_NUM_THREADS=1 python -m benchmarks.accord.formats [--only states adapters texts] [--seeds 0 1 2] [--smoke]

`states`: the network learns cvrp, knapsack and binpack, where slack decides, and is told the numeric state (fed), nothing (none), or what
it said of it itself a step before (predicted: the counterpart of a text that carries its own states); with masks and without, the same
1,152 steps of 64. Its steps see the steps before them, as words of a text do, and it does not begin as a greedy rule, which presumes the
masks. `feasible`: of greedy answers, 192 a kind; `gap`: of the feasible ones, masked; without masks the kind's greedy rule stands in for
what broke a rule. `best_of_16`: the share without masks of which one of 16 samples is feasible, and `best_of_16_gap` over those.
`adapters`: all six kinds, an adapter each on a shared network (0.6 of the steps without), tsp and cvrp with one together (the authors'
choice), one network for all without adapters, and steps that see the steps before them. `texts`: a small Llama that learns from nothing to
write the responses of all six kinds (4 to 6 items, 3 to 5 nodes, 3 jobs on 2 machines), in ACCORD's text with states and as lists; the same
problems, steps and seeds; then held to the masks, free, and the best of 10 free samples (extra `hf`; without it this part is not measured).
Means over seeds (texts: one) with half of the 95 % interval. About an hour and a half of one core, of the three hours of two that all of
`make bench-accord` may take; a training is kept under --rows.
"""

import argparse
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.accord.fitting import OPTIM, Arm, fit_and_test
from benchmarks.accord.targets import Target, compared
from benchmarks.record import write
from benchmarks.rows import kept, spread
from datamodules.accord.instances import KINDS
from datamodules.accord.synth import VERSION

__all__ = ["ADAPTERS", "STATES", "main"]

STEPS, TRAIN, TEST = 1152, 2048, 192
LM_STEPS, LM_TEST = 800, 30  # of each kind
SLACK = ("cvrp", "knapsack", "binpack")
PARTS = ("states", "adapters", "texts")

STATES = {
    f"{'masked' if masked else 'unmasked'}, {state}": Arm(
        f"{'masked' if masked else 'unmasked'}, {state}",
        SLACK,
        {"state": state, "rank": 0, "history": True},
        {"masked": masked},
        {"mode": "shared"},
        rule=False,
    )
    for masked in (True, False)
    for state in ("fed", "none", "predicted")
}
ALL = tuple(KINDS)
ADAPTERS = {
    "an adapter each": Arm("an adapter each", ALL),
    "tsp and cvrp together": Arm("tsp and cvrp together", ALL, {"share": ("tsp", "cvrp")}),
    "one network for all": Arm("one network for all", ALL, {"rank": 0}, {}, {"mode": "shared"}),
    "an adapter each, history": Arm("an adapter each, history", ALL, {"history": True}),
}


def trained(part: str, arm: Arm, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    steps, test, train = (2, 2, 64) if options.smoke else (STEPS, TEST, TRAIN)
    recipe = {**arm.recipe(), "steps": steps, "test": test, "train": train, "seed": seed, "optim": vars(OPTIM), "version": VERSION}
    folder = None if options.smoke else options.rows
    found = kept(folder, f"{part} {arm.title} {seed}", recipe, lambda: fit_and_test(arm, steps, seed, test, train))
    print(part, arm.title, seed, {name: round(value, 3) for name, value in found.items() if name in ("gap", "open_feasible")}, flush=True)
    return found


def state_rows(options: argparse.Namespace) -> list[dict[str, Any]]:
    """A row an arm and kind."""
    rows = []
    for arm in STATES.values():
        runs = [trained("states", arm, seed, options) for seed in options.seeds]
        for kind in SLACK:
            open_ = not arm.learn["masked"]
            gap, share = ("open_gap_with_rule", "open_feasible") if open_ else ("gap", "feasible")
            row: dict[str, Any] = {"part": "states", "row": arm.title, "kind": kind}
            row |= spread("feasible", [100 * run[f"{share}_{kind}"] for run in runs], 2)
            row |= spread("gap", [run[f"{gap}_{kind}"] for run in runs], 3)
            row |= spread("state_error", [run[f"state_error_{kind}"] for run in runs])
            shares = [100 * run[f"best_of_16_{kind}"] for run in runs] if open_ else []
            row |= spread("best_of_16", shares, 2) if shares else {"best_of_16": "-", "best_of_16_ci95": "-"}
            over = [run[f"best_of_16_gap_{kind}"] for run in runs if open_ and run[f"best_of_16_gap_{kind}"] is not None]
            row |= spread("best_of_16_gap", over, 3) if over else {"best_of_16_gap": "-", "best_of_16_gap_ci95": "-"}
            rows.append(row | {"rule_gap": round(runs[0][f"rule_gap_{kind}"], 3), "seeds": len(runs)})
    return rows


def adapter_rows(options: argparse.Namespace) -> list[dict[str, Any]]:
    """A row an arm: the mean of the kinds, and each kind."""
    rows = []
    for arm in ADAPTERS.values():
        runs = [trained("adapters", arm, seed, options) for seed in options.seeds]
        row: dict[str, Any] = {"part": "adapters", "row": arm.title} | spread("gap", [run["gap"] for run in runs], 3)
        row |= spread("best_of_gap", [run["best_of_gap"] for run in runs], 3)
        row |= {f"gap_{kind}": round(sum(run[f"gap_{kind}"] for run in runs) / len(runs), 3) for kind in ALL}
        row |= {"cpu_seconds": round(sum(run["cpu_seconds"] for run in runs) / len(runs), 1), "seeds": len(runs)}
        rows.append(row)
    return rows


def text_rows(options: argparse.Namespace) -> list[dict[str, Any]]:
    """A row a form, a kind and a way to decode."""
    if find_spec("transformers") is None or find_spec("peft") is None:
        print("texts: not measured; they need transformers and peft: pip install 'discern[hf]'")
        return []
    from benchmarks.accord.small_llama import FORMS, WAYS, learned

    rows = []
    for form in FORMS:
        runs = []
        for seed in options.seeds[:1]:
            steps, test = (2, 1) if options.smoke else (LM_STEPS, LM_TEST)
            recipe = {"form": form, "steps": steps, "test": test, "seed": seed}
            make: Callable[[], dict[str, Any]] = lambda form=form, steps=steps, test=test, seed=seed: learned(form, steps, test, seed)  # noqa: E731
            runs.append(kept(None if options.smoke else options.rows, f"texts {form} {seed}", recipe, make))
            print("texts", form, seed, runs[-1], flush=True)
        for way in WAYS:
            for kind in KINDS:
                row: dict[str, Any] = {"part": "texts", "row": f"{form}, {way}", "kind": kind}
                row |= spread("feasible", [100 * run[f"{way} {kind} feasible"] for run in runs], 2)
                gaps = [run[f"{way} {kind} gap"] for run in runs if run[f"{way} {kind} gap"] is not None]
                row |= spread("gap", gaps, 3) if gaps else {"gap": "-", "gap_ci95": "-"}
                loss = round(sum(run["loss"] for run in runs) / len(runs), 4)
                rows.append(row | {"loss_a_token": loss, "seeds": len(runs)})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="the table is written for all only")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], help="texts: the first of them")
    parser.add_argument("--smoke", action="store_true", help="two steps each, one seed, and nothing written")
    parser.add_argument("--rows", type=Path, default=Path("benchmarks/results/accord_formats"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/accord_formats.json"))
    options = parser.parse_args()
    options.seeds = options.seeds[:1] if options.smoke else options.seeds
    made = {"states": state_rows, "adapters": adapter_rows, "texts": text_rows}
    rows = [row for part in PARTS if part in options.only for row in made[part](options)]
    for row in rows:
        print(row, flush=True)

    def share(row: str, kind: str) -> float | None:
        return next((one["feasible"] for one in rows if one["part"] == "states" and one["row"] == row and one["kind"] == kind), None)

    aims = []  # ours, ACCORD brief 5.6: where slack decides, a state that is fed makes more answers feasible than none
    for kind in SLACK:
        fed, none = share("unmasked, fed", kind), share("unmasked, none", kind)
        value = None if fed is None or none is None else fed - none
        aims.append((Target(f"{kind}, unmasked: feasible with the state fed less without, points", 0.0, True), value))
    masked = [one["feasible"] for one in rows if "masked" in one["row"].split(", ")[:2]]
    aims.append((Target("every masked row: least share feasible, %", 100.0, True), min(masked) if masked else None))
    rows += compared(aims)
    if not options.smoke and set(options.only) == set(PARTS):
        write(options.out, "accord_formats", rows)


if __name__ == "__main__":
    main()
