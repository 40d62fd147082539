"""`gates`, `fold` and `prune` of a run: what they print and write, and what they refuse before any work."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from apps import hag
from apps.hag.draw_histograms import histograms_figure
from apps.hag.speed import faster
from apps.hag.verbs.prune import cuts_table
from core_attention.gates import PruneReport
from core_attention.gates.cost import Cost
from core_attention.gates.fold import FoldReport

TINY = (
    "--model.streams.use=[rgb,loc]", "--model.streams.join=late", "--model.gates.sites=[stage,stream,head]",
    "--model.routing.gate_data=same", "--model.routing.lam=0", "--model.routing.every=1", "--model.trunk_options.width=0.125",
    "--data.size=32", "--data.train=12", "--data.val=6", "--data.test=6", "--data.frames=2", "--data.gates=0", "--data.batch_size=8",
    "--trainer.max_epochs=1", "--seed_everything=1",
)  # fmt: skip
SCHEDULED = tuple(word for word in TINY if ".routing." not in word and "data.gates" not in word)  # the recipe's own routing
PLAIN = ("--model.gates.sites=[]",)
ROUND = "--rounds=1"


def test_a_run_is_looked_at_folded_pruned_and_learned_on(here):
    run = here("hag", "fit", "--name", "first", *TINY)
    assert run.returncode == 0, run.stderr

    said = here("hag", "gates", "first", "-o", "gates.png")
    assert said.returncode == 0, said.stderr
    assert len(said.stdout.splitlines()) == 1 + 8 + 2 + 1 + 1 + 2  # head, stages, streams, head's units, all, shares
    assert Path("gates.png").read_bytes().startswith(b"\x89PNG")
    told = json.loads(here("hag", "gates", "first", "--json").stdout)
    assert sum(told["streams"].values()) == pytest.approx(1)
    assert all(row["importance"] >= 0 for row in told["gates"])

    said = here("hag", "fold", "first", "-o", "folded.safetensors", ROUND)
    assert said.returncode == 0, said.stderr
    assert "joins.rgb" in said.stdout
    assert "faster" in said.stdout or "slower" in said.stdout
    assert not any("gate" in name or "inner" in name for name in load_file("folded.safetensors"))
    assert here("hag", "fit", "--name", "plain", *TINY, *PLAIN, "--init", "folded.safetensors").returncode == 0
    said = here("hag", "gates", "plain")
    assert said.returncode == 2
    assert "has no gates" in said.stderr

    said = here("hag", "prune", "first", "--quantile", "0.5", ROUND, "-o", "pruned.ts", "--weights", "closed.safetensors", "--json")
    assert said.returncode == 0, said.stderr
    told = json.loads(said.stdout)
    assert told["parameters"][1] < told["parameters"][0]
    assert told["macs"][1] < told["macs"][0]
    assert told["error"] <= 1e-5
    assert told["score"] in told["before"]
    program = torch.jit.load("pruned.ts")
    assert not any("logits" in name for name, _ in program.named_parameters())
    closed = load_file("closed.safetensors")
    assert any(bool((value == -1e4).any()) for name, value in closed.items() if name.endswith("gate.logits"))

    words = next(line for line in said.stderr.splitlines() if "recipe and: " in line).partition("recipe and: ")[2].split()
    assert words == ["--init", "closed.safetensors", "--model.routing.mode=frozen_gates"]

    said = here("hag", "prune", "first", "--threshold", "0", ROUND)
    assert "nothing can be cut" in said.stdout
    assert "0 of " in said.stdout
    assert "(0.0 % less)" in said.stdout


def test_the_words_to_learn_on_fit_the_recipes_that_come_with_gates(here):
    assert here("hag", "fit", "--name", "first", *SCHEDULED).returncode == 0
    said = here("hag", "prune", "first", "--budget", "0.5", ROUND, "--weights", "closed.safetensors")
    assert said.returncode == 0, said.stderr
    words = next(line for line in said.stderr.splitlines() if "recipe and: " in line).partition("recipe and: ")[2].split()
    readme = Path(str(hag.__file__)).with_name("README.md").read_text().replace("\\\n", " ")
    (line,) = [line for line in readme.splitlines() if "discern hag fit --init closed.safetensors" in line]
    assert line.partition("#")[0].split()[3:] == words
    done = here("hag", "fit", *SCHEDULED, *words)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("prune", "first"), "one of the arguments --threshold --quantile --budget is required"),
        (("prune", "first", "--budget", "2"), "'2' is not a share in 0..1"),
        (("prune", "first", "--threshold", "nan"), "'nan' is not a value of gates"),
        (("prune", "first", "--budget", "0.5", "--quantile", "0.5"), "not allowed with argument"),
        (("prune", "first", "--budget", "0.5", "-o", "x.safetensors"), "--weights writes the closed gates"),
        (("prune", "first", "--budget", "0.5", "--weights", "x.ts"), "weights are written as .safetensors"),
        (("fold", "first", "-o", "x.ts"), "a program is written by 'discern hag export'"),
        (("fold", "first", "-o", "nowhere/x.safetensors"), "names no file in an existing folder"),
        (("gates", "nosuch"), "no run 'nosuch'"),
        (("gates", "--ckpt", "none.ckpt"), "none.ckpt"),
    ],
)
def test_mistakes_are_one_line_before_any_work(here, words, why):
    said = here("hag", *words)
    assert said.returncode == 2
    assert why in said.stderr
    assert len(said.stderr.splitlines()) == 1


def test_a_difference_within_the_noise_is_no_gain():
    assert faster(10.0, 9.8) == faster(10.0, 10.2) == "0 % faster"
    assert faster(10.0, 5.0) == "100 % faster"
    assert faster(5.0, 10.0) == "50 % slower"


def test_nothing_cut_is_said():
    report = PruneReport(FoldReport([], [], 0.0, 0.0), [], Cost(1, 1), Cost(1, 1), 0.0)
    assert "nothing can be cut" in cuts_table(report)


def test_histograms_are_drawn_with_the_shares_of_streams():
    values = {"streams.rgb.trunk.layer1": np.linspace(0, 2, 50), "streams.loc.whole": np.array([0.3])}
    assert histograms_figure(values, {"rgb": 0.7, "loc": 0.3}).startswith(b"\x89PNG")
    assert histograms_figure({f"layer{i}": np.zeros(3) for i in range(26)}).startswith(b"\x89PNG")
