"""check, repair, convert, generate and compare as a user calls them."""

import csv
import io
import json
from pathlib import Path

import pytest

from datamodules.accord.checker import check
from datamodules.accord.formats import read, read_solution, write
from datamodules.accord.references import METHODS
from tests.apps.accord.solver.small import ALL, routes
from tests.system.command import Here


@pytest.fixture
def tour(tmp_path: Path) -> Path:
    write(ALL["tsp"], tmp_path / "tsp.json")
    write((ALL["tsp"], (0, 1, 2, 3, 4, 5, 6, 7)), tmp_path / "good.tour")
    return tmp_path


def test_a_good_plan_passes(here: Here, tour: Path) -> None:
    done = here("accord", "check", "tsp.json", "good.tour")
    assert done.returncode == 0
    assert json.loads(done.stdout)["feasible"] is True


def test_every_violation_is_told_and_the_code_is_3(here: Here, tour: Path) -> None:
    (tour / "bad.json").write_text('{"kind": "tsp", "plan": [0, 1, 2, 2, 3, 4, 4, 5], "objective": 1}\n')
    done = here("accord", "check", "tsp.json", "bad.json")
    assert done.returncode == 3
    row = json.loads(done.stdout)
    assert {one["code"] for one in row["violations"]} == {"missing", "repeated"}
    assert len(row["violations"]) == 4
    assert row["misdeclared"]
    assert "not feasible, 4 violations" in done.stderr


def test_the_fleet_is_part_of_the_check(here: Here, tmp_path: Path) -> None:
    write(routes(), tmp_path / "r.json")
    (tmp_path / "p.json").write_text('{"kind": "cvrp", "plan": [[1], [2], [3], [4], [5], [6], [7]]}\n')
    assert here("accord", "check", "r.json", "p.json").returncode == 0
    done = here("accord", "check", "r.json", "p.json", "--fleet", "name")
    assert done.returncode == 3
    assert json.loads(done.stdout)["violations"][0]["code"] == "fleet"


def test_repair_writes_what_check_accepts(here: Here, tour: Path) -> None:
    (tour / "bad.json").write_text('{"kind": "tsp", "plan": [0, 1, 2, 2, 3, 4, 6, 7]}\n')
    done = here("accord", "repair", "tsp.json", "bad.json", "-o", "mended.tour")
    assert done.returncode == 0
    assert "1 removed, 1 added" in done.stderr
    assert here("accord", "check", "tsp.json", "mended.tour").returncode == 0


def test_repair_of_a_good_plan_says_that_nothing_was_wrong(here: Here, tour: Path) -> None:
    done = here("accord", "repair", "tsp.json", "good.tour")
    assert "nothing was wrong" in done.stderr
    assert json.loads(done.stdout)["plan"] == list(range(8))


def test_the_labels_of_a_table_are_told_and_drawn(here: Here, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("# capacity: 5\nid,x,y,demand\ndepot,0,0,\nanna,3,4,2\nbob,0,6,3\n")
    assert here("accord", "solve", "t.csv", "-o", "plan.csv", "--plot", "plan.svg").returncode == 0
    assert {"anna", "bob"} <= set((tmp_path / "plan.csv").read_text().replace("\n", ",").split(","))
    assert ">anna<" in (tmp_path / "plan.svg").read_text()
    assert here("accord", "check", "t.csv", "plan.csv").returncode == 0
    assert json.loads(here("accord", "solve", "t.csv").stdout)["labels"] == [["anna", "bob"]]
    (tmp_path / "bad.csv").write_text("route,stop,customer\n1,1,anna\n2,1,dora\n")
    judged = here("accord", "check", "t.csv", "bad.csv")
    assert (judged.returncode, "customer bob is missing" in judged.stderr, "'dora'" in judged.stderr) == (3, True, True)
    assert "customer bob was missing" in here("accord", "repair", "t.csv", "bad.csv").stderr
    lost = here("accord", "convert", "t.csv", "t.vrp", "--lossy")
    assert "the labels of its nodes, items or jobs" in json.loads(lost.stdout)["lost"]


def test_an_impossible_fleet_cannot_be_repaired(here: Here, tmp_path: Path) -> None:
    write(routes(), tmp_path / "r.json")
    (tmp_path / "p.json").write_text('{"kind": "cvrp", "plan": [[1, 2, 3, 4, 5, 6, 7]]}\n')
    done = here("accord", "repair", "r.json", "p.json", "--fleet", 2)
    assert done.returncode == 3  # the demands prove it
    assert "need more vehicles" in done.line  # and nothing else: not that it is as it was


def test_instances_are_converted_and_a_loss_is_named(here: Here, tmp_path: Path) -> None:
    write(routes(fleet=3), tmp_path / "r.json")
    assert here("accord", "convert", "r.json", "r.csv").returncode in (0, 2)
    done = here("accord", "convert", "r.json", "r.vrp", "--lossy")
    assert done.returncode == 0
    assert (read(tmp_path / "r.vrp")[0].distances == routes().distances).all()
    assert json.loads(done.stdout)["target"] == "r.vrp"


def test_plans_are_converted_with_their_instance(here: Here, tour: Path) -> None:
    assert here("accord", "convert", "good.tour", "good.json", "--instance", "tsp.json", "--to", "ours").returncode == 0
    assert read_solution(tour / "good.json", ALL["tsp"])[0] == (0, 1, 2, 3, 4, 5, 6, 7)


def test_an_empty_file_is_no_plan(here: Here, tour: Path) -> None:
    (tour / "none.tour").write_text("\n")
    done = here("accord", "check", "tsp.json", "none.tour")
    assert (done.returncode, "none.tour: empty" in done.line) == (2, True)


def test_what_a_file_does_not_say_is_said_beside_it(here: Here, tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("id,size\na,5\nb,3\n")
    assert here("accord", "convert", "s.csv", "s.bpp").returncode == 2
    assert here("accord", "convert", "s.csv", "s.bpp", "--capacity", 7, "--lossy").returncode == 0
    assert read(tmp_path / "s.bpp")[0].capacity == 7


def test_a_plan_of_another_instance_is_converted_with_a_word_on_it(here: Here, tour: Path) -> None:
    (tour / "bad.json").write_text('{"kind": "tsp", "plan": [0, 1, 2, 2, 3, 4, 6, 7]}\n')
    done = here("accord", "convert", "bad.json", "bad.tour", "--instance", "tsp.json")
    assert done.returncode == 0
    assert "not feasible; the first of 2 breaches" in done.line


def test_generated_instances_do_not_depend_on_how_many(here: Here, tmp_path: Path) -> None:
    few = here("accord", "generate", "jssp", "--size", "3x2", "--count", 2, "--seed", 9).stdout
    many = here("accord", "generate", "jssp", "--size", "3x2", "--count", 5, "--seed", 9).stdout
    assert many.startswith(few)
    assert len(many.splitlines()) == 5


def test_a_folder_of_instances_is_an_input(here: Here, tmp_path: Path) -> None:
    assert here("accord", "generate", "knapsack", "--size", 9, "--count", 3, "-o", "made").returncode == 0
    assert len(here("accord", "solve", "made").stdout.splitlines()) == 3
    again = here("accord", "generate", "knapsack", "--size", 9, "-o", "made")
    assert again.returncode == 2
    assert "not empty" in again.line


@pytest.mark.parametrize("words", [("tsp", "--size", "3x3"), ("jssp", "--size", "5"), ("tsp", "--dist", "no"), ("cvrp", "--size", "0")])
def test_sizes_and_distributions_that_are_none(here: Here, words: tuple[str, ...]) -> None:
    done = here("accord", "generate", *words)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1


def test_a_size_without_a_known_capacity_takes_one(here: Here) -> None:
    assert "--capacity" in here("accord", "generate", "cvrp", "--size", 11).line
    assert json.loads(here("accord", "generate", "cvrp", "--size", 11, "--capacity", 20).stdout)["capacity"] == 20
    assert "no capacity" in here("accord", "generate", "cvrp", "--size", 11, "--capacity", "nan").line


def test_a_size_beyond_memory_is_refused(here: Here) -> None:
    assert "at most" in here("accord", "generate", "tsp", "--size", 100_000).line


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_a_row_for_each_instance_and_method(here: Here, tmp_path: Path) -> None:
    write([ALL["tsp"], ALL["cvrp"]], tmp_path / "two.jsonl")
    done = here("accord", "compare", "two.jsonl", "--methods", "portfolio,heuristic,nearest,savings", "--plot", "gaps.svg")
    assert done.returncode == 0, done.stderr
    rows = table(done.stdout)
    assert [(row["kind"], row["method"]) for row in rows] == [
        ("tsp", "portfolio"), ("tsp", "heuristic"), ("tsp", "nearest"), ("cvrp", "portfolio"), ("cvrp", "heuristic"), ("cvrp", "savings"),
    ]  # fmt: skip
    assert all(float(row["gap"]) >= 0 for row in rows)
    assert min(float(row["gap"]) for row in rows if row["kind"] == "tsp") == 0
    assert {row["against"] for row in rows} == {"found"}
    assert (tmp_path / "gaps.svg").read_text().startswith("<svg")


def test_an_interrupted_comparison_keeps_the_methods_that_ended(here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os
    import signal

    def interrupted(instance, *, deadline=None, seed=0, start=None, found=None):
        os.kill(os.getpid(), signal.SIGINT)
        while True:
            pass

    monkeypatch.setitem(METHODS["tsp"], "local", interrupted)
    write(ALL["tsp"], tmp_path / "tsp.json")
    done = here("accord", "compare", "tsp.json", "--methods", "nearest,local,exact")
    assert done.returncode == 130
    assert [row["method"] for row in table(done.stdout)] == ["nearest"]


def test_an_instance_without_a_method_is_named(here: Here, tmp_path: Path) -> None:
    write([ALL["tsp"], ALL["jssp"]], tmp_path / "two.jsonl")
    assert "none of the methods is one for a jssp" in here("accord", "compare", "two.jsonl", "--methods", "nearest").stderr


def test_compare_keeps_the_fleet_of_the_name(here: Here, tmp_path: Path) -> None:
    write(routes(), tmp_path / "r.json")
    assert {row["fleet"] for row in table(here("accord", "compare", "r.json", "--methods", "savings").stdout)} == {"3"}
    free = table(here("accord", "compare", "r.json", "--methods", "savings", "--fleet", "free").stdout)
    assert {row["fleet"] for row in free} == {"free"}


def test_gaps_are_to_the_known_value_of_the_same_rule_only(here: Here, tmp_path: Path) -> None:
    from dataclasses import replace

    write(replace(routes(), best=100), tmp_path / "r.json")
    (named,) = table(here("accord", "compare", "r.json", "--methods", "savings").stdout)
    assert (named["against"], named["best"]) == ("known", "100")
    assert float(named["gap"]) == pytest.approx(int(named["objective"]) - 100)
    (free,) = table(here("accord", "compare", "r.json", "--methods", "savings", "--fleet", "free").stdout)
    assert free["against"] == "found"


def test_a_method_that_is_none_names_the_nearest(here: Here, tour: Path) -> None:
    done = here("accord", "compare", "tsp.json", "--methods", "portfolio,savngs")
    assert done.returncode == 2
    assert "savngs" in done.line


def test_the_answer_of_a_written_plan_is_that_of_the_instance(tour: Path) -> None:
    plan, declared = read_solution(tour / "good.tour", ALL["tsp"])
    assert check(ALL["tsp"], plan, declared).feasible
