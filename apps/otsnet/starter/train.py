"""Train the starter model on made words alone, and pack it.

    OMP_NUM_THREADS=1 python -m apps.otsnet.starter.train [--data scene_text] [--home DIR] [--pack-only] [-- --trainer.max_epochs 2]

The recipe is configs/otsnet/starter.yaml; what follows `--` is laid over it, as after `discern otsnet fit`. Broken off, it goes on where it
was; give the same again, also with --pack-only, for the card tells it. The best checkpoint of the run `starter` on made words that training
never shows becomes apps/otsnet/starter/starter.safetensors (at most 1 MiB) and card.json. --data: folder with the test parts of real words,
iiit5k and svt, which are read once, for the card alone.
"""

import argparse
import json
import shlex
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors.torch import save
from torch import Tensor

from apps.base.checkpoint import evaluation_weights, locate, read_checkpoint
from apps.base.dispatch import dispatch
from apps.base.errors import FailureError, UserError
from apps.base.export.bare import META
from apps.base.machine import measured_on
from apps.base.shell import Shell
from apps.base.tracking.finding import find_runs
from apps.otsnet.metrics import scores
from apps.otsnet.program import ReadWords
from apps.otsnet.readers import Reader, reader_of
from apps.otsnet.source import STARTER, open_source
from datamodules.otsnet.datamodule import Words
from datamodules.whole import write_whole

__all__ = ["CARD", "FILE", "LARGEST", "main", "pack", "packed"]

FILE, CARD = STARTER / "starter.safetensors", STARTER / "card.json"
LARGEST = 1 << 20  # bytes of the file
RUN, SETS = "starter", ("iiit5k", "svt")
LICENCE = "Apache-2.0; trained on generated pictures alone"


def main(argv: Sequence[str]) -> int:
    own, rest = (list(argv), []) if "--" not in argv else (list(argv[: argv.index("--")]), list(argv[argv.index("--") + 1 :]))
    parser = argparse.ArgumentParser(prog="apps.otsnet.starter.train", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder with iiit5k and svt")
    parser.add_argument("--home", type=Path, default=Path(), help="where the run is kept")
    parser.add_argument("--pack-only", action="store_true", help="the run is finished; only pack it")
    parser.add_argument("--out", type=Path, default=FILE)
    options = parser.parse_args(own)
    shell = Shell(home=options.home)
    try:
        if options.data is not None and (missing := [name for name in SETS if not (options.data / name).exists()]):
            raise UserError(f"--data {options.data}: has no {missing[0]}; leave it out, and the card says not measured")
        known = any(run.name == RUN for run in find_runs(options.home, "otsnet"))
        if not options.pack_only:
            how = ["--ckpt", "last", "--run", RUN] if known else ["--config", "starter", "--name", RUN]
            if code := dispatch(shell, ["otsnet", "fit", *how, *rest]):
                return code
        run = next((run for run in find_runs(options.home, "otsnet") if run.name == RUN), None)
        if run is None:
            raise UserError(f"no run named {RUN} below {options.home.resolve()}; leave --pack-only out")
        card = pack(locate(run.checkpoints, "best"), options.out, options.data, rest)
    except (UserError, FailureError) as error:
        print(f"starter: {error}", file=sys.stderr)
        return error.exit_code
    print(json.dumps(card, indent=1))
    return 0


def pack(checkpoint: Path, out: Path, data: Path | None, rest: Sequence[str] = ()) -> dict[str, Any]:
    """Writes the file and its card; the card. rest: what was laid over the recipe."""
    found = read_checkpoint(checkpoint, "otsnet")
    recipe = yaml.safe_load(found["discern"]["recipe"])
    init, facts = recipe["model"]["init_args"], {**found["discern"]["facts"], "licence": LICENCE}
    height, width = facts["preprocess"]["size"]
    model = reader_of({**init, "observe": {**init["observe"], "height": height, "width": width}}, facts["charset"], facts["slots"])
    model.load_state_dict(evaluation_weights(found))
    data_args = recipe["data"]["init_args"]
    if data_args.get("generated_share") != 1 or data_args.get("path"):
        raise UserError(f"{checkpoint}: trained on more than made words; the starter may not be")
    content = save(packed(model), metadata={"format": "pt", META: json.dumps(ReadWords(model, facts, []).metadata())})
    if len(content) > LARGEST:
        raise FailureError(f"{len(content)} bytes are more than {LARGEST}; take a smaller model")
    out.parent.mkdir(parents=True, exist_ok=True)
    with write_whole(out) as file:
        file.write(content)
    model = open_source(Shell(quiet=True), str(out)).reader  # measured as it is shipped, in half precision
    card = {
        "what": "starter model of discern otsnet: reads single words, Latin letters, digits and punctuation",
        "reader": init["reader"],
        "size": init["observe"]["size"],
        "parameters": sum(p.numel() for p in model.parameters()),
        "bytes": len(content),
        "trained_on": "pictures drawn by datamodules.otsnet.generator; no photograph, no word list of others",
        "steps": found["global_step"],
        "batch": data_args["batch_size"],
        "seed": recipe["seed_everything"],
        "made_by": shlex.join(["python", "-m", "apps.otsnet.starter.train", *(["--", *rest] if rest else [])]),
        "licence": LICENCE,
        "made": datetime.now(UTC).date().isoformat(),
        "versions": measured_on(("torch",))["versions"],
        "words_read_right": {"made words that training never shows": _percent(model, _held_out(data_args)), **_real(model, data)},
        "not_for": "names, plates or amounts that nobody checks; scripts other than Latin; whole pages",
    }
    with write_whole(out.with_name(CARD.name), "w") as file:
        json.dump(card, file, indent=1)
        file.write("\n")
    return card


def packed(model: Reader) -> dict[str, Tensor]:
    """What is learned by gradient in half precision, running statistics and codes as they are."""
    learned = {name for name, _ in model.named_parameters()}
    return {name: (value.half() if name in learned else value).contiguous().clone() for name, value in model.state_dict().items()}


def _held_out(settings: dict[str, Any]) -> Words:
    return Words(**settings)


def _real(model: Reader, data: Path | None) -> dict[str, Any]:
    if data is None:
        return {"real words": "not measured"}
    found = {}
    for name in SETS:
        words = Words(str(data / name))
        words.say = lambda text: None
        found[f"{name}, test"] = _percent(model, words)
    return found


@torch.no_grad()
def _percent(model: Reader, data: Words) -> dict[str, Any]:
    """Of the test part, in percent, of 36 characters whatever the case, and of 94."""
    data.setup("test")
    read, true = [], []
    for batch in data.test_dataloader():
        read += [data.charset.decode(tokens_L) for tokens_L in model.read(batch["images"]).tokens.tolist()]
        true += [data.truth(number) for number in batch["id"].tolist()]
    score = scores(read, true, ["all"] * len(true), charsets=("36", "94"))["all"]
    return {"36": round(score.by_charset["36"].percent, 1), "94": round(score.by_charset["94"].percent, 1), "words": len(true)}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
