from pathlib import Path

import pytest

from apps.accord.front import read_text
from datamodules.accord.instances import KINDS

ADDED: dict[str, list[str]] = {}
for _line in Path(__file__).with_name("added.txt").read_text("utf-8").splitlines():
    if _line.startswith("== "):
        _head = _line[3:]
    elif _line and not _line.startswith("#"):
        ADDED.setdefault(_head, []).append(_line)

KNAPSACK = "Knapsack of capacity 10. Items as (value, weight): (6,4), (5,3), (9,7). Maximise the value."
BINS = "Pack items of sizes 6, 5, 4, 5 into bins of capacity 10, use as few bins as possible."
TOUR = "Find the shortest round trip through (0,0), (3,4), (6,1), (2,8)."
SHOP = "Job 1: machine 1 for 3, machine 2 for 2. Job 2: machine 2 for 2, machine 1 for 4. Minimise the makespan."


@pytest.mark.parametrize("kind", KINDS)
def test_a_rule_that_is_not_modelled_refuses_a_complete_problem(kind: str) -> None:
    for text in ADDED[f"base {kind}"]:
        assert read_text(text, kind).instance is not None, text
        accepted = [rule for rule in ADDED[f"rule {kind}"] if read_text(f"{text} {rule}", kind).instance is not None]
        assert not accepted


@pytest.mark.parametrize("kind", KINDS)
def test_what_changes_nothing_refuses_nothing(kind: str) -> None:
    for text in ADDED[f"base {kind}"]:
        for plain in ADDED["harmless all"] + ADDED[f"harmless {kind}"]:
            report = read_text(f"{text} {plain}", kind)
            assert report.instance is not None, (plain, report.why)


def test_a_refusal_quotes_the_sentence_its_numbers_and_what_to_use_instead() -> None:
    report = read_text(f"{KNAPSACK} You must take item 1.", "knapsack")
    assert report.instance is None
    line = (
        'not understood: "You must take item 1." (1); leave it out if it changes nothing, say data in another way,'
        " and for rules beyond knapsack use a MIP solver such as HiGHS"
    )
    assert report.refused == [line]


@pytest.mark.parametrize(
    ("text", "kind", "quoted"),
    [
        (KNAPSACK.replace("capacity 10", "capacity 10 or 12"), "knapsack", "12"),
        (f"{BINS} No bin may hold more than 1 item of size 5.", "binpack", "No bin may hold"),
        (f"{TOUR} The road from (3,4) to (6,1) is closed.", "tsp", "(3, 4)"),
        (f"{TOUR} End at (2,8).", "tsp", "(2, 8)"),
        (f"{SHOP} Job 1 must rest for 2 between its operations.", "jssp", "Job 1 must rest"),
        (f"{SHOP} Job 2 goes first on machine 1.", "jssp", "Job 2 goes first"),
        (f"{SHOP} The first operation of job 2 can also run on machine 1.", "jssp", "can also run"),
    ],
)
def test_a_sentence_beside_the_data_is_not_read_as_data(text: str, kind: str, quoted: str) -> None:
    report = read_text(text, kind)
    assert report.instance is None
    assert quoted in report.why


@pytest.mark.parametrize(
    ("text", "kind", "quoted"),
    [
        ("Bins hold 20.\nitem,size,height\na,6,3\nb,5,9\nc,4,2\nFewest bins.", "binpack", "'height'"),
        ('Knapsack. {"capacity": 10, "max_volume": 4, "values": [3, 5], "weights": [4, 6]}', "knapsack", "'max_volume'"),
    ],
)
def test_columns_and_keys_that_are_not_used_are_named(text: str, kind: str, quoted: str) -> None:
    report = read_text(text, kind)
    assert report.instance is None
    assert quoted in report.why


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("Shortest tour: start at (0, 0), visit (3, 4), (6, 1), (2, 8). Then return to (0, 0).", 4),
        ("Shortest tour through (0, 0), (3, 4), (6, 1), (3, 4).", 4),
        ("Shortest tour. Ann lives at (3, 4). Bob lives at (6, 1). Cid at (3, 4). Dan lives at (1, 1).", 4),
    ],
)
def test_a_place_told_twice_is_the_way_back_or_a_place_of_its_own(text: str, size: int) -> None:
    report = read_text(text, "tsp")
    assert report.instance is not None, report.why
    assert report.instance.size == size


@pytest.mark.parametrize(
    "plain",
    [
        "This is question 3 of the sheet.",
        "The data are from March 2024.",
        "My answer is 15.",
        "All 4 items are small.",
        "Remember that a bin holds at most 10.",
        "We have done it for 20 years now.",
    ],
)
def test_numbers_of_names_dates_and_counts_are_harmless(plain: str) -> None:
    report = read_text(f"{BINS} {plain}", "binpack")
    assert report.instance is not None, report.why
