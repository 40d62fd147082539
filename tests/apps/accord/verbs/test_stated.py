"""`check` of ACCORD's texts: what they state beside the plan is compared, and told where it is not so."""

import json
from pathlib import Path

import pytest

from datamodules.accord.formats import write
from datamodules.accord.instances import KINDS
from tests.datamodules.accord.test_texts import EXAMPLES
from tests.system.command import Here

# kind, which of the two texts, what stands there, what is put in its place, what the note says
WRONG = [
    ("knapsack", 0, "value:5+9=14", "value:6+9=15", "the state is said to be"),
    ("knapsack", 0, "weight:0+3=3<=10", "weight:0+3=3<=11", "weight:0+3=3<=10"),
    ("knapsack", 0, "Total Weight: 10<=10", "Total Weight: 9<=10", "(weight, capacity) is said to be (9, 10); it is (10, 10)"),
    ("knapsack", 1, "=10<=10", "=10<=12", "it is (10, 10)"),
    ("knapsack", 1, "3+7=", "3+6=", "each weight is said to be (3, 6); it is (3, 7)"),
    ("knapsack", 1, "5+9=", "5+8=", "each value is said to be (5, 8); it is (5, 9)"),
    ("binpack", 0, "(0, 6) -> 6", "(0, 6) -> 7", "(0, 6) -> 6"),
    ("binpack", 0, "(2, 4)", "(2, 3)", "(2, 4)"),
    ("binpack", 0, "5, (3, 5) -> 10 <= 10", "5, (3, 5) -> 10 <= 20", "10 <= 10"),
    ("jssp", 0, "3+4 -> 7", "3+4 -> 8", "the end is said to be 8; it is 7"),
    ("pfsp", 0, "M2(5+3=8)", "M2(4+3=7)", "M2(5+3=8)"),
    ("pfsp", 1, "[1, 2, 5, 3]", "[1, 2, 4, 3]", "of job 1 on machine 2 is said to be (4, 3); it is (5, 3)"),
    ("tsp", 0, "+ 4", "+ 3", "the way from 1 to 2 is said to be 3; it is 4"),
    ("tsp", 1, "(1): (3, 4)", "(1): (4, 4)", "node 1 is said to be at (4, 4)"),
    ("cvrp", 0, "(1): (3, 4)", "(1): (3, 5)", "node 1 is said to be at (3, 5)"),
    ("cvrp", 1, "(2): (0, 6)", "(2): (1, 6)", "node 2 is said to be at (1, 6)"),
]


def checked(here: Here, folder: Path, kind: str, text: str, *words: str) -> tuple[int, dict]:
    write(EXAMPLES[kind][0], folder / "one.json")
    (folder / "said.txt").write_text(text)
    done = here("accord", "check", "one.json", "said.txt", *words)
    return done.returncode, json.loads(done.stdout or "{}")


@pytest.mark.parametrize(("kind", "which", "true", "said", "note"), WRONG)
def test_a_state_that_is_not_so_is_told(here: Here, tmp_path: Path, kind: str, which: int, true: str, said: str, note: str) -> None:
    text = EXAMPLES[kind][2 + which]
    assert true in text
    code, whole = checked(here, tmp_path, kind, text)
    assert (code, [one for one in whole["notes"] if "fleet rule" not in one]) == (0, [])
    code, wrong = checked(here, tmp_path, kind, text.replace(true, said, 1))
    assert (code, wrong["feasible"], wrong["objective"]) == (0, True, whole["objective"])
    assert any(note in one for one in wrong["notes"])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("which", [0, 1])
def test_the_answer_of_a_language_model_is_taken_out_of_its_words(here: Here, tmp_path: Path, kind: str, which: int) -> None:
    chatty = f"Sure! Here is the plan:\n\n```\n{EXAMPLES[kind][2 + which]}```\nI hope this helps.\n"
    assert checked(here, tmp_path, kind, chatty)[0] == 2
    code, found = checked(here, tmp_path, kind, chatty, "--lenient")
    assert (code, found["feasible"]) == (0, True)
    assert any("lines left out: 1, 3" in one for one in found["notes"])


def test_lenient_reading_is_for_texts_alone(here: Here, tmp_path: Path) -> None:
    assert checked(here, tmp_path, "tsp", '{"kind": "tsp", "plan": [0, 1, 2]}\n', "--lenient")[0] == 2


@pytest.mark.parametrize(
    ("kind", "which", "true", "said", "code"),
    [
        ("knapsack", 0, "[[5, 3] ->", "[[5, 2] ->", "unknown"),
        ("knapsack", 1, "(9, 7)", "(9, 6)", "unknown"),
        ("knapsack", 0, "[[9, 7] ->", "[[5, 3] ->", "repeated"),
        ("jssp", 0, "J1-M1: 0+2 -> 2", "J1-M1: 0+1 -> 1", "duration"),
        ("jssp", 1, "[0, 1, 3, 2]", "[0, 1, 3, 1]", "duration"),
        ("jssp", 0, "J0-M1: 3+2 -> 5", "J0-M0: 3+2 -> 5", "machine"),
    ],
)
def test_a_weight_or_duration_that_is_not_so_breaks_the_plan(
    here: Here, tmp_path: Path, kind: str, which: int, true: str, said: str, code: str
) -> None:
    """There the number is part of the plan itself: it says which item, or what is done."""
    text = EXAMPLES[kind][2 + which]
    assert true in text
    left, found = checked(here, tmp_path, kind, text.replace(true, said, 1))
    assert left == 3
    assert code in {one["code"] for one in found["violations"]}
