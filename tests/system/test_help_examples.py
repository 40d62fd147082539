"""The example below every word's help is a line that runs as it stands."""

import json
import os
import subprocess
import sys
from importlib import import_module

import numpy as np
import pytest

from apps.base.card import Verb, find_cards
from apps.base.words import HOUSE, SHARED
from datamodules.dcal.synth import write_examples
from datamodules.mil.synth import hard_bags
from tests.system.command import discern, environment


def leaves(verbs: tuple[Verb, ...], said: str = "discern"):
    for verb in verbs:
        if verb.words:
            yield from leaves(verb.words, f"{said} {verb.name}")
        else:
            yield f"{said} {verb.name}", verb.example


EXAMPLES = dict(leaves(HOUSE)) | {
    words: example.format(app=name)
    for name, card in find_cards().items()
    for words, example in leaves((*SHARED, *card.verbs), f"discern {name}")
}

# In an order in which each finds what it needs. A line that is no word's is what a user did before.
SHORT = "--trainer.max_epochs=1"
ORDERS = {
    "dcal": [
        "discern dcal fit", "discern dcal validate", "discern dcal test", "discern dcal export", "discern dcal predict", "discern predict",
        "discern dcal explain", "discern dcal ablate",
        f"discern dcal fit --config reid --data=datamodules.dcal.reid.BeetleIdentities {SHORT}", "discern dcal eval-reid",
        "discern dcal export --program embed -o embed.ts", "discern dcal index", "discern dcal search", "discern dcal same",
        f"discern dcal fit --name second {SHORT}", "discern dcal sweep",
        "discern apps", "discern runs list", "discern runs compare", "discern runs best", "discern runs send", "discern runs delete",
        "discern runs gc", "discern report", "discern data check", "discern bench mixers", "discern bench kernels", "discern doctor",
        "discern completion", "discern demo",
    ],
    "mil": [
        "discern mil fit", "discern mil validate", "discern mil test", "discern mil export", "discern mil predict", "discern mil crossval",
        "discern mil sweep",
        "discern mil slides synth", "discern mil slides find", "discern mil slides tissue", "discern mil slides tile",
        "discern mil slides features", "discern mil slides report", "discern mil slides convert",
        f"discern mil fit --config features --config plain --data.path=work --data.labels=slides/labels.csv {SHORT}",
        "discern mil export -o slides.ts", "discern mil heatmap", "discern mil diagnose",
    ],
    "histograph": [
        "discern histograph fit", "discern histograph validate", "discern histograph test", "discern histograph export",
        "discern histograph predict", "discern histograph explain", "discern histograph folds", "discern histograph leakcheck",
        "discern histograph cache", "discern histograph finetune", "discern histograph crossval",
        ("discern histograph crossval --config small --data.path=graphs/all.json --data.folds=folds.json --name averaged --folds 0,1 "
        "--model.readout.name=mean"),
        "discern histograph compare",
        "discern histograph sweep",
    ],
    "otsnet": [
        "discern otsnet fit", "discern otsnet validate", "discern otsnet test", "discern otsnet export", "discern otsnet predict",
        "discern otsnet read", "discern otsnet verify", "discern otsnet codes", "discern otsnet finetune", "discern otsnet sweep",
        "discern otsnet explain", "discern otsnet synth", "discern otsnet convert",
    ],
    "ahan": [
        "discern ahan fit", "discern ahan validate", "discern ahan test", "discern ahan export", "discern ahan predict",
        "discern ahan align", "discern ahan explain", "discern ahan calibrate", "discern ahan compare", "discern ahan enroll",
        "discern ahan verify", "discern ahan identify", "discern ahan twins", "discern ahan gallery list", "discern ahan gallery show",
        "discern ahan gallery export", "discern ahan gallery audit", "discern ahan gallery reseal", "discern ahan forget",
        "discern ahan evaluate", "discern ahan ablate", "discern ahan sweep",
    ],
    "hag": [
        "discern hag fit", "discern hag validate", "discern hag test", "discern hag export", "discern hag predict",
        "discern hag calibrate", "discern hag size", "discern hag evaluate", "discern hag gates", "discern hag fold", "discern hag prune",
        "discern hag ablate", "discern hag sweep",
    ],
    "accord": [
        "discern accord fit", "discern accord validate", "discern accord test", "discern accord export", "discern accord predict",
        "discern accord generate", "discern accord solve", "discern accord check", "discern accord repair", "discern accord convert",
        "discern accord compare", "discern accord route", "discern accord sweep",
    ],
}  # fmt: skip


def kernel_record():
    """As a benchmark on a machine with a GPU leaves it; the figures are made up."""
    row = {"operation": "gated_pool", "dtype": "bfloat16", "length": 1000, "ms": 1.0, "peak_bytes": 10**6, "gb_per_s": 1.0, "tflops": 1.0}
    row |= {"floor_ms": 0.5, "share_of_floor": 0.5}
    rows = [{**row, "form": form, "pass": which} for form in ("ours", "eager") for which in ("forward", "forward and backward")]
    return {"subject": "kernels", "device": "a card", "versions": {"torch": "2.13.0", "triton": "3.7.1"}, "rows": rows}


def test_every_word_has_an_example_of_itself():
    assert {words: example for words, example in EXAMPLES.items() if not example.startswith(words + " ") and example != words} == {}


def test_every_example_is_run_below():
    ordered = [words for order in ORDERS.values() for words in order]
    assert set(EXAMPLES) - set(ordered) == {"discern ui"}  # which stays until it is told to go: tests/apps/base/test_ui.py


def test_the_example_stands_below_the_help(tmp_path):
    text = discern("runs", "gc", "--help", home=tmp_path).stdout
    assert text.endswith("example:\n  discern runs gc --dry-run\n")


@pytest.mark.full
@pytest.mark.parametrize("app", list(ORDERS))
def test_the_examples_run_one_after_the_other(tmp_path, app):
    module, name = find_cards()[app].examples.split(":")
    for folder in ("inputs", "pictures/a", "pictures/b"):
        (tmp_path / folder).mkdir(parents=True)
    made = getattr(import_module(module), name)(tmp_path / "inputs", 4)
    if app == "dcal":
        rows = ["file,label"]
        for i, path in enumerate(write_examples(tmp_path / "pictures", 24)):
            rows.append(f"{'ab'[i % 2]}/{path.name},{'ab'[i % 2]}")
            path.rename(tmp_path / "pictures" / "ab"[i % 2] / path.name)
        (tmp_path / "pictures/labels.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "discern").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m apps.cli "$@"\n')
    (tmp_path / "discern").chmod(0o755)
    (tmp_path / "kernels.json").write_text(json.dumps(kernel_record()))
    if app == "histograph":
        graphs = [json.loads(path.read_text()) | {"label": "ab"[i % 2]} for i, path in enumerate(made)]
        (tmp_path / "graphs").mkdir()
        (tmp_path / "graphs/all.json").write_text(json.dumps(graphs * 5))
    if app == "mil":
        bags = hard_bags(40, seed=1)
        np.savez(tmp_path / "bags.npz", x=bags.x, offsets=bags.offsets, y=bags.labels)
    surroundings = environment(HOME=str(tmp_path), PATH=f"{tmp_path}:{os.environ['PATH']}")
    for words in ORDERS[app]:
        line = EXAMPLES.get(words, words)
        done = subprocess.run(line, shell=True, cwd=tmp_path, env=surroundings, capture_output=True, text=True)
        assert done.returncode == 0, f"{line}: {done.stderr[-2000:]}"
