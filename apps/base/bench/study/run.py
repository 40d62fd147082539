"""The study itself: trainings that are kept as they come, then what a step costs, then the table and the picture."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import torch

from apps.base.bench.measure import median_ms, peak_mib
from apps.base.bench.study.chart import chart
from apps.base.bench.study.pictures import Pictures
from apps.base.bench.study.summary import crossovers, summary, table
from apps.base.bench.study.training import RECIPE, Piece, loss_of, standard, train
from apps.base.bench.study.trunks import DEPTH, HEADS, WIDTH, build, options_of
from apps.base.engine import Engine, each
from apps.base.machine import measured_on
from apps.base.shell import Shell
from datamodules.whole import write_bytes, write_whole

__all__ = ["study"]


def study(shell: Shell, names: list[str], data: Pictures, seeds: int, steps: int, rounds: int, engine: Engine, folder: Path) -> str:
    """The table. `folder` gets study.json and study.png; broken off, it goes on where it was when the same is asked for again."""
    settings = {
        "set": data.name, "classes": data.classes, "side": data.side, "train": len(data.train.labels), "test": len(data.test.labels),
        "steps": steps, "seeds": seeds, "trunk": {"width": WIDTH, "depth": DEPTH, "heads": HEADS}, "recipe": RECIPE,
        "options": {name: options_of(name) for name in names},
    }  # fmt: skip
    about = {"subject": "study", **measured_on(("torch", "discern")), "settings": settings}
    file = folder / "study.json"
    rows = _earlier(file, settings)
    if rows:
        shell.say(f"going on with {file}: {len(rows)} trainings are there")
    done = {(row["mixer"], row["seed"]) for row in rows}
    left = [Piece(name, seed, steps, data) for seed in range(seeds) for name in names if (name, seed) not in done]
    for row in each(engine, train, left, _lost):
        rows.append(row)
        shell.say(f"{row['mixer']}, seed {row['seed']}: top-1 {row['top1']:.4f}, {row['cpu_seconds']:.0f} s ({len(rows)} trainings)")
        _write(file, {**about, "trainings": rows})
    found = summary(rows, _costs(names, data, rounds), crossovers(folder / "mixers.json"))
    _write(file, {**about, "rows": found, "trainings": rows})
    write_bytes(folder / "study.png", chart(found, f"{data.name}: {data.classes} classes, {steps} steps, {seeds} seeds"))
    return table(found)


def _lost(piece: Piece, reason: str) -> dict[str, Any]:
    raise RuntimeError(f"{piece.mixer}, seed {piece.seed}: {reason}")


def _costs(names: list[str], data: Pictures, rounds: int) -> dict[str, dict[str, float]]:
    """Time and memory of a training step, beside softmax's of the same rounds."""
    x, y = standard(data.train.pictures[: RECIPE["batch"]]), data.train.labels[: RECIPE["batch"]]

    def step(model: torch.nn.Sequential) -> None:
        loss_of(model, x, y).backward()
        model.zero_grad()

    calls = {name: partial(step, build(name, data.side, data.classes, 0).train()) for name in names}
    device = torch.device("cpu")
    times = median_ms(calls, rounds, device)
    sizes = {name: peak_mib(call, device) for name, call in calls.items()}
    return {
        name: {
            "step": round(times[name] / times["softmax"], 3),
            "step_ms": round(times[name], 2),
            "memory": round(sizes[name] / sizes["softmax"], 3),
            "memory_mib": round(sizes[name], 1),
        }
        for name in names
    }


def _earlier(file: Path, settings: dict[str, Any]) -> list[dict[str, Any]]:
    """The trainings of the same settings; of another list of mixers those that are asked for."""
    try:
        kept = json.loads(file.read_text())
        wanted = json.loads(json.dumps(settings))
        names = wanted.pop("options")
        theirs = kept["settings"].pop("options")
        if {**kept["settings"], "seeds": None} != {**wanted, "seeds": None}:
            return []
        seeds = range(settings["seeds"])
        return [row for row in kept["trainings"] if names.get(row["mixer"]) == theirs[row["mixer"]] and row["seed"] in seeds]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []


def _write(file: Path, content: dict[str, Any]) -> None:
    with write_whole(file, "w") as out:
        out.write(json.dumps(content, indent=1) + "\n")
