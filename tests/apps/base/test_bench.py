"""`discern bench`: its subjects, its options, what it writes, and what its figures mean."""

import json
import subprocess
import sys

import pytest
import torch

from apps.base.bench import arms, measure, mixers, sweep
from apps.base.bench.wins import wins
from core_attention import MixerSpec
from core_attention.mixers.heads import Heads
from core_attention.registry import _MIXERS
from tests.system.command import ROOT, Here, environment

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def no_compiler(monkeypatch):
    """Compiling takes half a minute; the one test that does it asks for it."""
    monkeypatch.setattr(arms, "missing_compiler", lambda: "there is no C++ compiler (install g++)")
    monkeypatch.setattr(mixers, "limits", lambda device: (1e11, 1e10))


@pytest.fixture
def table(monkeypatch):
    """Softmax, and two mixers made for the test: one that copies nothing but its input, one for square grids only."""

    class Cheap(Heads):
        spec = MixerSpec("cheap", frozenset({"ns", "nc"}), frozenset({"none"}), frozenset(), "0", "none")

        def mix(self, x_BND, context_BMC, mask, grid, need):
            return self.proj(x_BND)

        def macs(self, n, m, grid):
            return n * self.dim**2

    class Square(Cheap):
        spec = MixerSpec("square", frozenset({"ns"}), frozenset({"none"}), frozenset(), "0", "none", needs_grid=True)

        def mix(self, x_BND, context_BMC, mask, grid, need):
            if grid[0] != grid[1]:
                raise ValueError(f"square: {grid[0]} x {grid[1]} is no square")
            return self.proj(x_BND)

    kept = {"softmax": _MIXERS["softmax"], "cheap": Cheap, "square": Square}
    monkeypatch.setattr("core_attention.registry._MIXERS", kept)
    return kept


def small(here: Here, *words: object):
    return here("bench", "mixers", "--rounds", 1, "--lengths", "8,4", *words)


def test_alone_it_lists_its_subjects_and_loads_no_torch(here: Here):
    done = here("bench")
    assert done.returncode == 2
    assert "\n  mixers " in done.stdout
    code = "import sys; from apps.cli import main; main(['bench']); print('torch' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment(), capture_output=True, text=True)
    assert said.stdout.splitlines()[-1] == "False"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["mixer"], "bench has no word 'mixer'; did you mean 'mixers'?"),
        (["mixers", "--mixers", "sofmax"], "no mixer 'sofmax'; did you mean 'softmax'?"),
        (["mixers", "--pattern", "ns,ncc"], "no pattern 'ncc'; did you mean 'nc'?"),
        (["mixers", "--pattern", ","], "no pattern is named; there are ns, cs, nc, cc"),
        (["mixers", "--lengths", "64,x"], "whole numbers from 1 with commas between them, not '64,x'"),
        (["mixers", "--rounds", "0"], "'0' is not a count of 1 or more"),
        (["mixers", "--length", "64"], "did you mean '--lengths'?"),
    ],
)
def test_a_mistake_is_one_line_with_the_remedy(here: Here, words, message):
    done = here("bench", *words)
    assert done.returncode == 2
    assert message in done.line


def test_it_writes_a_record_and_a_picture_a_pattern(tmp_path, here: Here, table):
    done = small(here, "--pattern", "ns,nc", "--out", tmp_path / "out", "--mixers", "cheap,square")
    assert done.returncode == 0, done.stderr
    about = json.loads((tmp_path / "out" / "mixers.json").read_text())
    assert {
        "subject",
        "finished",
        "date",
        "commit",
        "device",
        "threads",
        "python",
        "versions",
        "settings",
        "method",
        "limits",
        "wins",
        "rows",
    } == set(about)
    for pattern in ("ns", "nc"):
        assert (tmp_path / "out" / f"mixers-{pattern}.png").read_bytes().startswith(b"\x89PNG")
    measured = [row for row in about["rows"] if "skipped" not in row]
    assert {(row["pattern"], row["mixer"], row["form"], row["tokens"]) for row in measured} == {
        *((p, "softmax", form, n) for p in ("ns", "nc") for form in ("reference", "torch") for n in (4, 8)),
        *((p, "cheap", "reference", n) for p in ("ns", "nc") for n in (4, 8)),
        ("ns", "square", "reference", 4),
    }
    for row in measured:
        assert all(row[f"{which}_{unit}"] > 0 for which in ("forward", "both") for unit in ("ms", "mib", "floor_ms"))


def test_what_cannot_be_measured_is_said_with_the_reason(tmp_path, here: Here, table):
    done = small(here, "--pattern", "ns,nc", "--quiet")
    rows = json.loads((tmp_path / "bench" / "mixers.json").read_text())["rows"]
    skipped = [(row["pattern"], row["mixer"], row.get("form"), row.get("tokens"), row["skipped"]) for row in rows if "skipped" in row]
    assert ("nc", "square", None, None, "has no pattern nc") in skipped
    assert ("ns", "square", None, 8, "square: 2 x 4 is no square") in skipped
    assert ("ns", "softmax", "compiled", None, "there is no C++ compiler (install g++)") in skipped
    assert "square at 8 tokens: square: 2 x 4 is no square" in done.stdout
    assert done.stderr == ""


def test_softmax_is_always_there_to_compare_with(tmp_path, here: Here, table):
    done = small(here, "--mixers", "cheap", "--lengths", "64")
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["softmax", "torch"] in [line[:2] for line in lines]
    assert any(line[:1] == ["cheap"] and len(line) == 5 for line in lines)


def test_a_run_that_was_broken_off_goes_on_and_a_finished_one_is_measured_anew(tmp_path, here: Here, table, monkeypatch):
    file, seen = tmp_path / "bench" / "mixers.json", []
    measure_one = sweep._measure

    def broken_off(arms, n, *rest):
        seen.append(n)
        if len(seen) == 2:
            raise KeyboardInterrupt
        return measure_one(arms, n, *rest)

    monkeypatch.setattr(sweep, "_measure", broken_off)
    assert small(here, "--mixers", "square").returncode == 130
    first = json.loads(file.read_text())
    assert not first["finished"]
    done = small(here, "--mixers", "square")
    assert "going on with" in done.stderr
    assert seen == [4, 8, 8]
    second = json.loads(file.read_text())
    assert second["finished"]
    assert second["rows"][: len(first["rows"])] == first["rows"]
    assert len(second["rows"]) == len({json.dumps(row) for row in second["rows"]})
    small(here, "--mixers", "square")
    assert seen == [4, 8, 8, 4, 8]


def rows(mixer: str, *ms: float, form: str = "reference"):
    return [{"mixer": mixer, "form": form, "tokens": 64 * 2**i, "both_ms": value} for i, value in enumerate(ms)]


def test_a_mixer_wins_from_the_length_on_from_which_its_best_form_is_always_ahead():
    base = [*rows("softmax", 9.0, 9.0, 9.0), *rows("softmax", 1.0, 3.0, 9.0, form="torch")]
    won = wins(
        [
            *base,
            *rows("late", 2.0, 2.0, 2.0),
            *rows("never", 0.5, 2.0, 9.0),
            *rows("short", 0.5, 2.0),
            *rows("all", 5.0, 5.0, 5.0),
            *rows("near", 0.97, 2.9, 8.6),
        ]
    )
    won += wins([*base, *rows("forms", 5.0, 5.0, 5.0), *rows("forms", 0.5, 9.0, 9.0, form="torch")])
    assert {row["mixer"]: row["both_ms"] for row in won} == {
        "late": 128,
        "never": None,
        "short": 64,
        "all": 256,
        "near": None,
        "forms": 64 * 4,
    }
    assert all(row["forward_ms"] is None for row in won)


def test_peak_memory_is_what_is_held_at_a_time():
    n = 1 << 18  # one MiB of float32
    x = torch.ones(n)
    assert measure.peak_mib(lambda: x + 1, CPU) == pytest.approx(1, abs=0.01)
    assert measure.peak_mib(lambda: (x + 1) + 1, CPU) == pytest.approx(2, abs=0.01)
    assert measure.peak_mib(lambda: [x + 1 for _ in range(5)], CPU) == pytest.approx(5, abs=0.01)
    assert measure.peak_mib(lambda: [None for _ in range(5) if (x + 1) is None], CPU) == pytest.approx(1, abs=0.01)


def test_every_arm_is_timed_in_turn(monkeypatch):
    monkeypatch.setattr(measure, "SHORT", 0.0)
    order: list[str] = []
    found = measure.median_ms({name: lambda name=name: order.append(name) for name in "ab"}, 3, CPU)
    assert "".join(order[-6:]) == "ababab"
    assert set(found) == {"a", "b"}


def test_forms_are_those_in_which_something_else_happens(table):
    softmax, cheap = arms.make("softmax", "ns", CPU), arms.make("cheap", "ns", CPU)
    assert [arm.form for arm in arms.forms(softmax, arms.inputs(softmax, 4, CPU))] == ["reference", "torch"]
    assert [arm.form for arm in arms.forms(cheap, arms.inputs(cheap, 4, CPU))] == ["reference"]


def test_the_floor_is_the_slower_of_computing_and_moving():
    mixer = arms.make("softmax", "nc", CPU)
    given, cost = arms.inputs(mixer, 16, CPU), mixer.cost(16, 16)
    arm = arms.Arm(mixer, "reference", mixer)
    assert sweep._floor_ms(arm, given, 16, (1e3, 1e30)) == pytest.approx(cost.flops)
    assert sweep._floor_ms(arm, given, 16, (1e30, 1e3)) == pytest.approx(cost.bytes)
    assert all(rate > 0 for rate in measure.limits(CPU))


def test_the_backward_pass_leaves_no_gradients_behind(table):
    mixer = arms.make("softmax", "nc", CPU)
    given = arms.inputs(mixer, 4, CPU)
    answer = arms.pass_call(arms.Arm(mixer, "torch", mixer), given, "both")()
    assert len(answer) == 2 + len(list(mixer.parameters()))
    assert all(parameter.grad is None for parameter in mixer.parameters())
    assert not given["x"].requires_grad


def test_a_compiler_that_fails_is_a_reason(tmp_path, here: Here, table, monkeypatch):
    def broken(**_):
        raise RuntimeError("no such thing\nmore of it")

    monkeypatch.setattr(sweep, "compiled", lambda mixer, device: arms.Arm(mixer, "compiled", broken))
    done = small(here, "--mixers", "cheap")
    assert done.returncode == 0
    assert "cheap compiled: torch.compile: RuntimeError: no such thing\n" in done.stdout


@pytest.mark.full
def test_a_compiled_mixer_is_measured_where_there_is_a_compiler(tmp_path, here: Here, table, monkeypatch):
    from apps.base.toolchain import missing_compiler

    if reason := missing_compiler():
        pytest.skip(reason)
    monkeypatch.setattr(arms, "missing_compiler", missing_compiler)
    assert small(here, "--mixers", "softmax").returncode == 0
    found = json.loads((tmp_path / "bench" / "mixers.json").read_text())["rows"]
    assert {(row["form"], row["tokens"]) for row in found if row["form"] == "compiled"} == {("compiled", 4), ("compiled", 8)}
