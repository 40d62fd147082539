"""The verbs with a network of random weights, as a file; and with the program that is exported of it."""

import csv
import io
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from apps.accord import exported
from apps.accord.model import Accord, build
from apps.accord.program import Decide
from apps.accord.solver import Solver
from apps.base.errors import UserError
from apps.base.export.bare import META
from datamodules.accord.formats import write
from datamodules.accord.instances import KINDS
from datamodules.accord.synth import generate
from tests.apps.accord.solver.small import ALL
from tests.system.command import Here

MODEL = {"dim": 16, "layers": 1, "heads": 2, "ffn": 16, "rank": 2}


@pytest.fixture
def network() -> Accord:
    torch.manual_seed(0)
    return build(MODEL)


@pytest.fixture
def file(tmp_path: Path, network: Accord) -> Path:
    save_file(network.state_dict(), tmp_path / "net.safetensors", metadata={META: json.dumps({"app": "accord", "model": MODEL})})
    write(list(ALL.values()), tmp_path / "six.jsonl")
    return tmp_path / "net.safetensors"


def test_weights_solve_every_kind(here: Here, file: Path) -> None:
    done = here("accord", "solve", "six.jsonl", "--model", file, "--method", "model", "--samples", 3)
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["status"] in ("optimal", "feasible") for line in done.stdout.splitlines()] == [True] * 6


def test_unmasked_answers_say_what_was_broken(here: Here, file: Path) -> None:
    done = here("accord", "solve", "six.jsonl#eight", "--model", file, "--method", "model", "--unmasked")
    row = json.loads(done.stdout)
    assert (done.returncode == 0) == (row["plan"] is not None)
    if row["plan"] is None:
        assert "broke a rule" in row["reason"]


def test_samples_are_drawn_as_a_curve(here: Here, file: Path, tmp_path: Path) -> None:
    done = here("accord", "compare", "six.jsonl", "--methods", "model", "--model", file, "--samples", 4, "--samples-plot", "s.svg")
    assert done.returncode == 0, done.stderr
    assert {row["method"] for row in csv.DictReader(io.StringIO(done.stdout))} == {"model"}
    drawn = (tmp_path / "s.svg").read_text()
    assert all(f">{kind}<" in drawn for kind in KINDS)


@pytest.mark.parametrize(
    "words", [("--model", "no.safetensors"), ("--model", "net.safetensors", "--run", "x"), ("--model", "net.safetensors", "--trust")]
)
def test_a_wrong_model_is_one_line(here: Here, file: Path, words: tuple[str, ...]) -> None:
    done = here("accord", "solve", "six.jsonl", "--method", "model", *words)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1


class Opened:
    """The program, not yet a file."""

    device = torch.device("cpu")

    def __init__(self, program: Decide) -> None:
        self.program = program

    def call(self, name: str, *args: object) -> dict[str, torch.Tensor]:
        return getattr(self.program, name)(*args)


@pytest.fixture
def program(network: Accord, monkeypatch: pytest.MonkeyPatch) -> exported.ExportedNetwork:
    made = Decide(network, {"licence": "", "net": MODEL}, generate("tsp", 1, 5)).eval()
    monkeypatch.setattr(exported, "take_own", lambda *_: made)
    monkeypatch.setattr(exported, "ProgramFile", lambda taken, device: Opened(taken))
    return exported.ExportedNetwork("net.ts", False)


@pytest.mark.parametrize("kind", KINDS)
def test_the_exported_program_gives_the_networks_plans(network: Accord, program: exported.ExportedNetwork, kind: str) -> None:
    size = {"pfsp": (4, 3), "jssp": (3, 3)}.get(kind, 8)
    instances = generate(kind, 2, size, **({"capacity": 20} if kind == "cvrp" else {}))
    for words in ({}, {"samples": 3, "seed": 2}):
        ours, its = (Solver(one).solve(instances, "model", **words) for one in (network, program))
        assert [answer.plan for answer in its] == [answer.plan for answer in ours]


def test_what_a_program_does_not_have_is_refused(program: exported.ExportedNetwork) -> None:
    for words in ({"starts": 3}, {"augment": 8}, {"beam": 2}, {"masked": False}, {"samples": 2, "temperature": 2.0}):
        with pytest.raises(UserError, match=r"net\.ts"):
            Solver(program).solve([ALL["tsp"]], "model", **words)
