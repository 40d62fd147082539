"""A problem in words: read, told back number by number, solved; or refused. Where no router is shipped its own tests are skipped."""

import json

import pytest

from apps.accord.router.router import FILE
from tests.system.command import Here

SACK = "A knapsack holds 10. Items (value, weight): (6, 4), (5, 3), (9, 7), (2, 3)."
needs_router = pytest.mark.skipif(not FILE.is_file(), reason="no router's weights: python -m apps.accord.router.train writes them")


def test_words_are_solved_and_every_number_is_told_with_its_place(here: Here) -> None:
    done = here("accord", "solve", "--text", SACK, "--kind", "knapsack")
    assert done.returncode == 0, done.stderr
    row = json.loads(done.stdout)
    assert (row["objective"], row["plan"]) == (14, [1, 2])
    assert "'10'" in done.stderr
    for number in ("6", "4", "5", "3", "9", "7", "2"):
        assert f"'{number}'" in done.stderr


def test_a_text_comes_from_standard_input_too(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    monkeypatch.setattr("sys.stdin", io.StringIO(SACK))
    assert json.loads(here("accord", "solve", "--text", "-", "--kind", "knapsack").stdout)["objective"] == 14


def test_what_is_not_said_is_never_made_up(here: Here) -> None:
    done = here("accord", "solve", "--text", "A knapsack. Items (value, weight): (6, 4), (5, 3).", "--kind", "knapsack")
    assert done.returncode == 2
    assert json.loads(done.stdout)["status"] == "refused"
    assert "capacity" in done.stderr


def test_a_rule_that_is_not_modelled_is_refused(here: Here) -> None:
    text = f"{SACK} Item 2 must be taken before 9:30 in its time window."
    done = here("accord", "solve", "--text", text, "--kind", "knapsack")
    assert done.returncode == 2
    assert json.loads(done.stdout)["status"] == "refused"


@pytest.mark.parametrize(("words", "fleet"), [((), 2), (("--fleet", "free"), None), (("--fleet", "3"), 3)])
def test_the_fleet_of_the_text_counts_unless_another_is_named(here: Here, words: tuple[str, ...], fleet: int | None) -> None:
    text = "Vans of capacity 9. We have 2 vans. Depot (0, 0), customers at (1, 2), (3, 4); demands: 4, 5."
    done = here("accord", "solve", "--text", text, "--kind", "cvrp", *words)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["fleet"] == fleet


@needs_router
def test_the_router_chooses_and_its_choice_is_drawn(here: Here, tmp_path) -> None:
    done = here("accord", "route", SACK, "--plot", "seen.svg")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["kind"] == "knapsack"
    assert "knapsack" in (tmp_path / "seen.svg").read_text()
    assert json.loads(here("accord", "solve", "--text", SACK).stdout)["objective"] == 14


@needs_router
def test_prose_is_refused(here: Here) -> None:
    done = here("accord", "route", "Once upon a time there was a king who had three daughters.")
    assert done.returncode == 2
    assert json.loads(done.stdout)["kind"] is None


def test_a_missing_router_is_one_line(here: Here) -> None:
    done = here("accord", "route", SACK, "--router", "nowhere.safetensors")
    assert done.returncode == 2
    assert "nowhere.safetensors" in done.line
