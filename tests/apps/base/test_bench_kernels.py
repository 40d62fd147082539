"""`discern bench kernels`: what it draws of a record, and what it says where it cannot measure. Its figures are made up here."""

import importlib
import json
from pathlib import Path

import pytest
import torch

from apps.base.bench.kernel_table import ahead
from benchmarks.kernels import crossover, run
from benchmarks.kernels.crossover import crossovers
from benchmarks.kernels.shapes import SUBJECTS
from kernels import use_backend
from kernels.cases import CASES
from kernels.errors import parts
from tests.system.command import Here

PASSES = ("forward", "forward and backward")


def made(form: str, length: int, ms: float, which: str = PASSES[1], **more: object) -> dict[str, object]:
    return {
        "operation": "sigmoid_attention", "length": length, "dtype": "bfloat16", "form": form, "pass": which, "error": 1e-3, "ms": ms,
        "ms_20": ms, "ms_80": ms, "times_ours": 1.0 if form == "ours" else ms, "peak_bytes": int(1e6 * ms), "gb_per_s": 100.0,
        "tflops": 1.0, "floor_ms": 0.1, "share_of_floor": 0.1 / ms, **more,
    }  # fmt: skip


def rows(slow: int = 128) -> list[dict[str, object]]:
    """Ours takes 1 ms; eager is as fast at `slow` and slower from then on; compiled fails at one length."""
    found = [made("ours", n, 1.0, which) for n in (64, 128, 256, 512) for which in PASSES]
    found += [made("eager", n, 0.9 if n <= slow else 2.0, which) for n in (64, 128, 256, 512) for which in PASSES]
    wrong = {"operation": "sigmoid_attention", "length": 64, "dtype": "bfloat16", "form": "compiled"}
    return [*found, {**wrong, "skipped": "FAIL: answer 0 is off by 1.0e+00, above 5e-03"}]


def record(path: Path, **more: object) -> Path:
    about = {"subject": "kernels", "device": "a card", "versions": {"torch": "2", "triton": "3"}, "rows": rows(), **more}
    path.write_text(json.dumps(about))
    return path


def test_it_draws_a_record_and_says_from_where_on_ours_is_ahead(tmp_path: Path, here: Here):
    done = here("bench", "kernels", "--from", record(tmp_path / "kernels.json"), "--out", tmp_path / "drawn")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "drawn" / "kernels-sigmoid_attention-bfloat16.png").read_bytes().startswith(b"\x89PNG")
    assert "time from 256 on, memory from 256 on" in done.stdout
    assert "compiled at 64: FAIL: answer 0 is off by 1.0e+00" in done.stdout


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a device")
def test_without_a_device_it_says_so_and_what_can_be_done(here: Here):
    done = here("bench", "kernels")
    assert done.returncode == 2
    assert "no CUDA device here" in done.line
    assert "--from FILE" in done.line


@pytest.mark.parametrize(
    ("text", "words", "message"),
    [
        (None, (), "there is no such file; benchmarks/kernels/run.py writes one"),
        ("", (), "cannot be read as JSON"),
        ("[1, 2]", (), "is no record of kernels"),
        ('{"subject": "mixers", "device": "", "versions": {}, "rows": []}', (), "is no record of kernels"),
        ('{"subject": "kernels", "device": "", "versions": {}, "rows": [{"form": "ours"}]}', (), "is no record of kernels"),
        ('{"subject": "kernels", "device": "", "versions": {}, "rows": []}', (), "no rows of anything; it has none"),
        (json.dumps({"subject": "kernels", "device": "", "versions": {}, "rows": rows()}), ("--only", "gelu"), "it has sigmoid_attention"),
        ("{}", ("--minutes", "3"), "--minutes: of a measurement, and --from measures nothing"),
    ],
)
def test_a_mistake_is_one_line_with_the_remedy(tmp_path: Path, here: Here, text, words, message):
    if text is not None:
        (tmp_path / "given.json").write_text(text)
    done = here("bench", "kernels", "--from", tmp_path / "given.json", *words)
    assert done.returncode == 2
    assert message in done.line


def test_ahead_is_against_the_best_of_the_others_for_good():
    assert ahead(rows()[:-1], PASSES[0], "ms") == 256
    assert ahead([*rows()[:-1], made("sdpa", 512, 0.5, PASSES[0])], PASSES[0], "ms") is None


def test_every_operation_with_kernels_is_measured():
    assert set(SUBJECTS) == set(CASES)


@pytest.mark.parametrize("operation", sorted(SUBJECTS))
def test_the_benchmark_counts_sizes_as_the_form_does(operation: str, monkeypatch: pytest.MonkeyPatch):
    """Else the crossover would be at another size than the measured one."""
    form = importlib.import_module(f"kernels.{operation}.triton_form")
    seen = []
    monkeypatch.setattr(form, "worth", lambda name, size, x, *lengths: seen.append((size, *{*lengths})))
    monkeypatch.setattr("benchmarks.kernels.shapes.Widths.rows", 8)
    subject = SUBJECTS[operation]
    whole = importlib.import_module(f"kernels.{operation}")
    public = getattr(whole, operation)
    pays = public.forms["triton"].pays
    monkeypatch.setattr(type(public), "__call__", lambda self, *args, **kwargs: pays(*args, **kwargs) or (torch.ones(1),))
    subject.call(*subject.inputs(16, torch.float32, "cpu"))
    assert seen == [(subject.size(16), 16) if subject.square else (subject.size(16),)]


def swept(slow: int = 128, which: str = PASSES[0], dtype: str = "bfloat16") -> list[dict[str, object]]:
    """All lengths: ours takes 1 ms; eager is as fast up to `slow` in the one pass, and takes 2 ms elsewhere."""
    lengths = SUBJECTS["sigmoid_attention"].lengths
    found = [made("ours", n, 1.0, each, dtype=dtype) for n in lengths for each in PASSES]
    return found + [made("eager", n, 0.9 if n <= slow and each == which else 2.0, each, dtype=dtype) for n in lengths for each in PASSES]


def begins(length: int) -> dict[str, dict[str, dict[str, int]]]:
    return {"sigmoid_attention": {"90": {"size": SUBJECTS["sigmoid_attention"].size(length), "length": length}}}


@pytest.mark.parametrize("which", PASSES)
def test_the_crossover_is_where_ours_stays_faster_in_both_passes_and_all_dtypes(which: str):
    before = {"gate_residual": {"80": {"size": 5}}}
    assert crossovers(swept(128, which), 90, before) == {**before, **begins(256)}
    assert crossovers([*swept(128, which), *swept(256, which, "float16")], 90, {}) == begins(512)
    wrong = {**rows()[-1], "form": "ours", "length": 4096}
    assert crossovers([*swept(128, which), wrong], 90, begins(64)) == {}


def test_what_was_not_measured_at_all_lengths_is_not_judged():
    assert crossovers([row for row in swept() if row["length"] != 64], 90, begins(1024)) == begins(1024)
    assert crossovers([*swept(), made("ours", 64, 1.0, dtype="float16")], 90, {}) == {}


def test_the_table_is_made_of_a_record_without_a_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture):
    (tmp_path / "crossover.json").write_text("{}")
    monkeypatch.setattr(crossover, "FOLDER", tmp_path)
    monkeypatch.setattr("sys.argv", ["crossover", str(record(tmp_path / "kernels.json", architecture=90, rows=swept()))])
    crossover.main()
    assert json.loads((tmp_path / "crossover.json").read_text()) == begins(256)
    assert "gated_pool: not measured at all of its lengths" in capsys.readouterr().out
    for more, message in (({"architecture": 0}, "in the interpreter"), ({}, "is no record of kernels")):
        record(tmp_path / "kernels.json", **more)
        with pytest.raises(SystemExit):
            crossover.main()
        assert message in capsys.readouterr().err


def test_a_large_batch_of_short_rows_has_not_the_length_of_a_few_long_ones(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("kernels.launch.CROSSOVERS", {"sigmoid_attention": {"0": {"size": 8 * 1024, "length": 32}}})
    pays = importlib.import_module("kernels.sigmoid_attention").sigmoid_attention.forms["triton"].pays
    assert pays(*(torch.zeros(8, 1, 32, 4) for _ in range(3)), 0.0) is None
    assert "from 32 tokens on, not at 16" in pays(*(torch.zeros(32, 1, 16, 4) for _ in range(3)), 0.0)
    assert "from 8192 on, not at 1024" in pays(*(torch.zeros(1, 1, 32, 4) for _ in range(3)), 0.0)


@pytest.mark.parametrize("operation", sorted(name for name, subject in SUBJECTS.items() if subject.plain is not None))
def test_the_composition_beside_ours_answers_the_same(operation: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("benchmarks.kernels.shapes.Widths.rows", 8)
    subject = SUBJECTS[operation]
    torch.manual_seed(0)
    inputs = subject.inputs(16, torch.float32, "cpu")
    with use_backend("reference"):
        wanted = parts(subject.call(*inputs))[0]
    torch.testing.assert_close(subject.plain(*inputs), wanted, rtol=1e-4, atol=1e-4)


def test_minutes_that_run_out_have_something_of_every_operation():
    found = run.order(["sigmoid_attention", "gated_pool"], None, False)
    assert found[:3] == [("sigmoid_attention", 64), ("gated_pool", 1000), ("sigmoid_attention", 128)]
    assert len(found) == sum(len(SUBJECTS[name].lengths) for name in ("sigmoid_attention", "gated_pool"))
    named = run.order(["sigmoid_attention", "gated_pool"], [10**6, 4096, 64], False)
    assert named == [("gated_pool", 10**6), ("sigmoid_attention", 4096), ("sigmoid_attention", 64)]


def test_a_machine_without_git_has_no_commit_but_what_it_is_told(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", "")
    assert run.about_here("cpu", None)["commit"] is None
    assert run.about_here("cpu", "abc")["commit"] == "abc"


def test_it_goes_on_from_a_record_of_the_same_machine_and_files_alone(tmp_path: Path):
    about = run.about_here("cpu", "abc")
    (tmp_path / "kernels.json").write_text(json.dumps({**about, "floors": {}, "rows": rows()}))
    assert run.earlier(tmp_path / "kernels.json", about) == ({}, rows())
    assert run.earlier(tmp_path / "kernels.json", {**about, "commit": "def"}) is None
    assert run.earlier(tmp_path / "nothing.json", about) is None


def test_a_rival_that_is_a_little_wrong_has_its_time_and_its_error(monkeypatch: pytest.MonkeyPatch):
    """Else ours would be faster than the best of the others for want of the others."""
    subject = SUBJECTS["gate_residual"]._replace(plain=lambda *inputs: 1.01 * subject.call(*inputs))
    monkeypatch.setitem(SUBJECTS, "gate_residual", subject)
    monkeypatch.setattr(run, "under", lambda backend, call: call)
    found = run.rows_of("gate_residual", 8, torch.float32, "cpu", run.Floor(1.0, 1.0), True)
    rival = [row for row in found if row["form"] == "plain"]
    assert [row["pass"] for row in rival] == list(PASSES)
    assert all(row["error"] > row["limit"] and row["ms"] > 0 for row in rival)


def test_ours_has_no_time_where_it_is_wrong(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(run, "under", lambda backend, call: (lambda *x: 1.01 * call(*x)) if backend == "triton" else call)
    found = run.rows_of("gate_residual", 8, torch.float32, "cpu", run.Floor(1.0, 1.0), True)
    assert [row["skipped"][:5] for row in found if row["form"] == "ours"] == ["FAIL:"]


def test_an_error_that_breaks_the_device_is_not_kept_as_a_form_that_was_skipped(monkeypatch: pytest.MonkeyPatch):
    def broken() -> None:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    assert run.reason(RuntimeError("out of memory\nmore"), "cuda") == "RuntimeError: out of memory"
    monkeypatch.setattr(torch.cuda, "synchronize", broken)
    with pytest.raises(run.BrokenDeviceError, match="ValueError: first"):
        run.reason(ValueError("first"), "cuda")
