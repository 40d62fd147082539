"""Pictures are whole XML, hold everything of the plan, and say what they show."""

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from apps.accord.draw_gap import draw_gaps, over_samples
from apps.accord.draw_plan import draw_plan
from apps.accord.draw_router import draw_router
from apps.accord.solver import Solver
from apps.accord.solver.recipe import RULES
from apps.base.svg import HUES, SHADES, Svg, colour, ink_on, ticks
from datamodules.accord.instances import CVRP, KINDS, TSP, BinPacking, FlowShop, JobShop, Knapsack
from datamodules.accord.references import METHODS
from datamodules.accord.solution import Solution
from datamodules.accord.synth import generate
from tests.apps.accord.solver.small import ALL, places, routes

SPACE = "{http://www.w3.org/2000/svg}"


def tree(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text)


def tips(text: str) -> list[str]:
    return [one.text or "" for one in tree(text).iter(f"{SPACE}title")]


def words(text: str) -> list[str]:
    return [one.text or "" for one in tree(text).iter(f"{SPACE}text")]


def drawn(instance, best=None) -> str:
    return draw_plan(instance, Solver().solve([instance], "heuristic")[0], best)


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_says_what_the_plan_is_worth(kind: str) -> None:
    answer = Solver().solve([ALL[kind]])[0]
    said = " ".join(words(draw_plan(ALL[kind], answer)))
    assert str(answer.objective) in said
    assert answer.status in said
    assert ALL[kind].name in said


@pytest.mark.parametrize(
    "instance",
    [
        TSP([[0]], xy=[[3.0, 3.0]]), TSP([[0, 1], [1, 0]], xy=[[1, 1], [1, 1]]), TSP(np.zeros((3, 3), int)), CVRP([[0]], [0], 5),
        CVRP([[0, 2], [2, 0]], [0, 1], 5), Knapsack([], [], 0), Knapsack([1], [0], 0), BinPacking([], 5), BinPacking([0, 5], 5),
        FlowShop([[0]]), JobShop((((0, 0),),), 1),
    ],
)  # fmt: skip
def test_the_smallest_are_drawn(instance) -> None:
    text = draw_plan(instance, METHODS[instance.kind][RULES[instance.kind]](instance))
    assert "nan" not in text
    assert "inf" not in text
    tree(text)


def test_every_node_of_a_large_tour_is_there() -> None:
    instance = generate("tsp", 1, 200)[0]
    text = draw_plan(instance, METHODS["tsp"]["nearest"](instance))
    assert sum(tip.startswith("node ") for tip in tips(text)) == 200


def test_every_customer_stands_on_its_route() -> None:
    text = drawn(routes())
    assert sum(tip.startswith("customer ") for tip in tips(text)) == 7


def test_without_coordinates_every_stop_stands_at_its_distance() -> None:
    instance = TSP(places().distances, name="times")
    text = draw_plan(instance, Solution("tsp", (0, 1, 2, 3, 4, 5, 6, 7), 5, "feasible"))
    assert f"node 1, {instance.distances[0, 1]} driven" in tips(text)
    assert f"node 2, {instance.distances[0, 1] + instance.distances[1, 2]} driven" in tips(text)


@pytest.mark.parametrize("kind", ["pfsp", "jssp"])
def test_every_operation_has_its_bar(kind: str) -> None:
    instance = generate(kind, 1, (7, 4))[0]
    text = draw_plan(instance, METHODS[kind][RULES[kind]](instance))
    assert sum(tip.startswith("job ") for tip in tips(text)) == 28


def test_every_item_lies_in_a_bin() -> None:
    instance = generate("binpack", 1, 120)[0]
    text = draw_plan(instance, METHODS["binpack"]["bfd"](instance))
    assert sum(tip.startswith("item ") for tip in tips(text)) == 120


def test_what_was_left_out_of_a_knapsack_is_shown_too() -> None:
    text = drawn(ALL["knapsack"])
    assert sum(tip.startswith("item ") for tip in tips(text)) == 5


def test_no_plan_is_drawn_as_none() -> None:
    text = draw_plan(routes(), Solution("cvrp", None, None, "unknown", reason="the time was over"))
    assert "the time was over" in " ".join(words(text))


def test_a_name_cannot_break_the_file() -> None:
    instance = TSP([[0, 1], [1, 0]], name='</text><script>"&\x00')
    tree(draw_plan(instance, Solution("tsp", (0, 1), 2, "feasible")))


def test_neighbours_differ_in_colour() -> None:
    paints = [colour(i) for i in range(len(HUES) * len(SHADES))]
    assert len(set(paints)) == 24
    assert all(ink_on(paint) in ("#FFFFFF", "#000000") for paint in paints)


def test_ticks_are_round_and_inside() -> None:
    for low, high in ((0, 1), (0, 7), (0, 1234), (-3, 12.5), (0.001, 0.002)):
        marks = ticks(low, high)
        assert all(low - 1e-9 <= mark <= high + 1e-9 for mark in marks)
        assert 2 <= len(marks) <= 8


def test_the_best_of_more_samples_is_never_worse() -> None:
    points = over_samples([9, 7, 8, 3], {9: 9.0, 7: 7.0, 8: 8.0, 3: 3.0})
    assert [gap for _, gap in points] == [9.0, 7.0, 7.0, 3.0]


def test_curves_name_their_methods_and_those_without_an_answer() -> None:
    text = draw_gaps({"ours": [(0.1, 5.0), (2.0, 0.5)], "theirs": []}, "seconds", "gap over time", end=10)
    assert {"ours", "theirs (no answer)"} <= set(words(text))
    assert "no method gave an answer" in " ".join(words(draw_gaps({}, "seconds", "none")))


def test_the_text_is_drawn_with_its_scores() -> None:
    text = "Pack 3 items\ninto bins & boxes"
    made = draw_router(text, [(0, 4, 0.5), (5, 6, 0.1)], {"binpack": 0.9, "tsp": 0.1}, "binpack", None)
    assert set(text.split()) <= set(words(made))
    assert "90.0 %" in words(made)
    assert "the router refused: prose" in words(draw_router(text, [], {"tsp": 0.5}, None, "prose"))


def test_a_shape_below_zero_is_not_drawn_inside_out() -> None:
    svg = Svg(10, 10, "box")
    svg.rect(0, 0, -5, 2, fill="#000000")
    assert 'width="0"' in svg.text_of()
