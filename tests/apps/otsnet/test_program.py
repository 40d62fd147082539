from typing import Any

import pytest
import torch

from apps.base.errors import FailureError
from apps.base.export import FORMATS, export_program
from apps.base.export.parity import run_alone
from apps.base.predict.answer import answer_rows
from apps.base.program import Call, trace
from apps.base.shell import Shell
from apps.otsnet.options import Locate, Quantize, Verify
from apps.otsnet.program import ReadWords
from datamodules.preprocess import Preprocess
from tests.apps.otsnet.tiny import CHARSET, otsnet, pictures, reader

FACTS = {
    "preprocess": Preprocess((32, 64), fit="squash", mean=(0.5,) * 3, std=(0.5,) * 3).settings(),
    "licence": "",
    "charset": CHARSET,
}
VARIANTS = {
    "otsnet": {},
    "no refinement": {"verify": Verify(iterations=0)},
    "two rounds": {"verify": Verify(iterations=2, refine="replace")},
    "gumbel": {"quantize": Quantize(assign="gumbel")},
    "no verifier": {"verify": Verify(head="none"), "quantize": Quantize(assign="none")},
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_is_traced_kept_no_size(variant: str) -> None:
    program = ReadWords(otsnet(**VARIANTS[variant]), FACTS, []).eval()
    traced: Any = trace(program.words, pictures(2), [pictures(1), pictures(5)])
    answer, wanted = traced(pictures(33)), program(pictures(33))
    assert torch.equal(answer["characters"], wanted["characters"])
    for name, value in wanted.items():
        torch.testing.assert_close(answer[name], value, rtol=0, atol=1e-5)
    assert ("codes" in wanted) == (variant != "no verifier")
    assert ("verified" in wanted) == (variant != "no verifier")


@pytest.mark.parametrize(
    ("name", "variant", "form"),
    [
        ("otsnet", "otsnet", ".ts"),
        pytest.param("otsnet", "no refinement", ".ts", marks=pytest.mark.full),
        pytest.param("otsnet", "two rounds", ".ts", marks=pytest.mark.full),
        pytest.param("ctc", "otsnet", ".ts", marks=pytest.mark.full),
        pytest.param("parseq", "otsnet", ".ts", marks=pytest.mark.full),
        pytest.param("otsnet", "otsnet", ".pt2", marks=pytest.mark.full),
        pytest.param("otsnet", "no refinement", ".pt2", marks=pytest.mark.full),
        pytest.param("ctc", "otsnet", ".pt2", marks=pytest.mark.full),
    ],
)
def test_the_file_answers_as_the_reader_in_a_fresh_interpreter(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch, name: Any, variant: str, form: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    program = ReadWords(reader(name, **VARIANTS[variant]), FACTS, []).eval()
    report = export_program(program, tmp_path / f"words{form}", None, Shell(quiet=True))
    assert report["passed"]
    assert report["discrete"]["characters"]["excused"] == 0
    calls = [Call("forward", (pictures(count, seed=count),)) for count in (1, 2, 33)]
    for call, answer in zip(calls, run_alone(tmp_path / f"words{form}", FORMATS[form], calls), strict=True):
        with torch.inference_mode():
            wanted = program(*call.args)
        assert answer.keys() == wanted.keys()
        assert torch.equal(answer["characters"], wanted["characters"])
        for key, value in wanted.items():
            torch.testing.assert_close(answer[key], value, rtol=0, atol=1e-5)
    if form == ".ts":
        loaded = torch.jit.load(tmp_path / "words.ts")
        tokens = torch.tensor([[1, 2, 3, 0, 8, 8], [0, 1, 1, 8, 8, 8], [6, 6, 6, 6, 6, 0]])
        assert loaded.decode(tokens) == ["abc", "", "fffff"]
        assert (loaded.charset(), loaded.max_length()) == (CHARSET, 5)


@pytest.mark.full
def test_letter_by_letter_there_is_torchscript_alone(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """torch.export concludes from one letter alone that there are more pictures than one."""
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(FailureError, match=r"Guard failed.*write \.ts instead"):
        export_program(ReadWords(reader("parseq"), FACTS, []), tmp_path / "words.pt2", None, Shell(quiet=True))


def test_answers_are_words_and_boxes_lie_in_the_picture() -> None:
    program = ReadWords(otsnet(), FACTS, []).eval()
    item = torch.randint(0, 256, (20, 70, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    outputs = program(program.prepare(item)[None])
    (row,) = answer_rows(program.metadata(), outputs, full=True)
    assert row["characters"] == program.decode(outputs["characters"])[0]
    torch.testing.assert_close(outputs["confidence"], outputs["confidences"].prod(1))
    assert ((outputs["boxes"] >= 0) & (outputs["boxes"] <= 1)).all()
    low, high = outputs["boxes"].chunk(2, -1)
    assert (high >= low).all()


def test_text_is_of_tokens_and_labels() -> None:
    about = {"answer": [{"output": "t", "as": "text"}], "labels": list("ab")}
    assert answer_rows(about, {"t": torch.tensor([[2, 1, 0, 1], [1, 1, 2, 2]])}) == [{"t": "ba"}, {"t": "aabb"}]
    for wrong, labels in (
        (torch.zeros(1, 2), ["a"]),
        (torch.zeros(1, 2, 2, dtype=torch.int64), ["a"]),
        (torch.zeros(1, 2, dtype=torch.int64), []),
    ):
        with pytest.raises(ValueError, match="t as text"):
            answer_rows({**about, "labels": labels}, {"t": wrong})


def test_a_charset_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="the charset has 3 characters, the reader 6"):
        ReadWords(otsnet(), {**FACTS, "charset": "abc"}, [])


def test_points_beside_the_place_are_exported_too() -> None:
    program = ReadWords(otsnet(locate=Locate(sampling="deform", attention="differential")), FACTS, []).eval()
    traced: Any = trace(program.words, pictures(2), [pictures(1), pictures(5)])
    torch.testing.assert_close(traced(pictures(3))["attention"], program(pictures(3))["attention"])
