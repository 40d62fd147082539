"""Pictures that keep their shape: what is right of them is no picture, and nobody looks at it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from apps.base.export import FORMATS, export_program
from apps.base.export.parity import run_alone
from apps.base.program import Call, trace
from apps.base.shell import Shell
from apps.otsnet.layers import looked
from apps.otsnet.looking import layer_statistics
from apps.otsnet.looks import over_picture
from apps.otsnet.options import Ctc, Locate, Observe, Weights
from apps.otsnet.program import ReadWords
from apps.otsnet.readers import Reader
from datamodules.preprocess import Preprocess
from tests.apps.otsnet.tiny import eyes, pictures, reader, words
from tests.apps.otsnet.tiny_files import FACTS

PADDED = {**FACTS, "preprocess": Preprocess((32, 64), fit="pad", mean=(0.5,) * 3, std=(0.5,) * 3).settings()}
WIDE = 32  # pixels of the picture, of 64
READERS: dict[str, tuple[str, dict[str, Any]]] = {
    "otsnet": ("otsnet", {}),
    "differential": ("otsnet", {"locate": Locate(attention="differential")}),
    "deform": ("otsnet", {"locate": Locate(sampling="deform")}),
    "dual": ("otsnet", {"observe": {"attention": "dual"}}),
    "ctc": ("ctc", {}),
    "lstm": ("ctc", {"ctc": Ctc(encoder="lstm", hidden=8), "observe": {"depth": None}}),
    "parseq": ("parseq", {}),
}


def readers(name: str) -> tuple[Reader, Reader]:
    """(one that is shown padded pictures, one that is shown pictures alone), of the same weights, which do not mind the size.

    A stem of patches, for one of convolutions sees the edge of a picture, as recurrent layers and points beside a slot do.
    """
    kind, options = READERS[name]
    chosen = {"stem": "patch", "pos": "sincos2d", **options.get("observe", {}), **({"grid": "4x32"} if kind == "ctc" else {})}
    made = [reader(kind, **{**options, "observe": eyes(padded=padded, **chosen)}) for padded in (True, False)]
    made[1].load_state_dict(made[0].state_dict())
    return made[0], made[1]


def padded(x_BCHW: Tensor) -> Tensor:
    return torch.cat([x_BCHW, torch.full_like(x_BCHW, torch.nan)], 3)


@pytest.mark.parametrize("name", [name for name in READERS if name not in ("deform", "lstm")])
def test_what_is_right_of_a_picture_changes_nothing(name: str) -> None:
    shown_padding, alone = readers(name)
    answer, wanted = shown_padding.read(padded(pictures(4, width=WIDE))), alone.read(pictures(4, width=WIDE))
    assert torch.equal(answer.tokens, wanted.tokens)
    torch.testing.assert_close(answer.probs, wanted.probs)
    torch.testing.assert_close(answer.verify, wanted.verify)
    columns = shown_padding.observer.cells[1]
    map_BLRS = answer.attention.unflatten(2, (-1, columns))
    if name != "ctc":  # by columns a slot without a character was seen everywhere
        assert not map_BLRS[..., columns // 2 :].any()
        torch.testing.assert_close(map_BLRS[..., : columns // 2].flatten(2), wanted.attention)


@pytest.mark.parametrize("name", READERS)
def test_a_batch_of_pictures_of_any_width_learns_and_is_read(name: str) -> None:
    model, _ = readers(name)
    x = padded(pictures(3, width=WIDE))
    x[1, :, :, :1], x[2] = 0.5, pictures(1)[0]  # a single column, and a whole picture
    x[1, :, :, 1:] = torch.nan
    tokens = words("abc", "a", "fade")
    answer = model.read(x)
    assert answer.table.isfinite().all()
    assert answer.attention.isfinite().all()
    model.train()
    parts = model.losses(model(x, model.teach(tokens, 1, 0.5)), tokens)
    torch.stack(list(parts.values())).sum().backward()
    assert all(parameter.grad is None or parameter.grad.isfinite().all() for parameter in model.parameters())
    assert all(float(part) < 100 for part in parts.values())


def test_a_word_that_a_narrow_picture_has_no_columns_for_is_counted() -> None:
    model, _ = readers("ctc")
    x, tokens = padded(pictures(2, width=WIDE)), words("abc", "abc")
    x[1, :, :, 4:] = torch.nan  # one column
    output = model(x)
    assert int(model.follow([(output, tokens)], 0, 0.0)["infeasible"]) == 1
    assert float(model.losses(output, tokens)["ctc"]) < 100


def test_the_columns_of_the_pipeline_are_those_of_the_picture() -> None:
    options: dict[str, Any] = {"weights": Weights(ctc=0.3)}
    made = reader("otsnet", observe=eyes(grid="4x32", stem="patch", pos="sincos2d", padded=True), **options)
    alone = reader("otsnet", observe=eyes(grid="4x32", stem="patch", pos="sincos2d"), **options)
    alone.load_state_dict(made.state_dict())
    tokens = words("abc", "fed")
    given = pictures(2, width=WIDE)
    torch.testing.assert_close(made.losses(made(padded(given)), tokens)["ctc"], alone.losses(alone(given), tokens)["ctc"])


def test_boxes_and_maps_are_of_the_picture_and_not_of_what_is_right_of_it() -> None:
    model, alone = readers("otsnet")
    with torch.inference_mode():
        out = ReadWords(model, PADDED, [])(padded(pictures(3, width=WIDE)))
        wanted = ReadWords(alone, FACTS, []).words.reader.read(pictures(3, width=WIDE))
    assert out["wide"].tolist() == [0.5] * 3
    assert float(out["boxes"].max()) <= 1
    map_RS = out["attention"][0, 0].reshape(8, 8).numpy()
    np.testing.assert_allclose(over_picture(map_RS, 0.5).sum(), 1, atol=1e-5)
    np.testing.assert_allclose(over_picture(map_RS, 0.5)[:, ::8] * 8, wanted.attention[0, 0].reshape(8, 4).numpy(), atol=1e-5)
    assert over_picture(map_RS, 1.0) is map_RS


def test_layers_and_their_statistics_are_told_of_padded_pictures_too() -> None:
    model, _ = readers("otsnet")
    x, boxes = padded(pictures(2, width=WIDE)), torch.tensor([[[0.0, 0.0, 0.5, 1.0]]]).expand(2, -1, -1)
    assert float(layer_statistics(model.observer, x, boxes)["0.attn.background"]) == pytest.approx(0.0, abs=1e-6)  # the box is the picture
    for layer in looked(model.observer, x[:1]):
        assert {map_RX.shape for map_RX in layer.maps.values()} == {(8, 32)}


@pytest.mark.parametrize("name", ["otsnet", "ctc"])
def test_what_is_traced_knows_every_width(name: Any) -> None:
    program = ReadWords(readers(name)[0], PADDED, []).eval()
    traced: Any = trace(program.words, pictures(2), [pictures(1), pictures(5)])
    x = padded(pictures(4, width=WIDE))
    x[1:, :, :, 8:] = torch.nan
    for key, value in program(x).items():
        torch.testing.assert_close(traced(x)[key], value, rtol=0, atol=1e-5)


@pytest.mark.full
@pytest.mark.parametrize("name", ["otsnet", "ctc", "parseq"])
@pytest.mark.parametrize("form", [".ts", ".pt2", ".onnx"])
def test_a_file_answers_as_its_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: Any, form: str) -> None:
    if form == ".onnx":
        pytest.importorskip("onnxruntime", reason="needs pip install 'discern[onnx]'")
    if (name, form) == ("parseq", ".pt2"):
        pytest.skip("letter by letter there is TorchScript and ONNX alone")
    monkeypatch.setenv("HOME", str(tmp_path))
    program = ReadWords(readers(name)[0], PADDED, [torch.randint(0, 256, (20, 17, 3), dtype=torch.uint8)]).eval()
    assert export_program(program, tmp_path / f"words{form}", None, Shell(quiet=True))["passed"]
    x = padded(pictures(3, width=WIDE))
    (answer,) = run_alone(tmp_path / f"words{form}", FORMATS[form], [Call("forward", (x,))])
    with torch.inference_mode():
        for key, value in program(x).items():
            torch.testing.assert_close(answer[key], value, rtol=0, atol=1e-5)


def test_eyes_without_the_option_are_as_before() -> None:
    assert Observe() == Observe(padded=False)
    assert reader().observer.seen(pictures()) is None
    assert "wide" not in ReadWords(reader(), FACTS, [])(pictures(1))
