"""`solve` as a user calls it: what comes out where, with which exit code."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from apps.accord.solver import interrupt
from datamodules.accord.checker import check
from datamodules.accord.formats import read, read_solution, write
from datamodules.accord.instances import CVRP
from datamodules.accord.references import METHODS
from tests.apps.accord.solver.small import ALL, routes
from tests.system.command import Here


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """One of each kind, in our own format."""
    for kind, instance in ALL.items():
        write(instance, tmp_path / f"{kind}.json")
    return {kind: tmp_path / f"{kind}.json" for kind in ALL}


def rows(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def test_an_answer_is_a_line_of_json_and_a_line_for_people(here: Here, files: dict[str, Path]) -> None:
    done = here("accord", "solve", "knapsack.json")
    assert done.returncode == 0
    (row,) = rows(done.stdout)
    assert (row["status"], row["objective"], row["kind"]) == ("optimal", 15, "knapsack")
    assert "sack: optimal, objective 15" in done.stderr


def test_every_kind_is_answered_in_order(here: Here, files: dict[str, Path]) -> None:
    done = here("accord", "solve", *files.values())
    answers = rows(done.stdout)
    assert [row["kind"] for row in answers] == list(files)
    for row, instance in zip(answers, ALL.values(), strict=True):
        report = check(instance, row["plan"], row["objective"])
        assert report.feasible
        assert not report.misdeclared


def test_the_same_seed_gives_the_same_bytes(here: Here, files: dict[str, Path]) -> None:
    first, second = (here("accord", "solve", *files.values(), "--seed", 3).stdout for _ in range(2))
    assert first == second


def test_answers_to_a_file_leave_stdout_empty_and_can_be_read(here: Here, tmp_path: Path, files: dict[str, Path]) -> None:
    assert here("accord", "solve", *files.values(), "-o", "plans.jsonl").stdout == ""
    for kind, path in files.items():
        plan, declared = read_solution(tmp_path / "plans.jsonl", read(path)[0])
        report = check(ALL[kind], plan, declared)
        assert report.feasible
        assert not report.misdeclared


@pytest.mark.parametrize(("kind", "name"), [("tsp", "a.tour"), ("cvrp", "a.sol")])
def test_the_suffix_says_the_format(here: Here, tmp_path: Path, files: dict[str, Path], kind: str, name: str) -> None:
    assert here("accord", "solve", f"{kind}.json", "-o", name).returncode == 0
    plan, declared = read_solution(tmp_path / name, ALL[kind])
    assert check(ALL[kind], plan, declared).feasible


def test_a_format_that_cannot_hold_the_plan_is_one_line(here: Here, files: dict[str, Path]) -> None:
    done = here("accord", "solve", "knapsack.json", "--format", "sol")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1


def test_many_answers_in_another_format_fill_a_folder(here: Here, tmp_path: Path) -> None:
    for k in range(3):
        write(routes(), tmp_path / f"r{k}.json")
    assert here("accord", "solve", "r0.json", "r1.json", "r2.json", "--format", "sol", "-o", "out", "--plot", "drawn").returncode == 0
    assert len(list((tmp_path / "out").glob("*.sol"))) == 3
    assert len(list((tmp_path / "drawn").glob("*.svg"))) == 3


def test_one_file_is_no_place_for_many_answers(here: Here, tmp_path: Path, files: dict[str, Path]) -> None:
    for words in (("--plot", "one.svg"), ("-o", "one.tour"), ("-o", "one.csv"), ("-o", "one.sol", "--format", "sol")):
        done = here("accord", "solve", "cvrp.json", "tsp.json", *words)
        assert (done.returncode, "there are 2 inputs; name a folder" in done.line) == (2, True)
        assert not (tmp_path / words[1]).exists()


def test_the_trace_gets_better(here: Here, tmp_path: Path, files: dict[str, Path]) -> None:
    here("accord", "solve", "tsp.json", "cvrp.json", "--trace", "trace.csv")
    table = list(csv.DictReader((tmp_path / "trace.csv").open()))
    for name in ("eight", "seven-k3"):
        values = [int(row["objective"]) for row in table if row["instance"] == name]
        assert values == sorted(values, reverse=True)
        assert values


def test_a_start_is_never_made_worse(here: Here, tmp_path: Path, files: dict[str, Path]) -> None:
    write((ALL["tsp"], (0, 3, 1, 5, 2, 7, 4, 6)), tmp_path / "start.tour")
    worse = check(ALL["tsp"], (0, 3, 1, 5, 2, 7, 4, 6)).objective
    done = here("accord", "solve", "tsp.json", "--start", "start.tour", "--method", "nearest")
    assert rows(done.stdout)[0]["objective"] <= worse
    several = here("accord", "solve", "tsp.json", "cvrp.json", "--start", "start.tour")
    assert several.returncode == 2
    assert "one instance" in several.line


def test_a_start_that_breaks_a_rule_points_to_repair(here: Here, tmp_path: Path, files: dict[str, Path]) -> None:
    (tmp_path / "start.json").write_text('{"kind": "knapsack", "plan": [0, 1, 2, 3, 4]}\n')
    done = here("accord", "solve", "knapsack.json", "--start", "start.json")
    assert done.returncode == 2
    assert "repair" in done.line


def test_the_fleet_rule_is_kept_and_said(here: Here, tmp_path: Path, files: dict[str, Path]) -> None:
    free = here("accord", "solve", "cvrp.json")
    assert "fleet free" in free.stderr
    assert rows(free.stdout)[0]["fleet"] is None
    assert rows(free.stdout)[0]["fewest_vehicles"] == 3  # demands of 27 in vehicles of 10
    assert "vehicles of at least 3 (fleet free)" in free.stderr
    named = here("accord", "solve", "cvrp.json", "--fleet", "name")
    assert "fleet at most 3" in named.stderr
    assert rows(named.stdout)[0]["vehicles"] <= 3
    assert here("accord", "solve", "cvrp.json", "--fleet", "some").returncode == 2


def one_van(folder: Path) -> dict[str, Path]:
    """Three customers of 1, a capacity of 3 and one vehicle; a trip to each of them alone would be shorter than the round."""
    write(
        CVRP(np.array([[0, 1, 1, 1], [1, 0, 9, 9], [1, 9, 0, 9], [1, 9, 9, 0]]), np.array([0, 1, 1, 1]), 3, fleet=1, name="van"),
        folder / "van.json",
    )
    for name in ("van.vrp", "van.csv"):
        write(read(folder / "van.json")[0], folder / name)
    return {name: folder / name for name in ("van.json", "van.vrp", "van.csv")}


@pytest.mark.parametrize("name", ["van.json", "van.vrp", "van.csv"])
def test_the_fleet_that_the_file_states_is_a_rule_of_the_problem(here: Here, tmp_path: Path, name: str) -> None:
    one_van(tmp_path)
    done = here("accord", "solve", name)
    (row,) = rows(done.stdout)
    assert (row["fleet"], row["vehicles"], row["objective"]) == (1, 1, 20)
    assert "fleet at most 1" in done.stderr
    (compared,) = csv.DictReader(here("accord", "compare", name, "--methods", "exact").stdout.splitlines())
    assert compared["fleet"] == "1"
    (tmp_path / "three.json").write_text('{"kind": "cvrp", "plan": [[1], [2], [3]]}\n')
    judged = here("accord", "check", name, "three.json")
    assert (judged.returncode, json.loads(judged.stdout)["violations"][0]["code"]) == (3, "fleet")
    (mended,) = rows(here("accord", "repair", name, "three.json").stdout)
    assert (mended["fleet"], mended["vehicles"]) == (1, 1)
    assert rows(here("accord", "solve", name, "--fleet", "free").stdout)[0]["vehicles"] == 3


def test_a_fleet_for_what_has_no_vehicles_is_a_mistake(here: Here, files: dict[str, Path]) -> None:
    for words in (("solve", "tsp.json"), ("compare", "tsp.json")):
        done = here("accord", *words, "--fleet", 3)
        assert (done.returncode, "no vehicles" in done.line) == (2, True)


def test_a_fleet_that_is_too_small_is_unknown_or_proven(here: Here, files: dict[str, Path]) -> None:
    done = here("accord", "solve", "cvrp.json", "--fleet", 2)
    (row,) = rows(done.stdout)
    assert row["plan"] is None
    assert done.returncode == {"infeasible": 3, "unknown": 4}[row["status"]]
    assert row["reason"]


def test_a_customer_too_large_is_infeasible_before_anything_runs(here: Here, tmp_path: Path) -> None:
    (tmp_path / "big.json").write_text('{"kind": "cvrp", "distances": [[0, 1], [1, 0]], "demands": [0, 9], "capacity": 5}\n')
    done = here("accord", "solve", "big.json")
    assert done.returncode == 3
    assert rows(done.stdout)[0]["status"] == "infeasible"


def test_one_broken_input_does_not_take_the_others_with_it(here: Here, tmp_path: Path, files: dict[str, Path]) -> None:
    (tmp_path / "broken.tsp").write_text("TYPE : TSP\nDIMENSION : 3\n")
    done = here("accord", "solve", "broken.tsp", "tsp.json")
    assert done.returncode == 1
    assert [row["status"] for row in rows(done.stdout)] == ["invalid", "optimal"]
    alone = here("accord", "solve", "broken.tsp")
    assert alone.returncode == 2
    assert "broken.tsp" in alone.stderr


def test_standard_input_is_an_input(here: Here, files: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    monkeypatch.setattr("sys.stdin", io.StringIO(files["knapsack"].read_text()))
    assert rows(here("accord", "solve", "-").stdout)[0]["objective"] == 15


def test_a_problem_with_time_windows_is_refused_with_the_tool_that_can(here: Here, tmp_path: Path) -> None:
    (tmp_path / "w.csv").write_text("id,x,y,demand,ready,due\n0,0,0,0,0,100\n1,1,2,3,0,50\n")  # as many columns more as rows
    done = here("accord", "solve", "w.csv", "--capacity", 5)
    assert (done.returncode, rows(done.stdout)[0]["status"]) == (2, "refused")
    assert "time windows" in done.line
    assert "PyVRP" in done.line


def test_a_gpu_that_is_not_there_is_said(here: Here, files: dict[str, Path]) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is one")
    done = here("accord", "solve", "tsp.json", "--device", "cuda")
    assert (done.returncode, "no CUDA device" in done.line) == (2, True)


def test_one_of_many_is_named(here: Here, tmp_path: Path) -> None:
    write([ALL["knapsack"], ALL["binpack"]], tmp_path / "two.jsonl")
    assert rows(here("accord", "solve", "two.jsonl#bins").stdout)[0]["kind"] == "binpack"
    assert rows(here("accord", "solve", "two.jsonl#1").stdout)[0]["kind"] == "knapsack"


@pytest.mark.parametrize(
    "words",
    [
        (), ("nowhere.tsp",), ("tsp.json", "--method", "nearst"), ("tsp.json", "--method", "nearest", "--samples", "4"),
        ("tsp.json", "--time-limit", "0"), ("tsp.json", "--run", "x"), ("tsp.json", "--text", "a tour"),
    ],
)  # fmt: skip
def test_mistakes_are_one_line_and_2(here: Here, files: dict[str, Path], words: tuple[str, ...]) -> None:
    done = here("accord", "solve", *words)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("seed", ["-1", "9223372036854775808", "99999999999999999999999", "1.5", "x"])
def test_what_is_no_seed_is_a_mistake(here: Here, files: dict[str, Path], seed: str) -> None:
    for words in (("solve", "tsp.json"), ("compare", "tsp.json"), ("generate", "tsp")):
        done = here("accord", *words, f"--seed={seed}")
        assert (done.returncode, "no seed" in done.line) == (2, True)


@pytest.mark.parametrize("kind", ALL)
def test_the_largest_seed_is_one_for_every_method(here: Here, files: dict[str, Path], kind: str) -> None:
    methods = ",".join(("portfolio", "model", "heuristic", *METHODS[kind]))
    done = here("accord", "compare", f"{kind}.json", "--methods", methods, "--samples", 4, "--seed", (1 << 63) - 1, "--time-limit", 0.2)
    assert done.returncode == 0, done.stderr


def test_the_first_interrupt_gives_the_best_so_far(here: Here, files: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """As Ctrl-C does it: the handler is called while a method runs that would never end."""
    import os
    import signal

    def endless(instance, *, deadline=None, seed=0, start=None, found=None):
        os.kill(os.getpid(), signal.SIGINT)
        while True:
            pass

    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setitem(METHODS["jssp"], "local", endless)
    done = here("accord", "solve", "jssp.json", "tsp.json")
    assert done.returncode == 130
    assert [row["status"] for row in rows(done.stdout)] == ["feasible", "unknown"]
    assert "best so far" in done.stderr
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize("when", [1, 4])
def test_an_interrupt_gives_the_answer_of_a_network_that_has_begun(
    here: Here, files: dict[str, Path], monkeypatch: pytest.MonkeyPatch, when: int
) -> None:
    """While it is loaded, and while the samples are drawn: the greedy answer is there."""
    import os
    import signal

    from apps.accord.solver.model_method import ModelMethod

    decode = ModelMethod._decode

    def interrupted(self: ModelMethod, instances: list, **words):
        if words.get("samples", 1) == when:
            os.kill(os.getpid(), signal.SIGINT)
        return decode(self, instances, **words)

    monkeypatch.setattr(ModelMethod, "_decode", interrupted)
    done = here("accord", "solve", "tsp.json", "--method", "model", "--samples", 4)
    assert done.returncode == 130
    assert [(row["status"] in ("feasible", "optimal"), row["source"]) for row in rows(done.stdout)] == [(True, "model")]


def test_the_second_interrupt_is_immediate_and_an_echo_of_the_first_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """`timeout` signals its child, and then the child's group."""
    import os
    import signal
    import time

    left: list[int] = []
    now = [100.0]
    monkeypatch.setattr(interrupt.os, "_exit", left.append)
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    with interrupt.interruptible(lambda _: None) as stop:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        assert stop
        assert left == []
        now[0] += 1
        os.kill(os.getpid(), signal.SIGINT)
    assert left == [130]
