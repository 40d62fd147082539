"""Our JSON: what may be left out by hand, and what is refused."""

import json

import numpy as np
import pytest

from datamodules.accord.errors import InfeasibleError, InvalidInstanceError, ParseError, PrecisionError, UnsupportedError
from datamodules.accord.formats import instance_text, read, read_solution
from datamodules.accord.formats.records import to_record
from datamodules.accord.instances import KINDS
from tests.datamodules.accord.formats.instances import FULL, plain


def made(tmp_path, text):
    (tmp_path / "f.json").write_text(text)
    (instance,) = read(tmp_path / "f.json")
    return instance


def test_distances_may_be_left_to_coordinates_and_a_metric(tmp_path):
    tsp = made(tmp_path, '{"kind": "tsp", "xy": [[0, 0], [3, 4]], "metric": "EUC_2D"}')
    assert (tsp.distances.tolist(), tsp.name, tsp.scale) == ([[0, 5], [5, 0]], "f", 1)
    assert made(tmp_path, '{"kind": "tsp", "xy": [[0, 0], [1, 1]], "metric": "real", "scale": 1000}').distances[0, 1] == 1414


def test_decimals_stand_for_themselves_where_no_scale_is_given(tmp_path):
    sack = made(tmp_path, '{"kind": "knapsack", "values": [0.5, 2], "weights": [1.25, 1], "capacity": 2}')
    assert (sack.values.tolist(), sack.value_scale, sack.weights.tolist(), sack.capacity, sack.scale) == ([5, 20], 10, [125, 100], 200, 100)
    shop = made(tmp_path, '{"kind": "jssp", "jobs": [[[1, 2.5], [0, 1]]]}')
    assert (shop.jobs, shop.machines, shop.scale) == ((((1, 25), (0, 10)),), 2, 10)


def test_an_object_may_be_spread_over_lines_or_stand_in_a_list(tmp_path):
    spread = json.dumps(to_record(plain("pfsp")), indent=2)
    assert made(tmp_path, spread).times.tolist() == [[2, 3], [1, 4], [0, 9]]
    (tmp_path / "f.json").write_text(f"[{spread}, {spread}]")
    assert len(read(tmp_path / "f.json")) == 2


@pytest.mark.parametrize("kind", KINDS)
def test_records_hold_plain_values(kind):
    for one in FULL[kind]:
        record = to_record(one)
        assert json.loads(json.dumps(record)) == record


def test_numbers_are_exact_to_the_last_bit():
    rng = np.random.default_rng(0)
    one = plain("tsp")
    one = type(one)(rng.integers(0, 1 << 50, (4, 4)), rng.random((4, 2)), "bits")
    (back,) = read(instance_text(one))
    assert np.array_equal(back.distances, one.distances)
    assert back.xy.tobytes() == one.xy.tobytes()


SACK = '{"kind": "knapsack", "values": [5], "weights": [4], "capacity": 9}'
WRONG = {
    "nan": (SACK.replace("[5]", "[NaN]"), InvalidInstanceError, "NaN; give finite numbers"),
    "infinite": (SACK.replace("[5]", "[-Infinity]"), InvalidInstanceError, "-Infinity; give finite numbers"),
    "negative": (SACK.replace("[5]", "[-5]"), InvalidInstanceError, "negative numbers, such as -5"),
    "many decimals": (SACK.replace("[5]", "[0.12345678901]"), PrecisionError, "values with 11 decimals"),
    "large": (SACK.replace("[5]", "[1e300]"), PrecisionError, "62 bits"),
    "larger": (SACK.replace("[5]", "[1e3000]"), InvalidInstanceError, "1e3000 is out of range"),
    "endless": (SACK.replace("[5]", f"[{'9' * 5000}]"), ParseError, "f.json"),
    "text": (SACK.replace("[5]", '["5"]'), ParseError, "'values': '5' where a number is expected"),
    "flag": (SACK.replace("[5]", "[true]"), ParseError, "'values': True where a number is expected"),
    "missing": (SACK.replace(', "capacity": 9', ""), ParseError, "a knapsack without 'capacity'"),
    "more": (SACK.replace("9}", '9, "sparkle": 3}'), ParseError, "'sparkle' is no field of a knapsack; there are values, weights"),
    "windows": (SACK.replace("9}", '9, "time_windows": []}'), UnsupportedError, "'time_windows' asks for time windows"),
    "due": ('{"kind": "pfsp", "times": [[1]], "due_dates": [3]}', UnsupportedError, "'due_dates' asks for due dates"),
    "kind": (SACK.replace("knapsack", "cutting"), ParseError, "kind 'cutting' is not known; there are tsp, cvrp"),
    "twice": (SACK.replace("9}", '9, "capacity": 10}'), ParseError, "the key 'capacity' is there twice"),
    "cut": (SACK[:-10], ParseError, "no JSON"),
    "scale": (SACK.replace("9}", '9, "scale": 7}'), InvalidInstanceError, "'scale' is 7; it is a power of ten"),
    "scaled": (SACK.replace("[4]", "[4.5]").replace("9}", '9, "scale": 10}'), PrecisionError, "not whole"),
    "best": (SACK.replace("9}", '9, "best": 1.5}'), ParseError, "'best' is .*1.5.*; a whole number is needed"),
    "ragged": ('{"kind": "pfsp", "times": [[1, 2], [3]]}', InvalidInstanceError, "rows of unequal length"),
    "not square": ('{"kind": "tsp", "distances": [[0, 1]]}', InvalidInstanceError, "1 by 2; it must be square"),
    "no places": ('{"kind": "tsp", "name": "x"}', ParseError, "neither 'distances' nor 'xy' with a 'metric'"),
    "heavy": ('{"kind": "binpack", "weights": [4, 12], "capacity": 9}', InfeasibleError, "item 1 has size 12, a bin holds 9"),
    "machine": ('{"kind": "jssp", "jobs": [[[2, 5]]], "machines": 2}', InvalidInstanceError, "machine 2 of 2"),
    "pairs": ('{"kind": "jssp", "jobs": [[2, 5]]}', ParseError, r"'jobs' is a list of lists of \[machine, time\]"),
    "deep": ("[" * 100000 + "{", ParseError, "f.json"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_everything_that_is_wrong_with_an_object_is_named(what, tmp_path):
    text, error, message = WRONG[what]
    with pytest.raises(error, match=message) as caught:
        made(tmp_path, text)
    assert "f.json" in str(caught.value)


def test_of_many_lines_the_broken_one_is_named(tmp_path):
    (tmp_path / "f.jsonl").write_text(f"{SACK}\n\n{SACK.replace('[5]', '[-5]')}\n")
    with pytest.raises(InvalidInstanceError, match=r"f.jsonl, line 3: .*negative"):
        read(tmp_path / "f.jsonl")
    (tmp_path / "f.jsonl").write_text(f"{SACK}\n{SACK.replace(':', '', 1)}\n")
    with pytest.raises(ParseError, match=r"f.jsonl, line 2: no JSON"):
        read(tmp_path / "f.jsonl")


def test_a_solution_of_another_kind_or_shape_is_refused():
    sack = plain("knapsack")
    for text, message in (
        ('{"kind": "tsp", "plan": [0]}\n', "a plan of kind tsp, the instance is a knapsack"),
        ('{"plan": [[0]]}\n', "where a whole number is expected"),
        ('{"plan": 3}\n', "the plan of a knapsack is a list of whole numbers"),
        ('{"plan": [0.5]}\n', "where a whole number is expected"),
        ('{"plan": [0], "status": "good"}\n', "status 'good' is not known"),
        ('{"plan": [0], "joy": 1}\n', "'joy' is no field of a solution"),
        ('{"plan": null, "status": "unknown", "reason": "time"}\n', r"status unknown, and no plan \(time\)"),
        ('{"instance": "a", "plan": [0]}\n{"instance": "b", "plan": [0]}\n', "2 solutions of 1 instances"),
    ):
        with pytest.raises((ParseError, InvalidInstanceError), match=message):
            read_solution(text, sack)


def test_ids_that_do_not_exist_are_left_to_the_checker():
    assert read_solution('{"plan": [99], "objective": 5}\n', plain("knapsack")) == ((99,), 5)
