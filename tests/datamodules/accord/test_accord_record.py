"""Records of ACCORD-90k are written and read: the same instance, the same plan from both texts."""

import json

import numpy as np
import pytest

from datamodules.accord.checker import check
from datamodules.accord.errors import ParseError
from datamodules.accord.formats.accord_record import kind_of_record, prompt, read_record, read_records, write_record
from datamodules.accord.instances import KINDS, TSP, Knapsack
from datamodules.accord.synth import generate
from tests.datamodules.accord.brute import optimum
from tests.datamodules.accord.test_texts import EXAMPLES

SMALL = {"tsp": 5, "cvrp": 6, "knapsack": 6, "binpack": 5, "pfsp": (3, 2), "jssp": (2, 2)}


@pytest.mark.parametrize("kind", KINDS)
def test_a_record_is_read_as_it_was_written(kind):
    for instance in [EXAMPLES[kind][0], *generate(kind, 2, SMALL[kind], seed=6)]:
        best, plan = optimum(instance)
        record = json.loads(json.dumps(write_record(instance, plan, path="a/b.json")))
        assert kind_of_record(record) == kind
        again = read_record(record)
        assert again.path == "a/b.json"
        assert again.accord.plan == again.lists.plan
        assert check(again.instance, again.accord.plan, again.accord.declared).objective == best
        assert not again.instance.notes
        assert {"instruction", "input", "output_accord", "output_list_of_lists", "path"} < set(record)


def test_the_fields_have_the_names_of_the_released_records():
    def fields(kind):
        return set(write_record(*EXAMPLES[kind][:2])) - {"instruction", "input", "output_accord", "output_list_of_lists", "path"}

    assert fields("knapsack") == {"num_items", "capacities", "value"}
    assert fields("binpack") == {"num_items", "bin_capacity", "num_bins_sol"}
    assert fields("jssp") == fields("pfsp") == {"num_jobs", "num_machines", "matrix", "makespan"}
    assert fields("tsp") == {"num_cities", "num_vehicles", "paired_distances"}
    assert fields("cvrp") == {"num_cities", "num_vehicles", "paired_distances", "capacity", "demands"}


def test_released_route_records_have_no_demands_and_that_is_said():
    record = write_record(EXAMPLES["cvrp"][0], ((1, 2),)) | {"num_vehicles": 3}
    record.pop("demands")
    again = read_record(record)
    assert again.instance.demands.tolist() == [0, 1, 1]
    assert again.instance.fleet == 3
    assert "no demands" in again.instance.notes[0]


def test_the_first_capacity_of_a_list_counts():
    record = write_record(EXAMPLES["knapsack"][0]) | {"capacities": [10, 20], "instruction": "Fill it."}
    again = read_record(record)
    assert again.instance.capacity == 10
    assert again.accord is None
    assert again.lists is None


def test_a_file_of_records_is_a_list_or_a_line_each():
    records = [write_record(*EXAMPLES[kind][:2]) for kind in KINDS]
    for text in (json.dumps(records), "\n".join(map(json.dumps, records)) + "\n"):
        assert [one.instance.kind for one in read_records(text)] == list(KINDS)


@pytest.mark.parametrize(
    ("record", "says"),
    [
        ({"input": "[[1, 2]]"}, "name the kind"),
        ({"bin_capacity": 5, "input": [1, 2]}, "must be a text"),
        ({"bin_capacity": "five", "input": "[(0, 1)]"}, "'five'"),
        ({"paired_distances": "(0):(1)=2", "num_vehicles": 2, "capacity": 3}, "neither demands"),
        ({"paired_distances": "(0):(1)=2", "num_vehicles": 2, "capacity": 3, "demands": "1"}, "list of whole numbers"),
        ({"capacities": [5], "input": "[[1, 2]]", "output_accord": "[[1, 2]]"}, "line 1"),
    ],
)
def test_a_broken_record_is_refused_in_one_line(record, says):
    with pytest.raises(ParseError, match=says) as caught:
        read_record(record)
    assert "\n" not in str(caught.value)


def test_the_prompt_has_the_released_layout():
    text = prompt(Knapsack([6], [4], 10))
    assert "\n    ### Instruction:\n    Choose" in text
    assert "\n    ### Input:\n    [[6, 4]]\n" in text
    assert text.endswith("    ### Response:\n    ")


def test_distances_stand_beside_the_coordinates():
    record = write_record(TSP([[0, 5], [5, 0]], xy=[[0, 0], [3, 4]]))
    assert record["input"] == "(0): (0, 0), (1): (3, 4)"
    assert record["paired_distances"] == "(0):(1)=5"
    assert np.array_equal(read_record(record).instance.xy, [[0, 0], [3, 4]])
