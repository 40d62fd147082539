"""What is needed to do a run again: seed, commit and diff, versions, machine, data."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from apps.base.machine import describe_machine, git_diff, installed
from apps.base.tracking.run import Run
from datamodules.whole import write_whole

__all__ = ["record_provenance"]


def record_provenance(run: Run, data_card: Mapping[str, Any], no_diff: bool = False) -> None:
    """Write machine.json, data.json, lock.txt and diff.patch into the run's folder and keep them. A later attempt writes its own.

    Of a child, which its parent made with the same code, data.json alone.
    """
    attempt = len(run.attempts)
    mark = "" if attempt == 1 else f".{attempt}"
    texts = {f"data{mark}.json": json.dumps(data_card, indent=1, default=str)}
    machine = describe_machine() if run.kind not in ("seed", "fold", "point") else None
    if machine is not None:
        texts |= {f"machine{mark}.json": json.dumps(machine, indent=1), f"lock{mark}.txt": _lock()}
    git = machine["git"] if machine is not None else None
    if git:
        run.tag("mlflow.source.git.commit", git["commit"])
        run.tag("git.dirty", git["dirty"])
        if git["dirty"] and not no_diff:
            texts[f"diff{mark}.patch"] = git_diff()
    with run.spared("what it was made on and from"):
        for name, text in texts.items():
            with write_whole(run.folder / name, "w") as file:
                file.write(text)
            run.artifact(run.folder / name)
    config = run.config()
    run.tag("seed", config.get("seed_everything"))
    for key in ("name", "fingerprint"):
        if data_card.get(key):
            run.tag(f"data.{key}", data_card[key])
    if machine is not None:
        run.tag("machine", f"{machine['cpu']}, {machine['cores']} cores" + "".join(f", {gpu}" for gpu in machine["gpus"]))


def _lock() -> str:
    """The lock file that the code came with, and what is really installed below it."""
    lock = Path(__file__).resolve().parents[3] / "requirements.lock"
    asked = f"# requirements.lock\n{lock.read_text('utf-8')}\n" if lock.exists() else ""
    return f"{asked}# installed\n{installed()}"
