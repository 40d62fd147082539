import io
import struct
import tracemalloc
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from datamodules.errors import DataError
from datamodules.headers import KINDS, probe
from datamodules.pictures import canonical, read_picture

KIND_OPTIONS = {"JPEG": {"quality": 95}, "PNG": {}, "WebP": {"lossless": True}, "TIFF": {}, "BMP": {}, "GIF": {}}


def scene(height=40, width=60):
    """Bright in one corner, different along both axes: every turn and flip of it differs."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[..., 0] = np.linspace(0, 255, width)[None]
    pixels[..., 1] = np.linspace(0, 255, height)[:, None]
    pixels[:8, :8] = 255
    return pixels


def encode(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def differ(one, other):
    assert one.shape == other.shape
    return np.abs(one.astype(int) - other).mean()


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_read_as_rgb(kind):
    loss = {"JPEG": 3, "GIF": 12}.get(kind, 0)
    assert differ(read_picture(encode(Image.fromarray(scene()), kind, **KIND_OPTIONS[kind])), scene()) <= loss


def test_first_bytes_decide_never_the_extension(tmp_path):
    path = tmp_path / "person.png"
    path.write_bytes(encode(Image.fromarray(scene()), "JPEG"))
    assert probe(path.read_bytes()).kind == "JPEG"
    assert read_picture(path).shape == (40, 60, 3)


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WebP", "TIFF"])
def test_exif_turns_are_carried_out(kind, turn):
    exif = Image.Exif()
    exif[0x112] = turn
    data = encode(Image.fromarray(scene()), kind, exif=exif, **KIND_OPTIONS[kind])
    expected = np.array(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))
    assert differ(read_picture(data), expected) <= 1


def test_grey_is_repeated():
    grey = scene()[..., 0]
    for kind in ("PNG", "TIFF", "BMP"):
        assert (read_picture(encode(Image.fromarray(grey), kind)) == grey[:, :, None]).all()


def test_sixteen_bits_are_divided_by_257():
    deep = np.array([[0, 128, 129, 257, 32896, 65535]], np.uint16)
    data = cv2.imencode(".png", deep)[1].tobytes()
    assert read_picture(data)[0, :, 0].tolist() == [0, 0, 1, 1, 128, 255]


@pytest.mark.parametrize("kind", ["PNG", "WebP", "TIFF"])
def test_transparency_is_composed_on_white(kind):
    alpha = np.full((40, 60), 100, np.uint8)
    alpha[:5] = 0
    image = Image.fromarray(np.dstack([scene(), alpha]))
    paper = Image.new("RGBA", image.size, (255, 255, 255, 255))
    paper.alpha_composite(image)
    read = read_picture(encode(image, kind, **({"lossless": True, "exact": True} if kind == "WebP" else {})))
    assert np.abs(read.astype(int) - np.array(paper.convert("RGB"))).max() <= 2
    assert (read[:5] == 255).all()


def test_grey_with_alpha_and_transparent_palettes_follow_the_same_rule():
    grey_alpha = np.dstack([np.full((6, 6), 40, np.uint8), np.full((6, 6), 0, np.uint8)])
    assert (read_picture(encode(Image.fromarray(grey_alpha, "LA"), "PNG")) == 255).all()
    palette = Image.new("P", (6, 6), 1)
    palette.putpalette([9, 9, 9, 200, 10, 20])
    assert (read_picture(encode(palette, "PNG")) == (200, 10, 20)).all()
    assert (read_picture(encode(palette, "PNG", transparency=1)) == 255).all()


def test_cmyk_becomes_rgb():
    cmyk = Image.fromarray(scene()).convert("CMYK")
    assert differ(read_picture(encode(cmyk, "JPEG", quality=95)), scene()) < 3
    assert differ(read_picture(encode(cmyk, "TIFF")), scene()) < 1


def test_canonical_states_the_rule_for_arrays():
    assert canonical(np.array([[True, False]])).tolist() == [[[255] * 3, [0] * 3]]
    assert canonical(np.array([[[10, 0]]], np.uint8)).tolist() == [[[255] * 3]]
    for wrong in (np.zeros((2, 2, 5), np.uint8), np.zeros((0, 2), np.uint8), np.zeros((2, 2, 3)), np.full((2, 2), np.nan)):
        with pytest.raises(DataError):
            canonical(wrong)


def giant(kind, width, height):
    """A header that promises width x height, with hardly a byte behind it."""
    if kind == "PNG":
        body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
        end = b"\0\0\0\0IEND" + struct.pack(">I", zlib.crc32(b"IEND"))
        return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body)) + end
    if kind == "JPEG":
        return b"\xff\xd8\xff\xc0" + struct.pack(">HBHHB", 11, 8, height, width, 1) + b"\1\x11\0" + b"\xff\xd9"
    if kind == "BMP":
        return b"BM" + struct.pack("<IIIIiiHHI", 54, 0, 54, 40, width, -height, 1, 24, 0) + bytes(20)
    if kind == "GIF":
        return (
            b"GIF89a" + struct.pack("<HHBBB", width, height, 0, 0, 0) + b"\x2c" + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\2\0;"
        )
    if kind == "WebP":
        chunk = b"VP8X" + struct.pack("<I", 10) + bytes(4) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
        return b"RIFF" + struct.pack("<I", len(chunk) + 4) + b"WEBP" + chunk
    tags = [(256, width), (257, height), (273, 8), (279, 1)]
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags) + bytes(4)


@pytest.mark.parametrize("kind", KINDS)
def test_picture_of_60000_by_60000_is_refused_without_allocating(kind, tmp_path):
    path = tmp_path / "giant"
    path.write_bytes(giant(kind, 60_000, 60_000))
    tracemalloc.start()
    with pytest.raises(DataError, match=r"giant: 60000 x 60000 pixels are more than the limit of 100,000,000"):
        read_picture(path)
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


def test_pixel_limit_is_on_the_product_and_can_be_set():
    data = encode(Image.fromarray(scene()), "PNG")
    assert read_picture(data, max_pixels=2400).shape == (40, 60, 3)
    with pytest.raises(DataError, match="limit of 2,399"):
        read_picture(data, max_pixels=2399)


@pytest.mark.parametrize("kind", KINDS)
def test_file_cut_short_anywhere_is_refused(kind):
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8))
    data = encode(image, kind, **KIND_OPTIONS[kind])
    for end in range(0, len(data) - 2, max(1, len(data) // 60)):
        with pytest.raises(DataError):
            read_picture(data[:end])


def test_progressive_jpeg_and_bytes_after_the_end_are_fine():
    data = encode(Image.fromarray(scene()), "JPEG", progressive=True, quality=95)
    assert differ(read_picture(data + b"trailing notes"), scene()) < 3


@pytest.mark.parametrize(
    "noise", [b"", b"hello", b"\xff\xd8\xff", b"GIF89a", b"BM", b"RIFF", b"II*\0\xff\xff\xff\xff", b"\x89PNG\r\n\x1a\n"]
)
def test_what_is_no_picture_is_named(noise, tmp_path):
    path = tmp_path / "notes.jpg"
    path.write_bytes(noise)
    with pytest.raises(DataError, match=r"notes\.jpg: (empty file|not a picture)"):
        read_picture(path)


def test_headers_survive_any_bytes():
    rng = np.random.default_rng(0)
    for kind in KINDS:
        data = bytearray(encode(Image.fromarray(scene()), kind))
        for _ in range(300):
            wrong = bytearray(data)
            for place in rng.integers(4, min(len(data), 200), 4):
                wrong[place] = rng.integers(256)
            probe(bytes(wrong))


def test_missing_file_is_one_line(tmp_path):
    with pytest.raises(DataError, match="No such file"):
        read_picture(tmp_path / "gone.jpg")
