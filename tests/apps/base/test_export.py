"""Promise 4.4: the file answers as the program does, or there is no file."""

import copy
import json
import runpy
import subprocess
import sys
import warnings
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from apps.base import trust
from apps.base.errors import FailureError, UserError
from apps.base.export import bare, export_program, parity, pt2, torchscript, weights
from apps.base.predict.program_file import ProgramBytes
from apps.base.program import Call, Program, trace
from apps.base.shell import Shell
from kernels.dispatch import Form, Operation
from tests.apps.base.tiny_program import LABELS, Tiny, tiny_file

QUIET = Shell(quiet=True)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    return home


@pytest.fixture
def out(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


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


# What a trace keeps


class KeepsCount(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.topk(int(x.shape[1] * 0.5)).values


class KeepsBatch(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(int(x.shape[0]), -1) * torch.ones(int(x.shape[0]), 1)


@pytest.mark.parametrize("module", [KeepsCount(), KeepsBatch()])
def test_trace_that_keeps_a_size_is_refused_by_name(module):
    with pytest.raises(FailureError, match="trunk kept a size"):
        trace(module, torch.rand(2, 8), [torch.rand(3, 12)], "trunk")


def test_trace_needs_other_sizes():
    with pytest.raises(ValueError, match="other sizes"):
        trace(nn.Linear(2, 2), torch.rand(1, 2), [])


class Unscriptable(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 4)

    def forward(self, x: Tensor) -> Tensor:
        with suppress(KeyError):  # Python that TorchScript does not know
            x = x.mean((2, 3))
        return self.linear(x)


class Traced(Tiny):
    def __init__(self):
        super().__init__()
        self.trunk = Unscriptable()

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return {"probs": self.trunk(x).softmax(-1)}

    def traced(self):
        return {"trunk": (torch.rand(2, 3, 32, 32), [torch.rand(1, 3, 32, 32), torch.rand(5, 3, 16, 16)])}

    def metadata(self):
        return {**super().metadata(), "answer": [{"output": "probs", "as": "top", "k": 2}]}


def test_parts_that_cannot_be_scripted_are_traced(out):
    with pytest.raises(Exception, match="suppress"):
        torch.jit.script(Unscriptable())
    report = export_program(Traced(), out / "traced.ts", None, QUIET)
    assert "probs" in report["worst"]


# Programs of other shapes


class Bags(Program):
    """Ragged, without prepare, with a second method and a loop of unknown length."""

    also = ("rollout",)

    def __init__(self):
        super().__init__()
        self.score = nn.Linear(5, 1)

    def forward(self, flat: Tensor, offsets: Tensor) -> dict[str, Tensor]:
        weight = self.score(flat).sigmoid().squeeze(1)
        index = torch.bucketize(torch.arange(flat.shape[0], device=flat.device), offsets[1:], right=True)
        return {"mean": torch.zeros(offsets.shape[0] - 1, dtype=flat.dtype, device=flat.device).index_add(0, index, weight)}

    @torch.jit.export
    def rollout(self, state: Tensor, steps: int) -> dict[str, Tensor]:
        for _ in range(steps):
            state = state + self.score(state).tanh()
        return {"state": state}

    def calls(self, generator):
        bags = [
            Call("forward", (torch.rand(int(offsets[-1]), 5, generator=generator), offsets))
            for offsets in map(torch.tensor, ([0, 3, 7], [0, 9], [0, 1, 2, 30]))
        ]
        return [*bags, Call("rollout", (torch.rand(2, 5), 3)), Call("rollout", (torch.rand(1, 5), 7))]

    def metadata(self):
        return {**Tiny().metadata(), "input": "features", "answer": [{"output": "mean", "as": "value"}], "labels": []}


def test_ragged_program_with_methods_of_its_own_is_exported(out):
    report = export_program(Bags(), out / "bags.ts", None, QUIET)
    assert report["worst"].keys() == {"mean", "rollout.state"}
    assert ProgramBytes(out / "bags.ts").metadata()["methods"] == ["forward", "rollout"]


def test_method_without_the_export_mark_is_a_bug_named(tmp_path):
    class Unmarked(Bags):
        also = ("forgotten",)

        def forgotten(self, x: Tensor) -> Tensor:
            return x

    with pytest.raises(TypeError, match=r"forgotten is not marked @torch.jit.export"):
        torchscript.write(Unmarked(), str(tmp_path / "x.ts"), "{}")


def test_pt2_refuses_what_has_no_free_sizes(tmp_path):
    class Stubborn(Tiny):
        @torch.jit.export
        def prepare(self, item: Tensor) -> Tensor:
            return super().prepare(item) if item.shape[0] == 40 else super().prepare(item) * 2

    program = Stubborn().eval()
    with pytest.raises(FailureError, match=r"Stubborn.prepare has no pt2 form with free sizes .*write \.ts instead"):
        pt2.write(program, str(tmp_path / "x.pt2"), "{}", program.calls(torch.Generator()))


# A fresh interpreter


def test_file_that_needs_our_operations_is_refused(out):
    library = torch.library.Library("tinyhouse", "DEF")
    library.define("twice(Tensor x) -> Tensor")
    library.impl("twice", lambda x: x * 2, "CompositeImplicitAutograd")

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


# What parity forgives


def answers_with(program, calls, change):
    def run_alone(path, form, calls):
        outputs = [getattr(program, call.method)(*call.args) for call in calls]
        change(outputs[-1])
        return outputs

    return run_alone


def narrow(program, margin):
    """A batch whose two best probabilities lie `margin` apart."""
    program.forward = lambda x: {"probs": torch.tensor([[0.5, 0.5 - margin, 0.0]]), "best": torch.tensor([0])}
    return program


@pytest.mark.parametrize(("margin", "excused"), [(5e-5, True), (5e-4, False)])
def test_decision_may_turn_only_where_it_is_narrow(margin, excused, monkeypatch):
    program = narrow(Tiny().eval(), margin)
    calls = [Call("forward", (torch.rand(1, 3, 32, 32),))]
    monkeypatch.setattr(parity, "run_alone", answers_with(program, calls, lambda outputs: outputs.update(best=torch.tensor([1]))))
    if excused:
        assert parity.check(program, Path(), "torchscript", calls)["discrete"]["best"] == {"compared": 1, "excused": 1}
    else:
        with pytest.raises(FailureError, match="best decides otherwise in 1 of 1"):
            parity.check(program, Path(), "torchscript", calls)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_nan_and_infinity_are_never_close(value, monkeypatch):
    program = Tiny().eval()
    calls = [Call("forward", (torch.rand(1, 3, 32, 32),))]

    def spoil(outputs):
        outputs["probs"] = outputs["probs"].detach().clone()
        outputs["probs"][0, 0] = value

    monkeypatch.setattr(parity, "run_alone", answers_with(program, calls, spoil))
    with pytest.raises(FailureError, match="probs differs"):
        parity.check(program, Path(), "torchscript", calls)


def test_missing_output_is_refused(monkeypatch):
    program = Tiny().eval()
    calls = [Call("forward", (torch.rand(1, 3, 32, 32),))]
    monkeypatch.setattr(parity, "run_alone", answers_with(program, calls, lambda outputs: outputs.pop("heat")))
    with pytest.raises(FailureError, match="heat"):
        parity.check(program, Path(), "torchscript", calls)


# Weights


class Mixed(Tiny):
    def __init__(self):
        super().__init__()
        self.tied = self.conv
        self.register_buffer("brief", torch.randn(3, 5, dtype=torch.bfloat16).t())
        self.register_buffer("odd", torch.tensor([float("nan"), -0.0, float("inf")]))
        self.register_buffer("count", torch.tensor(7))


def test_safetensors_round_trip_is_bitwise(out):
    program = Mixed()
    export_program(program, out / "mixed.safetensors", None, QUIET)
    back, metadata = weights.read(str(out / "mixed.safetensors"))
    state = program.state_dict()
    assert back.keys() == state.keys()
    for name, value in state.items():
        assert back[name].dtype == value.dtype
        assert bytes(back[name].contiguous().view(-1).view(torch.uint8)) == bytes(value.contiguous().view(-1).view(torch.uint8))
    assert metadata["labels"] == LABELS


def test_safetensors_with_a_changed_bit_is_refused(out, monkeypatch):
    honest = weights.write

    def write(program, path, metadata):
        other = copy.deepcopy(program)
        other.odd[1] = 0.0  # was -0.0: equal, but not the same bits
        honest(other, path, metadata)

    monkeypatch.setattr(weights, "write", write)
    with pytest.raises(FailureError, match="bits of odd changed"):
        export_program(Mixed(), out / "mixed.safetensors", None, QUIET)
    assert list(out.iterdir()) == []


# Mistakes


def test_unknown_suffix_names_the_known_ones(out):
    with pytest.raises(UserError, match=r"\.ts, \.pt2, \.safetensors"):
        export_program(Tiny(), out / "tiny.onnxx", None, QUIET)


def test_missing_folder_is_the_users_mistake(out):
    with pytest.raises(UserError, match="does not exist"):
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
