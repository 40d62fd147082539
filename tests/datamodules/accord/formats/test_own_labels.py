"""The ids and names of a table are kept: in plans, in what the checker says, in our JSON, and where a format cannot hold them."""

import json
from dataclasses import replace

import pytest

from datamodules.accord.checker import check
from datamodules.accord.errors import InvalidInstanceError, LossyConversionError, ParseError
from datamodules.accord.formats import convert, read, read_solution, solution_text, write
from datamodules.accord.formats.records import differences
from datamodules.accord.instances import KINDS
from tests.datamodules.accord.formats.instances import plain, plan

TABLES = {
    "tsp": "id,x,y\nhome,0,0\nanna,3,4\nbob,0,6\n",
    "cvrp": "# capacity: 5\nid,x,y,demand\ndepot,0,0,\nanna,3,4,2\nbob,0,6,3\n",
    "knapsack": "# capacity: 10\nid,value,weight\ntent,6,4\nstove,5,3\nrope,9,7\n",
    "binpack": "# capacity: 10\nid,size\ntent,6\nstove,5\nrope,4\n",
    "pfsp": "job,saw,drill\nchair,3,2\ntable,2,4\n",
    "jssp": "job,machine,time\nchair,saw,3\ntable,drill,2\nchair,drill,2\ntable,saw,4\n",
}
FEASIBLE = {
    "tsp": (2, 0, 1), "cvrp": ((2,), (1,)), "knapsack": (0, 1), "binpack": ((1, 2), (0,)), "pfsp": (1, 0), "jssp": ((0, 3), (0, 3)),
}  # fmt: skip
ROWS = {
    "tsp": "stop,node\n1,bob\n2,home\n3,anna\n",
    "cvrp": "route,stop,customer\n1,1,bob\n2,1,anna\n",
    "knapsack": "taken\ntent\nstove\n",
    "binpack": "bin,item\n1,stove\n1,rope\n2,tent\n",
    "pfsp": "position,job\n1,table\n2,chair\n",
    "jssp": "job,operation,machine,start,end\nchair,0,saw,0,3\nchair,1,drill,3,5\ntable,0,drill,0,2\ntable,1,saw,3,7\n",
}


def table(tmp_path, text):
    (tmp_path / "own.csv").write_text(text)
    (instance,) = read(tmp_path / "own.csv")
    return instance


@pytest.mark.parametrize("kind", KINDS)
def test_a_plan_is_written_and_read_in_the_labels_of_the_table(kind, tmp_path):
    instance = table(tmp_path, TABLES[kind])
    text = solution_text(instance, FEASIBLE[kind], "csv")
    assert text.endswith(f"\n{ROWS[kind]}")
    back, declared = read_solution(text, instance)
    assert back == FEASIBLE[kind]
    report = check(instance, back, declared)
    assert (report.feasible, report.misdeclared) == (True, False)


def test_numbers_that_begin_at_1_stay_what_they_are(tmp_path):
    vrp = table(tmp_path, TABLES["cvrp"].replace("depot", "1").replace("anna", "2").replace("bob", "3"))
    assert solution_text(vrp, ((2,), (1,)), "csv").endswith("1,1,3\n2,1,2\n")
    assert read_solution("route,stop,customer\n1,1,3\n2,1,2\n", vrp)[0] == ((2,), (1,))
    shop = table(tmp_path, "job,machine,time\n1,1,3\n2,2,2\n1,2,2\n2,1,4\n")
    assert "\n1,0,1,0,3\n1,1,2,3,5\n" in solution_text(shop, FEASIBLE["jssp"], "csv")


def test_large_numbers_of_machines_are_names(tmp_path):
    shop = table(tmp_path, "job,machine,time\n1,4711,3\n1,17,2\n")
    assert (shop.machines, shop.machine_labels, shop.jobs) == (2, ("17", "4711"), (((1, 3), (0, 2)),))


@pytest.mark.parametrize("kind", KINDS)
def test_a_label_that_does_not_exist_is_named_by_the_checker(kind, tmp_path):
    instance = table(tmp_path, TABLES[kind])
    text = ROWS[kind].replace(instance.labels[1], "dora")
    if kind == "jssp":
        with pytest.raises(InvalidInstanceError, match="job dora is none of the instance's"):
            read_solution(text, instance)
        return
    report = check(instance, read_solution(text, instance)[0])
    assert not report.feasible
    assert "'dora'" in str(report)
    if kind != "knapsack":
        assert f"{instance.labels[1]} is missing" in str(report)


def test_breaches_are_told_in_the_labels(tmp_path):
    assert "customer anna is there 2 times" in str(check(table(tmp_path, TABLES["cvrp"]), ((1, 1), (2,))))
    shop = check(table(tmp_path, TABLES["jssp"]), ((0, 2), (1, 1)))
    assert "operation 1 of job chair starts at 2; operation 0 of job chair ends at 3" in str(shop)
    assert "run at once on machine saw" in str(shop)


def test_a_plan_of_real_lengths_says_what_it_really_costs(tmp_path):
    tour = table(tmp_path, "id,x,y\nhome,0,0\nanna,3,4\nbob,0,8\n")
    text = solution_text(tour, (0, 1, 2), "csv")
    assert "# objective: 18.000000\n" in text
    assert read_solution(text, tour)[1] == 18_000_000
    shop = table(tmp_path, "job,machine,time\na,0,1.5\na,1,2\n")
    text = solution_text(shop, ((0, 15),), "csv")
    assert "a,1,1,1.5,3.5\n" in text
    assert read_solution(text, shop) == (((0, 15),), 35)


@pytest.mark.parametrize("kind", KINDS)
def test_labels_go_from_table_to_json_and_back(kind, tmp_path):
    table(tmp_path, TABLES[kind])
    assert convert(tmp_path / "own.csv", tmp_path / "own.jsonl") == []
    assert convert(tmp_path / "own.jsonl", tmp_path / "back.csv") == []
    (there,), (back,) = read(tmp_path / "own.jsonl"), read(tmp_path / "back.csv")
    assert there.labels == back.labels == table(tmp_path, TABLES[kind]).labels != ()
    assert set(differences(there, back)) <= {"metric"}


@pytest.mark.parametrize("kind", KINDS)
def test_marks_in_labels_do_not_break_a_table(kind, tmp_path):
    count = {"cvrp": 4, "tsp": 4}.get(kind, plain(kind).size)
    labels = tuple(f'#{at}, the "{chr(97 + at)}"; so' for at in range(count))
    odd = replace(plain(kind), labels=labels)
    if kind in ("pfsp", "jssp"):
        odd = replace(odd, machine_labels=("saw, old", "drill"))
    write(odd, tmp_path / "odd.csv")
    assert differences(odd, read(tmp_path / "odd.csv")[0]) == []
    write((odd, plan(odd)), tmp_path / "plan.csv")
    assert read_solution(tmp_path / "plan.csv", odd)[0] == plan(odd)


def test_a_format_without_labels_says_that_it_loses_them(tmp_path):
    table(tmp_path, TABLES["cvrp"])
    with pytest.raises(LossyConversionError, match=r"would lose .*the labels of its nodes"):
        convert(tmp_path / "own.csv", tmp_path / "own.vrp")
    table(tmp_path, TABLES["jssp"])
    with pytest.raises(LossyConversionError, match="the labels of its machines"):
        convert(tmp_path / "own.csv", tmp_path / "own.jsp", "job-shop")
    table(tmp_path, "# capacity: 7\nid,value,weight\n1,6,4\n2,5,3\n")
    assert convert(tmp_path / "own.csv", tmp_path / "own.kp") == []  # they only say the place


def test_json_of_a_plan_carries_the_labels_beside_the_numbers(tmp_path):
    record = json.loads(solution_text(table(tmp_path, TABLES["cvrp"]), ((2,), (1,))))
    assert (record["plan"], record["labels"]) == ([[2], [1]], [["bob"], ["anna"]])
    text = solution_text(table(tmp_path, TABLES["jssp"]), FEASIBLE["jssp"])
    record = json.loads(text)
    assert (record["labels"], record["machine_labels"]) == (["chair", "table"], ["saw", "drill"])
    assert read_solution(text, table(tmp_path, TABLES["jssp"]))[0] == FEASIBLE["jssp"]
    assert "labels" not in json.loads(solution_text(plain("tsp"), plan(plain("tsp"))))


def test_labels_are_one_for_each_and_all_different(tmp_path):
    with pytest.raises(InvalidInstanceError, match="2 labels of 4 nodes"):
        replace(plain("tsp"), labels=("a", "b"))
    with pytest.raises(InvalidInstanceError, match="two of the jobs are labelled 'a'"):
        replace(plain("pfsp"), labels=("a", "b", "a"))
    with pytest.raises(InvalidInstanceError, match="label 1 of the items is empty"):
        replace(plain("knapsack"), labels=("a", "", "c", "d"))
    with pytest.raises(ParseError, match="line 4: no id; name every row, or none"):
        table(tmp_path, "# capacity: 9\nid,size\na,5\n,3\n")
