"""Promise 4.4: the file answers as the program does, or there is no file."""

import copy
import json
import runpy
import subprocess
import sys
import warnings
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from apps.base import trust
from apps.base.errors import FailureError, UserError
from apps.base.export import bare, export_program, parity, pt2, torchscript
from apps.base.predict.program_file import ProgramBytes
from apps.base.shell import Shell
from kernels.dispatch import Form, Operation
from tests.apps.base.tiny_program import LABELS, Tiny, tiny_file

QUIET = Shell(quiet=True)

pytestmark = pytest.mark.usefixtures("home")


def tampering(monkeypatch):
    """Between writing and checking, the weights move by a thousandth."""
    honest = torchscript.write

    def write(program, path, metadata):
        other = copy.deepcopy(program)
        with torch.no_grad():
            other.conv.weight += 1e-3
        honest(other, path, metadata)

    monkeypatch.setattr(torchscript, "write", write)


def test_tampered_file_is_refused_and_leaves_nothing(out, home, monkeypatch):
    tampering(monkeypatch)
    with pytest.raises(
        FailureError, match=r"no file was written: (probs|features|heat|sure) differs by .* at forward\(float32 2x3x32x32\)"
    ):
        export_program(Tiny(), out / "tiny.ts", None, QUIET)
    assert list(out.iterdir()) == []
    assert list(home.iterdir()) == []


def test_refusal_keeps_the_older_file(out, monkeypatch):
    (out / "tiny.ts").write_text("older")
    tampering(monkeypatch)
    with pytest.raises(FailureError):
        export_program(Tiny(), out / "tiny.ts", None, QUIET)
    assert (out / "tiny.ts").read_text() == "older"


def test_exported_file_is_trusted_and_reported(out):
    report = export_program(Tiny(), out / "tiny.ts", None, QUIET)
    assert json.loads(json.dumps(report)) == report
    assert trust.trusted(report["sha256"])
    assert [path.name for path in out.iterdir()] == ["tiny.ts"]
    assert report["worst"].keys() == {"prepare", "probs", "features", "heat", "sure"}
    assert all(entry["difference"] <= 1e-5 for entry in report["worst"].values())
    assert report["discrete"]["best"]["compared"] == 8
    prepared = {case for case in report["cases"] if case.startswith("prepare")}
    assert len(prepared) >= 5
    assert {case for case in report["cases"] if case.startswith("forward")} == {f"forward(float32 {n}x3x32x32)" for n in (1, 2, 5)}


def test_file_carries_its_metadata_and_licence():
    for suffix in (".ts", ".pt2"):
        metadata = ProgramBytes(tiny_file(suffix)).metadata()
        assert metadata["labels"] == LABELS
        assert metadata["licence"] == Tiny().metadata()["licence"]
        assert metadata["methods"] == ["prepare", "forward"]


def test_pt2_answers_at_sizes_it_was_not_exported_at():
    methods, _ = bare.open_pt2(str(tiny_file(".pt2")))
    program = Tiny().eval()
    for height, width in ((1, 9), (33, 32), (32, 32), (120, 90)):
        item = torch.randint(0, 256, (height, width, 3), dtype=torch.uint8)
        torch.testing.assert_close(methods["prepare"](item), program.prepare(item))
    for count in (1, 3, 17):
        x = torch.rand(count, 3, 32, 32)
        torch.testing.assert_close(methods["forward"](x)["probs"], program(x)["probs"])


def test_pt2_method_carries_only_the_weights_it_reads(tmp_path):
    class Heavy(Tiny):
        def __init__(self):
            super().__init__()
            self.heavy = nn.Linear(512, 512)

        def forward(self, x: Tensor) -> dict[str, Tensor]:
            return {"heavy": self.heavy(x.mean((1, 2, 3))[:, None].expand(-1, 512))}

    program = Heavy().eval()
    pt2.write(program, str(tmp_path / "heavy.pt2"), '{"methods": ["prepare", "forward"]}', program.calls(torch.Generator()))
    assert (tmp_path / "heavy.pt2").stat().st_size < 1.5 * 512 * 512 * 4


def test_export_runs_on_the_reference_kernels(out, monkeypatch):
    named = []

    @contextmanager
    def use_backend(name):
        named.append(name)
        yield
        named.append("left")

    monkeypatch.setattr("kernels.dispatch.use_backend", use_backend)
    monkeypatch.setattr(torchscript, "write", lambda *args: named.append("written") or Path(args[1]).write_bytes(b""))
    monkeypatch.setattr(parity, "check", lambda *args: named.append("checked") or {})
    export_program(Tiny(), out / "tiny.ts", None, QUIET)
    assert named == ["reference", "written", "left", "checked"]


@pytest.mark.parametrize("deviation", [0.0, 1e-3])
def test_what_is_expected_of_the_file_is_what_the_fast_form_answers(out, deviation):
    def check(x: Tensor) -> None:
        pass

    score = Operation(lambda x: x.mean((2, 3)), check, torch=Form(lambda x: x.mean((2, 3)) + deviation, lambda x: None))

    class Scored(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return score(x)

    class Fast(Tiny):
        def __init__(self):
            super().__init__()
            self.score = Scored()

        def forward(self, x: Tensor) -> dict[str, Tensor]:
            return {"score": self.score(x)}

        def traced(self):
            return {"score": (torch.rand(2, 3, 32, 32), [torch.rand(1, 3, 32, 32)])}

        def margins(self, outputs):
            return {}

        def metadata(self):
            return {**super().metadata(), "answer": []}

    if deviation:
        with pytest.raises(FailureError, match=r"score differs by 1\.0e-03"):
            export_program(Fast(), out / "fast.ts", None, QUIET)
    else:
        export_program(Fast(), out / "fast.ts", None, QUIET)
    assert (out / "fast.ts").exists() != bool(deviation)


def test_export_leaves_the_program_as_it_was(out):
    program = Tiny().double().train()
    export_program(program, out / "tiny.ts", None, QUIET)
    assert program.training
    assert program.conv.weight.dtype == torch.float64


def test_deprecation_of_torchscript_is_silent_in_our_calls(tmp_path):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torchscript.write(Tiny().eval(), str(tmp_path / "tiny.ts"), "{}")
        bare.open_torchscript(str(tmp_path / "tiny.ts"))
    assert [str(warning.message) for warning in caught if "torch.jit" in str(warning.message)] == []


# A fresh interpreter


# Lives as long as this process: the name of an operation outlives its library, and torch 2.11 stumbles over one without an overload.
OPERATIONS = torch.library.Library("tinyhouse", "DEF")
OPERATIONS.define("twice(Tensor x) -> Tensor")
OPERATIONS.impl("twice", lambda x: x * 2, "CompositeImplicitAutograd")


def test_file_that_needs_our_operations_is_refused(out):
    class Ours(Tiny):
        def forward(self, x: Tensor) -> dict[str, Tensor]:
            return {"probs": torch.ops.tinyhouse.twice(self.head(self.conv(x).mean((2, 3))))}

        def metadata(self):
            return {**super().metadata(), "answer": []}

    with pytest.raises(FailureError, match="fresh interpreter could not answer"):
        export_program(Ours(), out / "ours.ts", None, QUIET)
    assert list(out.iterdir()) == []


def test_fresh_interpreter_refuses_our_packages(tmp_path, monkeypatch):
    torch.save([("prepare", (torch.zeros(4, 4, 3, dtype=torch.uint8),))], tmp_path / "calls")
    home = str(Path(torch.__file__).parent.parent)
    monkeypatch.setattr(
        sys, "argv", ["bare.py", str(tiny_file(".ts")), "torchscript", str(tmp_path / "calls"), str(tmp_path / "answers"), home]
    )
    monkeypatch.setattr(sys, "path", list(sys.path))
    with pytest.raises(SystemExit, match=r"the file needs apps"):  # this process has them
        runpy.run_path(bare.__file__, run_name="__main__")
    assert not (tmp_path / "answers").exists()


def test_fresh_interpreter_has_torch_only():
    code = f"import runpy, sys; runpy.run_path({bare.__file__!r}); import torch; print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert "'torch'" in done.stdout
    for name in ("apps", "kernels", "core_attention", "datamodules", "cv2", "pytorch_lightning"):
        assert f"'{name}'" not in done.stdout


# Mistakes


def test_unknown_suffix_names_the_known_ones(out):
    with pytest.raises(UserError, match=r"\.ts, \.pt2, \.onnx, \.safetensors"):
        export_program(Tiny(), out / "tiny.onnxx", None, QUIET)


def test_missing_folder_is_the_users_mistake(out):
    with pytest.raises(UserError, match="names no file in an existing folder"):
        export_program(Tiny(), out / "nowhere" / "tiny.ts", None, QUIET)


def test_metadata_without_a_licence_is_refused(out):
    class Bare(Tiny):
        def metadata(self):
            return {key: value for key, value in super().metadata().items() if key != "licence"}

    with pytest.raises(ValueError, match="lacks licence"):
        export_program(Bare(), out / "tiny.ts", None, QUIET)


def test_answer_that_names_no_output_is_refused(out):
    class Wrong(Tiny):
        def metadata(self):
            return {**super().metadata(), "answer": [{"output": "prob", "as": "top"}]}

    with pytest.raises(ValueError, match="'prob'"):
        export_program(Wrong(), out / "tiny.ts", None, QUIET)
