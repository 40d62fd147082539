"""What a recipe may say of gates and their routing, and what is refused before any work."""

from pathlib import Path

import pytest

from benchmarks.hag import embedded, kvasir
from tests.apps.hag.test_gate_verbs import TINY
from tests.system.command import Here


def test_what_the_release_does_otherwise_can_be_asked_for(here: Here) -> None:
    words = "--model.routing.parity=[leak,bn_twice]", "--model.routing.gate_warmup=1", "--model.gates.value=binary"
    done = here("hag", "fit", *TINY, *words, "--model.gates.hardness=ste", "--trainer.max_steps=3")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--data.gates=0",), "set data.gates=0.15, or model.routing.gate_data=same"),
        (("--model.gates.sites=[branch]",), "a network with the trunk resnet18 has no branch; it has stage, embed, head, input, stream"),
        (("--model.gates.value=binary",), "value='binary' would be ignored by hardness 'sigmoid'"),
        (("--model.routing.mode=joint", "--model.routing.gate_warmup=3"), "gate_warmup would be ignored by mode 'joint'"),
    ],
)
def test_what_cannot_act_is_one_line_before_a_run_begins(here: Here, words: tuple[str, ...], why: str) -> None:
    done = here("hag", "fit", *words)
    assert done.returncode == 2
    assert why in done.stderr.splitlines()[-1]
    assert not Path("mlruns").exists()
    assert not list(Path().rglob("run.json"))


def test_frames_that_nobody_learns_from_are_told(here: Here) -> None:
    words = (word for word in TINY if "data.gates" not in word)
    done = here("hag", "fit", *words, "--data.gates=0.25", "--trainer.max_steps=1")
    assert done.returncode == 0, done.stderr
    assert "data.gates=0.25 keeps that share" in done.stderr


def test_kept_rows_of_the_tables_are_told_by_the_options_that_they_began_with() -> None:
    names = {"mode", "gate_data", "every", "gate_fraction", "share_forward", "same_noise", "lam", "lr_g", "clip_g"}
    assert set(embedded.recipe_of(embedded.ROWS["val"], 0, 1)["row"]["routing"]) == names
    assert set(kvasir.recipe_of(kvasir.ROWS["val"], 0, 0, 1)["row"]["routing"]) == names
