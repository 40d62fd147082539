"""The file that travels with a registered model, held against what `discern predict` does."""

import base64
import io
import json
import struct
import zlib
from types import SimpleNamespace

import cv2
import numpy as np
import pandas
import pytest
import torch
from PIL import Image

from apps.base import serving
from datamodules.errors import DataError
from datamodules.pictures import read_picture

pytestmark = pytest.mark.filterwarnings("ignore")


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
    try:
        expected = read_picture(data)
    except DataError:
        with pytest.raises(ValueError, match="picture 3: "):
            serving._decode(base64.b64encode(data), 3)
        return
    assert (serving._decode(base64.b64encode(data), 3) == expected).all()


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
    answering = served(Bag(), tmp_path, batching="ragged", along=["each"], input="features", answer=rows)
    given = [np.ones((2, 3), np.float32), np.ones((5, 3), np.float32)]
    assert answering.predict(None, given) == [{"sum": 6.0, "each": [1.0] * 2}, {"sum": 15.0, "each": [1.0] * 5}]  # type: ignore[arg-type]


def test_a_table_of_pictures_needs_its_column():
    with pytest.raises(ValueError, match="column 'image'"):
        serving._pictures(pandas.DataFrame({"picture": ["x"]}))
