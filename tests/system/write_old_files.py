"""Writes what tests/system/test_old_files.py keeps of a release: python -m tests.system.write_old_files APP...

Of every application a checkpoint of a small model trained for a few steps (without the optimiser's state), the file exported from it as
.ts and, where it can be, .onnx, and what both answered: the figures of `test`, the answers to six embedded examples. A file that is there
stays as it is and is only asked again, so that what an earlier version wrote goes on being read.
"""

import json
import shutil
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from apps.base.card import find_cards
from apps.base.version import version_of
from tests.apps.ahan.tiny import SMALL as AHAN
from tests.system.command import TINY, discern

__all__ = ["EXAMPLES", "OLD", "answers"]

OLD = Path(__file__).parents[1] / "old_files"
EXAMPLES = 6
SMALL: dict[str, tuple[str, ...]] = {
    "dcal": TINY,
    "ahan": AHAN,
    "mil": ("--trainer.max_epochs=1",),
    "histograph": ("--trainer.max_epochs=1", "--model.width=8"),
    "otsnet": (
        "--data.train=128", "--data.val=64", "--data.test=64", "--trainer.max_epochs=1", "--model.observe.dim=16",
        "--model.observe.depth=1", "--model.observe.width=64", "--model.quantize.codes=8", "--model.quantize.code_width=8",
    ),
    "hag": (
        "--data.train=48", "--data.val=24", "--data.test=24", "--data.frames=2", "--data.size=64", "--trainer.max_epochs=2",
        "--model.trunk_options.width=0.0625", "--model.trunk_options.stages=3", "--model.head.hidden=16",
    ),
    "accord": (
        "--data.train=64", "--data.val=8", "--data.test=8", "--trainer.max_epochs=1", "--model.net.dim=16", "--model.net.heads=2",
        "--model.net.layers=1", "--model.net.ffn=16", "--model.net.rank=2",
    ),
}  # fmt: skip
FORMS = {"accord": ("ts",)}  # its loops have no place in a graph; the others write both


def answers(said: str) -> list[dict[str, Any]]:
    """The lines of `discern predict` without where the inputs lay."""
    rows = [json.loads(line) for line in said.splitlines()]
    return [{key: value for key, value in row.items() if key != "input"} for row in rows]


def write(app: str, folder: Path) -> None:
    checkpoint, program = folder / f"{app}.ckpt", folder / f"{app}.ts"
    forms = FORMS.get(app, ("ts", "onnx"))
    with tempfile.TemporaryDirectory() as at:
        home = Path(at)
        if not checkpoint.exists():
            discern(app, "fit", *SMALL[app], home=home)
            (best,) = home.glob(f"mlruns/runs/{app}/*/checkpoints/best*.ckpt")
            kept = torch.load(best, weights_only=True)
            torch.save({key: kept[key] for key in kept if key not in ("optimizer_states", "lr_schedulers", "callbacks")}, checkpoint)
        for file in (folder / f"{app}.{form}" for form in forms):
            if not file.exists():
                discern(app, "export", "--ckpt", checkpoint, "-o", file.name, home=home)
                shutil.copy(home / file.name, file)
        test = json.loads(discern(app, "test", "--ckpt", checkpoint, home=home).stdout)
        (home / "asked").mkdir()
        module, name = (find_cards()[app].examples or "").split(":")
        examples = getattr(import_module(module), name)(home / "asked", EXAMPLES)
        said = discern("predict", program, *examples, "--trust", home=home).stdout
    figures = {key: value for key, value in test.items() if isinstance(value, float) and not key.endswith("per_second")}
    found = {"test": figures, "answers": answers(said)}
    (folder / f"{app}.json").write_text(json.dumps(found, indent=1) + "\n")


def main() -> None:
    folder = OLD / str(version_of("discern"))
    folder.mkdir(exist_ok=True)
    for app in sys.argv[1:] or find_cards():
        write(app, folder)


if __name__ == "__main__":
    main()
