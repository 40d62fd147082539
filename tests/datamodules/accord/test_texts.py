"""Both of ACCORD's texts: what is written is read again, one solution has one plan, and nothing that a text claims is believed."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datamodules.accord.checker import check
from datamodules.accord.errors import InvalidInstanceError, ParseError
from datamodules.accord.formats import accord_text, list_text
from datamodules.accord.instances import CVRP, KINDS, TSP, BinPacking, FlowShop, JobShop, Knapsack
from datamodules.accord.synth import SIZES, generate
from tests.datamodules.accord.brute import optimum
from tests.datamodules.accord.plans import random_plan

SMALL = {"tsp": 6, "cvrp": 6, "knapsack": 8, "binpack": 6, "pfsp": (4, 3), "jssp": (3, 3)}
TEXTS = [accord_text, list_text]
XY = [[0, 0], [3, 4], [0, 6]]
D = [[0, 5, 6], [5, 0, 4], [6, 4, 0]]

# The brief's examples, letter by letter: instance, plan, ACCORD text, list text.
EXAMPLES = {
    "knapsack": (
        Knapsack([6, 5, 9, 2], [4, 3, 7, 3], 10),
        (1, 2),
        (
            "Solution:\n[[5, 3] -> value:0+5=5, weight:0+3=3<=10],\n[[9, 7] -> value:5+9=14, weight:3+7=10<=10]\n\n"
            "Total Value: 14\nTotal Weight: 10<=10\n"
        ),
        "Solution: [(5, 3), (9, 7)]\nValue: 5+9=14\nWeight: 3+7=10<=10\n",
    ),
    "binpack": (
        BinPacking([6, 5, 4, 5], 10),
        ((0, 2), (1, 3)),
        "Bin 1: (0, 6) -> 6, (2, 4) -> 10 <= 10\nBin 2: (1, 5) -> 5, (3, 5) -> 10 <= 10\nTotal bins required: 2\n",
        "[[0, 2], [1, 3]]\n",
    ),
    "jssp": (
        JobShop((((0, 3), (1, 2)), ((1, 2), (0, 4))), machines=2),
        ((0, 3), (0, 3)),
        "J0-M0: 0+3 -> 3\nJ1-M1: 0+2 -> 2\nJ0-M1: 3+2 -> 5\nJ1-M0: 3+4 -> 7\nMakespan: 7\n",
        "[[0, 0, 0, 3], [1, 1, 0, 2], [0, 1, 3, 2], [1, 0, 3, 4]]\nMaximum end completion time or Makespan: 7\n",
    ),
    "pfsp": (
        FlowShop([[2, 3], [1, 4]]),
        (1, 0),
        "J2: M1(0+1=1) -> M2(1+4=5)\nJ1: M1(1+2=3) -> M2(5+3=8)\nMakespan: 8\n",
        "[[2, 1, 0, 1], [2, 2, 1, 4], [1, 1, 1, 2], [1, 2, 5, 3]]\nMakespan: 8\n",
    ),
    "cvrp": (
        CVRP(D, [0, 1, 1], 2, xy=XY),
        ((1, 2),),
        "Vehicle Route: (0): (0, 0) -> (1): (3, 4) + 5 -> (2): (0, 6) + 4 -> (0): (0, 0) + 6\nOverall Total Distance: 15\n",
        "[(0): (0, 0), (1): (3, 4), (2): (0, 6), (0): (0, 0)]\nOverall Total Distance: 15\n",
    ),
    "tsp": (
        TSP(D, xy=XY),
        (0, 1, 2),
        "Vehicle Route: (0): (0, 0) -> (1): (3, 4) + 5 -> (2): (0, 6) + 4 -> (0): (0, 0) + 6\nOverall Total Distance: 15\n",
        "[(0): (0, 0), (1): (3, 4), (2): (0, 6), (0): (0, 0)]\nOverall Total Distance: 15\n",
    ),
}


def own_order(instance, plan):
    """Plans that a text keeps as they are: items ascending, of equal ones the first."""
    if instance.kind != "knapsack":
        return plan
    left, out = list(range(instance.size)), []
    for item in plan:
        pair = (instance.values[item], instance.weights[item])
        out.append(next(i for i in left if (instance.values[i], instance.weights[i]) == pair))
        left.remove(out[-1])
    return tuple(sorted(out))


@pytest.mark.parametrize("kind", KINDS)
def test_the_texts_of_the_brief_are_written_and_read_to_the_letter(kind):
    instance, plan, accord, lists = EXAMPLES[kind]
    for text, module in ((accord, accord_text), (lists, list_text)):
        assert module.write_solution(instance, plan) == text
        read = module.read_solution(text, instance)
        assert read.plan == plan
        assert read.notes == ()
        assert read.declared == (None if kind == "binpack" and module is list_text else check(instance, plan).objective)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(8))
def test_any_feasible_plan_is_read_as_it_was_written_and_both_texts_give_one(kind, seed):
    instance = generate(kind, 1, SIZES["tiny"][kind], seed=seed)[0]
    plan = own_order(instance, random_plan(instance, seed))
    assert check(instance, plan).feasible
    for module in TEXTS:
        text = module.write_solution(instance, plan)
        read = module.read_solution(text, instance)
        assert read.plan == plan
        assert not read.notes
        assert read.declared in (check(instance, plan).objective, None)
        assert module.write_solution(instance, read.plan) == text
        assert module.is_text(text)
        assert not (list_text if module is accord_text else accord_text).is_text(text)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("module", TEXTS)
def test_a_corrupted_total_is_reported_and_the_plan_is_the_same(kind, module):
    instance, plan, *texts = EXAMPLES[kind]
    text = texts[TEXTS.index(module)]
    if kind == "binpack" and module is list_text:
        return  # this text declares nothing
    lie = re.sub(r"((?:Distance|Value|Makespan|required): (?:[\d+]*=)?)\d+", r"\g<1>3", text)
    assert lie != text
    read = module.read_solution(lie, instance)
    assert read.plan == plan
    assert read.declared == 3
    report = check(instance, read.plan, read.declared)
    assert report.misdeclared
    assert report.objective == check(instance, plan).objective


@pytest.mark.parametrize(
    ("kind", "old", "new", "says"),
    [
        ("knapsack", "value:5+9=14", "value:5+9=15", "value:5+9=14"),
        ("knapsack", "Weight: 10<=10", "Weight: 9<=10", "(10, 10)"),
        ("binpack", "(2, 4) -> 10", "(2, 4) -> 9", "(2, 4) -> 10"),
        ("binpack", "(2, 4)", "(2, 3)", "(2, 4)"),
        ("jssp", "3+2 -> 5", "3+2 -> 6", "it is 5"),
        ("pfsp", "M2(5+3=8)", "M2(4+3=7)", "M2(5+3=8)"),
        ("tsp", "+ 4", "+ 3", "the way from 1 to 2 is said to be 3; it is 4"),
        ("cvrp", "(1): (3, 4)", "(1): (3, 5)", "node 1 is said to be at (3, 5)"),
    ],
)
def test_a_state_that_is_not_so_is_a_note_and_changes_nothing(kind, old, new, says):
    instance, plan, text, _ = EXAMPLES[kind]
    assert old in text
    read = accord_text.read_solution(text.replace(old, new, 1), instance)
    assert read.plan == plan
    assert any(says in note for note in read.notes)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("module", TEXTS)
def test_strict_reading_refuses_what_lenient_reading_leaves_out(kind, module):
    instance, plan, *texts = EXAMPLES[kind]
    text = texts[TEXTS.index(module)]
    chatty = f"### Input:\nas above\n### Response:\nHere is the plan:\n{text}I hope this helps!\n"
    with pytest.raises(ParseError, match="line 1"):
        module.read_solution(chatty, instance)
    read = module.read_solution(chatty, instance, lenient=True)
    assert read.plan == plan
    assert read.notes == (f"lines left out: 4, {5 + len(text.splitlines())}",)
    with pytest.raises(ParseError, match="comes after the end"):
        module.read_solution(text + "done\n", instance)
    with pytest.raises(ParseError):
        module.read_solution("", instance)
    with pytest.raises(ParseError, match="no line of it"):
        module.read_solution("I cannot do this.", instance, lenient=True)


@pytest.mark.parametrize("kind", KINDS)
def test_a_text_without_its_total_is_cut_short_unless_lenient(kind):
    instance, plan, text, _ = EXAMPLES[kind]
    body = text[: text.index("Overall" if kind in ("tsp", "cvrp") else "Makespan" if kind in ("pfsp", "jssp") else "Total")]
    with pytest.raises(ParseError, match="the text ends where"):
        accord_text.read_solution(body, instance)
    read = accord_text.read_solution(body, instance, lenient=True)
    assert (read.plan, read.declared) == (plan, None)


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_a_text_with_one_letter_changed_is_read_or_refused_and_never_breaks(kind, data):
    instance, _, *texts = EXAMPLES[kind]
    module = data.draw(st.sampled_from(TEXTS))
    text = texts[TEXTS.index(module)]
    at = data.draw(st.integers(0, len(text) - 1))
    changed = text[:at] + data.draw(st.sampled_from([*"0123456789()[],:+-=<> .JM\n", ""])) + text[at + 1 :]
    for lenient in (False, True):
        try:
            read = module.read_solution(changed, instance, lenient=lenient)
        except ParseError:
            continue
        report = check(instance, read.plan, read.declared)
        assert report.feasible == (not report.violations)
        assert report.objective == check(instance, read.plan).objective


# --- what a text gets wrong reaches the judge


def judged(kind, module, old, new):
    instance, _, *texts = EXAMPLES[kind]
    text = texts[TEXTS.index(module)]
    assert old in text
    report = check(instance, module.read_solution(text.replace(old, new, 1), instance).plan)
    return sorted({violation.code for violation in report.violations})


def test_wrong_decisions_of_a_text_are_violations():
    assert judged("jssp", accord_text, "J0-M1: 3+2", "J0-M0: 3+2") == ["machine"]
    assert judged("jssp", list_text, "[0, 1, 3, 2]", "[0, 1, 3, 1]") == ["duration"]
    assert judged("jssp", list_text, "[0, 1, 3, 2]", "[0, 1, 2, 2]") == ["order"]
    assert judged("jssp", list_text, "[1, 0, 3, 4]", "[1, 0, 2, 4]") == ["overlap"]
    assert judged("jssp", list_text, ", [1, 0, 3, 4]", "") == ["missing"]
    assert judged("jssp", list_text, "[1, 0, 3, 4]", "[1, 0, 3, 4], [1, 0, 9, 4]") == ["repeated"]
    assert judged("jssp", list_text, "[1, 0, 3, 4]", "[1, 0, 3, 4], [2, 0, 9, 4]") == ["unknown"]
    assert judged("pfsp", accord_text, "J1:", "J2:") == ["missing", "repeated"]
    assert judged("pfsp", accord_text, "J1:", "J3:") == ["missing", "unknown"]
    assert judged("binpack", accord_text, "(3, 5)", "(2, 5)") == ["missing", "repeated"]
    assert judged("binpack", list_text, "3", "4") == ["missing", "unknown"]
    assert judged("cvrp", list_text, "(2): (0, 6)", "(1): (3, 4)") == ["missing", "repeated"]
    assert judged("cvrp", accord_text, "-> (2): (0, 6) + 4", "-> (0): (0, 0) + 5 -> (2): (0, 6) + 6") == ["depot"]
    assert judged("knapsack", list_text, "(5, 3)", "(5, 4)") == ["overload", "unknown"]
    assert judged("knapsack", list_text, "(5, 3)", "(9, 7)") == ["overload", "repeated"]
    assert judged("knapsack", list_text, "(5, 3)", "(6, 4)") == ["overload"]
    assert judged("knapsack", list_text, "(5, 3)", "(5.5, 3)") == ["type"]


def test_a_route_that_does_not_come_home_is_no_route():
    instance, _, accord, lists = EXAMPLES["cvrp"]
    with pytest.raises(ParseError, match="goes from 0 to 2; it must begin and end at node 0"):
        list_text.read_solution(lists.replace(", (0): (0, 0)]", "]"), instance)
    with pytest.raises(ParseError, match="2 routes; a tour is one"):
        accord_text.read_solution(accord.split("\n")[0] + "\n" + accord, EXAMPLES["tsp"][0])


def test_flow_shop_rows_in_two_orders_are_no_permutation_schedule():
    instance, _, _, lists = EXAMPLES["pfsp"]
    with pytest.raises(ParseError, match="another order"):
        list_text.read_solution(lists.replace("[1, 2, 5, 3]", "[1, 2, 0, 3]"), instance)


def test_equal_items_are_distinct_and_each_mention_takes_one():
    instance = Knapsack([5, 5, 5, 1], [3, 3, 3, 1], 9)
    text = list_text.write_solution(instance, (0, 1, 2))
    assert list_text.read_solution(text, instance).plan == (0, 1, 2)
    four = text.replace("[(5, 3), ", "[(5, 3), (5, 3), ")
    report = check(instance, list_text.read_solution(four, instance).plan)
    assert sorted({violation.code for violation in report.violations}) == ["overload", "repeated"]


def test_jobs_that_come_to_a_machine_twice_and_operations_of_no_length():
    instance = JobShop((((0, 2), (1, 0), (0, 2)), ((1, 1),)), machines=2)
    plan = ((1, 3, 3), (0,))
    for module in TEXTS:
        assert module.read_solution(module.write_solution(instance, plan), instance).plan == plan


def test_what_is_empty_has_a_text():
    for instance, plan in (
        (Knapsack([5], [9], 3), ()),
        (BinPacking([], 3), ()),
        (CVRP([[0]], [0], 3), ()),
        (TSP([[0]]), (0,)),
        (CVRP(D, [0, 1, 1], 2), ((1, 2), ())),
    ):
        for module in TEXTS:
            text = module.write_solution(instance, plan)
            assert module.read_solution(text, instance).plan == plan
            assert any(one.is_text(text) for one in TEXTS)


def test_decimals_are_kept_whole():
    instance = Knapsack([1500, 2250], [120, 330], 1234, scale=100, value_scale=1000)
    text = accord_text.write_solution(instance, (0, 1))
    assert "[[1.500, 1.20] -> value:0.000+1.500=1.500" in text
    assert "Total Value: 3.750" in text
    assert accord_text.read_solution(text, instance).declared == 3750


def test_a_declared_number_that_no_plan_can_cost_is_not_rounded():
    instance, plan, accord, _ = EXAMPLES["jssp"]
    read = accord_text.read_solution(accord.replace("Makespan: 7", "Makespan: 7.5"), instance)
    assert (read.plan, read.declared) == (plan, None)
    assert "7.5" in read.notes[0]


def test_a_plan_with_ids_that_do_not_exist_has_no_text():
    instance = EXAMPLES["tsp"][0]
    for plan in ((0, 1, 3), (0, "1", 2), (), None):
        with pytest.raises(InvalidInstanceError, match="no text can hold this plan"):
            accord_text.write_solution(instance, plan)
    assert "(1)" in accord_text.write_solution(TSP(D), (0, 1, 1)), "one that only breaks the rules has"


# --- instances


@pytest.mark.parametrize("kind", KINDS)
def test_an_instance_is_read_as_it_was_written(kind):
    for instance in [EXAMPLES[kind][0], *generate(kind, 3, SMALL[kind], seed=4)]:
        again = accord_text.read_instance(accord_text.write_instance(instance), kind)
        for field in type(instance).__dataclass_fields__:
            if field not in ("name", "metric"):
                assert np.array_equal(getattr(again, field), getattr(instance, field)), field
        assert optimum(again)[0] == optimum(instance)[0]


def test_one_way_distances_fleets_and_matrices_without_places():
    one_way = TSP([[0, 1, 2], [3, 0, 4], [5, 6, 0]])
    assert (accord_text.read_instance(accord_text.write_instance(one_way), "tsp").distances == one_way.distances).all()
    routes = CVRP(D, [0, 2, 3], 5, fleet=2)
    again = accord_text.read_instance(accord_text.write_instance(routes), "cvrp")
    assert (again.fleet, again.capacity, again.xy) == (2, 5, None)


def test_machines_that_no_job_needs_are_kept():
    instance = JobShop((((0, 1),),), machines=3)
    assert accord_text.read_instance(accord_text.write_instance(instance), "jssp").machines == 3


@pytest.mark.parametrize(
    ("kind", "text", "says"),
    [
        ("knapsack", "[[6, 4], [5, 3]]", "says no capacity"),
        ("knapsack", "Capacity: 10. Capacity: 12.\n[[6, 4]]", "10 and 12; only one"),
        ("knapsack", "Capacity: 10\n[[6, 4], [5]]", "line 2"),
        ("binpack", "Capacity: 10\n[(0, 6), (2, 5)]", "item 2 in place 1"),
        ("binpack", "Capacity: 10\nall as above", "is not there"),
        ("jssp", "J0:\nM0:3 M1:x", "line 2"),
        ("jssp", "J0:\nM0:3\nJ2:\nM0:3", "line 3"),
        ("jssp", "J0:\nM0:3\nJ1:", "no operations"),
        ("jssp", "J1:\nM0:3", "'J0:'"),
        ("pfsp", "J1:\nM1:3 M2:4\nJ2:\nM2:3 M1:4", "job 2 does not pass"),
        ("tsp", "distances : (0):(1)=5, (0):(2)=6", "no distance of (1):(2)"),
        ("tsp", "coordinates: (0): (0, 0), (1): (3, 4)", "no line 'distances"),
        ("tsp", "distances : (0):(1)=5; (0):(2)=6", "it is no list"),
        ("tsp", "distances : (0):(1)=5, (0):(1)=6", "is there twice"),
        ("tsp", "coordinates: (0): (0, 0), (2): (3, 4)\ndistances : (0):(1)=5", "node 2 in place 1"),
        ("tsp", "distances : (0):(1)=5\nfleet: 3", "line 2"),
        ("tsp", "distances : (0):(99999)=5", "do not join"),
        ("cvrp", "Capacity: 5\ndistances : (0):(1)=5", "no line 'demands"),
        ("cvrp", "Capacity: 5\ndistances : (0):(1)=5\ndemands : (1)=9", "customer 1 asks for 9"),
        ("cvrp", "Capacity: 5\ndistances : (0):(1)=5\ndemands : (2)=1", "demands of [2]"),
        ("vrptw", "x", "kind 'vrptw'"),
    ],
)
def test_a_text_that_is_no_instance_is_refused_in_one_line(kind, text, says):
    with pytest.raises(ValueError, match=re.escape(says)) as caught:
        accord_text.read_instance(text, kind)
    assert "\n" not in str(caught.value)


def test_a_capacity_may_be_given_beside_the_text():
    for seven in (7, 7.0):
        instance = accord_text.read_instance("[[6, 4]]", "knapsack", capacity=seven)
        assert (instance.capacity, instance.scale) == (7, 1)
    assert accord_text.read_instance("[[6, 4]]", "knapsack", capacity=7.5).capacity == 75
    with pytest.raises(ParseError, match="only one can be meant"):
        accord_text.read_instance("capacity = 5\n[[6, 4]]", "knapsack", capacity=7)
