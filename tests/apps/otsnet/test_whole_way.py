"""Words from training to reading: fit, test, export, read, verify, finetune, one after the other on a reader that has learned little."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from apps.base.checkpoint import read_checkpoint
from tests.apps.otsnet.tiny_files import write_pictures
from tests.system.command import Here

SMALL = (
    "--data.train=64", "--data.val=40", "--data.test=40", "--data.batch_size=16", "--model.observe.dim=16", "--model.observe.pairs=1",
    "--model.observe.depth=1", "--model.quantize.codes=8", "--trainer.accelerator=cpu", "--trainer.max_epochs=1",
)  # fmt: skip


def facts_of(home: Path, run: str) -> dict[str, Any]:
    (path,) = (path.parent for path in home.glob("mlruns/runs/otsnet/*/run.json") if json.loads(path.read_text())["name"] == run)
    return read_checkpoint(path / "checkpoints" / "last.ckpt")["discern"]["facts"]


def test_from_training_to_own_words(here: Here, tmp_path: Path) -> None:
    fitted = here("otsnet", "fit", *SMALL, "--name", "first", "--trainer.log_every_n_steps=1")
    assert fitted.returncode == 0
    assert "reader otsnet, size nano, attention of the encoder: softmax" in fitted.stderr
    facts = facts_of(tmp_path, "first")
    assert facts["attention"] == "softmax"
    assert set(facts["calibration"]) == {"characters", "words"}
    assert set(facts["claims"]) == {"slope", "shift"}
    assert isinstance(facts["refine"], bool)
    (log,) = tmp_path.glob("mlruns/runs/otsnet/*/log.jsonl")
    logged = [line["values"] for line in map(json.loads, log.read_text().splitlines()) if line["kind"] == "metric"]
    assert {
        *(f"{part}/sq/{name}" for part in ("train", "val") for name in ("perplexity", "dead")),
        *("train/sq/revived", "val/sq/purity", "val/sq/mutual_information", "val/layers/0.attn.entropy", "val/layers/0.attn.background"),
    } <= set().union(*logged)

    tested = here("otsnet", "test")
    found = json.loads(tested.stdout)
    assert {f"test/{name}/words_36" for name in ("lexicon", "random")} <= set(found)
    assert {
        "test/words",
        "test/commonest",
        "test/mean_of_sets_36",
        "test/pooled_94",
        "test/unseen_36",
        "test/confidence_auroc",
        "test/sq/purity",
    } <= set(found)
    head, *rows = [line.split() for line in tested.stderr.splitlines() if line.startswith(("set ", "lexicon ", "random "))]
    assert head[:3] == ["set", "words", "36"]
    assert sum(int(row[1]) for row in rows) == 40
    (answers,) = tmp_path.glob("mlruns/runs/otsnet/*/answers.csv")
    told = list(csv.DictReader(answers.open()))
    assert len(told) == 40
    assert sum(int(row["right"]) for row in told) / 40 == pytest.approx(found["test/words"])
    figures = {file.stem for file in tmp_path.glob("mlruns/runs/**/figures/*.png")}
    assert {"slots", "codes", "letters", "letter_pairs", "worst", "ledger", "training"} <= figures

    assert here("otsnet", "export", "-o", "reader.safetensors").returncode == 0
    write_pictures(tmp_path / "in")
    kept, exported = (here("otsnet", "read", "in", "--model", model) for model in ("best", "reader.safetensors"))
    assert kept.stdout == exported.stdout
    assert here("otsnet", "verify", "in/word-0.png", "ACE", "--model", "best").returncode == 0

    (tmp_path / "in" / "labels.tsv").write_text("word-0.png\tAX\nword-1.png\tACE\nword-2.png\tTOLL\n")
    more = (
        "--data.path=in",
        "--charset",
        "+XY",
        "--trainer.max_epochs=1",
        "--data.max_length=7",
        "--model.optim.freeze=1",
        "--trainer.accelerator=cpu",
        "--quiet",
    )
    done = here("otsnet", "finetune", "--from", "reader.safetensors", "--name", "own", *more)
    assert done.returncode == 0, done.stderr
    assert facts_of(tmp_path, "own")["charset"] == "ACEHLNOSTUXY"
    assert facts_of(tmp_path, "own")["slots"] == 8


@pytest.mark.parametrize("order", [("small", "ctc"), ("ctc", "small")])
def test_the_reader_is_the_one_that_a_recipe_names_wherever_it_stands(here: Here, order: tuple[str, str]) -> None:
    configs = [word for name in order for word in ("--config", name)]
    made = yaml.safe_load(here("otsnet", "fit", *configs, "--print_config").stdout)
    assert made["model"]["init_args"]["reader"] == "ctc"


@pytest.mark.full
def test_what_both_charsets_know_keeps_its_weights(here: Here, tmp_path: Path) -> None:
    """At a rate of 0 nothing but the charset changes."""
    here("otsnet", "fit", *SMALL, "--name", "first", "--quiet")
    write_pictures(tmp_path / "in")
    (tmp_path / "in" / "labels.tsv").write_text("word-0.png\tAX\nword-1.png\tACE\nword-2.png\tTOLL\n")
    still = ("--model.optim.lr=1e-12", "--model.optim.weight_decay=0", "--trainer.max_epochs=1", "--trainer.accelerator=cpu", "--quiet")
    done = here("otsnet", "finetune", "--from", "last", "--data.path=in", "--charset", "XUTSONLHECA", *still, "--name", "own")
    assert done.returncode == 0, done.stderr
    heads = []
    for run in ("first", "own"):
        (path,) = (path.parent for path in tmp_path.glob("mlruns/runs/otsnet/*/run.json") if json.loads(path.read_text())["name"] == run)
        checkpoint = read_checkpoint(path / "checkpoints" / "last.ckpt")
        rows = checkpoint["state_dict"]["model.position_head.weight"]
        heads.append({character: rows[number] for number, character in enumerate(checkpoint["discern"]["facts"]["charset"], 1)})
    for character in "ACEHLNOSTU":
        torch.testing.assert_close(heads[1][character], heads[0][character], atol=1e-6, rtol=0)
