"""Reading real words after fifteen minutes: OTSNet, a CTC reader and a PARSeq-like one, and OTSNet without each of its parts.

    OMP_NUM_THREADS=1 python -m benchmarks.otsnet.steps --data scene_text [--workers 1]
    OMP_NUM_THREADS=1 python -m benchmarks.otsnet.budget --data scene_text [--workers 1] [--only otsnet ctc] [--seeds 0 1 2] [--minutes 15]
        [--smoke]

The budget counts minutes of training, made pictures included, and neither validation nor the look at the test parts. Without workers they
are minutes of one core, which makes the pictures and trains. With --workers 1 they are minutes of two cores, one of which makes pictures
while the other trains: the same minutes, more steps. The column `cores` says which.
Nano, from scratch, 94 characters; 70 % fresh made words, 30 % of the real training parts; one optimiser, schedule and batch for all.
Steps are fixed before: --minutes over the seconds of a step that benchmarks.otsnet.steps has measured, and schedules count steps. A tenth
of the real training words, split by word, is validation: it chooses among five looks in the last 40 % of the steps. The test parts are
read once a run, after that, with K = 0 and K = 1 of the same weights. Seen words are those that occur among the real training labels.
Fixed answer: the commonest training word. Classical: HOG of the stretched crop, the label of the nearest training picture.

A run is kept under --rows as soon as it is there: what was broken off goes on with the next, and a changed recipe makes its rows anew. Its
weights go to --weights, outside the repository's history, for benchmarks.otsnet.stress. Minutes: 3 seeds x 15 a row, so 135
for otsnet, ctc and parseq, 315 for the seven others; --minutes 60 --seeds 0 --only otsnet ctc (the long rows) 120. Two processes may
share the work: --seeds and --only cut it, and the table is written by whoever calls it with all rows there (--table writes what is kept).
--smoke takes two steps of eight pictures and writes nothing.
"""

import argparse
import json
import statistics
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import torch

from benchmarks.otsnet.arms import ARMS, GENERATED, RISE, SETS, steps_file, words
from benchmarks.otsnet.classical import commonest, nearest
from benchmarks.otsnet.fitting import BATCH, CLIP, OPTIM, Arm, fit, right_36
from benchmarks.otsnet.looking import look, summed_up
from benchmarks.record import write
from benchmarks.rows import kept, spread

PLAIN = {"commonest": "the commonest training word", "hog": "HOG, nearest training picture"}
SMOKE_STEPS, SMOKE_BATCH = 2, 8


def steps_of(name: str, minutes: int, measured: Path) -> int:
    """In whole hundreds."""
    rows = {row["row"]: row for row in json.loads(measured.read_text())["rows"]}
    return max(100, round(60 * minutes / rows[name]["step_seconds"] / 100) * 100)


def recipe_of(arm: Arm, seed: int, steps: int, workers: int) -> dict[str, Any]:
    told = {
        "seed": seed,
        "steps": steps,
        "batch": BATCH,
        "optim": vars(OPTIM),
        "clip": CLIP,
        "generated": GENERATED,
        "rise": RISE,
        "workers": workers,
    }
    return {**arm.recipe(), **told}


def run(arm: Arm, seed: int, steps: int, weights: Path | None, options: argparse.Namespace) -> dict[str, Any]:
    batches = 1 if options.smoke else None
    data = words(options.data, seed, steps, SMOKE_BATCH if options.smoke else BATCH, workers=options.workers, **arm.data)
    task = arm.task()
    chosen = fit(task, data, steps, seed, lambda task: right_36(task.model, data, batches))
    if weights is not None:
        weights.parent.mkdir(parents=True, exist_ok=True)
        torch.save(task.model.state_dict(), weights)
    return {
        "validation": chosen.score,
        "chosen_step": chosen.step,
        "steps": steps,
        "cpu_seconds": chosen.cpu_seconds,
        "parameters": sum(p.numel() for p in task.model.parameters()),
        "by_rounds": look(task.model, data, data.training_labels(), batches),
    }


def plain(name: str, options: argparse.Namespace) -> dict[str, Any]:
    data = words(options.data, 0, 1)
    answer = commonest if name == "commonest" else nearest
    texts, ids = answer(data, 16 if options.smoke else None)
    return {"by_rounds": {"-": summed_up(texts, ids, data, data.training_labels())}}


def row_of(title: str, rounds: str, runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Means over the seeds and half of their 95 % intervals."""
    scores = [run["by_rounds"][rounds] for run in runs]
    found: dict[str, Any] = {"row": title, "K": rounds}
    for name in SETS:
        for column in ("36", "94", "ned", "seen", "unseen"):
            found |= spread(f"{name}_{column}", [score[name][column] for score in scores], 2)
    for column in ("fixed", "broken"):  # by refinement, in percent of all words
        values = [100 * score[column] / sum(score[name]["count"] for name in SETS) for score in scores if column in score]
        found[column] = round(statistics.mean(values), 2) if values else "-"
    for column in ("judge_auroc", "confidence_auroc"):
        values = [score[column] for score in scores if column in score]
        found[column] = round(statistics.mean(values), 4) if values else "-"
    trained = "steps" in runs[0]
    return found | {
        "validation": round(100 * statistics.mean(run["validation"] for run in runs), 2) if trained else "-",
        "steps": runs[0]["steps"] if trained else "-",
        "cpu_minutes": round(statistics.mean(run["cpu_seconds"] for run in runs) / 60, 1) if trained else "-",
        "parameters_m": round(runs[0]["parameters"] / 1e6, 3) if trained else "-",
        "seeds": len(runs),
    }


def main() -> None:
    names = [*ARMS, *PLAIN]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with iiit5k and svt")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--minutes", type=int, default=15)
    parser.add_argument("--workers", type=int, default=0, help="processes that make pictures while this one trains")
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="ROW", help=", ".join(names))
    parser.add_argument("--table", action="store_true", help="train nothing; write the table of the rows that are kept")
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--steps", type=Path, help="what benchmarks.otsnet.steps has written; default: for as many workers")
    parser.add_argument("--rows", type=Path, default=Path("benchmarks/results/otsnet_budget"))
    parser.add_argument("--weights", type=Path, default=Path("mlruns/otsnet_budget"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/otsnet_budget.json"))
    options = parser.parse_args()
    options.steps = options.steps or steps_file(options.workers)
    if not options.data.exists():
        parser.error(f"{options.data} is not there; see benchmarks/README.md, words")
    if not options.smoke and not options.steps.exists():
        workers = f" --workers {options.workers}" if options.workers else ""
        parser.error(f"{options.steps} is not there; first run: python -m benchmarks.otsnet.steps --data {options.data}{workers}")
    cv2.setNumThreads(1)
    if not options.table:
        _train(options)
    if not options.smoke and (options.table or len(options.only) == len(names)):
        _write_table(options)


def _train(options: argparse.Namespace) -> None:
    rows = None if options.smoke else options.rows
    for seed in options.seeds[: 1 if options.smoke else None]:
        for name in options.only:
            if name in PLAIN:
                if seed == options.seeds[0]:
                    found = kept(rows, name, {"row": name}, partial(plain, name, options))
                    print(name, _shown(found), flush=True)
                continue
            steps = SMOKE_STEPS if options.smoke else steps_of(name, options.minutes, options.steps)
            key = f"{name}-{options.minutes}{f'x{1 + options.workers}' if options.workers else ''}-{seed}"
            weights = None if options.smoke else options.weights / f"{key}.pt"
            found = kept(
                rows, key, recipe_of(ARMS[name], seed, steps, options.workers), partial(run, ARMS[name], seed, steps, weights, options)
            )
            print(key, _shown(found), flush=True)


def _write_table(options: argparse.Namespace) -> None:
    """Of all that is kept, of any number of minutes, cores and seeds."""
    found: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for path in sorted(options.rows.glob("*.json")):
        name = next(name for name in sorted([*ARMS, *PLAIN], key=len, reverse=True) if path.stem.startswith(name.replace("-", "_")))
        minutes, _, cores = path.stem.removeprefix(name.replace("-", "_")).strip("_").rpartition("_")[0].partition("x")
        found.setdefault((name, minutes, cores or "1"), []).append(json.loads(path.read_text()))
    table = []
    for name, minutes, cores in sorted(found, key=lambda key: (int(key[1] or 0), int(key[2]), [*PLAIN, *ARMS].index(key[0]))):
        runs = found[name, minutes, cores]
        for rounds in runs[0]["by_rounds"]:
            row = row_of(PLAIN.get(name) or ARMS[name].title, rounds, runs)
            table.append({"minutes": minutes or "-", "cores": cores if minutes else "-", **row})
            print(table[-1])
    write(options.out, "otsnet_budget", table)


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    shown = {
        key: round(value, 4) if isinstance(value, float) else value for key, value in row.items() if key not in ("recipe", "by_rounds")
    }
    scores = {rounds: {name: score[name]["36"] for name in SETS if name in score} for rounds, score in row["by_rounds"].items()}
    return {**shown, "36": scores}


if __name__ == "__main__":
    main()
