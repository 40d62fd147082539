"""The benchmarks of accord run from end to end on next to nothing, and write nothing on --smoke."""

import json
import random
import sys
from ast import literal_eval
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from apps.accord.automata import automaton
from apps.accord.model import build
from apps.accord.router.texts import Example
from benchmarks.accord import answered, formats, generated, public, speed, targets, text
from benchmarks.accord.methods import OPEN, quick, timed
from benchmarks.accord.networks import Networks
from benchmarks.accord.peers.beside import PyVRP
from benchmarks.rows import kept
from datamodules.accord.formats import read
from datamodules.accord.instances import CVRP, KINDS
from datamodules.accord.packs import pack
from datamodules.accord.solution import Solution
from datamodules.accord.synth import generate

PEER = """#!{python}
import json, sys
print(json.dumps({{"version": "1"}}), flush=True)
for line in sys.stdin:
    problem = json.loads(line)
    routes = [[node] for node in range(1, len(problem["distances"]))]
    one = [[node for route in routes for node in route]]
    print(json.dumps({{"routes": one if problem["vehicles"] == 1 else routes, "seconds": 0.1}}), flush=True)
"""


@pytest.fixture
def said(monkeypatch, capsys, tmp_path):
    """What a script prints. It is called in an empty folder, and leaves it empty, and the number of threads as it was."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    threads = torch.get_num_threads()

    def run(script, *words):
        monkeypatch.setattr(sys, "argv", ["benchmark", *map(str, words)])
        script.main()
        assert not list((tmp_path / "here").iterdir())
        return capsys.readouterr().out

    yield run
    torch.set_num_threads(threads)


@pytest.fixture
def problems(tmp_path):
    """A folder as the public one: a round, routes with a fleet, and two bins files in one."""
    for kind in ("tsp", "cvrp", "bpp"):
        (tmp_path / kind).mkdir()
    places = "\n".join(f"{k + 1} {x} {y}" for k, (x, y) in enumerate([(0, 0), (3, 4), (6, 0), (3, 1), (9, 9)]))
    head = "DIMENSION : 5\nEDGE_WEIGHT_TYPE : EUC_2D\n"
    (tmp_path / "tsp" / "five.tsp").write_text(f"NAME : five\nTYPE : TSP\n{head}NODE_COORD_SECTION\n{places}\nEOF\n")
    demands = "DEMAND_SECTION\n1 0\n2 4\n3 3\n4 2\n5 5\nDEPOT_SECTION\n1\n-1\nEOF\n"
    routes = f"NAME : A-n5-k2\nTYPE : CVRP\n{head}CAPACITY : 8\nNODE_COORD_SECTION\n{places}\n{demands}"
    (tmp_path / "cvrp" / "A-n5-k2.vrp").write_text(routes)
    bins = "2\n u1\n 10 4 2\n6\n5\n4\n5\n u2\n 10 3 2\n6\n6\n4\n"
    (tmp_path / "bpp" / "binpack1.txt").write_text(bins)
    rows = ["tsp,five,tsp/five.tsp,,5,,28,1,,", "cvrp,A-n5-k2,cvrp/A-n5-k2.vrp,,4,2,40,0,,"]
    rows += [f"bpp,u{k},bpp/binpack1.txt,{k},4,10,2,1,," for k in (1, 2)]
    head = "kind,name,file,member,n,m_or_capacity,best,proven,source,note"
    (tmp_path / "best_known.csv").write_text("\n".join([head, *rows]) + "\n")
    return tmp_path


def test_generated_problems_by_every_row(said, monkeypatch):
    monkeypatch.setattr(generated, "SIZES", {"smoke": {"tsp": 5, "knapsack": 5}})
    out = said(generated, "--smoke", "--kinds", "tsp", "knapsack")
    rows = [literal_eval(line) for line in out.splitlines() if line.startswith("{")]
    assert {"greedy", "every start x 8", "16 samples", "random weights, 128 samples", "portfolio", "OR-Tools, cpsat"} <= {
        row["row"] for row in rows if row["kind"] == "tsp 5"
    }
    assert all(row["feasible"] == 100.0 for row in rows if row["row"] not in OPEN)
    assert {row["row"] for row in rows} >= set(OPEN)
    assert all(row["descended"] == "-" or row["descended"] <= row["gap"] for row in rows)
    assert {row["fleet"] for row in rows} == {"-"}
    assert "cvrp, greedy: mean gap, %" in out
    assert "not measured" in out


def test_generated_problems_of_the_small_sizes_have_their_own_aims(said, monkeypatch):
    monkeypatch.setattr(generated, "SIZES", {"smoke": {"cvrp": 7}})
    out = said(generated, "--smoke", "--size", "small", "--kinds", "cvrp")
    rows = [literal_eval(line) for line in out.splitlines() if line.startswith("{")]
    assert {row["fleet"] for row in rows} == {"free"}
    assert "jssp, 128 samples: mean gap, %" in out
    assert "<= 2.5" in next(line for line in out.splitlines() if line.startswith("cvrp, 20 starts x 8"))


def test_public_problems_with_the_fleet_of_the_name_and_without(said, problems):
    out = said(public, "--smoke", "--data", problems)
    rows = [literal_eval(line) for line in out.splitlines() if line.startswith("{")]
    assert {row["family"] for row in rows} == {"TSPLIB", "CVRP A", "u120"}
    free = [row for row in rows if row["fleet"] == "free"]
    assert free
    assert all(row["gap"] == "-" and row["over_named"] != "-" for row in free)
    assert any(row["fleet"] == "name" and row["gap"] != "-" for row in rows)
    alone = [row for row in rows if row["row"] in public.NETWORK]
    assert {row["row"] for row in alone if row["family"] == "TSPLIB"} == set(public.NETWORK)
    assert all(row["unserved"] == 0 for row in alone)
    assert all(row["descended"] <= row["gap"] for row in alone if row["descended"] != "-")
    assert any(row["descended"] != "-" for row in alone)


def test_every_public_family_is_where_its_aim_looks_for_it():
    assert {family for _, families, _, _ in public.TARGETS for family in families} <= set(public.FAMILIES)
    places = {"bpp/scholl.tar#N1C1W1_A.BPP": "Scholl 1", "bpp/scholl.tar#N1W2B3R0.BPP": "Scholl 2, 3", "jssp/orb02.txt": "orb"}
    assert {address: public.family_of(address) for address in places} == places


def test_texts_and_what_was_written_by_hand(said):
    out = said(text, "--smoke")
    assert "held-out templates: kind right and accepted" in out
    assert "'texts': 'by hand'" in out


def test_sentences_beside_a_problem_are_none_of_the_tests():
    rules, plain = text.one_more()
    assert all(one.kind is None for one in rules)
    assert {one.kind for one in plain} == set(KINDS)
    other = Path(__file__).parents[1] / "apps/accord/front/added.txt"
    ours = {line for line in other.read_text("utf-8").splitlines() if line and not line.startswith(("==", "#"))}
    assert not ours & set(text.ADDED.read_text("utf-8").splitlines())


def test_ten_texts_of_each_kind_and_thirty_outsiders_were_written_by_hand():
    found = [one.kind for one in text.by_hand()]
    assert [found.count(kind) for kind in (*KINDS, None)] == [10] * 6 + [30]


def test_a_paraphrase_keeps_every_number():
    told = text.by_hand()

    def digits(one):
        return "".join(letter for letter in one.text if letter.isdigit())

    assert all(digits(one) == digits(text.paraphrased(one, random.Random(0))) for one in told)
    assert any(text.paraphrased(one, random.Random(0)).text != one.text for one in told)


def test_a_problem_that_was_read_otherwise_than_told_is_noticed():
    one, other = generate("pfsp", 2, (4, 3), 0)
    assert text.same(one, one)
    assert not text.same(one, other)


def test_states_and_adapters_train_and_are_tested(said, monkeypatch):
    monkeypatch.setattr(formats, "STATES", {name: formats.STATES[name] for name in ("masked, fed", "unmasked, none")})
    arm = replace(formats.ADAPTERS["tsp and cvrp together"], kinds=("tsp", "cvrp"))
    monkeypatch.setattr(formats, "ADAPTERS", {"tsp and cvrp together": arm})
    monkeypatch.setattr(formats, "ALL", arm.kinds)
    out = said(formats, "--smoke", "--only", "states", "adapters")
    rows = [literal_eval(line) for line in out.splitlines() if line.startswith("{")]
    assert [row["row"] for row in rows] == ["masked, fed"] * 3 + ["unmasked, none"] * 3 + ["tsp and cvrp together"]
    assert all(row["feasible"] == 100.0 for row in rows if row["row"].startswith("masked"))
    assert all((row["best_of_16"] == "-") == row["row"].startswith("masked") for row in rows[:6])


@pytest.mark.full
def test_a_small_language_model_learns_both_texts(said):
    pytest.importorskip("peft")
    out = said(formats, "--smoke", "--only", "texts")
    rows = [literal_eval(line) for line in out.splitlines() if line.startswith("{")]
    assert {row["row"].split(", ", 1)[0] for row in rows} == {"accord", "lists"}
    assert all(row["feasible"] == 100.0 for row in rows if row["row"].endswith("masked"))


def test_the_cache_and_the_batches(said, monkeypatch):
    monkeypatch.setattr(speed, "KINDS", ("tsp",))
    out = said(speed, "--smoke", "--threads", "1", "--only", "cache", "greedy", "batches")
    assert "'same_tours': '2 of 2'" in out
    assert "'instances_per_s'" in out


def test_a_round_without_the_cache_is_the_same_round():
    torch.manual_seed(0)
    network = build({"size": "tiny", "history": True}).eval()
    for weight in network.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    batch = pack(generate("tsp", 3, 7, 0))
    with_it, without = (speed.walked(network, automaton("tsp"), batch, cached) for cached in (True, False))
    assert torch.equal(with_it, without)


@pytest.mark.full
def test_the_time_limit_of_the_command(problems):
    (row,) = speed.overshoot(problems, ["tsp/five.tsp"], 5.0, None)
    assert row["status"] == "optimal"
    assert row["told"] <= row["outside"]


def test_an_answer_that_the_checker_refuses_counts_as_none():
    one, other = generate("tsp", 2, 5, 0)
    right, repeated = Solution("tsp", (0, 1, 2, 3, 4), 7, "optimal"), Solution("tsp", (0, 1, 1, 3, 4), 7, "feasible")
    found = answered.Answered.of([one, other], [right, repeated])
    assert found.objectives[1] is None
    assert found.objectives[0] != 7  # what a method says of itself is not asked
    assert answered.Answered.read(json.loads(json.dumps(found.text()))).objectives == found.objectives


def test_gaps_are_to_the_best_that_any_row_found():
    best = answered.best_of_all("tsp", [[5, None, 9], [4, 8]])
    assert best == [4, 8, 9]
    assert answered.best_of_all("knapsack", [[5, None], [4, 8]]) == [5, 8]
    instances = generate("tsp", 2, 4, 0)
    cells = answered.summed(instances, answered.Answered([5, None], [False, False], [0.1, 0.3]), best)
    assert (cells["gap"], cells["feasible"], cells["seconds"]) == (25.0, 50.0, 0.2)


def test_an_aim_is_met_or_not_or_not_measured():
    rows = targets.compared([(targets.Target("a", 2.0), 2.0), (targets.Target("b", 2.0, True), 1.0), (targets.Target("c", 2.0), None)])
    assert [row["met"] for row in rows] == ["yes", "no", "not measured"]


def test_a_row_that_is_kept_is_not_made_again(tmp_path):
    made = []
    for _ in range(2):
        kept(tmp_path, "tsp greedy", {"count": 1}, lambda: made.append(1) or {"answered": {}})
    assert made == [1]


def test_another_interpreter_answers_routes_and_rounds(tmp_path, monkeypatch):
    script = tmp_path / "peer.py"
    script.write_text(PEER.format(python=sys.executable))
    monkeypatch.setattr("benchmarks.accord.peers.beside.SCRIPT", script)
    peer = PyVRP(Path(sys.executable))
    instances = [*generate("tsp", 1, 5, 0), *generate("cvrp", 1, 6, 0)]
    found = answered.Answered.of(instances, [peer.solve(one, 0.1) for one in instances])
    peer.close()
    assert None not in found.objectives
    with pytest.raises(SystemExit, match="name an interpreter"):
        PyVRP(tmp_path / "nothing")


def test_an_interpreter_without_pyvrp_is_told(tmp_path):
    with pytest.raises(SystemExit, match=r"it needs pyvrp 0\.14"):
        PyVRP(Path(sys.executable))


def test_rules_and_solvers_of_every_kind_have_their_rows():
    network = build({"size": "tiny"}).eval()
    nets = Networks(network, network, network, "none")
    for kind in KINDS:
        names = [row.name for row in (*quick(kind), *timed(kind, nets, 0.1, None))]
        assert len(names) == len(set(names))
        assert {"portfolio", "portfolio, no network", "ours, local"} <= set(names)


def test_a_hand_written_example_names_no_problem_of_its_own():
    assert all(isinstance(one, Example) and one.instance is None for one in text.by_hand())


def test_the_miniature_of_the_public_folder_is_read(problems):
    (routes,) = read(f"{problems}/cvrp/A-n5-k2.vrp", fleet="name")
    assert isinstance(routes, CVRP)
    assert routes.fleet == 2
