"""What is wrong with a recipe, or with a key on the command line, is said with its place and the remedy."""

import re
from pathlib import Path

import pytest

from apps.base.errors import UserError
from apps.base.mistakes import explain
from apps.base.recipe_file import check_recipe
from apps.base.tracking.finding import find_runs
from tests.system.command import Here

KEYS = ["seed_everything", "trainer.max_epochs", "trainer.max_steps", "ema.decay", "data.path", "data.batch_size", "model.optim.lr"]
FLAGS = ["--name", "--no-diff", "--ckpt", "--config"]


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("--max-epochs", "trainer.max_epochs"),
        ("--max_epochs", "trainer.max_epochs"),
        ("--trainer.max-epochs", "trainer.max_epochs"),
        ("--model.max_epochs", "trainer.max_epochs"),
        ("--max-epoch", "trainer.max_epochs"),
        ("--batch-size", "data.batch_size"),
        ("--batch", "data.batch_size"),
        ("--lr", "model.optim.lr"),
        ("--seed", "seed_everything"),
        ("--nmae", "--name"),
        ("--no-dif", "--no-diff"),
        ("--no_diff", "--no-diff"),
    ],
)
def test_a_wrong_key_is_named_whole_and_the_right_one_beside_it(said: str, meant: str) -> None:
    line = explain(f"error: unrecognized arguments: {said}=3", KEYS, FLAGS)
    assert line.startswith(f"no such key: {said[2:]}; did you mean {meant!r}?")


def test_a_key_that_is_near_nothing_has_no_hint() -> None:
    assert "did you mean" not in explain("error: unrecognized arguments: --zzz 3", KEYS, FLAGS)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"trainer:\n\tmax_epochs: 1\n", "line 2, column 1: .*indent with spaces"),
        (b"trainer: {max_epochs: 1\n", "line 2, column 1: .*mend that line"),
        (b"a: '\xe9'\n", "byte 4 is not UTF-8; save"),
        (b"a: \x01\n", "save the file as plain text"),
        (b"", "says nothing; write"),
        (b"# only a comment\n", "says nothing"),
        (b"- trainer\n- model\n", "a mapping of keys.*sequence"),
        (b"trainer", "a mapping of keys.*scalar"),
        (b"trainer:\n  max_epochs: 1\nseed_everything: 1\ntrainer:\n  max_steps: 2\n", "line 4: trainer stands in line 1 already"),
        (b"trainer:\n  max_epochs: 1\n  max_epochs: 2\n", "line 3: max_epochs stands in line 2 already"),
        (b"trainer:\n  callbacks:\n  - class_path: a\n    class_path: b\n", "line 4: class_path stands in line 3"),
        (b"data:\n  init_args:\n    seed: 3\n", "set seed_everything instead"),
        (b"seed_everything: 1\ndata:\n  seed: 3\n", "set seed_everything instead"),
    ],
)
def test_what_is_wrong_in_a_recipes_file_is_said_with_the_file(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(content)
    with pytest.raises(UserError, match=rf"mine\.yaml.*{says}"):
        check_recipe(path)


@pytest.mark.parametrize(
    "text",
    [
        "trainer:\n  max_epochs: 1\n",
        "base: &base {lr: 1}\nmodel:\n  optim: {<<: *base, wd: 0}\n  other: *base\n",
        "a: !!python/object/apply:os.system ['touch exploded']\n",  # said by who reads the values: here nothing is made of them
        "seed_everything: 3\ndata:\n  init_args:\n    seed: 3\n",  # as a run keeps it
    ],
)
def test_a_recipe_that_is_one_is_taken(tmp_path: Path, text: str) -> None:
    (tmp_path / "mine.yaml").write_text(text)
    check_recipe(tmp_path / "mine.yaml")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--data.seed=3",), "set seed_everything instead"),
        (("--data.init_args.seed", "3"), "set seed_everything instead"),
        (("--seed", "3"), "did you mean 'seed_everything'?"),
        (("--seed_everything=-1",), "seed_everything: -1 is no seed"),
        (("--seed_everything=4294967296",), "seed_everything: 4294967296 is no seed"),
        (("--nmae", "x"), "did you mean '--name'?"),
        (("--max-epochs", "3"), "max-epochs; did you mean 'trainer.max_epochs'?"),
        (("--config", "."), "--config .: is a folder"),
        (("--config", "mine.yaml"), "mine.yaml: says nothing"),
    ],
)
def test_a_fit_that_is_not_meant_so_begins_no_run(here: Here, tmp_path: Path, words: tuple[str, ...], says: str) -> None:
    (tmp_path / "mine.yaml").write_text("")
    said = here("histograph", "fit", *words)
    assert said.returncode == 2
    assert says in said.line
    assert not find_runs(tmp_path)


@pytest.mark.parametrize(
    ("app", "path"),
    [("dcal", "data"), ("ahan", "data"), ("hag", "data"), ("mil", "bags.npz"), ("histograph", "data"), ("otsnet", "words")],
)
def test_a_recipes_own_word_for_the_data_is_told_how_to_replace(here: Here, app: str, path: str) -> None:
    said = here(app, "fit", "--config", "small")
    assert said.returncode == 2
    assert re.search(rf"^discern: {path}: no such file.*; name your data with --data.path=...$", said.stderr, re.MULTILINE)


def test_a_path_that_was_told_is_not_asked_for_again(here: Here) -> None:
    said = here("otsnet", "fit", "--config", "small", "--data.path=nowhere")
    assert said.stderr.splitlines()[-1] == "discern: nowhere: no such file or folder"
