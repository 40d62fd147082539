"""The file that travels with a registered model, held against what `discern predict` does."""

import base64
import io
import json
import re
import struct
import zlib
from types import SimpleNamespace
from typing import Optional

import cv2
import numpy as np
import pandas
import pytest
import torch
from PIL import Image

from apps.base import serving
from apps.base.predict.answer import answer_rows
from datamodules.errors import DataError
from datamodules.histograph.reader import read_graph
from datamodules.pictures import read_picture

pytestmark = pytest.mark.filterwarnings("ignore")


def test_tokens_are_told_as_text() -> None:
    about = {"answer": [{"output": "t", "as": "text"}], "labels": list("ab")}
    for tokens in ([2, 1, 0, 1], [1, 1, 2, 2], [0, 0]):
        (row,) = answer_rows(about, {"t": torch.tensor([tokens])})
        assert serving._plain({"t": torch.tensor(tokens)}, about) == row


def test_steps_end_at_the_first_that_is_none_whatever_fills_the_batch() -> None:
    about = {"answer": [{"output": "t", "as": "steps"}], "labels": []}
    rows = answer_rows(about, {"t": torch.tensor([[2, 0, -1, -1], [3, 1, 0, 2], [-1, -1, -1, -1]])})
    assert [row["t"] for row in rows] == [[2, 0], [3, 1, 0, 2], []]
    assert serving._plain({"t": torch.tensor([2, 0, -1, -1])}, about) == rows[0]


def scene():
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[..., 0] = np.linspace(0, 255, 60)[None]
    pixels[..., 1] = np.linspace(0, 255, 40)[:, None]
    pixels[:8, :8] = 255
    return pixels


def encode(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def odd_pictures():
    plain = Image.fromarray(scene())
    seen = Image.fromarray(np.dstack([scene(), np.linspace(0, 255, 2400).reshape(40, 60).astype(np.uint8)]))
    palette = plain.quantize(9)
    deep = (scene().astype(np.uint16) * 257)[..., ::-1]
    for kind in ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF"):
        yield f"{kind} plain", encode(plain, kind)
        yield f"{kind} cut short", encode(plain, kind)[:-200]
    for kind in ("JPEG", "PNG", "TIFF", "BMP"):
        yield f"{kind} grey", encode(plain.convert("L"), kind)
    for kind in ("JPEG", "PNG", "WEBP", "TIFF"):
        for turn in range(1, 9):
            exif = Image.Exif()
            exif[0x112] = turn
            yield f"{kind} turned {turn}", encode(plain, kind, exif=exif)
    exif[0x112] = 6
    for kind in ("PNG", "WEBP", "TIFF"):
        yield f"{kind} transparent", encode(seen, kind)
    yield "PNG transparent and turned", encode(seen, "PNG", exif=exif)
    yield "PNG grey with alpha", encode(seen.convert("LA"), "PNG")
    yield "PNG palette", encode(palette, "PNG")
    yield "PNG transparent palette", encode(palette, "PNG", transparency=1)
    yield "GIF transparent", encode(palette, "GIF", transparency=1)
    yield "PNG 16 bit", cv2.imencode(".png", deep)[1].tobytes()
    yield "PNG 16 bit grey", cv2.imencode(".png", deep[..., 0])[1].tobytes()
    yield "PNG 16 bit alpha", cv2.imencode(".png", np.dstack([deep, deep[..., :1]]))[1].tobytes()
    yield "TIFF 16 bit", cv2.imencode(".tiff", deep)[1].tobytes()
    yield "TIFF float", encode(Image.fromarray(scene()[..., 0].astype(np.float32)), "TIFF")
    yield "JPEG CMYK", encode(plain.convert("CMYK"), "JPEG")
    yield "TIFF CMYK", encode(plain.convert("CMYK"), "TIFF")
    yield "PNG one bit", encode(plain.convert("1"), "PNG")
    yield "giant PNG", giant(20_000, 10_000)
    yield "large PNG", giant(10_001, 10_000)
    yield "PPM", encode(plain, "PPM")
    yield "text", b"not a picture"
    yield "nothing", b""


def giant(width, height):
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    end = b"\0\0\0\0IEND" + struct.pack(">I", zlib.crc32(b"IEND"))
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body)) + end


@pytest.mark.parametrize(("name", "data"), list(odd_pictures()), ids=lambda value: value if isinstance(value, str) else "")
def test_a_served_picture_is_read_as_predict_reads_it(name, data):
    text = base64.b64encode(data).decode()
    try:
        expected = read_picture(data)
    except DataError:
        with pytest.raises(ValueError, match=r"\w"):
            serving._picture(text, {})
        return
    assert (serving._picture(text, {})[0].numpy() == expected).all()


def test_a_picture_that_is_too_big_is_refused_before_it_is_decoded(monkeypatch):
    monkeypatch.setattr(serving.cv2, "imdecodeWithMetadata", lambda *_, **__: pytest.fail("decoded"))
    with pytest.raises(ValueError, match="more pixels than the limit"):
        serving._read(giant(10_001, 10_000))


def served(program, tmp_path, **about):
    about = {"labels": [], "batching": "stack", "input": "image", **about}
    path = tmp_path / "program.ts"
    torch.jit.script(program).save(str(path), _extra_files={"discern.json": json.dumps(about)})
    answering = serving.Answering()
    answering.load_context(SimpleNamespace(artifacts={"program": str(path)}))  # type: ignore[arg-type]
    return answering


class Inverse(torch.nn.Module):
    @torch.jit.export
    def prepare(self, item: torch.Tensor) -> torch.Tensor:
        return item.float()

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"inverse": 0 / x.mean((1, 2, 3))}


def test_an_answer_that_is_no_number_is_an_error(tmp_path):
    answering = served(Inverse(), tmp_path, answer=[{"output": "inverse", "as": "value"}])
    black, white = np.zeros((4, 4, 3), np.uint8), np.full((4, 4, 3), 255, np.uint8)
    assert answering.predict(None, [black, white]) == [  # type: ignore[arg-type]
        {"error": "the program's answer is not a number (inverse)"},
        {"inverse": 0.0},
    ]


class Bag(torch.nn.Module):
    def forward(self, flat: torch.Tensor, offsets: torch.Tensor) -> dict[str, torch.Tensor]:
        sums = torch.stack([flat[int(offsets[i]) : int(offsets[i + 1])].sum() for i in range(len(offsets) - 1)])
        return {"sum": sums, "each": flat[:, 0]}


def test_ragged_items_are_answered_one_by_one(tmp_path):
    rows = [{"output": "sum", "as": "value"}, {"output": "each", "as": "vector"}]
    answering = served(Bag(), tmp_path, batching="ragged", along=["each"], input="features", answer=rows, preprocessing={"features": 3})
    given = [np.ones((2, 3), np.float32), np.ones((5, 3), np.float32)]
    assert answering.predict(None, given) == [{"sum": 6.0, "each": [1.0] * 2}, {"sum": 15.0, "each": [1.0] * 5}]  # type: ignore[arg-type]


def test_one_bad_item_is_a_row_with_its_error_and_the_others_are_answered(tmp_path):
    answering = served(Inverse(), tmp_path, answer=[{"output": "inverse", "as": "value"}])
    good = base64.b64encode(encode(Image.fromarray(scene()), "PNG")).decode()
    rows = answering.predict(None, pandas.DataFrame({"image": [good, "bm90IGEgcGljdHVyZQ==", "no base64!", np.zeros((4, 4)), good]}))  # type: ignore[arg-type]
    assert [row.get("inverse") for row in rows] == [0.0, None, None, None, 0.0]
    says = ["not a picture that can be read", "not a base64-encoded picture", r"need uint8 \(H, W, 3\) in RGB"]
    assert all(re.search(text, row["error"]) for text, row in zip(says, rows[1:4], strict=True))


class Sums(torch.nn.Module):
    def forward(
        self,
        x: torch.Tensor,
        edge_index: torch.Tensor,
        index: torch.Tensor,
        count: int,
        edges: Optional[torch.Tensor] = None,  # noqa: UP045 - TorchScript reads typing's
    ) -> dict[str, torch.Tensor]:
        ends = edge_index.float().sum(1) if edges is None else (edge_index * edges[:, 0]).sum(1)
        return {"out": torch.stack([x.sum(), ends[0], ends[1]])[None], "each": x[:, 0]}


GRAPHS = [
    {"x": [[1, 0], [0, 1], [1, 1]], "edges": [[0, 1], [1, 2], [1, 0], [2, 2]]},
    {"x": [[1, 0], [0, 1]], "edges": [[1, 0], [1, 0]], "directed": True, "label": "ring"},
    {"x": [[1, 0]], "edges": []},
    {"x": [[1.5, 0]], "edges": []},
    {"x": [[1, 0]], "edges": [[0, 1]]},
    {"x": [[1, 0]], "edges": [[0, -1]]},
    {"x": [[1, 0], [1]], "edges": []},
    {"x": [[1]], "edges": []},
    {"x": [[1, float("nan")]], "edges": []},
    {"x": [[1, 0]], "edges": [], "colour": 1},
    {"x": [[1, 0], [0, 0]], "edges": [[0, 1]], "edge_features": [[3]]},
    {"x": [[1, 0], [0, 0]], "edges": [[0, 1]], "edge_features": [[3], [4]]},
    {"edges": []},
    "ring",
]


@pytest.mark.parametrize("edge_width", [0, 1])
@pytest.mark.parametrize("codes", [[], [2, 2]])
def test_a_served_graph_is_read_as_predict_reads_it(tmp_path, edge_width, codes):
    about = {"features": ["a", "b"], "edge_features": edge_width, "codes": codes, "edge_codes": []}
    read = 0
    for graph in GRAPHS:
        (tmp_path / "graph.json").write_text(json.dumps(graph))
        try:
            expected = read_graph(tmp_path / "graph.json", about)
        except DataError:
            with pytest.raises(ValueError):
                serving._graph(graph, about)
            continue
        got = serving._graph(graph, about)
        assert len(got) == len(expected)
        for one, other in zip(got, expected, strict=True):
            assert one.dtype == other.dtype
            assert torch.equal(one, other)
        read += 1
    assert read >= (1 if edge_width else 3)


def test_graphs_are_answered_one_by_one_with_names_for_numbers(tmp_path):
    rows = [{"output": "out", "as": "named"}, {"output": "each", "as": "vector"}]
    about = {"features": ["a", "b"], "edge_features": 0, "along": ["each"], "labels": ["sum", "from", "to"]}
    answering = served(Sums(), tmp_path, batching="graph", input="graph", answer=rows, **about)
    rows = answering.predict(None, pandas.DataFrame({"graph": GRAPHS[1:3] + GRAPHS[4:5]}))  # type: ignore[arg-type]
    assert rows[:2] == [
        {"out": {"sum": 2.0, "from": 1.0, "to": 0.0}, "each": [1.0, 0.0]},
        {"out": {"sum": 1.0, "from": 0.0, "to": 0.0}, "each": [1.0]},
    ]
    assert rows[2] == {"error": "an edge names node 1; the nodes are 0..0"}


def test_what_is_no_table_of_the_right_column_is_refused():
    with pytest.raises(ValueError, match="column 'image'"):
        serving._items(pandas.DataFrame({"picture": ["x"]}), "image")
    with pytest.raises(ValueError, match="column 'graph', or a list"):
        serving._items({"x": 1}, "graph")


def test_numbers_are_spelled_as_predict_spells_them():
    numbers = torch.tensor([[0.1, 1 / 3], [1e-9, 7.0]])
    assert serving._numbers(numbers) == answer_rows({"answer": [{"output": "n", "as": "map"}]}, {"n": numbers[None]})[0]["n"]
