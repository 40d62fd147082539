from dataclasses import fields
from itertools import pairwise

import numpy as np
import pytest

from apps.accord.front import read_text
from apps.accord.router.texts import examples
from datamodules.accord.errors import InfeasibleError, InvalidInstanceError, ParseError, PrecisionError
from datamodules.accord.formats import accord_text
from datamodules.accord.instances import CVRP, TSP, BinPacking, FlowShop, Instance, JobShop, Knapsack
from tests.apps.accord.front.told import INSIDE, OUTSIDE

TOLD = {"distances", "demands", "values", "weights", "capacity", "times", "jobs", "machines"}


def same(read: Instance | None, true: Instance | None) -> bool:
    """The numbers of the problem are equal; names, notes and places may differ."""
    if true is None or type(read) is not type(true):
        return False
    return all(np.array_equal(getattr(read, one.name), getattr(true, one.name)) for one in fields(true) if one.name in TOLD)


@pytest.mark.parametrize(("part", "share"), [("train", 0.99), ("test", 0.96)])
def test_what_made_texts_say_is_read_without_a_wrong_number(part: str, share: float) -> None:
    found = [one for one in examples(part, 250, seed=5, outside=0.0) if one.instance is not None]
    reports = [read_text(one.text, one.kind) for one in found]
    wrong = [
        one.text
        for one, report in zip(found, reports, strict=True)
        if report.instance is not None and not same(report.instance, one.instance)
    ]  # type: ignore[arg-type]
    assert not wrong
    assert sum(report.instance is not None for report in reports) >= share * len(found)


@pytest.mark.parametrize(("kind", "text"), INSIDE)
def test_problems_told_by_hand_are_read(kind: str, text: str) -> None:
    report = read_text(text, kind)
    assert report.instance is not None, report.why
    assert report.kind == kind == report.instance.kind


@pytest.mark.parametrize("text", OUTSIDE)
def test_what_is_not_modelled_never_becomes_an_instance(text: str) -> None:
    assert read_text(text).instance is None


def test_every_number_used_has_its_place_in_the_text() -> None:
    for kind, text in INSIDE:
        report = read_text(text, kind)
        for span in report.spans:
            words = text[span.start : span.end].replace(",", "").replace("−", "-")
            assert words.isalpha() or float(words) == float(span.value), (text, span)
        places = [(span.start, span.end) for span in report.spans]
        assert places == sorted(set(places))
        assert all(a[1] <= b[0] for a, b in pairwise(places))


def test_no_number_of_an_instance_is_made_up() -> None:
    """Numbers of items, times and demands are among those of the spans."""
    for kind, text in INSIDE:
        report = read_text(text, kind)
        instance = report.instance
        said = {float(span.value) for span in report.spans}
        if isinstance(instance, Knapsack | BinPacking):
            held = {float(w) / instance.scale for w in (*instance.weights, instance.capacity)}
            assert held <= said, text
        if isinstance(instance, FlowShop):
            assert {float(p) / instance.scale for p in instance.times.flat} <= said, text
        if isinstance(instance, JobShop):
            assert {float(p) / instance.scale for job in instance.jobs for _, p in job} <= said, text


@pytest.mark.parametrize(
    ("text", "kind", "missing"),
    [
        ("Knapsack with items (value, weight): (6, 4), (5, 3).", "knapsack", "capacity"),
        ("A knapsack of capacity 10 and items [[6, 4], [5, 3]] or so", "knapsack", "which number of a pair"),
        ("Values: 6, 5, 9. Weights: 4, 3. The knapsack holds 10.", "knapsack", "3 values and 2 weights"),
        ("A knapsack holds 10. There are 4 items (value, weight): (6, 4), (5, 3).", "knapsack", "4 are announced, 2 are given"),
        ("The knapsack holds two hundred. Items (value, weight): (6, 4), (5, 3).", "knapsack", "capacity"),
        ("The knapsack holds 1,5 kg. Items (value, weight): (1, 1), (2, 1).", "knapsack", "capacity"),
        ("Bins of capacity 10, bins of capacity 12. Sizes: 4, 5.", "binpack", "10 or 12"),
        ("Pack into bins of capacity 10.", "binpack", "sizes"),
        ("A tour: A-B 5, B-C 4, C-D 3.", "tsp", "distance between A and C"),
        ("Find a tour through 4 cities: (0, 0), (1, 1), (2, 0).", "tsp", "4 are announced, 3 are given"),
        ("Vans of capacity 10. Depot (0, 0), customers at (1, 2), (3, 4).", "cvrp", "demand"),
        ("Vans of capacity 10 serve (1, 2), (3, 4), (5, 5), demands: 4, 5, 6.", "cvrp", "depot"),
        ("Depot (0, 0), customers at (1, 2), (3, 4), demands: 4, 5.", "cvrp", "capacity of a vehicle"),
        ("Flow shop with times [[2, 3], [1, 4]].", "pfsp", "whether a row of times is a job or a machine"),
        ("Flow shop. Job 1: 2, 3; job 2: 1.", "pfsp", "unequal length"),
        ("Job 1: machine 1 for 3, machine 2 for 4. Job 2: machine 2 for 1, machine 1 for 2.", "pfsp", "job shop"),
        ("Job shop [[[0, 3], [1, 2]], [[1, 2], [0, 4]]].", "jssp", "machine, time"),
        ("Job A: machine 1 for 3, then machine 2 for 4 and 9. Job B: machine 1 for 2, then machine 2 for 1.", "jssp", "what 9 is"),
        ("Knapsack holds 10 t; item A: value 3, weight 5 kg; item B: value 4, weight 6 kg.", "knapsack", "kg and t are mixed"),
        ("Pack files of 700 MB, 800 MB and 400 MB into as few disks of 1 GB as possible.", "binpack", "gb and mb are mixed"),
        ("", None, "the text is empty"),
        ("Good morning.", None, "kind"),
    ],
)
def test_what_the_text_does_not_say_is_asked_for(text: str, kind: str | None, missing: str) -> None:
    report = read_text(text, kind)
    assert report.instance is None
    assert missing in report.why
    assert "\n" not in report.why


def test_numbers_that_are_not_used_are_told() -> None:
    report = read_text("In 2024 my knapsack held 10 kg; it holds 12 kg now. Items (value, weight): (6, 4), (5, 30%).", "knapsack")
    assert any(said.startswith("2024 ") for said in report.ignored)
    assert any("30%" in said for said in report.ignored)
    report = read_text("A knapsack holds 10 kg. Items (value, weight): (6, 4), (5, 3).", "knapsack")
    assert report.ignored == ["the unit kg"]


def test_numbers_are_read_as_people_write_them() -> None:
    report = read_text("A knapsack holds 1,500. Values: 1.5, 20 and 3. Weights: 700, 1,200 and 300.", "knapsack")
    assert isinstance(report.instance, Knapsack)
    assert (report.instance.capacity, report.instance.weights.tolist()) == (1500, [700, 1200, 300])
    assert (report.instance.values.tolist(), report.instance.value_scale) == ([15, 200, 30], 10)
    report = read_text("How many boxes of 10 kg for three parcels of 4 kg and two parcels of 3 kg?", "binpack")
    assert isinstance(report.instance, BinPacking)
    assert report.instance.weights.tolist() == [4, 4, 4, 3, 3]


@pytest.mark.parametrize(
    "instance",
    [
        TSP([[0, 5, 6], [5, 0, 4], [6, 4, 0]], xy=[[0, 0], [3, 4], [0, 6]]),  # type: ignore[arg-type]
        CVRP([[0, 5, 6], [5, 0, 4], [6, 4, 0]], [0, 2, 3], 4),  # type: ignore[arg-type]
        Knapsack([6, 5, 9], [4, 3, 7], 10),  # type: ignore[arg-type]
        BinPacking([6, 5, 4, 5], 10),  # type: ignore[arg-type]
        FlowShop([[2, 3], [1, 4]]),  # type: ignore[arg-type]
        JobShop((((0, 3), (1, 2)), ((1, 2), (0, 4))), 2),
    ],
)
def test_accords_inputs_are_read_with_their_prompt(instance: Instance) -> None:
    head, body = accord_text.write_instance(instance).split("\n", 1)
    for text in (f"{head}\n{body}", f"### Instruction:\n    {head}\n\n    ### Input:\n{body}\n    ### Response:\n"):
        report = read_text(text, instance.kind)
        assert same(report.instance, instance), report.why
        assert report.spans


def test_depots_and_machines_are_counted_as_the_text_counts_them() -> None:
    report = read_text("Vans of capacity 9; customers at (1, 2), (3, 4), the depot is at (7, 7); demands: 4, 5.", "cvrp")
    assert isinstance(report.instance, CVRP)
    assert report.instance.xy is not None
    assert report.instance.xy[0].tolist() == [7, 7]
    assert report.instance.demands.tolist() == [0, 4, 5]
    one, nought = (read_text(f"Job shop. J{k}: M{k}(3), M{k + 1}(2); J{k + 1}: M{k + 1}(2), M{k}(4).", "jssp") for k in (1, 0))
    assert isinstance(one.instance, JobShop)
    assert isinstance(nought.instance, JobShop)
    assert one.instance.jobs == nought.instance.jobs == (((0, 3), (1, 2)), ((1, 2), (0, 4)))


@pytest.mark.parametrize(
    ("text", "fleet"),
    [
        ("Every customer is served by exactly one vehicle.", None),
        ("Each customer's demand must be met by one van.", None),
        ("An order travels on just one truck.", None),
        ("One van holds 9.", None),
        ("There is one van.", 1),
        ("We have 2 identical vans.", 2),
    ],
)
def test_one_vehicle_for_each_customer_is_no_fleet_of_one(text: str, fleet: int | None) -> None:
    report = read_text(f"Vans of capacity 9. {text} Depot (0, 0), customers at (1, 2), (3, 4); demands: 4, 5.", "cvrp")
    assert isinstance(report.instance, CVRP)
    assert report.instance.fleet == fleet


def test_places_of_a_text_without_capitals_have_names_too() -> None:
    report = read_text("shortest tour back home please. home-ali 4, home-bea 7, ali to bea is 5 km.", "tsp")
    assert isinstance(report.instance, TSP)
    assert report.instance.distances.tolist() == [[0, 4, 7], [4, 0, 5], [7, 5, 0]]
    points = read_text("go from here to there and from door to door, to (1, 2), (3, 4), (5, 6) and back.", "tsp")
    assert isinstance(points.instance, TSP)
    assert points.instance.size == 3


PACKED = "The sizes are 4, 5 and 6."
SERVED = "Depot (0, 0), customers at (1, 2), (3, 4); demands: 4, 5."


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (f"{PACKED} The fewest trolleys, please: 9 is what a trolley can bear.", "binpack"),
        (f"{PACKED} We need 3 labels for them and as few lockers as possible; in each there is room, 9 in all.", "binpack"),
        ("Values: 3, 4, 5. Weights: 4, 5, 6. My aunt stops me at 9.", "knapsack"),
        (f"Overalls go to 2 garages, 9 sacks a van. {SERVED}", "cvrp"),
    ],
)
def test_the_only_number_left_in_a_sentence_about_a_limit_is_the_capacity(text: str, kind: str) -> None:
    report = read_text(text, kind)
    assert report.instance is not None, report.why
    assert report.instance.capacity == 9  # type: ignore[union-attr]
    assert any("capacity" in span.meaning and span.value == "9" for span in report.spans)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (f"{PACKED} We have 9 boxes. Use as few as you can.", "binpack"),  # a count
        (f"{PACKED} See exercise 9. Few lockers, each can be filled.", "binpack"),  # a name
        (f"{PACKED} A locker is full at 3.", "binpack"),  # less than an item
        (f"{PACKED} A locker is full at 99.", "binpack"),  # more than all: why then pack?
        (f"{PACKED} A locker is full at 9 by day, at 8 by night.", "binpack"),  # two
        (f"{PACKED} I am 9 now.", "binpack"),  # nothing about a limit
        (f"My 9 vans bring it. {SERVED}", "cvrp"),
    ],
)
def test_no_other_number_becomes_a_capacity(text: str, kind: str) -> None:
    report = read_text(text, kind)
    assert report.instance is None
    assert any("capacity" in what for what in report.missing), report


def test_two_capacities_are_asked_about_once() -> None:
    report = read_text(f"{PACKED} A bin holds 9. A bin holds 12. Few bins.", "binpack")
    assert report.missing == ["capacity (one of them: the text says 9 or 12)"]


def test_words_may_follow_the_last_row_of_a_matrix() -> None:
    report = read_text("Shortest tour, please. Distances:\n0 4 5\n4 0 6\n5 6 0 Thank you!", "tsp")
    assert isinstance(report.instance, TSP)
    assert report.instance.distances.tolist() == [[0, 4, 5], [4, 0, 6], [5, 6, 0]]


def test_coordinates_are_not_rounded_unless_the_text_says_so() -> None:
    text = "A tour through (0, 0), (3, 4), (0, 6){}."
    real, whole = (read_text(text.format(more), "tsp").instance for more in ("", ", distances rounded to whole numbers"))
    assert isinstance(real, TSP)
    assert isinstance(whole, TSP)
    assert real.distances[1, 2] / real.scale == pytest.approx(13**0.5, abs=1e-6)
    assert whole.distances[1, 2] == 4


def test_what_is_denied_is_not_refused() -> None:
    text = "A tour through (0, 0), (3, 4), (0, 6). There are no time windows and no other depots."
    assert read_text(text, "tsp").instance is not None
    assert read_text(text.replace("no time windows", "time windows"), "tsp").instance is None


def test_a_refusal_names_what_is_not_modelled_and_what_to_use() -> None:
    report = read_text("Depot (0, 0), vans of capacity 9, customers at (1, 2), (3, 4), demands: 4, 5, time windows [0, 5], [3, 9].")
    assert report.refused == ["not modelled: time windows; use PyVRP"]
    assert report.instance is None


def test_the_kind_that_is_named_beats_the_words() -> None:
    text = "The sack holds 10. Sizes: 6, 5, 4, 5."
    report = read_text(text, "binpack")
    assert isinstance(report.instance, BinPacking)
    with pytest.raises(InvalidInstanceError, match="kind 'tso'"):
        read_text(text, "tso")


def test_impossible_and_broken_numbers_are_named() -> None:
    with pytest.raises(InfeasibleError):
        read_text("Bins of capacity 10; sizes: 6, 50.", "binpack")
    with pytest.raises(InvalidInstanceError, match="negative"):
        read_text("A knapsack holds 10. Values: 6, -5. Weights: 4, 3.", "knapsack")
    with pytest.raises(PrecisionError):
        read_text("A knapsack holds 10. Values: 6, 5. Weights: 4.12345678901, 3.", "knapsack")
    with pytest.raises(ParseError, match="NaN"):
        read_text('A knapsack. {"values": [1, NaN], "weights": [1, 2], "capacity": 3}', "knapsack")
    with pytest.raises(ParseError, match="line 2"):
        read_text('A knapsack.\n{"values": [1, 2}', "knapsack")


@pytest.mark.full
def test_a_megabyte_is_answered() -> None:
    sizes = ", ".join(str(20 + k % 80) for k in range(100_000))
    report = read_text(f"Bins of capacity 150. Sizes: {sizes}.", "binpack")
    assert isinstance(report.instance, BinPacking)
    assert report.instance.size == 100_000
    assert read_text("[" * 500_000 + "word " * 100_000).instance is None


def test_a_text_that_is_too_long_is_told_so() -> None:
    assert "at most" in read_text("x" * 5_000_000).why


@pytest.mark.parametrize(
    ("text", "kind", "field", "values"),
    [
        ("Bread: 10, 25, 5 minutes. Rolls: 8, 15, 6 minutes. Which first?", "pfsp", "times", [[10, 25, 5], [8, 15, 6]]),
        ("Car 1: 20, 35. Car 2: 15, 40. Car 3: 30, 25. One line.", "pfsp", "times", [[20, 35], [15, 40], [30, 25]]),
        ("Chair goes saw 2, press 4. Stool goes press 3, saw 1.", "jssp", "jobs", [[(0, 2), (1, 4)], [(1, 3), (0, 1)]]),
        ("Ann: x-ray 9, then lab 5. Ben: lab 4, x-ray 7. A room sees one patient.", "jssp", "jobs", [[(0, 9), (1, 5)], [(1, 4), (0, 7)]]),
        ("q=25, depot at (0, 0), nodes 1 (4, 4) 10, 2 (3, 1) 7, 3 (5, 5) 13", "cvrp", "demands", [0, 10, 7, 13]),
        ("Van = 90 boxes max. Depot (0, 0). order 1 (1, 4) 40 boxes, order 2 (3, 2) 70 boxes.", "cvrp", "demands", [0, 40, 70]),
        ("Vans take 9 sofas. Store (0, 0), Hill (3, 6) 4 sofas, Lake (9, 2) 5 sofas.", "cvrp", "demands", [0, 4, 5]),
        ("I have 45 minutes left. Dips take 10 min, taste 4. Pizza takes 25 min, taste 9. Cake takes 30 min, taste 8.", "knapsack",
         "weights", [10, 25, 30]),
        ("Sessions of 90 minutes. Talks: 20, 35, 15.", "binpack", "capacity", 90),
        ("AB=10 AC=15 BC=35", "tsp", "distances", [[0, 10, 15], [10, 0, 35], [15, 35, 0]]),
    ],
)  # fmt: skip
def test_things_under_any_name_are_read(text: str, kind: str, field: str, values: object) -> None:
    report = read_text(text, kind)
    assert report.instance is not None, report.why
    read = getattr(report.instance, field)
    assert (np.asarray(read) == np.asarray(values)).all()


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Part A: 12 min on the first, 8 min on the second. Part B: 7, 14 min. Part C: 10, 6 min.", "pfsp"),  # machines of some alone
        ("Values: 6, 5, 9. Weights: 4, 3, 7. What is made first?", "pfsp"),
        ("Tent: weight 4, value 9. Stove: weight 2, value 6.", "jssp"),
        ("Vans take 9. Mill (0, 0), Hill (3, 6) 4 km away, Lake (9, 2) 5 km away.", "cvrp"),  # distances are no loads
        ("Vans take 9. Hill (3, 6) 4 sofas, Lake (9, 2) 5 sofas, Moor (1, 1).", "cvrp"),  # a load that was forgotten is no depot
    ],
)
def test_what_could_mean_something_else_is_asked_about(text: str, kind: str) -> None:
    report = read_text(text, kind)
    assert report.instance is None
    assert report.missing
