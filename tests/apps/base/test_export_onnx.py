"""ONNX files: the same promise as the other formats, kept in onnxruntime, where there is neither torch nor this package."""

import base64
import io
import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from apps.base import export as exporting
from apps.base import trust
from apps.base.errors import FailureError, UserError
from apps.base.export import bare_onnx, export_program, suffix_of
from apps.base.predict.program_file import ProgramBytes, ProgramFile
from apps.base.program import Call, close
from apps.base.shell import Shell
from datamodules.preprocess import Preprocess
from datamodules.whole import sha256
from tests.apps.base.test_predict import close as rows_close
from tests.apps.base.tiny_program import LABELS, Tiny, tiny_file

onnx = pytest.importorskip("onnx", reason="needs pip install 'discern[onnx]'")
onnxruntime = pytest.importorskip("onnxruntime", reason="needs pip install 'discern[onnx]'")

from apps.base.export import onnx as writer  # noqa: E402 - it imports what may be missing

QUIET = Shell(quiet=True)

pytestmark = pytest.mark.usefixtures("home")


def opened(path):
    with path.open("rb") as file:
        return bare_onnx.open_onnx(file)


def test_the_file_answers_at_sizes_and_batches_it_was_not_exported_at():
    methods, program = opened(tiny_file(".onnx")), Tiny().eval()
    for height, width in ((1, 9), (33, 32), (32, 32), (120, 90), (375, 500)):
        item = torch.randint(0, 256, (height, width, 3), dtype=torch.uint8)
        (x,) = methods["prepare"](item.numpy()).values()
        assert close(torch.from_numpy(x), program.prepare(item))[0]
    for count in (1, 3, 17):
        x = torch.rand(count, 3, 32, 32)
        with torch.no_grad():
            expected = program(x)
        answers = methods["forward"](x.numpy())
        assert answers.keys() == expected.keys()
        assert all(close(torch.from_numpy(answers[name]), value)[0] for name, value in expected.items())


@pytest.mark.parametrize("options", [{"size": 224, "share": 0.875}, {"size": (48, 96)}, {"size": 64, "fit": "squash"}], ids=str)
def test_pictures_are_prepared_as_the_model_prepares_them(options, tmp_path):
    class Prepares(Tiny):
        def __init__(self):
            super().__init__()
            self.preprocess = Preprocess(**options)

        @torch.jit.export
        def prepare(self, item: Tensor) -> Tensor:
            return self.preprocess(item)

    program = Prepares().eval()
    graph = writer._graph(program, "prepare", [Call("prepare", (torch.zeros(40, 56, 3, dtype=torch.uint8),))])
    prepare = bare_onnx._method(graph.SerializeToString(), 1)
    for height, width in ((1, 1), (3, 500), (500, 3), (480, 640), (1200, 801), (64, 64)):
        item = torch.randint(0, 256, (height, width, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(height))
        fits, off = close(torch.from_numpy(prepare(item.numpy())["prepare"]), program.prepare(item))
        assert fits, (height, width, off)


def test_a_user_of_onnxruntime_finds_labels_licence_names_and_preprocessing_in_the_file():
    session = onnxruntime.InferenceSession(tiny_file(".onnx"), providers=["CPUExecutionProvider"])
    texts = session.get_modelmeta().custom_metadata_map
    about = json.loads(texts["discern.json"])
    assert about["labels"] == LABELS
    assert about["licence"] == Tiny().metadata()["licence"]
    assert about["preprocessing"] == {"size": 32}
    assert [(value.name, value.shape) for value in session.get_inputs()] == [("x", ["x_0", 3, 32, 32])]
    assert [value.name for value in session.get_outputs()] == ["probs", "features", "heat", "best", "sure"]
    prepare = onnxruntime.InferenceSession(base64.b64decode(texts["prepare.onnx"]), providers=["CPUExecutionProvider"])
    assert [(value.name, value.shape) for value in prepare.get_inputs()] == [("item", ["item_0", "item_1", 3])]


def test_the_file_is_valid_and_tells_nothing_of_the_machine_it_was_made_on():
    data = tiny_file(".onnx").read_bytes()
    onnx.checker.check_model(data, full_check=True)
    for word in (b".py", str(tiny_file(".onnx").parent).encode(), sys.prefix.encode()):
        assert word not in data


def test_metadata_is_read_without_loading_the_file(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.setitem(sys.modules, "onnx", None)
    program = ProgramBytes(tiny_file(".onnx"))
    assert program.format == "onnx"
    assert program.metadata()["methods"] == ["prepare", "forward"]


# No parity, no file


def test_a_file_that_answers_otherwise_is_not_written(out, monkeypatch):
    honest = writer._plain

    def tampered(model):
        model = honest(model)
        for value in model.graph.initializer:
            if value.name.endswith("conv.weight"):
                value.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(value) + np.float32(1e-3), value.name))
        return model

    monkeypatch.setattr(writer, "_plain", tampered)
    with pytest.raises(FailureError, match=r"no file was written: (probs|features|heat|sure) differs by"):
        export_program(Tiny(), out / "tiny.onnx", None, QUIET)
    assert list(out.iterdir()) == []


def test_an_interpreter_with_torch_in_it_is_no_proof(tmp_path, monkeypatch):
    """The check itself fails where the file would need what it must not."""
    (tmp_path / "site" / "torch").mkdir(parents=True)
    (tmp_path / "site" / "torch" / "__init__.py").write_text("")
    script = tmp_path / "bare.py"
    source = open(bare_onnx.__file__).read().replace("import onnxruntime\n", "import onnxruntime, torch\n", 1)  # noqa: PTH123, SIM115
    script.write_text(source)
    np.savez(tmp_path / "calls.npz", **{"0:forward:0": np.zeros((2, 3, 32, 32), np.float32)})
    home = str(bare_onnx.__file__ and onnxruntime.__file__.rpartition("/onnxruntime/")[0])
    words = [sys.executable, "-I", str(script), str(tiny_file(".onnx")), str(tmp_path / "calls.npz"), str(tmp_path / "answers"), home]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "the file needs torch" in done.stderr


def test_a_loop_of_unknown_length_is_refused_with_what_to_take_instead(out):
    class Loops(Tiny):
        also = ("rollout",)

        @torch.jit.export
        def rollout(self, state: Tensor, steps: int) -> Tensor:
            for _ in range(steps):
                state = state.tanh()
            return state

        def calls(self, generator):
            return [*super().calls(generator), Call("rollout", (torch.rand(2, 5), 3))]

    with pytest.raises(FailureError, match=r"Loops.rollout has no onnx form \(it would keep its argument 3\); write \.ts instead"):
        export_program(Loops(), out / "loops.onnx", None, QUIET)
    assert list(out.iterdir()) == []


def test_an_operation_without_an_onnx_form_is_refused_with_what_to_take_instead(tmp_path):
    class Odd(Tiny):
        def forward(self, x: Tensor) -> dict[str, Tensor]:
            return {"odd": torch.special.airy_ai(x.mean((1, 2, 3)))}

    program = Odd().eval()
    with pytest.raises(FailureError, match=r"Odd.forward has no onnx form \(.*airy_ai.*\); write \.ts instead"):
        writer.write(program, str(tmp_path / "x.onnx"), "{}", program.calls(torch.Generator()))


def test_weights_beyond_what_a_protobuf_holds_are_refused_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(writer, "MOST", 100)
    with pytest.raises(FailureError, match=r"bytes of weights are more than an ONNX file holds .*write \.ts instead"):
        writer.write(Tiny(), str(tmp_path / "x.onnx"), "{}", [])


# Operations of ours


class Ranks(nn.Module):
    def forward(self, x: Tensor, offsets: Tensor) -> tuple[Tensor, ...]:
        up, down = torch.sort(x, stable=True), torch.sort(x, stable=True, descending=True)
        places = torch.arange(x.shape[0])
        found = torch.searchsorted(offsets, places, right=True), torch.searchsorted(offsets, places)
        return up.indices, down.indices, *found, torch.stack([x, x / 4, x / 8, x * 2], 1).cumprod(1), x.amax()


def test_ties_are_sorted_places_found_and_products_taken_as_torch_does():
    from apps.base.export.onnx_operations import OPERATIONS

    x, offsets = torch.tensor([2.0, 1.0, 2.0, 1.0, 2.0, 0.0]), torch.tensor([0, 2, 2, 6])
    free = {0: torch.export.Dim.DYNAMIC}
    exported = torch.export.export(Ranks(), (x, offsets), dynamic_shapes=(free, free))
    with writer._quiet():
        made = torch.onnx.export(exported, dynamo=True, custom_translation_table=OPERATIONS, verbose=False)
    session = onnxruntime.InferenceSession(made.model_proto.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]
    many = torch.randint(0, 5, (300,), generator=torch.Generator().manual_seed(0)).float()
    for values, starts in ((x, offsets), (many, torch.tensor([0, 1, 299, 300, 300])), (x[:1], offsets[:2])):
        got = session.run(None, dict(zip(names, (values.numpy(), starts.numpy()), strict=True)))
        for one, other in zip(got, Ranks()(values, starts), strict=True):
            assert one.tolist() == other.tolist()


# Predict


def test_predict_answers_from_it_as_from_torchscript(file, folder, ask):
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    words = (folder, "--full", "--trust", "--batch", "3")
    (code, rows), (other, expected) = ask(tiny_file(".onnx"), *words), ask(file, *words)
    assert code == other == 1
    assert rows_close(rows, expected, 1e-5)


def test_it_is_a_program_and_runs_only_when_trusted(folder, ask, out):
    with pytest.raises(UserError, match=f"not trusted .sha256 {sha256(tiny_file('.onnx'))}"):
        ask(tiny_file(".onnx"), folder)
    report = export_program(Tiny(), out / "tiny.onnx", None, QUIET)
    assert trust.trusted(report["sha256"])
    assert report["format"] == "onnx"
    assert report["worst"].keys() == {"prepare", "probs", "features", "heat", "sure"}
    assert ask(out / "tiny.onnx", folder)[0] == 0


def test_an_item_of_another_shape_is_an_error_that_names_it():
    program = ProgramFile(ProgramBytes(tiny_file(".onnx")))
    with pytest.raises(RuntimeError, match=r"^(?=.*Got: 16 Expected: 32)[^\n]*$"):
        program.forward(torch.rand(2, 3, 16, 32))


def test_it_takes_the_threads_that_torch_has(monkeypatch):
    asked = []
    monkeypatch.setattr("apps.base.predict.program_file.open_onnx", lambda file, threads: asked.append(threads) or {"forward": None})
    ProgramFile(ProgramBytes(tiny_file(".onnx")))
    assert asked == [torch.get_num_threads()]


# Mistakes


def test_without_onnxruntime_predict_names_the_extra(folder, ask, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UserError, match=r"need onnxruntime; run: pip install 'discern\[onnx\]'"):
        ask(tiny_file(".onnx"), folder, "--trust")


def test_without_the_extra_export_names_it_before_anything_is_opened(out, monkeypatch):
    monkeypatch.setattr(exporting, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"needs onnx, onnxscript, onnxruntime; run: pip install 'discern\[onnx\]', or write \.ts"):
        suffix_of(None, "onnx")
    with pytest.raises(UserError, match="needs onnx"):
        export_program(Tiny(), out / "tiny.onnx", None, QUIET)


def test_a_format_that_contradicts_the_file_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"m\.ts means torchscript and --format says onnx"):
        suffix_of(tmp_path / "m.ts", "onnx")
    assert (suffix_of(None, None), suffix_of(None, "onnx"), suffix_of(tmp_path / "m.pt2", None)) == (".ts", ".onnx", ".pt2")


def test_a_cuda_device_is_refused_for_it():
    with pytest.raises(UserError, match=r"--device cuda: .*onnxruntime on the CPU"):
        ProgramFile(ProgramBytes(tiny_file(".onnx")), "cuda")


def test_what_is_no_onnx_file_of_ours_is_named_so(tmp_path):
    whole = tiny_file(".onnx").read_bytes()
    bare = onnx.load_from_string(whole)
    del bare.metadata_props[:]
    broken = {"cut": whole[:-100], "empty": b"", "text": b"not a model", "random": np.random.default_rng(0).bytes(5000)}
    for name, data in broken.items():
        (tmp_path / f"{name}.onnx").write_bytes(data)
        with pytest.raises(UserError, match="is no exported program"):
            ProgramBytes(tmp_path / f"{name}.onnx")
    (tmp_path / "bare.onnx").write_bytes(bare.SerializeToString())
    with pytest.raises(UserError, match="carries no discern metadata"):
        ProgramBytes(tmp_path / "bare.onnx").metadata()


def test_a_length_that_leads_beyond_the_file_is_read_as_no_onnx_file():
    for tail in (b"\x3a\xff\xff\xff\xff\xff\xff\xff\xff\x7f", b"\x72\x04\x0a\x7fab", b"\x3a\x00\x72\x02\x0a\xff"):
        assert bare_onnx.properties(io.BytesIO(b"\x08\x0a" + tail)) is None
