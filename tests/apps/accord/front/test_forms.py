"""Forms in which people give the numbers of a problem: each is read to the same numbers."""

import pytest

from apps.accord.front import read_text
from datamodules.accord.instances import CVRP, TSP, BinPacking, FlowShop, Knapsack


@pytest.mark.parametrize(
    "text",
    [
        "knapsack of capacity 10 and items with value 6 weight 4, value 5 weight 3, value 9 weight 7",
        "Knapsack with capacity 10 and 3 items with values 6, 5, 9 and weights 4, 3, 7.",
        "Knapsack with capacity 10 and 3 items: (value 6, weight 4), (value 5, weight 3), (value 9, weight 7).",
        "Knapsack capacity 10. v=6 w=4; v=5 w=3; v=9 w=7.",
        "Profits p = (6, 5, 9), weights w = (4, 3, 7), c = 10.",
        "I can carry 10 kg. A ring (value 6, 4 kg), a clock (value 5, 3 kg), a vase (value 9, 7 kg).",
        "My rucksack holds 10 kg. Ring: 6 euros, 4 kg. Clock: 5 euros, 3 kg. Vase: 9 euros, 7 kg.",
        "I have 10 hours to study. Maths: 4 hours, 6 points. Physics: 3 hours, 5 points. Latin: 7 hours, 9 points.",
        "A lorry can be loaded with 10 tons. Steel: 4 tons, profit 6. Wood: 3 tons, profit 5. Sand: 7 tons, profit 9.",
        "We have a budget of 10. Project 1 costs 4 and brings 6, project 2 costs 3 and brings 5, project 3 costs 7 and brings 9.",
        "Pack a bag of up to 10 kg: lamp 4 kg value 6; clock 3 kg value 5; radio 7 kg value 9.",
        "My bag holds 10 kg. Lamp 4 kg, 6; clock 3 kg, 5; radio 7 kg, 9.",
    ],
)
def test_knapsacks(text: str) -> None:
    report = read_text(text, "knapsack")
    assert isinstance(report.instance, Knapsack), report.why
    assert (report.instance.values.tolist(), report.instance.weights.tolist(), report.instance.capacity) == ([6, 5, 9], [4, 3, 7], 10)


def test_an_equation_is_not_read_in_part() -> None:
    assert read_text("Maximise 6a + 5b + 9c with 4a + 3b + 7c <= 10, a, b, c in {0, 1}.", "binpack").instance is None


@pytest.mark.parametrize(
    "text",
    [
        "Deliver 4 boxes to (3, 4), 6 boxes to (6, 1) and 5 boxes to (2, 8) from the warehouse at (0, 0). A van can take 10 boxes.",
        "A courier can take 10 kg per trip from the office at (0, 0). Parcels: 4 kg to (3, 4), 6 kg to (6, 1), 5 kg to (2, 8).",
        "vehicle routing: depot=(0,0), customers=[(3,4),(6,1),(2,8)], demands=[4,6,5], capacity=10",
    ],
)
def test_deliveries(text: str) -> None:
    report = read_text(text, "cvrp")
    assert isinstance(report.instance, CVRP), report.why
    assert report.instance.xy is not None
    assert report.instance.xy.tolist() == [[0, 0], [3, 4], [6, 1], [2, 8]]
    assert (report.instance.demands.tolist(), report.instance.capacity) == ([0, 4, 6, 5], 10)


def test_one_verb_serves_the_loads_of_several_customers() -> None:
    text = "Trucks take 10 pallets. From the depot D: D-A 5, D-B 6, D-C 8, A-B 4, A-C 4, B-C 8. A needs 4 pallets, B 6, C 5."
    report = read_text(text, "cvrp")
    assert isinstance(report.instance, CVRP), report.why
    assert report.instance.demands.tolist() == [0, 4, 6, 5]


@pytest.mark.parametrize(
    "text",
    [
        "TSP: x = 0, 3, 6, 2; y = 0, 4, 1, 8.",
        "0,0\n3,4\n6,1\n2,8\nVisit each of these points once and return to the start.",
        "Cities: 1. (0,0) 2. (3,4) 3. (6,1) 4. (2,8). Salesman tour please.",
        "A postman visits house 1 at (0,0), house 2 at (3,4), house 3 at (6,1), house 4 at (2,8).",
    ],
)
def test_places(text: str) -> None:
    report = read_text(text, "tsp")
    assert isinstance(report.instance, TSP), report.why
    assert report.instance.xy is not None
    assert report.instance.xy.tolist() == [[0, 0], [3, 4], [6, 1], [2, 8]]


@pytest.mark.parametrize("text", ["AB 3, AC 5, BC 4.", "Table:\nA 0 3 5\nB 3 0 4\nC 5 4 0\nShortest tour."])
def test_distances(text: str) -> None:
    report = read_text(text, "tsp")
    assert isinstance(report.instance, TSP), report.why
    assert report.instance.distances.tolist() == [[0, 3, 5], [3, 0, 4], [5, 4, 0]]


def test_sizes_with_names() -> None:
    report = read_text("Bin size 10, items: a=6, b=5, c=4, d=5.", "binpack")
    assert isinstance(report.instance, BinPacking), report.why
    assert report.instance.weights.tolist() == [6, 5, 4, 5]


def test_a_machine_at_a_time_announces_no_machines() -> None:
    report = read_text("Job A: 3, 4. Job B: 2, 5. Job C: 6, 1. A job is on one machine at a time, never on two machines at once.", "pfsp")
    assert isinstance(report.instance, FlowShop), report.why
    assert report.instance.times.tolist() == [[3, 4], [2, 5], [6, 1]]
