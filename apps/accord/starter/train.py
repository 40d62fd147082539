"""Train the starter model, one network with an adapter for each kind, on generated problems alone, and pack it.

    OMP_NUM_THREADS=2 python -m apps.accord.starter.train --minutes 25 [--labels DIR] [--home DIR] [--pack-only] [-- --data.workers 1]
    OMP_NUM_THREADS=2 python -m apps.accord.starter.train --kinds binpack pfsp --minutes 6

The recipe is configs/accord/tiny.yaml; what follows `--` is laid over it, as after `discern accord fit`. How many epochs fit into the
minutes is measured once, at the beginning; labels come on top. Broken off, it goes on where it was. The best checkpoint of the run
`starter` becomes apps/accord/starter/starter.safetensors (half precision, at most 700 kB) and card.json, with what the file that is
shipped answers on problems that training never shows. With --kinds these begin anew beside the network that is shipped, which does not
learn: their own parts and their adapters do, as those of a new kind would, and every answer to another kind stays as it is.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save, save_file
from torch import Tensor

from apps.accord.card import CARD
from apps.accord.greedy_rules import RULES
from apps.accord.model import build
from apps.accord.options import Stages
from apps.accord.program import Decide
from apps.accord.starter.measured import gaps_by_decoding
from apps.accord.task import Deciding
from apps.base.beginning import begin, begin_at, prepare
from apps.base.checkpoint import locate
from apps.base.dispatch import dispatch
from apps.base.errors import FailureError, UserError
from apps.base.export.bare import META
from apps.base.machine import measured_on
from apps.base.quiet import run_trainer
from apps.base.shell import Shell
from apps.base.tracking.finding import find_runs
from datamodules.accord.buckets import SPAN
from datamodules.accord.dataset import collate
from datamodules.accord.instances import KINDS
from datamodules.whole import write_whole

__all__ = ["FILE", "LARGEST", "epochs_in", "main", "pack"]

FILE = Path(__file__).with_name("starter.safetensors")
LARGEST = 700_000  # bytes of the file; all starters of accord together stay below 1 MiB
RUN = "starter"
LICENCE = "Apache-2.0; trained on generated problems alone"
SHARE = 0.85  # of the minutes: the rest is validation and checkpoints
SHOWN = {"untrained": "untrained_gap", "rule": "rule_gap", "feasible": "feasible"}  # what a test tells, beside the ways of decoding


def main(argv: Sequence[str]) -> int:
    own, rest = (list(argv), []) if "--" not in argv else (list(argv[: argv.index("--")]), list(argv[argv.index("--") + 1 :]))
    parser = argparse.ArgumentParser(prog="apps.accord.starter.train", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--minutes", type=float, default=25.0, help="of training; default: 25")
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), default=[], help="these anew, beside the starter that is there")
    parser.add_argument("--labels", help="folder to keep labels in; default: labels in --home")
    parser.add_argument("--home", type=Path, default=Path(), help="where the run is kept")
    parser.add_argument("--pack-only", action="store_true", help="the run is finished; only pack it")
    parser.add_argument("--out", type=Path, default=FILE)
    options = parser.parse_args(own)
    shell = Shell(home=options.home)
    try:
        if options.minutes <= 0:
            raise UserError(f"--minutes {options.minutes:g}: give a number above 0")
        known = any(run.name == RUN for run in find_runs(options.home, "accord"))
        if not options.pack_only:
            words = [f"--data.cache={options.labels or options.home / 'labels'}", *rest]
            if options.kinds:
                words = [*beside(options.kinds, options.home), *words]
            how = ["--ckpt", "last", "--run", RUN] if known else ["--config", "tiny", "--name", RUN, *words]
            if not known:
                how.append(f"--trainer.max_epochs={epochs_in(shell, options.minutes, words)}")
            if code := dispatch(shell, ["accord", "fit", *how]):
                return code
        run = next((run for run in find_runs(options.home, "accord") if run.name == RUN), None)
        if run is None:
            raise UserError(f"no run named {RUN} below {options.home.resolve()}; leave --pack-only out")
        card = pack(shell, locate(run.checkpoints, "best"), options.out, options.kinds)
    except (UserError, FailureError) as error:
        print(f"starter: {error}", file=sys.stderr)
        return error.exit_code
    print(json.dumps(card, indent=1))
    return 0


def beside(kinds: Sequence[str], home: Path) -> list[str]:
    """Words of a training that begins with the shipped network, in which these kinds are new."""
    weights = {name: value.float() for name, value in load_file(FILE).items()}
    torch.manual_seed(0)
    fresh = build(json.loads(shipped_about())["model"]).state_dict()
    for name, value in weights.items():
        if own(name, kinds):
            weights[name] = fresh[name]
        elif name.endswith(".B"):
            value[[list(KINDS).index(kind) for kind in kinds]] = 0.0
    home.mkdir(parents=True, exist_ok=True)
    begin = home / "begin.safetensors"
    save_file(weights, begin)
    unused = f"--model.stages.joint={Stages().joint}"
    return [f"--init={begin}", "--model.stages.mode=adapters-only", unused, f"--data.kinds=[{','.join(kinds)}]"]


def shipped_about() -> str:
    """What the shipped file says of itself."""
    with safe_open(FILE, "pt") as file:
        return file.metadata()[META]


def own(name: str, kinds: Sequence[str]) -> bool:
    return name.startswith(tuple(f"parts.{kind}." for kind in kinds))


def merged(half: dict[str, Tensor], kinds: Sequence[str]) -> dict[str, Tensor]:
    """What these kinds learned, in the shipped weights: averages round what did not learn, too."""
    shipped = load_file(FILE)
    for name, value in half.items():
        if own(name, kinds):
            shipped[name] = value
        elif name.endswith((".A", ".B")):
            rows = [list(KINDS).index(kind) for kind in kinds]
            shipped[name][rows] = value[rows]
    return shipped


def epochs_in(shell: Shell, minutes: float, words: Sequence[str]) -> int:
    """How many epochs of the recipe fit: by the time of a step of each kind, at full size, on this machine now."""
    beginning = begin(shell, CARD, "fit", "", ["--config", "tiny", *words])
    assert beginning is not None
    recipe = beginning.recipe(None, [])
    task, data = prepare(recipe, "fit"), recipe.datamodule
    assert isinstance(task, Deciding)
    full = {bucket.kind: place for place, bucket in enumerate(data.buckets("train"))}  # the last of a kind is its full size
    optimizer = torch.optim.AdamW(task.model.parameters())
    began = 0.0
    for turn in range(2):  # the first round warms up
        began = time.perf_counter()
        for place in full.values():
            rows = [data.train_set[turn, place * SPAN + number] for number in range(data.batch_size)]
            lesson = task.lesson(collate(rows))
            losses = task.losses(lesson, task.model(*task.inputs(lesson)))
            task.total(losses).backward()
            optimizer.step()
            optimizer.zero_grad()
    seconds = (time.perf_counter() - began) * (data.counts["train"] // data.batch_size)
    epochs = max(1, int(minutes * 60 * SHARE / seconds))
    shell.say(f"an epoch takes about {seconds:.0f} s: {epochs} epochs in {minutes:g} minutes")
    return epochs


def pack(shell: Shell, checkpoint: Path, out: Path, anew: Sequence[str] = ()) -> dict[str, Any]:
    """Writes the file and its card; the card. anew: the kinds that learned, where the others are the shipped ones."""
    recipe, task, steps = begin_at(shell, CARD, "test", str(checkpoint), None).restore()
    assert isinstance(task, Deciding)
    half = {name: value.half().contiguous().clone() for name, value in task.model.state_dict().items()}
    if anew:
        half = merged(half, anew)
    facts = {**task.facts, "licence": LICENCE}
    about = shipped_about() if anew else json.dumps(Decide(task.model, facts, []).metadata())
    content = save(half, metadata={"format": "pt", META: about})
    if len(content) > LARGEST:
        raise FailureError(f"{len(content)} bytes are more than {LARGEST}; take a smaller net")
    task.model.load_state_dict({name: value.float() for name, value in half.items()})  # measured as it is shipped
    values = _measured(recipe, task)
    out.parent.mkdir(parents=True, exist_ok=True)
    with write_whole(out) as file:
        file.write(content)
    kinds = recipe.datamodule.kinds
    card = {
        "what": "starter model of discern accord: one network and an adapter for each of the six kinds",
        "net": task.facts["model"],
        "parameters": sum(value.numel() for value in half.values()),
        "bytes": len(content),
        "trained_on": "problems made by datamodules.accord.synth, labelled by the methods of this package",
        "sizes": task.facts["learned"]["sizes"],
        "steps": steps,
        "batch": recipe.datamodule.batch_size,
        "seed": recipe.config["seed_everything"],
        "made_by": "python -m apps.accord.starter.train",
        "licence": LICENCE,
        "made": datetime.now(UTC).date().isoformat(),
        "versions": measured_on(("torch",))["versions"],
        "tested_on": f"{recipe.datamodule.counts['test']} problems of each kind that training never shows; gaps to the label in percent",
        "gap_to": "the labels: proven optima where the methods prove them, else the best known to them",
        "rules": {kind: RULES[kind] for kind in kinds},
        "figures": {kind: _figures(task, recipe.datamodule, kind, values) for kind in kinds},
        "not_for": "time windows, mixed fleets, due dates; sizes far from those above are answered feasibly, and may be answered badly",
    }
    if anew:
        before = json.loads(FILE.with_name("card.json").read_text())
        told = {name: card[name] for name in ("bytes", "made", "versions")}
        later = {**before.get("later", {}), **{kind: {"steps": steps, "beside": list(anew)} for kind in anew}}
        card = {**before, **told, "figures": {**before["figures"], **{kind: card["figures"][kind] for kind in anew}}, "later": later}
    with write_whole(out.with_name("card.json"), "w") as file:
        json.dump(card, file, indent=1)
        file.write("\n")
    return card


def _figures(task: Deciding, data: Any, kind: str, values: dict[str, float]) -> dict[str, float]:
    rows = [row for row in data.rows("test") if row.instance.kind == kind]
    gaps = gaps_by_decoding(task.model, kind, rows)
    return {name: round(value, 3) for name, value in (gaps | {name: values[f"test/{key}_{kind}"] for name, key in SHOWN.items()}).items()}


def _measured(recipe: Any, task: Deciding) -> dict[str, float]:
    data = recipe.datamodule
    data.prepare_data()
    data.setup("test")
    (values,) = run_trainer(recipe.trainer, "test", task, datamodule=data, verbose=False)
    return {**values, **{f"test/{name}": value for name, value in task.baselines(data).items()}}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
