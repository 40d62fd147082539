"""`discern bench kernels`: what it draws of a record, and what it says where it cannot measure. Its figures are made up here."""

import importlib
import json
from pathlib import Path

import pytest
import torch

from apps.base.bench.kernel_table import ahead
from benchmarks.kernels.run import crossovers
from benchmarks.kernels.shapes import SUBJECTS
from kernels.cases import CASES
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
    monkeypatch.setattr(form, "worth", lambda name, size, x: seen.append(size))
    monkeypatch.setattr("benchmarks.kernels.shapes.Widths.rows", 8)
    subject = SUBJECTS[operation]
    whole = importlib.import_module(f"kernels.{operation}")
    public = getattr(whole, operation)
    pays = public.forms["triton"].pays
    monkeypatch.setattr(type(public), "__call__", lambda self, *args, **kwargs: pays(*args, **kwargs) or (torch.ones(1),))
    subject.call(*subject.inputs(16, torch.float32, "cpu"))
    assert seen == [subject.size(16)]


def test_the_crossover_is_where_ours_stays_faster_in_all_passes_and_dtypes():
    before = {"gate_residual": {"80": 5}}
    found = crossovers(rows(), 90, before)
    assert found == {"gate_residual": {"80": 5}, "sigmoid_attention": {"90": SUBJECTS["sigmoid_attention"].size(256)}}
    half = [{**row, "dtype": "float16"} for row in rows(slow=256)]
    assert crossovers([*rows(), *half], 90, {})["sigmoid_attention"]["90"] == SUBJECTS["sigmoid_attention"].size(512)
    wrong = {**rows()[-1], "form": "ours", "length": 512}
    assert crossovers([*rows(), wrong], 90, {"sigmoid_attention": {"90": 7}}) == {}
